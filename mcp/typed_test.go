package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type forecastIn struct {
	City   string             `json:"city" title:"City" description:"Where." minLength:"2" maxLength:"10"`
	Days   int                `json:"days" default:"3" minimum:"1" maximum:"14"`
	Unit   string             `json:"unit" default:"celsius" enum:"celsius,fahrenheit"`
	Level  *float64           `json:"level" maximum:"0.5"`
	Tags   []string           `json:"tags,omitzero" minItems:"1" maxItems:"2"`
	Points []point            `json:"points,omitzero"`
	Extra  map[string]float64 `json:"extra,omitzero"`
	Raw    []byte             `json:"raw,omitzero"`
	Any    any                `json:"any,omitzero" description:"Whatever."`
	At     time.Time          `json:"at,omitzero"`
	Seed   uint8              `json:"seed,omitzero"`
	Dry    bool               `json:"dry,omitzero"`
}

type point struct {
	X float64 `json:"x"`
	Y float64 `json:"y" default:"1"`
}

type forecastOut struct {
	Days  []int             `json:"days"`
	Note  *string           `json:"note"`
	Extra map[string]string `json:"extra"`
	Unit  string            `json:"unit,omitzero"`
}

func compileSchema(t *testing.T, raw []byte) *jsonschema.Schema {
	c := jsonschema.NewCompiler()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	require.NoError(t, c.AddResource("mem:///s", document))
	compiled, err := c.Compile("mem:///s")
	require.NoError(t, err)
	return compiled
}

func TestSchemaOf(t *testing.T) {
	assert.JSONEq(t, `{"type":"object","additionalProperties":false,"required":["city"],"properties":{
		"city":{"type":"string","title":"City","description":"Where.","minLength":2,"maxLength":10},
		"days":{"type":"integer","minimum":1,"maximum":14,"default":3},
		"unit":{"type":"string","enum":["celsius","fahrenheit"],"default":"celsius"},
		"level":{"type":"number","maximum":0.5},
		"tags":{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":2},
		"points":{"type":"array","items":{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number","default":1}},"required":["x"],"additionalProperties":false}},
		"extra":{"type":"object","additionalProperties":{"type":"number"}},
		"raw":{"type":"string","contentEncoding":"base64"},
		"any":{"description":"Whatever."},
		"at":{"type":"string","format":"date-time"},
		"seed":{"type":"integer","minimum":0},
		"dry":{"type":"boolean"}}}`, string(SchemaOf[forecastIn]()))
	type loop struct {
		Inner []*struct{ Again any } `json:"inner"`
	}
	assert.NotPanics(t, func() { SchemaOf[loop]() })
	assert.Panics(t, func() { SchemaOf[node]() }, "a type that contains itself")
	assert.Panics(t, func() { SchemaOf[int]() })
	assert.Panics(t, func() { SchemaOf[time.Time]() })
}

type node struct {
	Next *node `json:"next"`
}

// What the schema allows, decoding takes, and the other way round.
func TestTypedTool(t *testing.T) {
	s := NewServer(Options{})
	var got forecastIn
	AddTool(s, Tool{Name: "forecast", Inline: true}, func(_ context.Context, _ *CallRequest, in *forecastIn) (*forecastOut, error) {
		got = *in
		if in.Dry {
			return nil, nil
		}
		note := in.Unit
		return &forecastOut{Days: make([]int, in.Days), Note: &note}, nil
	})
	AddTool(s, Tool{Name: "plain"}, func(context.Context, *CallRequest, *struct{}) (*CallResult, error) { return TextResult("x"), nil })
	AddTool(s, Tool{Name: "fails"}, func(context.Context, *CallRequest, *struct{}) (*CallResult, error) { return nil, errors.New("no") })
	input := compileSchema(t, s.offers().tools.byKey["forecast"].InputSchema)
	output := compileSchema(t, s.offers().tools.byKey["forecast"].OutputSchema)
	assert.Nil(t, s.offers().tools.byKey["plain"].OutputSchema)
	answer := func(tool, arguments string) string {
		return string(s.NewExchange([]byte(call(1, tool, arguments, false))).Answer(t.Context(), VersionLegacy, nil))
	}
	for arguments, problem := range map[string]string{
		`{"city":"Rome"}`: "",
		`{"city":"Rome","days":14,"unit":"fahrenheit"}`:    "",
		`{"city":"Zürich","level":0.5,"tags":["a"]}`:       "",
		`{"city":"Rome","points":[{"x":1},{"x":2,"y":3}]}`: "",
		`{"city":"Rome","extra":{"a":1.5},"raw":"AAE="}`:   "",
		`{"city":"Rome","at":"2026-01-02T03:04:05Z"}`:      "",
		`{"city":"Rome","any":[1,{"a":null}],"dry":true}`:  "",
		`{}`:                                   `argument \"city\": is missing`,
		`{"city":"R"}`:                         `argument \"city\": must have at least 2 characters, not 1`,
		`{"city":"Llanfairpwllgwyngyll"}`:      `argument \"city\": must have at most 10 characters, not 20`,
		`{"city":"Rome","days":0}`:             `argument \"days\": must be at least 1`,
		`{"city":"Rome","days":15}`:            `argument \"days\": must be at most 14`,
		`{"city":"Rome","unit":"celcius"}`:     `argument \"unit\": must be one of celsius, fahrenheit; did you mean celsius?`,
		`{"city":"Rome","level":0.6}`:          `argument \"level\": must be at most 0.5`,
		`{"city":"Rome","tags":[]}`:            `argument \"tags\": must have at least 1 items, not 0`,
		`{"city":"Rome","tags":["a","b","c"]}`: `argument \"tags\": must have at most 2 items, not 3`,
		`{"city":"Rome","points":[{"y":1}]}`:   `argument \"points[0].x\": is missing`,
		`{"city":"Rome","extra":{"a":"b"}}`:    `argument \"extra`,
		`{"city":"Rome","seed":-1}`:            `argument \"seed\": must be between 0 and 255`,
		`{"city":"Rome","cities":1}`:           `argument \"cities\": is not known`,
	} {
		frame := answer("forecast", arguments)
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(arguments))
		require.NoError(t, err)
		if problem != "" {
			assert.Contains(t, frame, problem, arguments)
			assert.Error(t, input.Validate(document), arguments)
			continue
		}
		require.NoError(t, input.Validate(document), arguments)
		var m struct {
			Result struct{ StructuredContent any }
		}
		require.NoError(t, json.Unmarshal([]byte(frame), &m), frame)
		assert.NoError(t, output.Validate(m.Result.StructuredContent), frame)
	}
	answer("forecast", `{"city":"Rome","points":[{"x":2}]}`)
	assert.Equal(t, forecastIn{City: "Rome", Days: 3, Unit: "celsius", Points: []point{{2, 1}}}, got)
	assert.Equal(t, said("1", "x"), answer("plain", "{}"))
	assert.Contains(t, answer("fails", "{}"), `"isError":true`)
}

func TestTagsThatDoNotFitPanic(t *testing.T) {
	for name, schema := range map[string]func() []byte{
		"minimum of a string": SchemaOf[struct {
			A string `minimum:"1"`
		}],
		"minimum of no number": SchemaOf[struct {
			A int `minimum:"x"`
		}],
		"length of a number": SchemaOf[struct {
			A int `minLength:"1"`
		}],
		"items of a string": SchemaOf[struct {
			A string `minItems:"1"`
		}],
		"negative length": SchemaOf[struct {
			A string `maxLength:"-1"`
		}],
		"enum of numbers": SchemaOf[struct {
			A int `enum:"1,2"`
		}],
		"default of no number": SchemaOf[struct {
			A int `default:"many"`
		}],
		"default not allowed": SchemaOf[struct {
			A int `default:"9" maximum:"3"`
		}],
		"default of no JSON": SchemaOf[struct {
			A []int `default:"[1"`
		}],
	} {
		assert.Panics(t, func() { schema() }, name)
	}
	assert.Panics(t, func() { AddTool[struct{}, CallResult](NewServer(Options{}), Tool{Name: "a"}, nil) })
}

// What a tool with an output schema gives back is checked.
func TestOutputSchemaIsChecked(t *testing.T) {
	compile := func(schema []byte) (func([]byte) error, error) {
		compiled := compileSchema(t, schema)
		return func(document []byte) error {
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
			require.NoError(t, err)
			return compiled.Validate(value)
		}, nil
	}
	s := NewServer(Options{CompileSchema: compile})
	results := map[string]*CallResult{
		"good": StructuredJSON([]byte(`{"n":1}`)), "bad": StructuredJSON([]byte(`{"n":"1"}`)),
		"none": TextResult("x"), "error": ErrorResult("broken"),
	}
	for name, result := range results {
		s.AddTool(Tool{Name: name, OutputSchema: []byte(`{"type":"object","properties":{"n":{"type":"number"}}}`)},
			func(context.Context, *CallRequest) (*CallResult, error) { return result, nil })
	}
	answer := func(tool string) string {
		return string(s.NewExchange([]byte(call(1, tool, "{}", false))).Answer(t.Context(), VersionLegacy, nil))
	}
	assert.Contains(t, answer("good"), `"structuredContent":{"n":1}`)
	assert.Contains(t, answer("bad"), `"code":-32603,"message":"tool bad made a result that cannot be sent: structured content does not fit the OutputSchema`)
	assert.Contains(t, answer("none"), `it has an OutputSchema, but its result has no Structured`)
	assert.Contains(t, answer("error"), `"isError":true`)
	refuse := func([]byte) (func([]byte) error, error) { return nil, errors.New("no such dialect") }
	assert.Panics(t, func() { NewServer(Options{CompileSchema: refuse}).AddTool(Tool{Name: "a"}, echo) })
	assert.Panics(t, func() {
		NewServer(Options{CompileSchema: refuse}).AddTool(Tool{Name: "a", OutputSchema: []byte(`{}`)}, echo)
	})
}

// Arguments are checked by the compiled schema of tools that are added raw; by the
// decoder alone where the schema is a Go type's; and not at all where the tool says
// that it does so itself.
func TestInputSchemaIsChecked(t *testing.T) {
	var compiled []string
	s := NewServer(Options{CompileSchema: func(schema []byte) (func([]byte) error, error) {
		compiled = append(compiled, string(schema))
		return func(document []byte) error {
			if !strings.Contains(string(document), `"n":1`) {
				return errors.New("n is not 1")
			}
			return nil
		}, nil
	}})
	const schema = `{"type":"object","title":"raw"}`
	answers := func(context.Context, *CallRequest) (*CallResult, error) { return TextResult("ran"), nil }
	s.AddTool(Tool{Name: "raw", InputSchema: []byte(schema)}, answers)
	s.AddTool(Tool{Name: "self", InputSchema: []byte(schema), SelfChecked: true}, answers)
	s.AddTool(Tool{Name: "own", InputSchema: []byte(schema), Validate: func([]byte) error { return errors.New("its own no") }}, answers)
	AddTool(s, Tool{Name: "typed"}, func(_ context.Context, _ *CallRequest, in *struct {
		N int `json:"n,omitzero"`
	}) (*entryArguments, error) {
		return &entryArguments{Key: "ran"}, nil
	})
	assert.Equal(t, []string{schema}, compiled)
	answer := func(tool, arguments string) string {
		return string(s.NewExchange([]byte(call(1, tool, arguments, false))).Answer(t.Context(), VersionLegacy, nil))
	}
	assert.Equal(t, said("1", "ran"), answer("raw", `{"n":1}`))
	assert.Contains(t, answer("raw", `{"n":2}`), `"text":"n is not 1"}],"isError":true`)
	assert.Contains(t, answer("self", `{"n":2}`), "ran")
	assert.Contains(t, answer("own", `{"n":1}`), "its own no")
	assert.Contains(t, answer("typed", `{"n":2}`), "ran")
}

func TestWrapTool(t *testing.T) {
	var log []string
	s := NewServer(Options{WrapTool: func(tool Tool, h Handler) Handler {
		return func(ctx context.Context, req *CallRequest) (*CallResult, error) {
			log = append(log, tool.Name)
			return h(ctx, req)
		}
	}})
	s.AddTool(Tool{Name: "echo"}, echo)
	s.NewExchange([]byte(echoCall(1, "x", true))).Answer(t.Context(), "", nil)
	assert.Equal(t, []string{"echo"}, log)
}
