package sandbox

import (
	"bytes"
	"errors"
	"fmt"
)

// The parts of the WebAssembly binary format that this package reads itself.
// A module is an 8-byte header and then sections:
//
//	offset  size     what
//	0       4        magic "\0asm"
//	4       4        version 1, little-endian
//	8       1        section id
//	9       1..5     content size, LEB128
//	..      size     content
//
// Source: https://www.w3.org/TR/wasm-core-2/, chapter 5.

// Section ids.
const (
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionTable    = 4
	sectionMemory   = 5
	sectionCode     = 10
)

// wasmHeader is what every core module starts with.
var wasmHeader = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// reader takes values off a byte slice. After the first fault every further
// read gives zero values, and err says what the fault was, so that a list of
// reads needs one check at its end.
type reader struct {
	b   []byte
	at  int
	err error
}

// fail records the first fault.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: "+format, append([]any{r.at}, args...)...)
	}
}

// more says whether there is something left to read.
func (r *reader) more() bool { return r.err == nil && r.at < len(r.b) }

// byte reads one byte.
func (r *reader) byte() byte {
	if !r.more() {
		r.fail("unexpected end")
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

// bytes reads n bytes, aliasing the module.
func (r *reader) bytes(n uint32) []byte {
	if r.err != nil || uint64(n) > uint64(len(r.b)-r.at) {
		r.fail("a length of %d bytes goes past the end", n)
		return nil
	}
	start := r.at
	r.at += int(n)
	return r.b[start:r.at]
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	var v uint32
	for shift := uint(0); shift < 35; shift += 7 {
		c := r.byte()
		if shift == 28 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.fail("a number is longer than 32 bits")
	return 0
}

// skipLEB passes over one LEB128 number of any kind.
func (r *reader) skipLEB() {
	for range 10 {
		if r.byte() < 0x80 {
			return
		}
	}
	r.fail("a number is longer than 64 bits")
}

// name passes over one length-prefixed name and returns it.
func (r *reader) name() string { return string(r.bytes(r.u32())) }

// limits reads the size limits of a memory or a table. max is set if hasMax.
func (r *reader) limits() (min, max uint32, hasMax bool) {
	flag := r.byte()
	min = r.u32()
	if flag&1 != 0 {
		return min, r.u32(), true
	}
	return min, 0, false
}

// appendU32 appends v as LEB128.
func appendU32(out []byte, v uint32) []byte {
	for v >= 0x80 {
		out = append(out, byte(v)|0x80)
		v >>= 7
	}
	return append(out, byte(v))
}

// section is one section of a module; content aliases the module.
type section struct {
	id      byte
	content []byte
}

// sections splits a module.
func sections(module []byte) ([]section, error) {
	if !bytes.HasPrefix(module, wasmHeader) {
		return nil, errors.New(headerFault(module))
	}
	r := reader{b: module, at: len(wasmHeader)}
	var all []section
	for r.more() {
		id := r.byte()
		all = append(all, section{id, r.bytes(r.u32())})
	}
	return all, r.err
}

// headerFault says what a file that is not a core module looks like instead.
func headerFault(module []byte) string {
	switch {
	case len(module) == 0:
		return "the file is empty"
	case len(module) >= 8 && bytes.HasPrefix(module, wasmHeader[:4]) && module[6] == 1:
		return "this is a WebAssembly component: only core modules are served, build without the component wrapper"
	case bytes.HasPrefix(module, wasmHeader[:4]):
		return "the version is not 1, or the file is cut short"
	case bytes.HasPrefix(bytes.TrimSpace(module), []byte("(module")):
		return "this is WebAssembly text: assemble it to binary first (wat2wasm)"
	case bytes.HasPrefix(module, []byte("\x7fELF")):
		return "this is a native executable: build for wasm (GOOS=wasip1 GOARCH=wasm, or --target=wasm32)"
	default:
		return `the file does not start with "\0asm"`
	}
}
