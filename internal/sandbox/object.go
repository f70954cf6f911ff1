package sandbox

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// plainObject says whether b is a JSON object as [objectFault] wants it. It knows
// most of JSON and takes a sixth of the time of jsontext, which a small call would
// mostly consist of; what it does not know (surrogate escapes, names with escapes,
// objects with many members) it answers with false, and jsontext decides.
func plainObject(b []byte) bool {
	s := plainScanner{b: b}
	s.space()
	if s.at == len(b) || b[s.at] != '{' || !s.object(1) {
		return false
	}
	s.space()
	return s.at == len(b)
}

// plainMembersMax bounds the members of an object that plainObject compares
// with each other.
const plainMembersMax = 16

// plainScanner is at a place in a text. Its methods pass over what their name
// says and return false when something else stands there.
type plainScanner struct {
	b  []byte
	at int
}

func (s *plainScanner) space() {
	for s.at < len(s.b) {
		switch s.b[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// next is the character after space, or 0.
func (s *plainScanner) next() byte {
	s.space()
	if s.at == len(s.b) {
		return 0
	}
	return s.b[s.at]
}

func (s *plainScanner) value(depth int) bool {
	switch c := s.next(); {
	case c == '"':
		_, ok := s.text()
		return ok
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.array(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	default:
		return false
	}
}

func (s *plainScanner) word(w string) bool {
	if !bytes.HasPrefix(s.b[s.at:], []byte(w)) {
		return false
	}
	s.at += len(w)
	return true
}

func (s *plainScanner) object(depth int) bool {
	s.at++
	if depth > jsonDepthMax {
		return false
	}
	if s.next() == '}' {
		s.at++
		return true
	}
	var names [plainMembersMax][]byte
	for n := range names {
		if s.next() != '"' {
			return false
		}
		start := s.at + 1
		plain, ok := s.text()
		if !ok || !plain {
			return false
		}
		names[n] = s.b[start : s.at-1]
		for _, other := range names[:n] {
			if bytes.Equal(other, names[n]) {
				return false
			}
		}
		if s.next() != ':' {
			return false
		}
		s.at++
		if !s.value(depth) {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case '}':
			s.at++
			return true
		default:
			return false
		}
	}
	return false
}

func (s *plainScanner) array(depth int) bool {
	s.at++
	if depth > jsonDepthMax {
		return false
	}
	if s.next() == ']' {
		s.at++
		return true
	}
	for s.value(depth) {
		switch s.next() {
		case ',':
			s.at++
		case ']':
			s.at++
			return true
		default:
			return false
		}
	}
	return false
}

// text passes over a string; plain says that it has no escapes.
func (s *plainScanner) text() (plain, ok bool) {
	s.at++
	start, plain, ascii := s.at, true, true
	for {
		s.at += ordinary(s.b[s.at:])
		if s.at == len(s.b) {
			return false, false
		}
		switch c := s.b[s.at]; {
		case c == '"':
			s.at++
			return plain, ascii || utf8.Valid(s.b[start:s.at-1])
		case c == '\\':
			plain = false
			if !s.escape() {
				return false, false
			}
		case c < ' ':
			return false, false
		default:
			ascii = ascii && c < utf8.RuneSelf
			s.at++
		}
	}
}

// ordinary is the length of the beginning of b that has, in whole eights, only
// printable ASCII other than '"' and '\'. The tests for a byte are those of
// https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord.
func ordinary(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(b); n += 8 {
		x := binary.LittleEndian.Uint64(b[n:])
		quote, slash := x^('"'*ones), x^('\\'*ones)
		found := (quote-ones)&^quote | (slash-ones)&^slash | (x-' '*ones)&^x | x
		if found&highs != 0 {
			break
		}
	}
	return n
}

// escape passes over an escape sequence other than of a surrogate.
func (s *plainScanner) escape() bool {
	if s.at+1 == len(s.b) {
		return false
	}
	switch s.b[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return true
	case 'u':
		if s.at+6 > len(s.b) {
			return false
		}
		digits := s.b[s.at+2 : s.at+6]
		for _, c := range digits {
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
				return false
			}
		}
		s.at += 6
		return digits[0]|0x20 != 'd' // d800 to dfff are surrogates
	default:
		return false
	}
}

func (s *plainScanner) number() bool {
	if s.b[s.at] == '-' {
		s.at++
	}
	if s.at < len(s.b) && s.b[s.at] == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.at < len(s.b) && s.b[s.at] == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if s.at < len(s.b) && s.b[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.b) && (s.b[s.at] == '+' || s.b[s.at] == '-') {
			s.at++
		}
		return s.digits()
	}
	return true
}

// digits passes over one digit or more.
func (s *plainScanner) digits() bool {
	start := s.at
	for s.at < len(s.b) && s.b[s.at] >= '0' && s.b[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}
