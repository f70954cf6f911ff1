package meter

import (
	"bytes"
	"slices"

	"github.com/tetratelabs/wazero/api"
)

// builder writes small modules byte by byte. The zero value is an empty module.
type builder struct {
	types     [][]byte
	imports   [][]byte
	functions []uint32
	tables    [][]byte
	memories  [][]byte
	tags      [][]byte
	globals   [][]byte
	exports   [][]byte
	start     *uint32
	elements  [][]byte
	bodies    [][]byte
	data      [][]byte
	customs   [][]byte // name and content
	dataCount bool

	importedFunctions uint32
}

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

// typeOf returns the index of a function type.
func (b *builder) typeOf(params, results []api.ValueType) uint32 {
	t := append(appendU32([]byte{0x60}, uint32(len(params))), params...)
	t = append(appendU32(t, uint32(len(results))), results...)
	if i := slices.IndexFunc(b.types, func(have []byte) bool { return bytes.Equal(have, t) }); i >= 0 {
		return uint32(i)
	}
	b.types = append(b.types, t)
	return uint32(len(b.types) - 1)
}

// importFunction adds an import; all imports come before the first function.
func (b *builder) importFunction(module, name string, params, results []api.ValueType) uint32 {
	entry := append(appendName(appendName(nil, module), name), byte(KindFunction))
	b.imports = append(b.imports, appendU32(entry, b.typeOf(params, results)))
	b.importedFunctions++
	return b.importedFunctions - 1
}

// importOther adds an import of another kind, whose type is given as it is.
func (b *builder) importOther(module, name string, kind Kind, description ...byte) {
	b.imports = append(b.imports, append(append(appendName(appendName(nil, module), name), byte(kind)), description...))
}

// function adds a function and exports it if it has a name. locals are the
// declarations, as count and type, one after the other.
func (b *builder) function(export string, params, results []api.ValueType, locals []byte, code ...byte) uint32 {
	b.functions = append(b.functions, b.typeOf(params, results))
	body := append(appendU32(nil, uint32(len(locals)/2)), locals...)
	b.bodies = append(b.bodies, append(append(body, code...), opEnd))
	index := b.importedFunctions + uint32(len(b.functions)) - 1
	if export != "" {
		b.export(export, KindFunction, index)
	}
	return index
}

func (b *builder) export(name string, kind Kind, index uint32) {
	b.exports = append(b.exports, appendU32(append(appendName(nil, name), byte(kind)), index))
}

// memory gives the module a memory of some pages and exports it.
func (b *builder) memory(pages uint32) {
	b.memories = [][]byte{appendU32([]byte{0}, pages)}
	b.export("memory", KindMemory, 0)
}

// bytes is the module.
func (b *builder) bytes() []byte {
	out := bytes.Clone(wasmHeader)
	vector := func(id byte, items [][]byte) {
		if len(items) > 0 {
			out = appendSection(out, id, append(appendU32(nil, uint32(len(items))), bytes.Join(items, nil)...))
		}
	}
	functions := make([][]byte, len(b.functions))
	bodies := make([][]byte, len(b.bodies))
	for i, t := range b.functions {
		functions[i] = appendU32(nil, t)
		bodies[i] = append(appendU32(nil, uint32(len(b.bodies[i]))), b.bodies[i]...)
	}
	vector(sectionType, b.types)
	vector(sectionImport, b.imports)
	vector(sectionFunction, functions)
	vector(sectionTable, b.tables)
	vector(sectionMemory, b.memories)
	vector(sectionTag, b.tags)
	vector(sectionGlobal, b.globals)
	vector(sectionExport, b.exports)
	if b.start != nil {
		out = appendSection(out, sectionStart, appendU32(nil, *b.start))
	}
	vector(sectionElement, b.elements)
	if b.dataCount {
		out = appendSection(out, sectionDataCount, appendU32(nil, uint32(len(b.data))))
	}
	vector(sectionCode, bodies)
	vector(sectionData, b.data)
	for _, c := range b.customs {
		out = appendSection(out, sectionCustom, c)
	}
	return out
}

// code joins pieces of code.
func code(pieces ...[]byte) []byte { return bytes.Join(pieces, nil) }

func i32Const(v int32) []byte { return appendSigned([]byte{opI32Const}, int64(v)) }

// do is an instruction with its indices.
func do(op byte, indices ...uint32) []byte {
	out := []byte{op}
	for _, i := range indices {
		out = appendU32(out, i)
	}
	return out
}

// tightLoop is a module whose "run" adds up the numbers from n to 1.
func tightLoop() []byte {
	b := new(builder)
	b.function("run", []api.ValueType{i32}, []api.ValueType{i32}, []byte{1, i32},
		code([]byte{opLoop, blockVoid},
			do(opLocalGet, 1), do(opLocalGet, 0), []byte{opI32Add}, do(opLocalSet, 1),
			do(opLocalGet, 0), i32Const(1), []byte{opI32Sub}, do(opLocalTee, 0), do(opBrIf, 0),
			[]byte{opEnd}, do(opLocalGet, 1))...)
	return b.bytes()
}

const opI32Add, opI32Sub = 0x6a, 0x6b
