package meter

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
)

const (
	noType    = math.MaxUint32
	pageBytes = 64 << 10

	typeI32, typeI64, typeF32, typeF64 byte = 0x7f, 0x7e, 0x7d, 0x7c
)

// writer goes through a module section by section and writes the instrumented one.
type writer struct {
	options Options
	out     []byte
	held    []byte // sections that are not to be the last
	m       Module

	types       []funcType
	importsRead bool
	yieldType   uint32   // the type () -> (), noType before it is known
	functions   []uint32 // the types of all functions, the module's imports first
	globals     []globalType
	exported    map[uint32]string // a name of each exported global
	exports     []bool            // which functions are exported

	reasons []string // why it is not resettable
}

// funcType is what matters of a function type.
type funcType struct{ params, results uint32 }

// width is how many values go in and out.
func (t funcType) width() uint64 { return uint64(t.params) + uint64(t.results) }

// globalType is the type of one global.
type globalType struct {
	kind     byte
	mutable  bool
	imported bool
}

// yield is the index of the imported yield function: behind the module's own
// imports, so that only the functions it defines move, by one.
func (w *writer) yield() uint32 { return w.m.ImportedFunctions }

// fuel is the index of the global that holds the fuel: the last.
func (w *writer) fuel() uint32 { return uint32(len(w.globals)) }

// moved is the new index of a function. What does not exist still does not.
func (w *writer) moved(function uint32) uint32 {
	if function < w.m.ImportedFunctions || function == math.MaxUint32 {
		return function
	}
	return function + 1
}

// missing writes the sections between two ranks that the module lacks and the
// meter needs.
func (w *writer) missing(after, before int) error {
	for _, id := range []byte{sectionType, sectionImport, sectionGlobal, sectionExport} {
		if k := rank(id); after < k && k < before {
			if err := w.section(id, []byte{0}); err != nil {
				return err
			}
		}
	}
	return nil
}

// section writes one section of the module.
func (w *writer) section(id byte, content []byte) error {
	var err error
	switch id {
	case sectionCustom:
		return sectionError(id, w.custom(content))
	case sectionType:
		content, err = w.typeSection(content)
	case sectionImport:
		content, err = w.importSection(content)
	case sectionFunction:
		err = w.functionSection(content)
	case sectionTable:
		content, err = w.tableSection(content)
	case sectionMemory:
		err = w.memorySection(content)
	case sectionGlobal:
		content, err = w.globalSection(content)
	case sectionExport:
		content, err = w.exportSection(content)
	case sectionStart:
		content, err = w.startSection(content)
	case sectionElement:
		content, err = w.elementSection(content)
	case sectionCode:
		content, err = w.codeSection(content)
	case sectionData:
		err = w.dataSection(content)
	case sectionTag:
		err = w.tagSection(content)
	}
	w.write(id, content)
	return sectionError(id, err)
}

// finish is the module that was written.
func (w *writer) finish() (*Module, error) {
	if len(w.out) > math.MaxInt32 {
		return nil, errors.New("the instrumented module has more than 2 GiB: build a smaller one")
	}
	w.m.Bytes = w.out
	w.m.NotResettable = strings.Join(w.reasons, "; ")
	w.m.Resettable = w.m.NotResettable == ""
	return &w.m, nil
}

// unresettable notes a reason why instances cannot be reset.
func (w *writer) unresettable(format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	for _, r := range w.reasons {
		if r == reason {
			return
		}
	}
	if len(w.reasons) < 8 {
		w.reasons = append(w.reasons, reason)
	}
}

// done is the reader's fault, or that bytes are left over.
func (r *reader) done() error {
	if r.more() {
		r.fail("%d bytes are left over", len(r.b)-r.at)
	}
	return r.err
}

// typeSection learns the function types and sees that () -> () is among them.
func (w *writer) typeSection(content []byte) ([]byte, error) {
	r := reader{b: content}
	entries := r.u32()
	start := r.at
	for n := entries; n > 0 && r.err == nil; n-- {
		if r.more() && r.b[r.at] == 0x4e { // several types that may refer to each other
			r.at++
			for k := r.u32(); k > 0 && r.err == nil; k-- {
				w.readType(&r)
			}
			continue
		}
		at, index := r.at, uint32(len(w.types))
		w.readType(&r)
		if r.err == nil && bytes.Equal(content[at:r.at], []byte{0x60, 0, 0}) && w.yieldType == noType {
			w.yieldType = index
		}
	}
	if err := r.done(); err != nil || w.yieldType != noType {
		return content, err
	}
	w.yieldType = uint32(len(w.types))
	return append(append(appendU32(nil, entries+1), content[start:]...), 0x60, 0, 0), nil
}

// readType reads one function type.
func (w *writer) readType(r *reader) {
	if form := r.byte(); r.err == nil && form != 0x60 {
		r.at--
		r.fail("0x%02x is not a function type", form)
	}
	params := r.u32()
	for n := params; n > 0 && r.err == nil; n-- {
		w.checkValueType(r)
	}
	results := r.u32()
	for n := results; n > 0 && r.err == nil; n-- {
		w.checkValueType(r)
	}
	w.types = append(w.types, funcType{params, results})
}

// checkValueType reads a value type and returns its first byte. It is not checked
// where wazero does not: inside of the type section, where it may refer to a type
// that comes later, and in imports.
func (w *writer) checkValueType(r *reader) byte {
	kind, typeIndex := r.valueType()
	if w.importsRead && typeIndex > int64(len(w.types)) {
		r.fail("there is no type %d", typeIndex-1)
	}
	return kind
}

// checkType sees that a type is the module's own, and not the one that is added.
func (w *writer) checkType(r *reader, index uint32) uint32 {
	if r.err == nil && int(index) >= len(w.types) {
		r.fail("there is no type %d", index)
	}
	return index
}

// importSection adds the import of the yield function.
func (w *writer) importSection(content []byte) ([]byte, error) {
	r := reader{b: content}
	entries := r.u32()
	start := r.at
	for n := entries; n > 0 && r.err == nil; n-- {
		w.readImport(&r)
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	w.m.ImportedFunctions, w.importsRead = uint32(len(w.functions)), true
	out := append(appendU32(nil, entries+1), content[start:]...)
	out = append(appendName(appendName(out, ImportModule), ImportYield), byte(KindFunction))
	return appendU32(out, w.yieldType), nil
}

// readImport reads one import.
func (w *writer) readImport(r *reader) {
	i := Import{r.name(), r.name(), Kind(r.byte())}
	if r.err != nil {
		return
	}
	if i.Module == ImportModule {
		r.fail("it imports %q from %q, a name that is reserved for the meter: was it instrumented before?", clip(i.Name), ImportModule)
	}
	switch i.Kind {
	case KindFunction:
		w.functions = append(w.functions, w.checkType(r, r.u32()))
	case KindTable:
		w.readTable(r)
		w.unresettable("it imports the table %q.%q, which others may change", clip(i.Module), clip(i.Name))
	case KindMemory:
		r.limits()
		w.unresettable("it imports the memory %q.%q, which others may change", clip(i.Module), clip(i.Name))
	case KindGlobal:
		g := w.readGlobalType(r)
		g.imported = true
		if g.mutable {
			w.unresettable("it imports the mutable global %q.%q, which others may change", clip(i.Module), clip(i.Name))
		}
		w.globals = append(w.globals, g)
	case KindTag:
		r.byte()
		w.checkType(r, r.u32())
	default:
		r.fail("an import of the unknown kind 0x%02x", byte(i.Kind))
		return
	}
	w.m.Imports = append(w.m.Imports, i)
}

// clip shortens a name that came from a module.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// functionSection learns the types of the functions.
func (w *writer) functionSection(content []byte) error {
	r := reader{b: content}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		w.functions = append(w.functions, w.checkType(&r, r.u32()))
		if uint64(len(w.functions)) > w.options.FunctionsMax {
			r.fail("it has more than the %d functions allowed: raise the limit, or build a smaller module", w.options.FunctionsMax)
		}
	}
	w.m.Functions = uint32(len(w.functions)) - w.m.ImportedFunctions
	return r.done()
}

// limits reads the size limits of a memory or a table.
func (r *reader) limits() (min, max uint32, hasMax bool) {
	flag := r.byte()
	if flag > 3 {
		r.fail("limits of the unknown form 0x%02x", flag)
	}
	min = r.u32()
	if flag&1 != 0 {
		return min, r.u32(), true
	}
	return min, 0, false
}

// table is one table type, and the initial value if it is written out.
type table struct {
	kind, init     []byte
	min, max       uint32
	hasMax, hasOwn bool
}

// readTable reads a table type or a table.
func (w *writer) readTable(r *reader) (t table) {
	if t.hasOwn = r.more() && r.b[r.at] == 0x40; t.hasOwn {
		r.at++
		if r.byte() != 0 {
			r.fail("a table of an unknown form")
		}
	}
	at := r.at
	w.checkValueType(r)
	t.kind = r.b[at:r.at]
	if r.more() && r.b[r.at] > 1 {
		r.fail("a table that is shared, or of an unknown form")
	}
	t.min, t.max, t.hasMax = r.limits()
	if t.hasOwn {
		t.init = w.constant(nil, r, isTyped(t.kind))
	}
	return t
}

// tableSection gives each table a maximum, so that all tables together hold at
// most TableElementsMax elements, however they grow.
func (w *writer) tableSection(content []byte) ([]byte, error) {
	r := reader{b: content}
	var tables []table
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		t := w.readTable(&r)
		if t.hasMax && t.max < t.min && r.err == nil {
			r.fail("a table of at least %d and at most %d elements", t.min, t.max)
		}
		if w.m.TableElements += uint64(t.min); w.m.TableElements > w.options.TableElementsMax {
			return nil, fmt.Errorf("its tables start with %d elements or more, at most %d are allowed: raise the table limit or build a smaller module", w.m.TableElements, w.options.TableElementsMax)
		}
		tables = append(tables, t)
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	out := appendU32(nil, uint32(len(tables)))
	for _, t := range tables {
		if !t.hasMax {
			t.max = math.MaxUint32
		}
		spare := (w.options.TableElementsMax - w.m.TableElements) / uint64(len(tables))
		if t.hasOwn {
			out = append(out, 0x40, 0)
		}
		out = append(append(out, t.kind...), 1)
		out = appendU32(appendU32(out, t.min), uint32(min(uint64(t.max), uint64(t.min)+spare)))
		out = append(out, t.init...)
	}
	return out, nil
}

// memorySection notes the declared size of the memory.
func (w *writer) memorySection(content []byte) error {
	r := reader{b: content}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		min, max, hasMax := r.limits()
		w.m.MemoryBytesMin += uint64(min) * pageBytes
		if hasMax {
			w.m.MemoryBytesMax += uint64(max) * pageBytes
		}
	}
	return r.done()
}

// readGlobalType reads the type of a global.
func (w *writer) readGlobalType(r *reader) (g globalType) {
	g.kind = w.checkValueType(r)
	switch m := r.byte(); m {
	case 0, 1:
		g.mutable = m == 1
	default:
		r.fail("a global that is neither constant nor mutable: 0x%02x", m)
	}
	return g
}

// globalSection adds the fuel.
func (w *writer) globalSection(content []byte) ([]byte, error) {
	r := reader{b: content}
	entries := r.u32()
	out := appendU32(make([]byte, 0, len(content)+16), entries+1)
	for n := entries; n > 0 && r.err == nil; n-- {
		at := r.at
		g := w.readGlobalType(&r)
		out = append(out, r.b[at:r.at]...)
		out = w.constant(out, &r, isTyped(content[at:r.at]))
		if g.mutable && !isNumber(g.kind) {
			w.unresettable("its mutable global %d is of a reference or vector type, which the host cannot write", len(w.globals))
		}
		w.globals = append(w.globals, g)
	}
	return append(out, typeI64, 1, opI64Const, 0, opEnd), r.done()
}

// isNumber says whether the host can write a global of this type.
func isNumber(kind byte) bool { return kind >= typeF64 && kind <= typeI32 }

// isTyped says whether a type is a reference to things of one type only.
func isTyped(kind []byte) bool {
	return len(kind) > 0 && (kind[0] == refNullable || kind[0] == refNonNullable)
}

// constant copies a constant expression, with its function indices moved. In a
// typed one there is no plain null: wazero 1.12 takes that for function 0, and
// so its judgement would change when function 0 does.
func (w *writer) constant(out []byte, r *reader, typed bool) []byte {
	for r.err == nil {
		at := r.at
		switch op := r.byte(); op {
		case opI32Const, opI64Const:
			r.skipLEB()
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // add, sub, mul
		case opF32Const:
			r.bytes(4)
		case opF64Const:
			r.bytes(8)
		case opGlobalGet:
			w.checkGlobal(r, r.u32())
		case opRefNull:
			if t := r.u32(); typed && t == 0x70 {
				r.fail("a null of any function where the type is of one function type")
			}
		case opRefFunc:
			out = appendU32(append(out, opRefFunc), w.moved(r.u32()))
			continue
		case prefixVector:
			if r.byte() != opV128Const&0xff {
				r.fail("unknown instruction in a constant expression")
			}
			r.bytes(16)
		case opEnd:
			return append(out, opEnd)
		default:
			r.fail("unknown instruction 0x%02x in a constant expression", op)
		}
		if r.err == nil {
			out = append(out, r.b[at:r.at]...)
		}
	}
	return out
}

// checkGlobal sees that a global is the module's own, and not the fuel.
func (w *writer) checkGlobal(r *reader, index uint32) {
	if r.err == nil && int(index) >= len(w.globals) {
		r.fail("there is no global %d", index)
	}
}

// checkHeapType does the same for the immediate of ref.null, which is a type
// index or the code of func, extern or exn.
func (w *writer) checkHeapType(r *reader, index uint32) {
	if index != 0x70 && index != 0x6f && index != 0x69 {
		w.checkType(r, index)
	}
}
