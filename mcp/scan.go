package mcp

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync"
	"unicode/utf8"
)

// scanner checks one JSON text in one pass and notes where its parts lie.
//
// It is stricter than RFC 8259 asks for: a name may occur once in an object
// (after escapes are undone), strings are valid UTF-8 without lone surrogates,
// and nesting stops at depthMax. Nothing is decoded and, for texts of a shape
// seen before, nothing is allocated.
//
// What it notes: the members of the outermost object (top), those of the object
// that is the value of the outermost member "params" (params), and those of the
// object "arguments" in there (arguments), as offsets: they stay good until the
// next scan, and the garbage collector has no pointers to follow.
type scanner struct {
	depthMax int
	// known, when not nil, is the text of a params._meta that an earlier scan
	// accepted. Where the same bytes stand in the same place again they are not
	// scanned again: an object's text ends with itself.
	known []byte
	// repeat, when not nil, is what the last request was like.
	repeat *repeat

	data        []byte
	top         []member
	params      []member
	arguments   []member
	inParams    bool
	inArguments bool
	names       []span // names of the open objects, innermost last
	scratch     []byte // names that had escapes, unescaped
	fault       fault
}

// scanners are for texts outside a connection; each keeps its slices.
var scanners = sync.Pool{New: func() any { return new(scanner) }}

// borrowScanner returns a scanner; giveBack is its partner.
func borrowScanner(depthMax int) *scanner {
	s := scanners.Get().(*scanner)
	s.depthMax = depthMax
	return s
}

// giveBack ends the use of s and of all that came from it.
func (s *scanner) giveBack() {
	s.reset(nil)
	scanners.Put(s)
}

// membersKeptMax is the number of members for which a scanner keeps room.
const membersKeptMax = 4096

// member is one "name": value of an object; value is the raw JSON text.
type member struct{ name, value span }

// span is a range of data, or, for names, of scratch when start is negative
// (then it begins at ^start).
type span struct{ start, end int32 }

// fault says where and why a text was refused.
type fault struct {
	offset  int
	problem string
}

// text says where and why, for an error.
func (f *fault) text() string { return "byte " + itoa(f.offset) + ": " + f.problem }

// namesLinearMax is the number of members up to which a new name is compared
// with each earlier one; from there on a hash table finds the twin.
const namesLinearMax = 16

// scan checks that text is one JSON value with nothing but space around it.
// It reports false with s.fault set when it is not.
func (s *scanner) scan(text []byte) bool {
	s.reset(text)
	i := s.value(s.space(0), 0)
	if i < 0 {
		return false
	}
	if i = s.space(i); i < len(text) {
		s.fail(i, "there is text after the value")
		return false
	}
	return true
}

// reset readies s for text. Room made for an unusual text is given back.
func (s *scanner) reset(text []byte) {
	if cap(s.names)+cap(s.top)+cap(s.params)+cap(s.arguments) > membersKeptMax || cap(s.scratch) > bufferKeptMax {
		s.names, s.top, s.params, s.arguments, s.scratch = nil, nil, nil, nil, nil
	}
	s.data = text
	s.top, s.params, s.arguments, s.names = s.top[:0], s.params[:0], s.arguments[:0], s.names[:0]
	s.scratch = s.scratch[:0]
	s.inParams, s.inArguments = false, false
	s.fault = fault{}
}

// fail records the first fault and returns the index that means failure.
func (s *scanner) fail(offset int, problem string) int {
	if s.fault.problem == "" {
		s.fault = fault{offset, problem}
	}
	return -1
}

// space returns the index of the first byte from i on that is not white space.
func (s *scanner) space(i int) int {
	for i < len(s.data) {
		switch s.data[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value scans the value that starts at i inside depth open containers and
// returns the index behind it, or -1.
func (s *scanner) value(i, depth int) int {
	if i >= len(s.data) {
		return s.fail(i, "the text ends where a value should be")
	}
	switch s.data[i] {
	case '"':
		end, _ := s.text(i)
		return end
	case '{':
		return s.object(i, depth+1)
	case '[':
		return s.array(i, depth+1)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		return s.number(i)
	}
}

func (s *scanner) literal(i int, word string) int {
	if end := i + len(word); end <= len(s.data) && string(s.data[i:end]) == word {
		return end
	}
	return s.fail(i, problemStart)
}

// object scans an object that is itself the depth-th open container.
func (s *scanner) object(i, depth int) int {
	if depth > s.depthMax {
		return s.fail(i, problemDepth)
	}
	base := len(s.names)
	var table nameTable
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == '}' {
		return i + 1
	}
	for {
		name, next := s.name(i)
		if next < 0 {
			return -1
		}
		if len(s.names)-base > namesLinearMax {
			if !table.add(s, base) {
				return s.fail(i, problemDuplicate)
			}
		} else if s.seen(name, base) {
			return s.fail(i, problemDuplicate)
		}
		start := s.space(next)
		end := s.member(start, depth, name)
		if end < 0 {
			return -1
		}
		i = s.space(end)
		if i >= len(s.data) {
			return s.fail(i, "the text ends inside an object")
		}
		switch s.data[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			s.names = s.names[:base]
			return i + 1
		default:
			return s.fail(i, "a comma or } should follow a member")
		}
	}
}

// member scans a member's value and keeps it where it is one that callers ask
// for: the outermost object's, those of its params, and of the arguments there.
func (s *scanner) member(start, depth int, name []byte) (end int) {
	at := s.names[len(s.names)-1]
	switch {
	case depth == 1:
		s.inParams = string(name) == "params"
		end = s.value(start, depth)
		s.inParams = false
		if end >= 0 {
			s.top = append(s.top, member{at, span{int32(start), int32(end)}})
		}
	case depth == 2 && s.inParams:
		if s.known != nil && string(name) == "_meta" && bytes.HasPrefix(s.data[start:], s.known) {
			end = start + len(s.known)
		} else {
			s.inArguments = string(name) == "arguments"
			end = s.value(start, depth)
			s.inArguments = false
		}
		if end >= 0 {
			s.params = append(s.params, member{at, span{int32(start), int32(end)}})
		}
	case depth == 3 && s.inArguments:
		if end = s.value(start, depth); end >= 0 {
			s.arguments = append(s.arguments, member{at, span{int32(start), int32(end)}})
		}
	default:
		end = s.value(start, depth)
	}
	return end
}

// name scans a member's name and its colon, pushes the name on s.names, and
// returns it without quotes and escapes, with the index behind the colon.
func (s *scanner) name(i int) ([]byte, int) {
	if i >= len(s.data) || s.data[i] != '"' {
		return nil, s.fail(i, "a member's name should be here, in double quotes")
	}
	end, plain := s.text(i)
	if end < 0 {
		return nil, -1
	}
	name, at := s.data[i+1:end-1], span{int32(i + 1), int32(end - 1)}
	if !plain {
		from := len(s.scratch)
		s.scratch = appendUnescaped(s.scratch, name)
		name = s.scratch[from:len(s.scratch):len(s.scratch)]
		at = span{^int32(from), int32(len(s.scratch))}
	}
	s.names = append(s.names, at)
	i = s.space(end)
	if i >= len(s.data) || s.data[i] != ':' {
		return nil, s.fail(i, "a colon should follow a member's name")
	}
	return name, i + 1
}

// seen reports whether the newest name equals an earlier one of its object.
func (s *scanner) seen(name []byte, base int) bool {
	for _, earlier := range s.names[base : len(s.names)-1] {
		if string(s.at(earlier)) == string(name) {
			return true
		}
	}
	return false
}

// at returns the text of a span.
func (s *scanner) at(where span) []byte {
	if where.start < 0 {
		return s.scratch[^where.start:where.end]
	}
	return s.data[where.start:where.end]
}

// array scans an array that is itself the depth-th open container.
func (s *scanner) array(i, depth int) int {
	if depth > s.depthMax {
		return s.fail(i, problemDepth)
	}
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == ']' {
		return i + 1
	}
	for {
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		i = s.space(i)
		if i >= len(s.data) {
			return s.fail(i, "the text ends inside an array")
		}
		switch s.data[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.fail(i, "a comma or ] should follow an element")
		}
	}
}

// number scans by the grammar of RFC 8259 section 6.
func (s *scanner) number(i int) int {
	start := i
	if i < len(s.data) && s.data[i] == '-' {
		i++
	}
	switch {
	case i < len(s.data) && s.data[i] == '0':
		i++
	case i < len(s.data) && isDigit(s.data[i]):
		i = s.digits(i)
	default:
		return s.fail(start, problemStart)
	}
	if i < len(s.data) && s.data[i] == '.' {
		if i++; i >= len(s.data) || !isDigit(s.data[i]) {
			return s.fail(i, "a digit should follow the decimal point")
		}
		i = s.digits(i)
	}
	if i < len(s.data) && (s.data[i] == 'e' || s.data[i] == 'E') {
		i++
		if i < len(s.data) && (s.data[i] == '+' || s.data[i] == '-') {
			i++
		}
		if i >= len(s.data) || !isDigit(s.data[i]) {
			return s.fail(i, "a digit should follow the exponent mark")
		}
		i = s.digits(i)
	}
	return i
}

func (s *scanner) digits(i int) int {
	for i < len(s.data) && isDigit(s.data[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c-'0' < 10 }

// text scans the string that starts at i and returns the index behind its
// closing quote; plain tells that it holds no escape.
func (s *scanner) text(i int) (end int, plain bool) {
	d, start := s.data, i
	plain = true
	i++
	for {
		i = skipPlain(d, i)
		if i >= len(d) {
			return s.fail(start, "a string has no closing quote"), false
		}
		switch c := d[i]; {
		case c == '"':
			return i + 1, plain
		case c == '\\':
			plain = false
			if i = s.escape(i); i < 0 {
				return -1, false
			}
		case c < 0x20:
			return s.fail(i, "a string holds a raw control character; escape it"), false
		default:
			for i < len(d) && d[i] >= 0x80 {
				r, size := utf8.DecodeRune(d[i:])
				if r == utf8.RuneError && size == 1 {
					return s.fail(i, "a string holds bytes that are not UTF-8"), false
				}
				i += size
			}
		}
	}
}

const (
	wordsFirst = 4  // words that are looked at before blocks
	blockBytes = 64 // of one block

	eachByte = 0x0101010101010101
	topBits  = 0x8080808080808080
)

// skipPlain returns the index of the first byte from i on that is a quote, a
// backslash, a control character or not ASCII. It reads eight bytes at a time:
// in (w - n) &^ w the lowest set top bit marks the first byte below n, since a
// borrow only runs upward from a byte that is itself a hit. Most strings are
// short; where one is not, blocks take over.
func skipPlain(d []byte, i int) int {
	for words := 0; i+8 <= len(d); words++ {
		if hasBlocks && words == wordsFirst && len(d)-i >= blockBytes {
			i += skipBlocks(&d[i], len(d)-i)
			if i+8 > len(d) {
				break
			}
		}
		w := binary.LittleEndian.Uint64(d[i:])
		quote := w ^ eachByte*'"'
		slash := w ^ eachByte*'\\'
		hit := ((w-eachByte*0x20)&^w | (quote-eachByte)&^quote | (slash-eachByte)&^slash | w) & topBits
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
		i += 8
	}
	for i < len(d) && d[i] >= 0x20 && d[i] != '"' && d[i] != '\\' && d[i] < 0x80 {
		i++
	}
	return i
}

// escape scans the escape that starts at i (a surrogate pair counts as one).
func (s *scanner) escape(i int) int {
	if i+1 >= len(s.data) {
		return s.fail(i, "the text ends inside an escape")
	}
	switch s.data[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		r := hex4(s.data, i+2)
		switch {
		case r < 0:
			return s.fail(i, `four hex digits should follow \u`)
		case r < 0xD800 || r > 0xDFFF:
			return i + 6
		case r < 0xDC00 && i+7 < len(s.data) && s.data[i+6] == '\\' && s.data[i+7] == 'u':
			if low := hex4(s.data, i+8); low >= 0xDC00 && low <= 0xDFFF {
				return i + 12
			}
		}
		return s.fail(i, "a surrogate stands without its partner")
	default:
		return s.fail(i, "a backslash is followed by a byte that makes no escape")
	}
}

// hex4 reads four hex digits at i, or returns -1.
func hex4(d []byte, i int) rune {
	if i+4 > len(d) {
		return -1
	}
	var r rune
	for _, c := range d[i : i+4] {
		switch {
		case isDigit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendUnescaped appends the value of a scanned string's inner text.
func appendUnescaped(dst, inner []byte) []byte {
	for i := 0; i < len(inner); {
		if inner[i] != '\\' {
			plain := bytes.IndexByte(inner[i:], '\\')
			if plain < 0 {
				plain = len(inner) - i
			}
			dst = append(dst, inner[i:i+plain]...)
			i += plain
			continue
		}
		c := inner[i+1]
		i += 2
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(inner, i)
			i += 4
			if r >= 0xD800 && r < 0xDC00 {
				r = (r-0xD800)<<10 | (hex4(inner, i+2) - 0xDC00) + 0x10000
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// nameTable finds a repeated name in an object with many members: open
// addressing over indexes into scanner.names, with a seed of its own so that
// a sender cannot choose colliding names.
type nameTable struct {
	seed  maphash.Seed
	slots []int32 // 1 + index into scanner.names; 0 is free
	used  int
}

// add enters the newest name of the object whose names begin at base (and, at
// first, all before it). It reports false when the name was there.
func (t *nameTable) add(s *scanner, base int) bool {
	if t.slots == nil {
		t.seed = maphash.MakeSeed()
		t.rebuild(s, base, 8*namesLinearMax)
	} else if 2*t.used >= len(t.slots) {
		t.rebuild(s, base, 2*len(t.slots))
	}
	return t.insert(s, len(s.names)-1)
}

// rebuild enters all names but the newest into a table of size slots.
func (t *nameTable) rebuild(s *scanner, base, size int) {
	t.slots, t.used = make([]int32, size), 0
	for i := base; i < len(s.names)-1; i++ {
		t.insert(s, i)
	}
}

func (t *nameTable) insert(s *scanner, index int) bool {
	name := s.at(s.names[index])
	mask := uint64(len(t.slots) - 1)
	for at := maphash.Bytes(t.seed, name) & mask; ; at = (at + 1) & mask {
		if t.slots[at] == 0 {
			t.slots[at] = int32(index + 1)
			t.used++
			return true
		}
		if string(s.at(s.names[t.slots[at]-1])) == string(name) {
			return false
		}
	}
}
