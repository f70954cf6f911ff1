package toolargs_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/toolargs"
)

const forecast = `{
	"type": "object", "additionalProperties": false, "required": ["city"],
	"$defs": {"place": {"type": "object", "properties": {"lat": {"type": "number"}, "deep": {"type": "object", "properties": {"n": {"type": "integer"}}}}}},
	"properties": {
		"city": {"type": "string", "description": "Where."},
		"count": {"type": "integer"},
		"rate": {"type": "number"},
		"live": {"type": "boolean"},
		"tags": {"type": "array", "items": {"type": "string"}},
		"sizes": {"type": "array", "items": {"type": "integer"}},
		"at": {"$ref": "#/$defs/place"},
		"maybe": {"type": ["string", "null"]},
		"either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
		"unit": {"enum": ["C", 1, null]},
		"level": {"type": "string", "enum": ["1", "2"]},
		"any": {},
		"labels": {"type": "object", "additionalProperties": {"type": "integer"}},
		"a.b": {"type": "string"}
	}
}`

func TestParse(t *testing.T) {
	for _, c := range []struct{ pairs, want string }{
		{"city=Oslo", `{"city":"Oslo"}`},
		{"city=3", `{"city":"3"}`},
		{"city=", `{"city":""}`},
		{"city=a=b", `{"city":"a=b"}`},
		{"city={{x}}", `{"city":"{{x}}"}`},
		{"city=x|count=3|rate=1.5e3|live=true", `{"city":"x","count":3,"rate":1.5e3,"live":true}`},
		{"city=x|count=9007199254740993", `{"city":"x","count":9007199254740993}`},
		{"city=x|tags=a,b", `{"city":"x","tags":["a","b"]}`},
		{"city=x|tags=a|tags=b,c", `{"city":"x","tags":["a","b","c"]}`},
		{`city=x|tags=["a,b"]|tags=c`, `{"city":"x","tags":["a,b","c"]}`},
		{"city=x|tags=", `{"city":"x","tags":[]}`},
		{"city=x|sizes=1,2", `{"city":"x","sizes":[1,2]}`},
		{"city=x|at.lat=59.9|at.deep.n=4", `{"city":"x","at":{"lat":59.9,"deep":{"n":4}}}`},
		{`city=x|at={"lat":1}|at.deep.n=4`, `{"city":"x","at":{"lat":1,"deep":{"n":4}}}`},
		{"city=x|maybe=null", `{"city":"x","maybe":null}`},
		{"city=x|maybe=nothing", `{"city":"x","maybe":"nothing"}`},
		{"city=x|either=4", `{"city":"x","either":4}`},
		{"city=x|either=four", `{"city":"x","either":"four"}`},
		{"city=x|unit=C", `{"city":"x","unit":"C"}`},
		{"city=x|unit=1", `{"city":"x","unit":1}`},
		{"city=x|level=1", `{"city":"x","level":"1"}`},
		{"city=x|any=[1]", `{"city":"x","any":[1]}`},
		{"city=x|any=text", `{"city":"x","any":"text"}`},
		{"city=x|labels.new=1", `{"city":"x","labels":{"new":1}}`},
		{"city=x|a.b=1", `{"city":"x","a.b":"1"}`},
	} {
		got, err := toolargs.Parse([]byte(forecast), nil, strings.Split(c.pairs, "|"))
		if assert.NoError(t, err, c.pairs) {
			assert.JSONEq(t, c.want, string(got), c.pairs)
			if strings.Contains(c.want, "9007199254740993") {
				assert.Contains(t, string(got), "9007199254740993")
			}
		}
	}
}

func TestParseFaults(t *testing.T) {
	for _, c := range []struct{ pairs, want string }{
		{"city", `write city=VALUE`},
		{"=x", `lacks the name`},
		{"ctiy=x", `did you mean "city"?`},
		{"city=x|count=3.5", `argument count: is a whole number, not "3.5"`},
		{"city=x|count=", `is a whole number`},
		{"city=x|live=yes", `is true or false`},
		{"city=x|rate=fast", `is a number`},
		{"city=x|sizes=1,b", `an element is a whole number`},
		{"city=x|at=home", `is an object`},
		{"city=x|at.lot=1", `did you mean "lat"?`},
		{"city.name=x", `city is string, and has no members`},
		{"city=x|city=y", `is given twice`},
		{"city=x|at.=1", `empty name`},
		{"city=x|any=1|any.b=1", `already has a value that is no object`},
		{"count=1", `argument city is missing: give it as city=STRING (Where.)`},
		{"city=\xff", `is not UTF-8`},
		{"labels" + strings.Repeat(".a", 40) + "=1|city=x", `more than 32 deep`},
	} {
		_, err := toolargs.Parse([]byte(forecast), nil, strings.Split(c.pairs, "|"))
		assert.ErrorContains(t, err, c.want, c.pairs)
	}
}

func TestBase(t *testing.T) {
	got, err := toolargs.Parse([]byte(forecast), []byte(`{"city":"Oslo","at":{"lat":1},"extra":[1]}`), []string{"city=Bergen", "at.deep.n=2"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"city":"Bergen","at":{"lat":1,"deep":{"n":2}},"extra":[1]}`, string(got))
	for _, base := range []string{"[]", "null", "{", "1"} {
		_, err := toolargs.Parse([]byte(forecast), []byte(base), nil)
		assert.ErrorContains(t, err, "not a JSON object", base)
	}
}

// A schema that knows no names takes them all, and one that leads in circles ends.
func TestOddSchemas(t *testing.T) {
	for _, s := range []string{"", "{}", `{"type":"object"}`, `true`, `{"$ref":"#"}`, `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}`, `{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}}}`, `{"additionalProperties":true,"properties":{"x":{}}}`} {
		got, err := toolargs.Parse([]byte(s), nil, []string{"a=1", "b=c"})
		if assert.NoError(t, err, s) {
			assert.JSONEq(t, `{"a":1,"b":"c"}`, string(got), s)
		}
	}
	// The elements of an array may be such arrays again.
	circle := []byte(`{"properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"array","items":{"$ref":"#/$defs/a"}}}}`)
	_, err := toolargs.Parse(circle, nil, []string{"a=x"})
	assert.ErrorContains(t, err, "more than 32 deep")
	got, err := toolargs.Parse(circle, nil, []string{"a=[[],[[]]]"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"a":[[],[[]]]}`, string(got))
	_, err = toolargs.Parse([]byte(`[`), nil, nil)
	assert.ErrorContains(t, err, "--args")
	_, err = toolargs.Parse([]byte(`{"additionalProperties":false}`), nil, []string{"a=1"})
	assert.ErrorContains(t, err, `there is no "a"`)
}

// Whatever is given, the answer is an object or an error.
func FuzzParse(f *testing.F) {
	f.Add(forecast, "city=x", "at.lat=1")
	f.Fuzz(func(t *testing.T, schema, one, two string) {
		got, err := toolargs.Parse([]byte(schema), nil, []string{one, two})
		if err == nil && (!json.Valid(got) || got[0] != '{') {
			t.Errorf("%q", got)
		}
	})
}
