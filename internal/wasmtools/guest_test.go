package wasmtools

import (
	"encoding/binary"
	"fmt"
)

// guest is a module of the native ABI by hand: a tool of that name that answers
// result after it has counted to loops.
func guest(name, result string, loops int32) []byte {
	description := fmt.Sprintf(`{"name":%q,"description":"Answers the same each time.","inputSchema":{"type":"object"}}`, name)
	const descriptionAt, resultAt, freeAt = 1024, 8192, 16384
	answer := func(at int, text string) []byte {
		return append([]byte{0x42}, append(leb(int64(at)<<32|int64(len(text))), 0x0b)...) // i64.const, end
	}
	call := []byte{0x03, 0x40} // loop: the first parameter counts down
	call = append(call, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b)
	call = append(append([]byte{0x41}, append(leb(int64(loops)), 0x21, 0)...), call...)
	bodies := [][]byte{
		append([]byte{0x41}, append(leb(freeAt), 0x0b)...), // alloc
		answer(descriptionAt, description),
		append(call, answer(resultAt, result)...),
	}
	code := []byte{byte(len(bodies))}
	for _, b := range bodies {
		code = append(append(code, leb(int64(len(b)+1))...), append([]byte{0}, b...)...)
	}
	export := func(name string, kind, index byte) []byte {
		return append(append([]byte{byte(len(name))}, name...), kind, index)
	}
	exports := []byte{4}
	for _, e := range [][]byte{export("memory", 2, 0), export("alloc", 0, 0), export("describe", 0, 1), export("call", 0, 2)} {
		exports = append(exports, e...)
	}
	data := []byte{2}
	for _, d := range []struct {
		at   int64
		text string
	}{{descriptionAt, description}, {resultAt, result}} {
		data = append(append(append(data, 0, 0x41), leb(d.at)...), 0x0b)
		data = append(binary.AppendUvarint(data, uint64(len(d.text))), d.text...)
	}
	module := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range []struct {
		id      byte
		content []byte
	}{
		{1, []byte{3, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 1, 0x7e, 0x60, 2, 0x7f, 0x7f, 1, 0x7e}},
		{3, []byte{3, 0, 1, 2}},
		{5, []byte{1, 0, 1}},
		{7, exports},
		{10, code},
		{11, data},
	} {
		module = append(binary.AppendUvarint(append(module, s.id), uint64(len(s.content))), s.content...)
	}
	return module
}

// leb is a signed number in LEB128.
func leb(n int64) (out []byte) {
	for {
		low := byte(n & 0x7f)
		n >>= 7
		if n == 0 && low < 0x40 || n == -1 && low >= 0x40 {
			return append(out, low)
		}
		out = append(out, low|0x80)
	}
}
