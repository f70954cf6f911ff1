package sandbox

import (
	"bytes"
	"fmt"
)

// What this file changes in a module before it is compiled, and why.
//
// wazero stops a guest at its deadline by a check at each loop header. Code
// without loops can run for hours all the same: two functions that call each
// other, a chain of functions that each call the next one twice, or a long row
// of memory.fill. So the module gets one more function, whose body is an empty
// loop, and a call of it in front of each function body that makes calls and in
// front of each bulk instruction. It is the last function and has the last
// type, so no index in the module changes. (An empty loop in each of those
// places would do too, but the compiler's time grows with the square of the
// loops in a function.)
//
// wazero lets a table grow to 2^27 elements of 8 bytes, so each table gets a
// maximum.

// checkpointBody is the function: no locals, `loop (void) end`.
var checkpointBody = []byte{0, opLoop, 0x40, opEnd, opEnd}

// checkpointType is its type: no parameters, no results.
var checkpointType = []byte{0x60, 0, 0}

// wazero cannot be interrupted while it compiles, and its time and memory grow
// with products: a module of 31 KB took a minute and 2 GB. So the work is
// estimated first, function by function, as
//
//	b*b + b*d*v + b*v*v/4
//
// with b branches (blocks, conditional branches, and two for each bulk
// instruction), d the deepest nesting and v local variables. Measured on one
// core: 10 to 25 ns per unit, for Go programs of 3 to 49 MB (hello world with
// encoding/json 6e7, cmd/gofmt 1e8, cmd/link 7e8, cmd/compile 5e9) as for modules made
// to be slow. Limits.CompileWorkMax bounds the sum.

// shape is what the rewrite learns about a module on its way.
type shape struct {
	memoryBytesMin uint64
	memoryBytesMax uint64 // 0: the module names no maximum
	tableElements  uint64 // sum of the tables' initial sizes
	imported       uint32 // functions
	compileWork    uint64

	params    []uint32 // of each type
	functions []uint32 // the types of the functions it defines
}

const pageBytes = 64 << 10

// rewrite returns the module with checkpoints and bounded tables, and its
// shape. Faults are errors that say where; a module that passes may still be
// invalid, which is for the compiler to find.
func rewrite(module []byte, limits Limits) ([]byte, shape, error) {
	var s shape
	all, err := sections(module)
	if err != nil {
		return nil, s, err
	}
	out := make([]byte, 0, len(module)+len(module)/16+64)
	out = append(out, wasmHeader...)
	for _, sec := range all {
		content := sec.content
		switch sec.id {
		case sectionType:
			content, err = s.readTypes(content)
		case sectionImport:
			s.imported, err = checkImports(content)
		case sectionFunction:
			content, err = s.readFunctions(content)
		case sectionTable:
			content, err = s.boundTables(content, limits)
		case sectionMemory:
			err = s.readMemory(content)
		case sectionCode:
			content, err = s.addCheckpoints(content, limits)
		}
		if err != nil {
			return nil, s, err
		}
		out = append(out, sec.id)
		out = appendU32(out, uint32(len(content)))
		out = append(out, content...)
	}
	return out, s, nil
}

// readTypes notes how many parameters each function type has, and adds the type
// of the checkpoint function.
func (s *shape) readTypes(content []byte) ([]byte, error) {
	r := reader{b: content}
	n := r.u32()
	start := r.at
	for i := n; i > 0 && r.err == nil; i-- {
		if form := r.byte(); r.err == nil && form != 0x60 {
			return nil, fmt.Errorf("type section: at byte %d: 0x%02x is not a function type", r.at-1, form)
		}
		params := r.u32()
		r.bytes(params)
		r.bytes(r.u32())
		s.params = append(s.params, params)
	}
	if r.err != nil {
		return nil, sectionError("type", r.err)
	}
	return append(append(appendU32(nil, n+1), content[start:]...), checkpointType...), nil
}

// readFunctions notes the type of each function, and adds the checkpoint function.
func (s *shape) readFunctions(content []byte) ([]byte, error) {
	r := reader{b: content}
	n := r.u32()
	start := r.at
	for i := n; i > 0 && r.err == nil; i-- {
		t := r.u32()
		if r.err == nil && int(t) >= len(s.params) {
			return nil, fmt.Errorf("function section: there is no type %d", t)
		}
		s.functions = append(s.functions, t)
	}
	if r.err != nil {
		return nil, sectionError("function", r.err)
	}
	if n == 0 { // a code section may then be missing, and there is nothing to check
		return content, nil
	}
	return appendU32(append(appendU32(nil, n+1), content[start:]...), uint32(len(s.params))), nil
}

// checkImports counts the imported functions, and refuses modules that want a
// memory, table or global from the host: there is none to give.
func checkImports(content []byte) (uint32, error) {
	r := reader{b: content}
	count := r.u32()
	for n := count; n > 0 && r.err == nil; n-- {
		module, name := r.name(), r.name()
		switch kind := r.byte(); kind {
		case 0: // function
			r.skipLEB()
		default:
			if r.err != nil {
				break
			}
			what := map[byte]string{1: "table", 2: "memory", 3: "global", 4: "tag"}[kind]
			return 0, fmt.Errorf("it imports the %s %q.%q, but the host offers functions only: define the %s in the module and export it (wasm-ld without --import-%s)",
				what, clip(module, 64), clip(name, 64), what, what)
		}
	}
	return count, sectionError("import", r.err)
}

// table is one entry of the table section.
type table struct {
	kind     byte
	min, max uint32
}

// boundTables gives each table a maximum, so that all tables together hold at
// most limits.TableElementsMax elements, however they grow.
func (s *shape) boundTables(content []byte, limits Limits) ([]byte, error) {
	r := reader{b: content}
	var tables []table
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		t := table{kind: r.byte(), max: 1<<32 - 1}
		if r.err == nil && t.kind != 0x70 && t.kind != 0x6f {
			return nil, fmt.Errorf("table section: element type 0x%02x is not funcref or externref", t.kind)
		}
		min, max, hasMax := r.limits()
		if t.min = min; hasMax {
			t.max = max
		}
		if s.tableElements += uint64(min); s.tableElements > limits.TableElementsMax {
			return nil, fmt.Errorf("its tables start with %d elements or more, at most %d are allowed: raise the table limit or build a smaller module", s.tableElements, limits.TableElementsMax)
		}
		tables = append(tables, t)
	}
	if r.err != nil {
		return nil, sectionError("table", r.err)
	}
	out := appendU32(nil, uint32(len(tables)))
	for _, t := range tables {
		spare := (limits.TableElementsMax - s.tableElements) / uint64(len(tables))
		max := uint32(min(uint64(t.max), uint64(t.min)+spare))
		out = append(out, t.kind, 1)
		out = appendU32(appendU32(out, t.min), max)
	}
	return out, nil
}

// readMemory notes the declared size of the memory.
func (s *shape) readMemory(content []byte) error {
	r := reader{b: content}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		min, max, hasMax := r.limits()
		s.memoryBytesMin += uint64(min) * pageBytes
		if hasMax {
			s.memoryBytesMax += uint64(max) * pageBytes
		}
	}
	return sectionError("memory", r.err)
}

// addCheckpoints rewrites every function body and adds the function they call.
func (s *shape) addCheckpoints(content []byte, limits Limits) ([]byte, error) {
	r := reader{b: content}
	if n := r.u32(); int(n) != len(s.functions) {
		return nil, fmt.Errorf("code section: it has %d functions, but %d are declared", n, len(s.functions))
	}
	if len(s.functions) == 0 {
		return content, nil
	}
	check := appendU32([]byte{opCall}, s.imported+uint32(len(s.functions)))
	out := appendU32(make([]byte, 0, len(content)+len(content)/16), uint32(len(s.functions))+1)
	var body []byte
	for i, t := range s.functions {
		code := r.bytes(r.u32())
		if r.err != nil {
			return nil, sectionError("code", r.err)
		}
		var work uint64
		var err error
		if body, work, err = checkpoints(body[:0], code, check, s.params[t]); err != nil {
			return nil, fmt.Errorf("code section: function %d: %w", i, err)
		}
		if s.compileWork += work; work > limits.CompileWorkMax || s.compileWork > limits.CompileWorkMax {
			return nil, fmt.Errorf("compiling it would take more work than the %d units allowed (reached in function %d, itself %d): build it with smaller functions, or raise the compile limit", limits.CompileWorkMax, i, work)
		}
		out = append(appendU32(out, uint32(len(body))), body...)
	}
	out = append(appendU32(out, uint32(len(checkpointBody))), checkpointBody...)
	return out, sectionError("code", r.err)
}

// checkpoints appends one function body to out with its checkpoints in place,
// and estimates the work of compiling it.
func checkpoints(out, code, check []byte, params uint32) ([]byte, uint64, error) {
	r := reader{b: code}
	variables := uint64(params)
	for n := r.u32(); n > 0 && r.err == nil; n-- { // local declarations
		variables += uint64(r.u32())
		r.byte()
	}
	if variables > variablesMax {
		return nil, 0, fmt.Errorf("%d local variables, at most %d are allowed", variables, variablesMax)
	}
	start, calls := r.at, false
	var branches, depth, depthMax uint64
	out = append(out, code[:start]...)
	bodyAt := len(out)
	for r.more() {
		at := r.at
		switch op := r.instruction(); op {
		case opBlock, opLoop, opIf:
			branches++
			depth++
			depthMax = max(depth, depthMax)
		case opElse, opBrIf, opBrTable:
			branches++
		case opEnd:
			depth--
		case opCall, opCallIndirect:
			calls = true
		case opMemoryInit, opMemoryCopy, opMemoryFill, opTableInit, opTableCopy, opTableGrow, opTableFill:
			branches += 2
			out = append(out, check...)
		}
		out = append(out, code[at:r.at]...)
	}
	if calls && !bytes.HasPrefix(code[start:], []byte{opLoop}) {
		out = append(out, check...) // room for it
		copy(out[bodyAt+len(check):], out[bodyAt:])
		copy(out[bodyAt:], check)
	}
	return out, branches*branches + branches*depthMax*variables + branches*variables*variables/4, r.err
}

// sectionError names the section a fault lies in.
func sectionError(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s section: %w", name, err)
}
