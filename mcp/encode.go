package mcp

import (
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// add is append(dst, text...) kept out of line. It is for what does not run on
// each call: the code by which append grows a slice, at some hundred places, was
// a twentieth of a wasm build.
//
//go:noinline
func add[T ~string | ~[]byte](dst []byte, text T) []byte { return append(dst, text...) }

// addByte is append(dst, c) kept out of line.
//
//go:noinline
func addByte(dst []byte, c byte) []byte { return append(dst, c) }

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD: a tool's output must not break the frame it travels in.
func appendString(dst []byte, s string) []byte {
	// A view, so that strings are read eight bytes at a time too. It is only
	// read, and does not outlive the call.
	text := unsafe.Slice(unsafe.StringData(s), len(s))
	dst = append(dst, '"')
	for start := 0; ; {
		i := skipPlain(text, start)
		dst = append(dst, text[start:i]...)
		if i == len(text) {
			return append(dst, '"')
		}
		if c := text[i]; c < 0x80 {
			dst = appendEscape(dst, c)
			start = i + 1
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		dst = utf8.AppendRune(dst, r) // RuneError for what is not UTF-8
		start = i + size
	}
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

// appendOneLine appends scanned JSON with its line breaks turned into spaces.
// JSON allows no raw line break inside a string, so only white space changes.
func appendOneLine(dst, raw []byte) []byte {
	from := len(dst)
	dst = append(dst, raw...)
	for i, c := range dst[from:] {
		if c == '\n' || c == '\r' {
			dst[from+i] = ' '
		}
	}
	return dst
}

// appendError appends an error response. A nil id is left out: JSON-RPC 2.0
// section 5 would send null where the id could not be read, but in MCP an id is
// never null (basic/index, "Requests"), and its clients refuse such a message.
func appendError(dst, id []byte, e *wireError) []byte {
	if id != nil {
		dst = append(append(dst, answerHead...), id...)
	} else {
		dst = append(dst, `{"jsonrpc":"2.0"`...)
	}
	return append(appendErrorObject(append(dst, `,"error":`...), e), '}')
}

// appendErrorObject appends the value of an error member.
func appendErrorObject(dst []byte, e *wireError) []byte {
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(e.code), 10)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, e.message)
	if e.data != nil {
		dst = append(dst, `,"data":`...)
		dst = append(dst, e.data...)
	}
	return append(dst, '}')
}
