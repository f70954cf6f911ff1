package sandbox

import (
	"bytes"
	"slices"

	"github.com/tetratelabs/wazero/api"
)

// builder writes small modules byte by byte, for guests that no compiler makes.
// The zero value is an empty module with one page of memory, not exported.
type builder struct {
	types     [][]byte
	imports   [][]byte
	functions []uint32
	exports   [][]byte
	bodies    [][]byte
	tables    [][]byte
	data      [][]byte
	globals   [][]byte

	importedFunctions uint32
	pagesMin          uint32
	pagesMax          uint32 // 0: none
	start             *uint32
}

// wasmHeader is what every core module starts with.
var wasmHeader = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// Section ids that the tests write.
const (
	sectionImport = 2
	sectionTable  = 4
	sectionMemory = 5
	sectionCode   = 10
)

// appendU32 appends v as LEB128.
func appendU32(out []byte, v uint32) []byte {
	for v >= 0x80 {
		out = append(out, byte(v)|0x80)
		v >>= 7
	}
	return append(out, byte(v))
}

// Opcodes that the tests write.
const (
	opLoop        = 0x03
	opIf          = 0x04
	opEnd         = 0x0b
	opBrIf        = 0x0d
	opCall        = 0x10
	opI32Const    = 0x41
	opI64Const    = 0x42
	opUnreachable = 0x00
	opDrop        = 0x1a
	opBr          = 0x0c
	opVoid        = 0x40
)

// typeOf returns the index of a function type.
func (b *builder) typeOf(params, results []api.ValueType) uint32 {
	t := []byte{0x60}
	t = append(appendU32(t, uint32(len(params))), params...)
	t = append(appendU32(t, uint32(len(results))), results...)
	if i := slices.IndexFunc(b.types, func(have []byte) bool { return bytes.Equal(have, t) }); i >= 0 {
		return uint32(i)
	}
	b.types = append(b.types, t)
	return uint32(len(b.types) - 1)
}

// importFunction adds an import; all imports come before the first function.
func (b *builder) importFunction(module, name string, params, results []api.ValueType) uint32 {
	entry := append(appendName(appendName(nil, module), name), 0)
	b.imports = append(b.imports, appendU32(entry, b.typeOf(params, results)))
	b.importedFunctions++
	return b.importedFunctions - 1
}

// function adds a function without locals and exports it if it has a name.
func (b *builder) function(export string, params, results []api.ValueType, code ...byte) uint32 {
	b.functions = append(b.functions, b.typeOf(params, results))
	b.bodies = append(b.bodies, append(append([]byte{0}, code...), opEnd))
	index := b.importedFunctions + uint32(len(b.functions)) - 1
	if export != "" {
		b.exports = append(b.exports, appendU32(append(appendName(nil, export), 0), index))
	}
	return index
}

// text puts s into memory at an address and returns the packed result for it.
func (b *builder) text(address uint32, s string) uint64 {
	d := append([]byte{0}, i32Const(address)...)
	d = append(d, opEnd)
	b.data = append(b.data, append(appendU32(d, uint32(len(s))), s...))
	return uint64(address)<<32 | uint64(len(s))
}

// counter adds a mutable i32 global that starts at 0 and returns its index.
func (b *builder) counter() byte {
	b.globals = append(b.globals, []byte{i32, 1, opI32Const, 0, opEnd})
	return byte(len(b.globals) - 1)
}

// exportMemory exports the memory under its usual name.
func (b *builder) exportMemory() {
	b.exports = append(b.exports, append(appendName(nil, "memory"), 2, 0))
}

// native gives the module what a native guest needs, apart from call, whose
// code is given.
func (b *builder) native(call ...byte) *builder {
	described := b.text(16, `{"name":"built","description":"A test guest.","inputSchema":{"type":"object"}}`)
	b.exportMemory()
	b.function("alloc", []api.ValueType{i32}, []api.ValueType{i32}, i32Const(1024)...)
	b.function("describe", nil, []api.ValueType{i64}, i64Const(described)...)
	b.function("call", []api.ValueType{i32, i32}, []api.ValueType{i64}, call...)
	return b
}

// bytes is the module.
func (b *builder) bytes() []byte {
	out := bytes.Clone(wasmHeader)
	vector := func(id byte, items [][]byte) {
		if len(items) == 0 {
			return
		}
		content := appendU32(nil, uint32(len(items)))
		for _, item := range items {
			content = append(content, item...)
		}
		out = append(appendU32(append(out, id), uint32(len(content))), content...)
	}
	functions := make([][]byte, len(b.functions))
	bodies := make([][]byte, len(b.bodies))
	for i, t := range b.functions {
		functions[i] = appendU32(nil, t)
		bodies[i] = append(appendU32(nil, uint32(len(b.bodies[i]))), b.bodies[i]...)
	}
	vector(1, b.types)
	vector(sectionImport, b.imports)
	vector(3, functions)
	vector(sectionTable, b.tables)
	memory := appendU32([]byte{0}, max(b.pagesMin, 1))
	if b.pagesMax > 0 {
		memory[0] = 1
		memory = appendU32(memory, b.pagesMax)
	}
	vector(sectionMemory, [][]byte{memory})
	vector(6, b.globals)
	vector(7, b.exports)
	if b.start != nil {
		content := appendU32(nil, *b.start)
		out = append(appendU32(append(out, 8), uint32(len(content))), content...)
	}
	vector(sectionCode, bodies)
	vector(11, b.data)
	return out
}

func appendName(out []byte, s string) []byte {
	return append(appendU32(out, uint32(len(s))), s...)
}

func i32Const(v uint32) []byte { return appendSigned([]byte{opI32Const}, int64(int32(v))) }

func i64Const(v uint64) []byte { return appendSigned([]byte{opI64Const}, int64(v)) }

// appendSigned appends v as signed LEB128.
func appendSigned(out []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(out, c)
		}
		out = append(out, c|0x80)
	}
}

// code joins pieces of code.
func code(pieces ...[]byte) []byte { return bytes.Join(pieces, nil) }
