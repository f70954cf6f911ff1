package guest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type nested struct {
	Names []string          `json:"names"`
	Sizes map[string]uint16 `json:"sizes"`
}

type args struct {
	Text    string   `json:"text" doc:"what to do it with" min:"1" max:"10"`
	Mode    string   `json:"mode,omitempty" enum:"fast,slow"`
	Count   *int     `json:"count" min:"1" max:"5"`
	Ratio   float32  `json:"ratio,omitzero"`
	Tags    []string `json:"tags,omitempty" max:"3"`
	Raw     []byte   `json:"raw,omitempty"`
	Hidden  string   `json:"-"`
	Plain   bool
	private int //lint:ignore U1000 left out of the schema, which is what is tested
}

type result struct {
	Nested []nested `json:"nested"`
	Fixed  [2]*nested
	Empty  map[string]nested `json:"empty"`
}

// withTool registers a tool for one test.
func withTool[In, Out any](t *testing.T, tool Tool, f func(In) (Out, error)) {
	t.Helper()
	registered = nil
	t.Cleanup(func() { registered = nil })
	Register(tool, f)
}

func TestDescribe(t *testing.T) {
	withTool(t, Tool{Name: "a", Title: "A", Description: "Does a.", Hints: &Hints{ReadOnly: true}},
		func(args) (result, error) { return result{}, nil })
	require.JSONEq(t, `{
		"name": "a", "title": "A", "description": "Does a.",
		"annotations": {"readOnlyHint": true, "destructiveHint": false, "idempotentHint": false, "openWorldHint": false},
		"inputSchema": {"type": "object", "additionalProperties": false, "required": ["text", "Plain"], "properties": {
			"text": {"type": "string", "description": "what to do it with", "minLength": 1, "maxLength": 10},
			"mode": {"type": "string", "enum": ["fast", "slow"]},
			"count": {"type": "integer", "minimum": 1, "maximum": 5},
			"ratio": {"type": "number"},
			"tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
			"raw": {"type": "string", "contentEncoding": "base64"},
			"Plain": {"type": "boolean"}
		}},
		"outputSchema": {"type": "object", "additionalProperties": false, "required": ["nested", "Fixed", "empty"], "properties": {
			"nested": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["names", "sizes"], "properties": {
				"names": {"type": "array", "items": {"type": "string"}},
				"sizes": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}}}},
			"Fixed": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["names", "sizes"], "properties": {
				"names": {"type": "array", "items": {"type": "string"}},
				"sizes": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}}}},
			"empty": {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": false, "required": ["names", "sizes"], "properties": {
				"names": {"type": "array", "items": {"type": "string"}},
				"sizes": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}}}}
		}}}`, string(Describe()))
}

func TestCallFillsEmpty(t *testing.T) {
	withTool(t, Tool{Name: "a"}, func(a args) (result, error) {
		require.Equal(t, "hi", a.Text)
		require.Equal(t, []byte("abc"), a.Raw)
		return result{Nested: make([]nested, 1), Fixed: [2]*nested{{}, {}}, Empty: map[string]nested{"x": {}}}, nil
	})
	out, err := Call([]byte(`{"text":"hi","Plain":true,"raw":"YWJj"}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"nested":[{"names":[],"sizes":{}}],"Fixed":[{"names":[],"sizes":{}},{"names":[],"sizes":{}}],"empty":{"x":{"names":[],"sizes":{}}}}`, string(out))
}

func TestFailures(t *testing.T) {
	var fail error
	withTool(t, Tool{Name: "a"}, func(args) (result, error) { return result{}, fail })
	fail = Fail("bad_moon", "the moon is %s", "new")
	_, err := Call([]byte(`{"text":"é23456789é","count":5,"mode":"fast"}`))
	require.JSONEq(t, `{"message":"the moon is new","code":"bad_moon"}`, string(wireError(err)))
	fail = errors.New("no code")
	_, err = Call([]byte(`{"text":"a"}`))
	require.JSONEq(t, `{"message":"no code"}`, string(wireError(err)))
	fail = errors.New("")
	_, err = Call([]byte(`{"text":"a"}`))
	require.Contains(t, string(wireError(err)), "without a message")
	for _, bad := range []string{
		`{"text":7}`, `{"nope":1}`, `{`, `[]`, `{}`, `{"text":""}`, `{"text":"12345678901"}`, `{"text":"a","mode":"odd"}`, `{"text":"a","count":0}`,
		`{"text":"a","count":6}`, `{"text":"a","tags":["1","2","3","4"]}`,
	} {
		_, err = Call([]byte(bad))
		var e *Error
		require.True(t, errors.As(err, &e), bad)
		require.Equal(t, "bad_arguments", e.Code)
	}
}

func TestTypesWithoutASchema(t *testing.T) {
	type recursive struct{ Children []*recursive }
	type embedded struct{ nested }
	_ = embedded{}
	require.PanicsWithValue(t, "guest: there is no tool: call guest.Register in an init function", func() { Describe() })
	for name, register := range map[string]func(){
		"recursive":    func() { Register(Tool{}, func(recursive) (result, error) { return result{}, nil }) },
		"not a struct": func() { Register(Tool{}, func(string) (result, error) { return result{}, nil }) },
		"a time":       func() { Register(Tool{}, func(struct{ T time.Time }) (result, error) { return result{}, nil }) },
		"raw JSON":     func() { Register(Tool{}, func(struct{ R json.RawMessage }) (result, error) { return result{}, nil }) },
		"any":          func() { Register(Tool{}, func(struct{ A any }) (result, error) { return result{}, nil }) },
		"int keys":     func() { Register(Tool{}, func(struct{ M map[int]int }) (result, error) { return result{}, nil }) },
		"a bad bound": func() {
			Register(Tool{}, func(struct {
				N int `min:"one"`
			}) (result, error) {
				return result{}, nil
			})
		},
		"an enum of numbers": func() {
			Register(Tool{}, func(struct {
				N int `enum:"1,2"`
			}) (result, error) {
				return result{}, nil
			})
		},
	} {
		require.Panics(t, register, name)
		require.Nil(t, registered, name)
	}
	withTool(t, Tool{Name: "a"}, func(args) (result, error) { return result{}, nil })
	require.PanicsWithValue(t, "guest: Register was called twice: a module has one tool", func() {
		Register(Tool{}, func(args) (result, error) { return result{}, nil })
	})
}

// choosy takes no empty text.
type choosy string

// UnmarshalJSON implements json.Unmarshaler.
func (c *choosy) UnmarshalJSON(raw []byte) error {
	if string(raw) == `""` {
		panic("choosy: empty")
	}
	return json.Unmarshal(raw, (*string)(c))
}

// Types whose methods panic at zero values are warmed up as far as they go.
func TestZeroValuesThatPanic(t *testing.T) {
	type message struct {
		Text choosy `json:"text"`
	}
	calls := 0
	withTool(t, Tool{Name: "choosy", Description: "Echoes."}, func(m message) (message, error) { calls++; return m, nil })
	require.Zero(t, calls, "registering calls no tool")
	out, err := Call([]byte(`{"text":"a"}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"text":"a"}`, string(out))
}
