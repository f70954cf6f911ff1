package schema

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const tool = `{
	"type": "object",
	"properties": {
		"text": {"type": "string", "minLength": 1, "maxLength": 5},
		"mode": {"enum": ["fast", "slow"]},
		"count": {"type": "integer", "minimum": 1},
		"lines": {"type": "array", "items": {"type": "string"}, "maxItems": 3, "uniqueItems": true},
		"options": {"type": "object", "properties": {"limit": {"type": "number"}}, "additionalProperties": false},
		"when": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
		"id": {"type": "string", "pattern": "^[a-z]+$"}
	},
	"required": ["text"],
	"additionalProperties": false
}`

func TestErrorsNameTheArgument(t *testing.T) {
	s, err := Compile([]byte(tool))
	require.NoError(t, err)
	cases := []struct{ document, want string }{
		{`{"text":"hi","mode":"fast","count":3,"lines":["a"],"options":{"limit":2},"when":1,"id":"x"}`, ""},
		{`{}`, `argument "text": is missing`},
		{`{"text":7}`, `argument "text": must be string, not number`},
		{`{"text":""}`, `argument "text": must have at least 1 characters, not 0`},
		{`{"text":"abcdef"}`, `argument "text": must have at most 5 characters, not 6`},
		{`{"text":"a","mode":"quick"}`, `argument "mode": must be one of "fast", "slow", not "quick"`},
		{`{"text":"a","count":0}`, `argument "count": must be at least 1, not 0`},
		{`{"text":"a","count":1.5}`, `argument "count": must be integer, not number`},
		{`{"text":"a","lines":["a",2]}`, `argument "lines[1]": must be string, not number`},
		{`{"text":"a","lines":["a","a"]}`, `argument "lines": must not repeat an item, but items 0 and 1 are equal`},
		{`{"text":"a","lines":["a","b","c","d"]}`, `argument "lines": must have at most 3 items, not 4`},
		{`{"text":"a","options":{"limt":2}}`, `argument "options.limt": is not known, did you mean "limit"?`},
		{`{"text":"a","zebra":2}`, `argument "zebra": is not known`},
		{`{"text":"a","when":true}`, `argument "when": matches none of the allowed forms (argument "when": must be string, not boolean | argument "when": must be integer, not boolean)`},
		{`{"text":"a","id":"A1"}`, `argument "id": must match the pattern ^[a-z]+$, which "A1" does not`},
		{`{"txet":1}`, `argument "text": is missing; argument "txet": is not known, did you mean "text"?`},
		{`[]`, `arguments: must be object, not array`},
		{`{"text":"a","text":"b"}`, `the JSON cannot be read: `},
		{`{"text":"a"} x`, `the JSON cannot be read: `},
		{`{"text":`, `the JSON cannot be read: `},
		{"{\"text\":\"\xff\"}", `the JSON cannot be read: `},
		{`{"text":"a","count":1e401}`, `the JSON cannot be read: `},
		{`{"text":"a","options":{"limit":[-1e-999999]}}`, `the JSON cannot be read: `},
		{`{"text":"a","options":{"limit":1` + strings.Repeat("0", 400) + `}}`, `the JSON cannot be read: `},
	}
	for _, c := range cases {
		err := s.Validate([]byte(c.document))
		if c.want == "" {
			require.NoError(t, err, c.document)
			continue
		}
		require.Error(t, err, c.document)
		if strings.HasSuffix(c.want, ": ") {
			require.True(t, strings.HasPrefix(err.Error(), c.want), err.Error())
			continue
		}
		require.Equal(t, c.want, err.Error(), c.document)
		var e *Error
		require.True(t, errors.As(err, &e))
		require.NotEmpty(t, e.Problems)
	}
}

func TestErrorsAreBounded(t *testing.T) {
	s, err := Compile([]byte(`{"additionalProperties":{"const":1}}`))
	require.NoError(t, err)
	var doc strings.Builder
	doc.WriteString(`{"a":1`)
	for i := range 100 {
		fmt.Fprintf(&doc, `,"%d%s":%q`, i, strings.Repeat("k", 1000), strings.Repeat("v", 10_000))
	}
	doc.WriteString("}")
	err = s.Validate([]byte(doc.String()))
	var e *Error
	require.True(t, errors.As(err, &e))
	require.Len(t, e.Problems, problemsMax)
	require.Positive(t, e.Omitted)
	require.Less(t, len(err.Error()), 4096)
}

func TestNothingIsFetched(t *testing.T) {
	for _, ref := range []string{
		"http://127.0.0.1:1/schema.json", "https://example.com/x", "file:///etc/passwd", "other.json", "ftp://example.com/x",
	} {
		_, err := Compile([]byte(fmt.Sprintf(`{"properties":{"a":{"$ref":%q}}}`, ref)))
		require.ErrorContains(t, err, "is not followed", ref)
		_, err = Compile([]byte(fmt.Sprintf(`{"$schema":%q}`, ref)))
		require.Error(t, err, ref)
	}
	// A $ref within the schema, by an $id of its own, needs no fetch.
	s, err := Compile([]byte(`{"$id":"https://example.com/root","$defs":{"a":{"$id":"a","type":"string"}},"properties":{"x":{"$ref":"https://example.com/a"}}}`))
	require.NoError(t, err)
	require.NoError(t, s.Validate([]byte(`{"x":"s"}`)))
	require.ErrorContains(t, s.Validate([]byte(`{"x":1}`)), `argument "x": must be string`)
}

func TestBadSchemasAreErrors(t *testing.T) {
	for _, source := range []string{
		``, `{`, `nope`, `{"type":"strin"}`, `{"type":"object","type":"string"}`, `{"pattern":"("}`,
		`{"$ref":"#/$defs/missing"}`, `{"minimum":"3"}`, strings.Repeat(" ", SchemaBytesMax) + "{}",
	} {
		_, err := Compile([]byte(source))
		require.ErrorContains(t, err, "schema: ", "%.40s", source)
	}
}

// A schema of a few hundred bytes that asks for 2^40 evaluations must not hold
// the host.
func TestBranchingSchemasAreStopped(t *testing.T) {
	const first = `{"$ref":"#/$defs/a0"}`
	chain := func(root, node string) string {
		var b strings.Builder
		b.WriteString(`{` + root + `,"$defs":{"a40":{"const":1}`)
		for i := range 40 {
			next := fmt.Sprintf(`{"$ref":"#/$defs/a%d"}`, i+1)
			fmt.Fprintf(&b, `,"a%d":%s`, i, strings.ReplaceAll(node, "NEXT", next))
		}
		b.WriteString("}}")
		return b.String()
	}
	cases := map[string]struct{ schema, document string }{
		"allOf":                      {chain(`"allOf":[`+first+`]`, `{"allOf":[NEXT,NEXT]}`), `2`},
		"anyOf":                      {chain(`"anyOf":[`+first+`]`, `{"anyOf":[NEXT,NEXT]}`), `2`},
		"not, failing dependents":    {chain(`"not":`+first, `{"dependentSchemas":{"p":NEXT,"q":NEXT}}`), `{"p":1,"q":1}`},
		"items, as deep as the data": {`{"anyOf":[{"items":{"$ref":"#"}},{"items":{"$ref":"#"}}],"not":{"const":1}}`, strings.Repeat("[", 40) + "1" + strings.Repeat("]", 40)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := Compile([]byte(c.schema))
			require.NoError(t, err, c.schema)
			require.ErrorContains(t, s.Validate([]byte(c.document)), "branches too much")
			// The copy that ran out is as good as new for the next document.
			require.NotPanics(t, func() { _ = s.Validate([]byte(`"other"`)) })
		})
	}
}

// A long document is not mistaken for a branching schema, and nested anyOf
// does not make an error that grows with the depth.
func TestLongAndDeepDocuments(t *testing.T) {
	s, err := Compile([]byte(`{"items":{"type":"integer","minimum":0}}`))
	require.NoError(t, err)
	require.NoError(t, s.Validate([]byte("["+strings.Repeat("1,", 200_000)+"1]")))

	s, err = Compile([]byte(`{"anyOf":[{"const":1},{"type":"array","items":{"$ref":"#"}}]}`))
	require.NoError(t, err)
	err = s.Validate([]byte(strings.Repeat("[", 500) + "2,3" + strings.Repeat("]", 500)))
	require.ErrorContains(t, err, "matches none of the allowed forms")
	require.Less(t, len(err.Error()), 1024)
}

func TestConcurrentUse(t *testing.T) {
	s, err := Compile([]byte(tool))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if s.Validate([]byte(`{"text":"ok"}`)) != nil || s.Validate([]byte(`{}`)) == nil {
					t.Error("wrong verdict")
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzCompileAndValidate(f *testing.F) {
	f.Add([]byte(tool), []byte(`{"text":"a"}`))
	f.Add([]byte(`{"$ref":"#"}`), []byte(`1`))
	f.Add([]byte(`{"$dynamicRef":"#a","$dynamicAnchor":"a","items":{"$dynamicRef":"#a"}}`), []byte(`[[[]]]`))
	f.Fuzz(func(t *testing.T, source, document []byte) {
		s, err := Compile(source)
		if err != nil {
			return
		}
		_ = s.Validate(document)
	})
}

func BenchmarkValidate(b *testing.B) {
	s, err := Compile([]byte(tool))
	require.NoError(b, err)
	doc := []byte(`{"text":"hi","mode":"fast","count":3,"lines":["a"],"options":{"limit":2}}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Validate(doc); err != nil {
			b.Fatal(err)
		}
	}
}
