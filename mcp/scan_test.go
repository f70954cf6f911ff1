package mcp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScanAccepts(t *testing.T) {
	for _, text := range []string{
		`null`, `true`, `false`, `0`, `-0`, `10`, `1.5`, `1e5`, `-1.25E-10`, `""`, `"a"`, `{}`, `[]`,
		" \t\r\n[ 1 , { \"a\" : [ ] } ] \n",
		`{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}`,
		`"\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00"`,
		`"héllo wörld, and some more text in ASCII"`,
		"\"\u007f\"",
	} {
		s := scanner{depthMax: 8}
		assert.True(t, s.scan([]byte(text)), "%s: %v", text, s.fault)
	}
}

func TestScanRefuses(t *testing.T) {
	for _, c := range []struct {
		text    string
		offset  int
		problem string
	}{
		{``, 0, "the text ends"},
		{` `, 1, "the text ends"},
		{`nul`, 0, "no JSON value begins"},
		{`truE`, 0, "no JSON value begins"},
		{`+1`, 0, "no JSON value begins"},
		{`NaN`, 0, "no JSON value begins"},
		{`'a'`, 0, "no JSON value begins"},
		{`01`, 1, "text after the value"},
		{`1.`, 2, "decimal point"},
		{`1.e5`, 2, "decimal point"},
		{`1e`, 2, "exponent"},
		{`1e+`, 3, "exponent"},
		{`-`, 0, "no JSON value begins"},
		{`{} {}`, 3, "text after the value"},
		{`{"a":1,}`, 7, "name should be here"},
		{`{,}`, 1, "name should be here"},
		{`{a:1}`, 1, "name should be here"},
		{`{"a" 1}`, 5, "colon"},
		{`{"a":1 "b":2}`, 7, "comma or }"},
		{`{"a":1`, 6, "ends inside an object"},
		{`[1`, 2, "ends inside an array"},
		{`[1 2]`, 3, "comma or ]"},
		{`[1,]`, 3, "no JSON value begins"},
		{`"abc`, 0, "no closing quote"},
		{`"abc\`, 4, "ends inside an escape"},
		{`"\x"`, 1, "makes no escape"},
		{`"\u12g4"`, 1, "four hex digits"},
		{`"\u12`, 1, "four hex digits"},
		{`"\ud800"`, 1, "surrogate"},
		{`"\udc00"`, 1, "surrogate"},
		{`"\ud800\u0041"`, 1, "surrogate"},
		{"\"a\nb\"", 2, "control character"},
		{"\"12345678901234\x00\"", 15, "control character"},
		{"\"\xff\"", 1, "not UTF-8"},
		{"\"12345678\xed\xa0\x80\"", 9, "not UTF-8"},  // a surrogate in UTF-8
		{"\"\xc0\x80\"", 1, "not UTF-8"},              // overlong
		{"\xef\xbb\xbf{}", 0, "no JSON value begins"}, // byte order mark
		{`{"a":1,"a":2}`, 7, "twice"},
		{`{"a":1,"\u0061":2}`, 7, "twice"},
		{`{"\u0061":1,"a":2}`, 12, "twice"},
		{`[{"x":{"k":1,"k":2}}]`, 13, "twice"},
		{`[[[[[[[[[]]]]]]]]]`, 8, "too deep"},
		{`{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}`, 40, "too deep"},
	} {
		s := scanner{depthMax: 8}
		if assert.False(t, s.scan([]byte(c.text)), "%q", c.text) {
			assert.Contains(t, s.fault.problem, c.problem, "%q", c.text)
			assert.Equal(t, c.offset, s.fault.offset, "%q: %s", c.text, s.fault.problem)
		}
	}
}

// A repeated name is found whatever the number of names around it, also when
// the object is so large that a table takes over from comparing each pair.
func TestScanFindsTwinsInLargeObjects(t *testing.T) {
	for _, count := range []int{2, namesLinearMax, namesLinearMax + 1, namesLinearMax + 2, 200, 5000} {
		for _, twin := range []int{0, count / 2, count - 1} {
			var b strings.Builder
			b.WriteString(`{"outer":{`)
			for i := range count {
				fmt.Fprintf(&b, `"k%d":{"k0":0},`, i)
			}
			unique := b.String() + `"last":0}}`
			double := b.String() + fmt.Sprintf(`"k%d":0}}`, twin)
			s := scanner{depthMax: 8}
			assert.True(t, s.scan([]byte(unique)), "%d names", count)
			require.False(t, s.scan([]byte(double)), "%d names, twin of %d", count, twin)
			assert.Equal(t, problemDuplicate, s.fault.problem)
		}
	}
}

func TestScanNotesMembers(t *testing.T) {
	s := scanner{depthMax: 8}
	text := `{"params": {"n\u0061me":"x","arguments":{"params":{"deep":1}}} ,"id":7,"other":{"name":"y"}}`
	require.True(t, s.scan([]byte(text)), "%v", s.fault)
	show := func(members []member) (out []string) {
		for _, m := range members {
			out = append(out, string(s.at(m.name))+"="+string(s.at(m.value)))
		}
		return out
	}
	assert.Equal(t, []string{`name="x"`, `arguments={"params":{"deep":1}}`}, show(s.params))
	assert.Equal(t, []string{`params={"n\u0061me":"x","arguments":{"params":{"deep":1}}}`, `id=7`, `other={"name":"y"}`}, show(s.top))
}

func TestScanOfASeenShapeAllocatesNothing(t *testing.T) {
	frame := []byte(echoCall(1, "hello", true))
	s := scanner{depthMax: depthDefault}
	require.True(t, s.scan(frame))
	assert.Zero(t, testing.AllocsPerRun(100, func() { s.scan(frame) }))
}

func TestUnescape(t *testing.T) {
	for _, text := range []string{`"plain"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e9\u4e2d\ud83d\ude00 x"`, `"\u0000"`} {
		want, err := jsontext.AppendUnquote(nil, text)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(appendUnescaped(nil, []byte(text[1:len(text)-1]))))
		assert.Equal(t, string(want), unquoted([]byte(text)))
	}
}

// The oracle is jsontext, whose defaults have the same strictness: no repeated
// names, valid UTF-8, no lone surrogates, 10,000 levels.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		echoCall(1, "hello", true), `{"a":1,"\u0061":2}`, `"\ud83d\ude00"`, `"\ud800"`, "\"\xff\"",
		`[1,2.5,-0,1e9,true,false,null,"x"]`, `{"a":{"b":[{},{"c":"\n"}]}}`, `01`, ` {} `, "[\"h\xc3\xa9\"]",
	} {
		f.Add([]byte(seed))
	}
	var s scanner
	s.depthMax = 10000
	f.Fuzz(func(t *testing.T, text []byte) {
		got, want := s.scan(text), jsontext.Value(text).IsValid()
		if got != want {
			t.Fatalf("scan says %v (%v), jsontext says %v: %q", got, s.fault, want, text)
		}
		if !got || text[s.space(0)] != '{' {
			return
		}
		d := jsontext.NewDecoder(strings.NewReader(string(text)))
		d.ReadToken()
		for _, m := range s.top {
			token, _ := d.ReadToken()
			name := token.String()
			value, _ := d.ReadValue()
			if name != string(s.at(m.name)) || string(value) != string(s.at(m.value)) {
				t.Fatalf("member %q: %s, jsontext says %q: %s", s.at(m.name), s.at(m.value), name, value)
			}
		}
	})
}

// The blocks find what a loop finds, at each length and alignment, and never
// read behind the text.
func TestSkipPlain(t *testing.T) {
	plain := func(c byte) bool { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' }
	check := func(d []byte, from int) {
		want := from
		for want < len(d) && plain(d[want]) {
			want++
		}
		if got := skipPlain(d, from); got != want {
			t.Fatalf("from %d of %q: %d, not %d", from, d, got, want)
		}
	}
	buffer := bytes.Repeat([]byte("a"), 512)
	for start := range 16 {
		for length := range 300 {
			text := buffer[start : start+length : start+length]
			check(text, 0)
			check(text, length)
			check(text, length/2)
			for _, special := range []byte{'"', '\\', 0, 0x1F, 0x80, 0xFF, 0x20, 0x7F, '!', '#', '[', ']'} {
				for _, at := range []int{0, length / 3, length - 65, length - 1} {
					if at >= 0 && at < length {
						text[at] = special
						check(text, 0)
						text[at] = 'a'
					}
				}
				if start+length < len(buffer) { // one behind the text
					buffer[start+length] = special
					check(text, 0)
					buffer[start+length] = 'a'
				}
			}
		}
	}
	for c := range 256 {
		text := bytes.Repeat([]byte("b"), 200)
		for at := range text {
			text[at] = byte(c)
			check(text, 0)
			text[at] = 'b'
		}
	}
}
