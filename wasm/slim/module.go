package main

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Sections and instructions of WebAssembly, as its specification numbers them.
const (
	sectionData     = 11
	instructionI32  = 0x41 // i32.const
	instructionEnd  = 0x0b
	headerBytes     = 8
	memoryBytesMax  = 64 << 20 // of what a module begins with
	gapBytes        = 64       // zeros that end a piece: a new one costs about 5 bytes, packed
	segmentActive   = 0
	varintBytesMost = 5
)

var errModule = errors.New("not a module as Go writes it for wasip1")

// section is a section other than that of the data.
type section struct {
	id   byte
	body []byte
}

// module is a module with its memory as it is when it starts.
type module struct {
	header   []byte
	sections []section
	memory   []byte
}

// parseModule reads a module. What it returns aliases b, but for the memory.
func parseModule(b []byte) (*module, error) {
	if len(b) < headerBytes || !bytes.HasPrefix(b, []byte("\x00asm\x01\x00\x00\x00")) {
		return nil, errModule
	}
	m := &module{header: b[:headerBytes]}
	for b = b[headerBytes:]; len(b) > 0; {
		id := b[0]
		size, n := binary.Uvarint(b[1:])
		if n <= 0 || size > uint64(len(b)-1-n) {
			return nil, errModule
		}
		body := b[1+n:][:size]
		b = b[1+n+int(size):]
		m.sections = append(m.sections, section{id, body})
		if id == sectionData {
			if err := m.load(body); err != nil {
				return nil, err
			}
		}
	}
	if m.memory == nil {
		return nil, errModule
	}
	return m, nil
}

// load puts the pieces of the data section where they belong.
func (m *module) load(body []byte) error {
	count, n := binary.Uvarint(body)
	if n <= 0 {
		return errModule
	}
	body = body[n:]
	for range count {
		if len(body) < 2 || body[0] != segmentActive || body[1] != instructionI32 {
			return errModule
		}
		at, n := signedVarint(body[2:])
		if n <= 0 || at < 0 || len(body) < 3+n || body[2+n] != instructionEnd {
			return errModule
		}
		body = body[3+n:]
		size, n := binary.Uvarint(body)
		if n <= 0 || size > uint64(len(body)-n) || uint64(at)+size > memoryBytesMax {
			return errModule
		}
		if more := int(at) + int(size) - len(m.memory); more > 0 {
			m.memory = append(m.memory, make([]byte, more)...)
		}
		copy(m.memory[at:], body[n:][:size])
		body = body[n+int(size):]
	}
	return nil
}

// encode is the module as a file.
func (m *module) encode() []byte {
	out := bytes.Clone(m.header)
	for _, s := range m.sections {
		body := s.body
		if s.id == sectionData {
			body = m.data()
		}
		out = append(out, s.id)
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	return out
}

// data is the body of a data section that makes the memory.
func (m *module) data() []byte {
	var pieces []byte
	count := uint64(0)
	for at := 0; at < len(m.memory); {
		if m.memory[at] == 0 {
			at++
			continue
		}
		end, zeros := at, 0
		for i := at; i < len(m.memory) && zeros < gapBytes; i++ {
			zeros++
			if m.memory[i] != 0 {
				end, zeros = i+1, 0
			}
		}
		pieces = append(pieces, segmentActive, instructionI32)
		pieces = appendSignedVarint(pieces, int64(at))
		pieces = append(pieces, instructionEnd)
		pieces = binary.AppendUvarint(pieces, uint64(end-at))
		pieces = append(pieces, m.memory[at:end]...)
		count++
		at = end
	}
	return append(binary.AppendUvarint(nil, count), pieces...)
}

// signedVarint reads a number in signed LEB128, and says how many bytes it has: 0 for
// none.
func signedVarint(b []byte) (n int64, size int) {
	for i, c := range b {
		if i == varintBytesMost {
			break
		}
		n |= int64(c&0x7f) << (7 * i)
		if c&0x80 == 0 {
			if c&0x40 != 0 {
				n |= -1 << (7 * (i + 1))
			}
			return n, i + 1
		}
	}
	return 0, 0
}

func appendSignedVarint(b []byte, n int64) []byte {
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
