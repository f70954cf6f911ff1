package schema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// plainTool uses all that the scan knows.
const plainTool = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "title": "t",
	"properties": {
		"text": {"type": "string", "minLength": 1, "maxLength": 5, "format": "email"},
		"mode": {"enum": ["fast", "slow", "", "é", "a\"b"]},
		"count": {"type": "integer", "minimum": -1, "maximum": 10},
		"share": {"type": "number", "minimum": -1, "maximum": 1},
		"lines": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
		"deep": {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes", "other"]},
		"other": {"anyOf": [{"type": "string"}, {"type": "null"}]},
		"any": {}, "all": true, "open": {"type": "object", "required": ["x"]}, "list": {"type": "array"},
		"map": {"type": "object", "additionalProperties": {"type": "integer"}}
	},
	"required": ["text"],
	"additionalProperties": false
}`

// The scan knows these, so that none of them is slow.
func TestFastSaysYes(t *testing.T) {
	s, err := Compile([]byte(plainTool))
	require.NoError(t, err)
	for _, document := range []string{
		`{"text":"hi"}`,
		" {\n\t\"text\" : \"h\\\"\\n\" ,\r\"mode\":\"slow\"} ",
		`{"text":"héé€😀","mode":"é"}`,
		`{"text":"a","mode":""}`,
		`{"text":"a","count":-1,"share":0.25}`,
		`{"text":"a","count":10,"share":-0.999}`,
		`{"text":"a","count":0,"share":-1}`,
		`{"text":"a","share":0.12345678901234567890}`,
		`{"text":"a","lines":["","b" , "c"]}`, `{"text":"a","deep":{"yes":true,"other":1}}`,
		`{"text":"a","any":[null,true,{"a":{},"b":[1.5,"x"]}],"all":-3,"list":[[],{}],"map":{"a":1,"b":2},"open":{"x":1,"y":[]},"mode":"fast"}`,
	} {
		require.True(t, s.plain.fits([]byte(document)), document)
		require.NoError(t, s.validate([]byte(document)), document)
	}
}

// What has to be left to the validator, or is wrong.
func TestFastSaysNothing(t *testing.T) {
	s, err := Compile([]byte(plainTool))
	require.NoError(t, err)
	for _, document := range []string{
		``, `{`, `{}`, `[]`, `null`, `{"text":"hi"`, `{"text":"hi",}`, `{"text":"hi"}}`, `{"text":"hi"} x`, `{"text":"hi"` + "\x00}",
		`{"text":""}`, `{"text":"abcdef"}`, `{"text":"a","text":"b"}`, `{"text":"a","te\u0078t":"b"}`, `{"te\u0078t":"b"}`,
		"{\"text\":\"\xff\"}", "{\"text\":\"a\nb\"}", `{"text":"\ud800"}`, `{"text":"\x"}`, `{"text":"a`, `{"text":"a\`,
		`{"text":"a","mode":"quick"}`, `{"text":"a","mode":"a\"b"}`, `{"text":"a","mode":1}`,
		`{"text":"a","count":11}`, `{"text":"a","count":-2}`, `{"text":"a","count":01}`, `{"text":"a","count":-}`, `{"text":"a","count":1.0}`,
		`{"text":"a","count":1e1}`, `{"text":"a","count":.1}`, `{"text":"a","share":1.}`, `{"text":"a","share":1.1}`, `{"text":"a","share":-1.1}`,
		`{"text":"a","share":1E400}`, `{"text":"a","count":- 1}`, `{"text":"a","count":1111111111111111111111111}`,
		`{"text":"a","lines":[]}`, `{"text":"a","lines":["a","b","c","d"]}`, `{"text":"a","lines":["a",]}`, `{"text":"a","lines":["a" "b"]}`,
		`{"text":"a","deep":{"yes":true}}`, `{"text":"a","other":"x"}`, `{"text":"a","zebra":1}`,
		`{"text":"a","any":{"a":1,"a":2}}`, `{"text":"a","any":[{"a":1,"b":{"c":1,"c":1}}]}`, `{"text":"a","open":{"y":1}}`, `{"text":"a","any":nul}`,
		`{"text":"a","map":{"a":1.5}}`, `{"text":"a","any":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, `{"text":"a","any":}`,
		`{"text":null}`, `{"text":"a","deep":{"yes":tru}}`, `{"text" "a"}`,
	} {
		require.False(t, s.plain.fits([]byte(document)), document)
	}
}

func TestSchemasThatAreNotPlain(t *testing.T) {
	for _, source := range []string{
		`false`, `{"items":{}}`, `{"type":"object","patternProperties":{"a":{"type":"string"}}}`, `{"type":["object","null"]}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}`, `{"type":"object","minProperties":1}`,
		`{"type":"object","$ref":"#/$defs/a","$defs":{"a":{}}}`, `{"type":"object","not":{}}`, `{"minLength":1}`,
		`{"type":"object","propertyNames":{"maxLength":1}}`, `{"type":"object","const":{}}`, `{"type":"object","dependentRequired":{"a":["b"]}}`,
		`{"type":"array","items":{"type":"string"},"uniqueItems":true}`, `{"type":"array","items":false}`,
		`{"type":"integer","minimum":0.5}`, `{"type":"integer","multipleOf":2}`, `{"type":"string","pattern":"a"}`, `{"type":"null"}`,
		`{"enum":["a",1]}`, `{"type":"integer","enum":[1]}`, `{"not":{}}`, `{"type":"object","if":{},"then":false}`,
		`{"type":"number","maximum":1e3}`, `{"type":"object","unevaluatedProperties":false}`, `{"type":"object","$id":"https://example.org/a"}`,
	} {
		s, err := Compile([]byte(source))
		require.NoError(t, err, source)
		require.Nil(t, s.plain, source)
	}
}

// wrong is what the two must never do together.
func wrong(s *Schema, document []byte) error {
	if !s.plain.fits(document) {
		return nil
	}
	if err := s.validate(document); err != nil {
		return fmt.Errorf("the scan takes %q, the validator does not: %w", document, err)
	}
	return nil
}

// FuzzFast looks for a document that the scan takes and the validator refuses.
func FuzzFast(f *testing.F) {
	for _, document := range []string{
		`{"text":"hi","mode":"fast","count":3,"lines":["a"],"deep":{"yes":true,"other":1},"share":0.5}`,
		`{"text":"\"\\\/\b\f\n\r\t","count":-0,"share":-0.0}`, `{"text":"\u00e9","other":null}`, "{\"text\":\"é\u2028\x7f\"}",
		`{"text":"a","text":"b"}`, `{"text":"a","mode":""}`, `{"text":"a","share":-1.0}`, `{"text":"a","share":1e0}`,
	} {
		f.Add([]byte(document))
		f.Add([]byte(`{"text":"a","any":` + document + `,"open":` + document + `}`))
	}
	s, err := Compile([]byte(plainTool))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		if err := wrong(s, document); err != nil {
			t.Fatal(err)
		}
	})
}

// TestFastAgainstTheValidator makes schemas and documents by chance, and documents
// that are nearly JSON from these. It asks as well that the scan says yes often.
func TestFastAgainstTheValidator(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	fit, all := 0, 0
	for range 300 {
		source, err := json.Marshal(randomSchema(r, 0))
		require.NoError(t, err)
		s, err := Compile(source)
		require.NoError(t, err, string(source))
		for range 60 {
			document := []byte(randomDocument(r, source))
			if r.IntN(4) == 0 && len(document) > 0 {
				document[r.IntN(len(document))] = `{}[]",:\0123456789.-eEu x`[r.IntN(25)]
			}
			require.NoError(t, wrong(s, document), string(source))
			if all++; s.plain.fits(document) {
				fit++
			} else if err := s.validate(document); err != nil {
				require.EqualError(t, s.Validate(document), err.Error())
			}
		}
	}
	require.Greater(t, fit, all/20, "of %d documents", all)
}

// names are those of the random schemas' properties.
var names = []string{"a", "b", "c", "text", "é"}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// randomSchema is a schema of what the scan knows, and now and then of more.
func randomSchema(r *rand.Rand, depth int) map[string]any {
	s := map[string]any{"description": "x"}
	kinds := []string{"string", "integer", "number", "boolean", "array", "object"}
	if depth == 0 {
		kinds = []string{"object"}
	} else if depth > 2 {
		kinds = kinds[:4]
	}
	s["type"] = pick(r, kinds...)
	some := func(odds int, keyword string, value any) {
		if r.IntN(odds) == 0 {
			s[keyword] = value
		}
	}
	some(3, "minLength", r.IntN(3))
	some(3, "maxLength", 2+r.IntN(3))
	some(3, "minimum", r.IntN(5)-3)
	some(3, "maximum", r.IntN(5)+1)
	some(3, "minItems", r.IntN(2))
	some(3, "maxItems", 1+r.IntN(3))
	some(40, "pattern", "^[a-z]*$")
	some(40, "exclusiveMinimum", 0)
	if s["type"] == "string" {
		some(4, "enum", []string{"a", "bc", "é", ""})
	}
	if s["type"] == "array" {
		s["items"] = randomSchema(r, depth+1)
	}
	if s["type"] == "object" {
		properties := map[string]any{}
		for _, name := range names {
			if r.IntN(2) == 0 {
				properties[name] = randomSchema(r, depth+1)
			}
		}
		s["properties"] = properties
		some(2, "required", []string{pick(r, names...)})
		some(2, "additionalProperties", r.IntN(2) == 0)
		some(6, "additionalProperties", map[string]any{"type": "integer"})
	}
	return s
}

// randomDocument is a document that a schema may take.
func randomDocument(r *rand.Rand, source []byte) string {
	var s map[string]any
	if err := json.Unmarshal(source, &s); err != nil {
		panic(err)
	}
	return randomValue(r, s)
}

func randomValue(r *rand.Rand, s map[string]any) string {
	kind := s["type"].(string)
	if r.IntN(25) == 0 {
		kind = pick(r, "string", "number", "boolean", "null")
	}
	switch kind {
	case "string":
		return pick(r, `""`, `"a"`, `"bc"`, `"é"`, `"abcde"`, `"\n\""`, `"\u00e9"`, `"😀😀"`, `"a\\"`)
	case "integer":
		return pick(r, "0", "1", "-1", "3", "-4", "7", "1.0", "1e0", "00", "-0")
	case "number":
		return pick(r, "0", "-0.5", "1", "2.25", "-3", "5.5", "0.1e1", "1.", "-2.999999999999999999")
	case "boolean":
		return pick(r, "true", "false")
	case "array":
		var items []string
		for range r.IntN(4) {
			items = append(items, randomValue(r, s["items"].(map[string]any)))
		}
		return "[" + strings.Join(items, pick(r, ",", ", ", ",")) + "]"
	case "object":
		var members []string
		properties := s["properties"].(map[string]any)
		for name, sub := range properties {
			if r.IntN(4) > 0 {
				members = append(members, fmt.Sprintf("%q:%s", name, randomValue(r, sub.(map[string]any))))
			}
		}
		if r.IntN(10) == 0 {
			members = append(members, fmt.Sprintf("%q: %s", pick(r, names...), pick(r, `1`, `{"a":[{}]}`, `{"a":1,"a":1}`, `[null,1,"x"]`)))
		}
		return "{" + strings.Join(members, ",") + "}"
	default:
		return "null"
	}
}

func BenchmarkFast(b *testing.B) {
	s, err := Compile([]byte(plainTool))
	if err != nil {
		b.Fatal(err)
	}
	document := []byte(`{"text":"hello","mode":"fast","count":3,"lines":["a","b"],"share":0.5}`)
	for name, validate := range map[string]func([]byte) error{"fast": s.Validate, "validator": s.validate} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := validate(document); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
