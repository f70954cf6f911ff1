package mcp

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD: a tool's output must not break the frame it travels in.
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x80 && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= 0x80 {
			r, size := decodeRune(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
		} else {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// decodeRune is utf8.DecodeRune for either kind of text.
func decodeRune[T string | []byte](s T) (rune, int) {
	return utf8.DecodeRuneInString(string(s[:min(len(s), utf8.UTFMax)]))
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

// appendError appends an error response. A nil id is sent as null, as JSON-RPC
// 2.0 section 5 asks where the id could not be read.
func appendError(dst, id []byte, e *wireError) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	if id == nil {
		dst = append(dst, "null"...)
	} else {
		dst = append(dst, id...)
	}
	dst = append(dst, `,"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(e.code), 10)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, e.message)
	if e.data != nil {
		dst = append(dst, `,"data":`...)
		dst = append(dst, e.data...)
	}
	return append(dst, "}}"...)
}

// appendContent appends a result's content array.
func appendContent(dst []byte, blocks []Content) ([]byte, error) {
	dst = append(dst, '[')
	for i := range blocks {
		if i > 0 {
			dst = append(dst, ',')
		}
		b := &blocks[i]
		switch b.Type {
		case ContentImage, ContentAudio:
			dst = append(dst, `{"type":"`...)
			dst = append(dst, b.Type...)
			dst = append(dst, `","data":"`...)
			dst = base64.StdEncoding.AppendEncode(dst, b.Data)
			dst = append(dst, `","mimeType":`...)
			dst = appendString(dst, b.MIMEType)
		case ContentText, "":
			dst = append(dst, `{"type":"text","text":`...)
			dst = appendString(dst, b.Text)
		default:
			return dst, fmt.Errorf("content block %d has the unknown type %q", i, b.Type)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}
