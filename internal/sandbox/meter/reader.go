package meter

import (
	"bytes"
	"errors"
	"fmt"
)

// wasmHeader is what every core module starts with: a magic and version 1.
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
	if r.err == nil && r.at < len(r.b) && r.b[r.at] < 0x80 { // nearly always
		r.at++
		return uint32(r.b[r.at-1])
	}
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

// s33 reads a signed LEB128 number of at most 33 bits: a block or heap type.
func (r *reader) s33() int64 {
	var v int64
	for shift := uint(0); shift < 35; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c < 0x80 {
			if c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
	r.fail("a number is longer than 33 bits")
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

// name reads one length-prefixed name.
func (r *reader) name() string { return string(r.bytes(r.u32())) }

// appendU32 appends v as LEB128.
func appendU32(out []byte, v uint32) []byte {
	for v >= 0x80 {
		out = append(out, byte(v)|0x80)
		v >>= 7
	}
	return append(out, byte(v))
}

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

// appendName appends a length-prefixed name.
func appendName(out []byte, s string) []byte {
	return append(appendU32(out, uint32(len(s))), s...)
}

// appendSection appends a section.
func appendSection(out []byte, id byte, content []byte) []byte {
	return append(appendU32(append(out, id), uint32(len(content))), content...)
}

// section is one section of a module; content aliases the module.
type section struct {
	id      byte
	content []byte
}

// sections splits a module. Its own sections come in the order that rank gives.
func sections(module []byte) ([]section, error) {
	if !bytes.HasPrefix(module, wasmHeader) {
		return nil, errors.New(headerFault(module))
	}
	r := reader{b: module, at: len(wasmHeader)}
	var all []section
	last := 0
	for r.more() {
		s := section{id: r.byte()}
		s.content = r.bytes(r.u32())
		if s.id != sectionCustom && r.err == nil {
			k := rank(s.id)
			if k == 0 {
				r.fail("there is no section with id %d", s.id)
			} else if k <= last {
				r.fail("the %s section is out of order, or there a second time", sectionNames[s.id])
			}
			last = k
		}
		all = append(all, s)
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

// Section ids.
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
	sectionTag
)

var sectionNames = [...]string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count", "tag"}

// sectionOrder is the order in which sections come.
var sectionOrder = [...]byte{sectionCustom, sectionType, sectionImport, sectionFunction, sectionTable, sectionMemory, sectionTag, sectionGlobal, sectionExport, sectionStart, sectionElement, sectionDataCount, sectionCode, sectionData}

// rank is a section's place in that order, 0 for an id that is none.
func rank(id byte) int { return bytes.IndexByte(sectionOrder[1:], id) + 1 }

// sectionError names the section a fault lies in.
func sectionError(id byte, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s section: %w", sectionNames[id], err)
}
