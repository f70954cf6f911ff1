package schema

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Most schemas of tools are plain: an object whose properties are strings,
// numbers, booleans, lists and objects of these, with a few bounds. What fits one
// is seen here in one scan of the bytes. This can say yes and nothing else:
// for what does not fit, for a schema with other keywords, and for JSON that is
// written unusually (names or \u escapes that have to be decoded, numbers with an
// exponent), the validator decides and finds the words. FuzzFast holds it to the
// validator.

// plain is a schema that the scan knows; nil is one it does not.
type plain struct {
	kind plainKind

	choices  [][]byte // of a string; nil: any
	min, max int64    // characters, items, or the number itself

	items *plain // of an array

	members  map[string]int // of an object: their places in values
	values   []*plain
	required uint64 // a bit for each of values
	others   *plain // what further members are; nil: not allowed, or not known
}

type plainKind string

// The types that the scan knows.
const (
	plainObject  plainKind = "object"
	plainArray   plainKind = "array"
	plainString  plainKind = "string"
	plainInteger plainKind = "integer"
	plainNumber  plainKind = "number"
	plainBoolean plainKind = "boolean"
	plainAny     plainKind = ""
)

// The schemas that take every value of a type, and every value.
var (
	anyString = newPlain(plainString)
	anyNumber = newPlain(plainNumber)
	anyArray  = newPlain(plainArray)
	anyObject = newPlain(plainObject)
	anyValue  = newPlain(plainAny)
)

func init() { anyArray.items, anyObject.others = anyValue, anyValue }

// newPlain takes all values of a type that has no parts.
func newPlain(kind plainKind) *plain {
	return &plain{kind: kind, min: math.MinInt64, max: math.MaxInt64}
}

const (
	plainDepthMax   = 64
	plainMembersMax = 64
	// plainOthersMax bounds the further members of an object, which are compared
	// with each other.
	plainOthersMax = 16
	// plainDigitsMax keeps what is read from a number well inside an int64.
	plainDigitsMax = 15
	// draft is the one whose keywords plainOf reads.
	draft = "https://json-schema.org/draft/2020-12/schema"
)

// annotations are keywords that assert nothing.
var annotations = map[string]bool{
	"title": true, "description": true, "default": true, "examples": true, "deprecated": true,
	"readOnly": true, "writeOnly": true, "$comment": true, "format": true, "contentEncoding": true,
}

// plainOf makes a plain of a schema that has been compiled, or nil.
func plainOf(source any, depth int) *plain {
	if source == true {
		return anyValue
	}
	s, ok := source.(map[string]any)
	if !ok || depth > plainDepthMax {
		return nil
	}
	name, ok := s["type"].(string)
	switch {
	case ok && name == "", !ok && s["type"] != nil:
		return nil
	case !ok && s["enum"] != nil:
		name = "string" // that they are strings is checked below
	}
	p := newPlain(plainKind(name))
	if p.kind == plainObject {
		p.others = anyValue
	}
	for keyword, value := range s {
		if !annotations[keyword] && !p.learn(keyword, value, depth) {
			return nil
		}
	}
	switch p.kind {
	case plainArray:
		if p.items == nil {
			p.items = anyValue
		}
	case plainAny:
	case plainObject:
		return p.withMembers(s, depth)
	case plainString, plainInteger, plainNumber, plainBoolean:
	default:
		return nil
	}
	return p
}

// learn takes over one keyword; it returns false when it does not know it.
func (p *plain) learn(keyword string, value any, depth int) bool {
	bound := func(which *int64, kinds ...plainKind) bool {
		n, _ := value.(json.Number)
		v, err := strconv.ParseInt(string(n), 10, 64)
		if slices.Contains(kinds, p.kind) {
			*which = v
		}
		return err == nil && len(n) <= plainDigitsMax && p.kind != plainAny // which these bind too
	}
	switch keyword {
	case "type":
		return true
	case "$schema":
		return depth == 0 && value == draft
	case "enum":
		return p.kind == plainString && p.learnChoices(value)
	case "minLength":
		return bound(&p.min, plainString)
	case "maxLength":
		return bound(&p.max, plainString)
	case "minItems":
		return bound(&p.min, plainArray)
	case "maxItems":
		return bound(&p.max, plainArray)
	case "minimum":
		return bound(&p.min, plainInteger, plainNumber)
	case "maximum":
		return bound(&p.max, plainInteger, plainNumber)
	case "items":
		p.items = plainOf(value, depth+1)
		return p.items != nil && p.kind != plainAny
	case "properties", "required":
		return p.kind == plainObject // see withMembers
	case "additionalProperties":
		if p.others = nil; value != false {
			p.others = plainOf(value, depth+1)
		}
		return p.kind == plainObject
	default:
		return false
	}
}

// learnChoices takes over an enum of strings.
func (p *plain) learnChoices(value any) bool {
	list, _ := value.([]any)
	p.choices = [][]byte{}
	for _, item := range list {
		choice, ok := item.(string)
		if !ok {
			return false
		}
		p.choices = append(p.choices, []byte(choice))
	}
	return true
}

// withMembers takes over the properties. Of one that is not plain, the name alone
// is known.
func (p *plain) withMembers(s map[string]any, depth int) *plain {
	p.members = map[string]int{}
	add := func(name string, value *plain) {
		if _, ok := p.members[name]; !ok {
			p.members[name] = len(p.values)
			p.values = append(p.values, value)
		}
	}
	properties, _ := s["properties"].(map[string]any)
	for name, sub := range properties {
		add(name, plainOf(sub, depth+1))
	}
	required, _ := s["required"].([]any)
	for _, item := range required {
		name, _ := item.(string)
		add(name, p.others)
		if at := p.members[name]; at < plainMembersMax {
			p.required |= 1 << at
		}
	}
	if len(p.values) > plainMembersMax {
		return nil
	}
	return p
}

// fits says whether a document fits for certain.
func (p *plain) fits(document []byte) bool {
	if p == nil {
		return false
	}
	s := scan{rest: document}
	return p.take(&s) && s.next() == 0 && len(s.rest) == 0
}

// take reads one value that fits.
func (p *plain) take(s *scan) bool {
	if p == nil {
		return false
	}
	switch p.kind {
	case plainObject:
		return p.takeObject(s)
	case plainArray:
		return p.takeArray(s)
	case plainString:
		return p.takeString(s)
	case plainBoolean:
		s.next()
		return s.literal("true") || s.literal("false")
	case plainAny:
		return takeAny(s)
	default:
		return p.takeNumber(s)
	}
}

// takeAny reads any value.
func takeAny(s *scan) bool {
	switch s.next() {
	case '{':
		return anyObject.takeObject(s)
	case '[':
		return anyArray.takeArray(s)
	case '"':
		return anyString.takeString(s)
	case 't', 'f', 'n':
		return s.literal("true") || s.literal("false") || s.literal("null")
	default:
		return anyNumber.takeNumber(s)
	}
}

func (p *plain) takeObject(s *scan) bool {
	if s.depth++; s.depth > plainDepthMax || !s.skip('{') {
		return false
	}
	var seen uint64
	var others [plainOthersMax][]byte
	count := 0
	for more := !s.skip('}'); more; {
		name, _, ok := s.text()
		if !ok || bytes.IndexByte(name, '\\') >= 0 || !s.skip(':') {
			return false
		}
		value := p.others
		if at, known := p.members[string(name)]; known {
			if value = p.values[at]; seen&(1<<at) != 0 {
				return false
			}
			seen |= 1 << at
		} else if value != nil {
			if count == plainOthersMax || slices.ContainsFunc(others[:count], func(o []byte) bool { return bytes.Equal(o, name) }) {
				return false
			}
			others[count] = name
			count++
		}
		if !value.take(s) {
			return false
		}
		if more = s.skip(','); !more && !s.skip('}') {
			return false
		}
	}
	s.depth--
	return seen&p.required == p.required
}

func (p *plain) takeArray(s *scan) bool {
	if s.depth++; s.depth > plainDepthMax || !s.skip('[') {
		return false
	}
	count := int64(0)
	for more := !s.skip(']'); more; count++ {
		if !p.items.take(s) {
			return false
		}
		if more = s.skip(','); !more && !s.skip(']') {
			return false
		}
	}
	s.depth--
	return count >= p.min && count <= p.max
}

func (p *plain) takeString(s *scan) bool {
	text, characters, ok := s.text()
	if !ok || int64(characters) < p.min || int64(characters) > p.max {
		return false
	}
	if p.choices == nil {
		return true
	}
	for _, choice := range p.choices {
		if bytes.Equal(choice, text) {
			return bytes.IndexByte(text, '\\') < 0
		}
	}
	return false
}

// takeNumber reads digits, and a fraction where one may be. A number with a
// fraction lies between two whole ones, both of which have to keep the bounds.
func (p *plain) takeNumber(s *scan) bool {
	negative := s.skip('-')
	low, ok := s.whole()
	if !ok {
		return false
	}
	high := low
	if s.at('.') {
		if p.kind == plainInteger || !s.fraction() {
			return false
		}
		high++
	}
	if s.at('e') || s.at('E') {
		return false
	}
	if negative {
		low, high = -high, -low
	}
	return low >= p.min && high <= p.max
}

// scan is what is left of a document.
type scan struct {
	rest  []byte
	depth int // of objects and arrays around it
}

// next skips white space and returns the byte after it, 0 at the end.
func (s *scan) next() byte {
	for len(s.rest) > 0 {
		switch c := s.rest[0]; c {
		case ' ', '\t', '\r', '\n':
			s.rest = s.rest[1:]
		default:
			return c
		}
	}
	return 0
}

// skip reads c after white space if it is there.
func (s *scan) skip(c byte) bool {
	if s.next() != c || c == 0 {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// literal reads a word if it is there.
func (s *scan) literal(word string) bool {
	if len(s.rest) < len(word) || string(s.rest[:len(word)]) != word {
		return false
	}
	s.rest = s.rest[len(word):]
	return true
}

// at says whether the next byte is c.
func (s *scan) at(c byte) bool { return len(s.rest) > 0 && s.rest[0] == c }

// whole reads what JSON takes as a number's digits before the point.
func (s *scan) whole() (n int64, ok bool) {
	digits := s.digits()
	for _, c := range digits[:min(len(digits), plainDigitsMax)] {
		n = n*10 + int64(c-'0')
	}
	return n, len(digits) == 1 || len(digits) > 1 && len(digits) <= plainDigitsMax && digits[0] != '0'
}

// fraction reads a point and the digits after it.
func (s *scan) fraction() bool {
	s.rest = s.rest[1:]
	digits := s.digits()
	return len(digits) > 0 && len(digits) < numberBytesMax/2
}

// digits reads as many digits as there are.
func (s *scan) digits() []byte {
	i := 0
	for i < len(s.rest) && s.rest[i]-'0' <= 9 {
		i++
	}
	digits := s.rest[:i]
	s.rest = s.rest[i:]
	return digits
}

// text reads a string: what stands between its quotes, and how many characters
// that means. \u escapes are left to the validator.
func (s *scan) text() (raw []byte, characters int, ok bool) {
	if !s.skip('"') {
		return nil, 0, false
	}
	b := s.rest
	escapes, ascii := 0, true
	for i := ordinary(b); i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			raw, s.rest = b[:i], b[i+1:]
			if ascii {
				return raw, i - escapes, true
			}
			return raw, utf8.RuneCount(raw) - escapes, utf8.Valid(raw)
		case c == '\\':
			if i++; i == len(b) || strings.IndexByte(`"\/bfnrt`, b[i]) < 0 {
				return nil, 0, false
			}
			escapes++
		case c < ' ':
			return nil, 0, false
		case c >= utf8.RuneSelf:
			ascii = false
		default:
			i += ordinary(b[i+1:])
		}
	}
	return nil, 0, false
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
