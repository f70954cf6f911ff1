package mcp

import (
	"errors"
	"math"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type allArguments struct {
	Text     string              `json:"text"`
	Count    int                 `json:"count"`
	Small    int8                `json:"small,omitzero"`
	Size     uint16              `json:"size,omitzero"`
	Big      uint64              `json:"big,omitzero"`
	Ratio    float64             `json:"ratio,omitempty"`
	Narrow   float32             `json:"narrow,omitzero"`
	On       bool                `json:"on,omitzero"`
	Maybe    *int                `json:"maybe"`
	Keys     []string            `json:"keys,omitzero"`
	Entries  []entryArguments    `json:"entries,omitzero"`
	Nested   entryArguments      `json:"nested,omitzero"`
	Bytes    []byte              `json:"bytes,omitzero"`
	Raw      jsontext.Value      `json:"raw,omitzero"`
	Labels   map[string]int      `json:"labels,omitzero"`
	When     time.Time           `json:"when,omitzero"`
	Any      any                 `json:"any,omitzero"`
	Hidden   string              `json:"-"`
	Untagged string              `json:",omitzero"`
	Deep     map[string][]string `json:"deep,omitzero"`
	private  int                 //lint:ignore U1000 decoding has to leave it alone
}

type entryArguments struct {
	Key   string `json:"key"`
	Value string `json:"value,omitzero"`
}

func TestDecodeArguments(t *testing.T) {
	var got allArguments
	require.NoError(t, DecodeArguments([]byte(` {"text":"a\u00e9\n","c\u006funt":-5,"small":-128,"size":65535,"big":18446744073709551615,
		"ratio":2.5e3,"narrow":0.5,"on":true,"maybe":7,"keys":["a","b\""],"entries":[{"key":"k"},{"value":"v","key":"l"}],
		"nested":{"key":"n"},"bytes":"AAEC","raw":{"x":[1, 2]},"labels":{"a":1},"when":"2026-07-28T00:00:00Z","any":[1,"x"],
		"Untagged":"u","deep":{"a":["b"]}} `), &got))
	seven := 7
	assert.Equal(t, allArguments{
		Text: "aé\n", Count: -5, Small: -128, Size: 65535, Big: math.MaxUint64, Ratio: 2500, Narrow: 0.5, On: true, Maybe: &seven,
		Keys: []string{"a", `b"`}, Entries: []entryArguments{{Key: "k"}, {Key: "l", Value: "v"}}, Nested: entryArguments{Key: "n"},
		Bytes: []byte{0, 1, 2}, Raw: jsontext.Value(`{"x":[1, 2]}`), Labels: map[string]int{"a": 1},
		When: time.Date(2026, 7, 28, 0, 0, 0, 0, time.UTC), Any: []any{1.0, "x"}, Untagged: "u", Deep: map[string][]string{"a": {"b"}},
	}, got)
}

func TestDecodeArgumentsOptional(t *testing.T) {
	var got allArguments
	require.NoError(t, DecodeArguments([]byte(`{"text":"","count":60.0,"maybe":null,"keys":[ ]}`), &got))
	assert.Equal(t, allArguments{Count: 60, Keys: []string{}}, got)
}

func TestDecodeArgumentsRefuses(t *testing.T) {
	for _, c := range []struct{ args, argument, problem string }{
		{`{"count":1}`, "text", "is missing"},
		{`{"text":"x"}`, "count", "is missing"},
		{`{"text":"x","Count":1}`, "Count", `is not known; did you mean "count"?`},
		{`{"text":"x","cuont":1}`, "cuont", `is not known; did you mean "count"?`},
		{`{"text":1,"count":1}`, "text", "must be a string, not a number"},
		{`{"text":null,"count":1}`, "text", "must be a string, not null; leave an optional argument out"},
		{`{"text":"x","count":"1"}`, "count", "must be an integer, not a string"},
		{`{"text":"x","count":1.5}`, "count", "must be an integer, not a number with a fraction or exponent"},
		{`{"text":"x","count":1e300}`, "count", "must be an integer, not a number with a fraction or exponent"},
		{`{"text":"x","count":9223372036854775808}`, "count", "must be between -9223372036854775808 and 9223372036854775807"},
		{`{"text":"x","count":1,"small":128}`, "small", "must be between -128 and 127"},
		{`{"text":"x","count":1,"size":-1}`, "size", "must be between 0 and 65535"},
		{`{"text":"x","count":1,"ratio":"2"}`, "ratio", "must be a number, not a string"},
		{`{"text":"x","count":1,"ratio":1e999}`, "ratio", "is out of range"},
		{`{"text":"x","count":1,"on":1}`, "on", "must be true or false, not a number"},
		{`{"text":"x","count":1,"maybe":"7"}`, "maybe", "must be an integer, not a string"},
		{`{"text":"x","count":1,"keys":"a"}`, "keys", "must be an array, not a string"},
		{`{"text":"x","count":1,"keys":["a",2]}`, "keys[1]", "must be a string, not a number"},
		{`{"text":"x","count":1,"entries":[{"key":"a"},{"kye":"b"}]}`, "entries[1].kye", `is not known; did you mean "key"?`},
		{`{"text":"x","count":1,"entries":[{"value":"b"}]}`, "entries[0].key", "is missing"},
		{`{"text":"x","count":1,"entries":[{"key":{}}]}`, "entries[0].key", "must be a string, not an object"},
		{`{"text":"x","count":1,"entries":[7]}`, "entries[0]", "must be an object, not a number"},
		{`{"text":"x","count":1,"nested":{"key":"x","extra":1}}`, "nested.extra", "is not known; known are key, value"},
		{`{"text":"x","count":1,"private":1}`, "private", "is not known; known are text, count, small, size, big, ratio, narrow, on, maybe, keys, entries, nested, bytes, raw, labels, when, any, Untagged, deep"},
		{`[]`, "arguments", "must be an object, not an array"},
		{`{"text":"x"`, "arguments", "not valid JSON: the text ends inside an object"},
	} {
		var got allArguments
		err := DecodeArguments([]byte(c.args), &got)
		var wrong *ArgumentError
		if assert.True(t, errors.As(err, &wrong), "%s: %v", c.args, err) {
			assert.Equal(t, ArgumentError{c.argument, c.problem}, *wrong, c.args)
		}
	}
}

// What is seldom met is named as exactly.
func TestDecodeArgumentsNamesWhatIsSeldomMet(t *testing.T) {
	for args, want := range map[string]ArgumentError{
		`{"text":"x","count":1,"bytes":"no base64"}`:      {"bytes", "is not standard base64 with padding"},
		`{"text":"x","count":1,"bytes":7}`:                {"bytes", "must be a string in base64, not a number"},
		`{"text":"x","count":1,"labels":{"a":"b"}}`:       {"labels.a", "must be an integer, not a string"},
		`{"text":"x","count":1,"labels":[]}`:              {"labels", "must be an object, not an array"},
		`{"text":"x","count":1,"when":7}`:                 {"when", `does not fit time.Time: Time.UnmarshalJSON: input is not a JSON string`},
		`{"text":"x","count":1,"deep":{"a":["b","c",1]}}`: {"deep.a[2]", "must be a string, not a number"},
		`{"text":"x","count":1,"any":[{"a":1e999}]}`:      {"any[0].a", "is out of range"},
	} {
		var got allArguments
		err := DecodeArguments([]byte(args), &got)
		var wrong *ArgumentError
		if assert.True(t, errors.As(err, &wrong), "%s: %v", args, err) {
			assert.Equal(t, want, *wrong, args)
		}
	}
	var odd struct {
		Pair [2]int           `json:"pair,omitzero"`
		IP   netip.Addr       `json:"ip,omitzero"`
		By   map[string][]any `json:"by,omitzero"`
		Chan chan int         `json:"chan,omitzero"`
	}
	require.NoError(t, DecodeArguments([]byte(`{"pair":[1,2],"ip":"127.0.0.1","by":{"a":[null,true,{"b":"c"}]}}`), &odd))
	assert.Equal(t, [2]int{1, 2}, odd.Pair)
	assert.True(t, odd.IP.IsLoopback())
	assert.Equal(t, map[string][]any{"a": {nil, true, map[string]any{"b": "c"}}}, odd.By)
	for args, problem := range map[string]string{
		`{"pair":[1]}`:   `argument "pair": must have 2 items, not 1`,
		`{"ip":"x"}`:     `argument "ip": does not fit netip.Addr`,
		`{"ip":[]}`:      `argument "ip": must be a string, not an array`,
		`{"chan":1}`:     `argument "chan": cannot be given`,
		`{"by":{"a":1}}`: `argument "by.a": must be an array, not a number`,
	} {
		assert.ErrorContains(t, DecodeArguments([]byte(args), &odd), problem, args)
	}
}

func TestDecodeArgumentsWithoutFields(t *testing.T) {
	require.NoError(t, DecodeArguments([]byte(`{}`), &struct{}{}))
	assert.EqualError(t, DecodeArguments([]byte(`{"a":1}`), &struct{}{}), `argument "a": is not known; there are no arguments here`)
}

func TestDecodeArgumentsMistakesPanic(t *testing.T) {
	type embedded struct{ entryArguments }
	for name, into := range map[string]any{
		"not a pointer": allArguments{},
		"nil":           (*allArguments)(nil),
		"no struct":     new(int),
		"embedded":      &embedded{},
		"tag option": &struct {
			N int `json:"n,string"`
		}{},
	} {
		assert.Panics(t, func() { DecodeArguments([]byte(`{}`), into) }, name)
	}
}

func TestArgumentErrorText(t *testing.T) {
	assert.EqualError(t, &ArgumentError{"key", "is missing"}, `argument "key": is missing`)
}

func TestNearest(t *testing.T) {
	names := func(yield func(string) bool) {
		for _, n := range []string{"state_get", "state_set", "state_delete", "state_list", "echo"} {
			if !yield(n) {
				return
			}
		}
	}
	for name, want := range map[string]string{
		"state_gte": "state_get", "State_Get": "state_get", "stateset": "state_set", "state_remove": "state_delete",
		"delete": "", "ehco": "echo", "e": "", "": "", "state_delet": "state_delete", "weather": "", "state_bet": "state_get",
	} {
		assert.Equal(t, want, nearest(name, names), name)
	}
}

// What arguments are decoded into may be on a stack that moves: all kinds of
// fields hold what they were given afterwards.
func TestDecodeArgumentsOntoAStack(t *testing.T) {
	args := []byte(`{"text":"t","count":1,"maybe":7,"keys":["a","b"],"entries":[{"key":"k"}],"nested":{"key":"n"},
		"bytes":"AAEC","raw":[1],"labels":{"a":1},"when":"2026-07-28T00:00:00Z","any":{"x":"y"}}`)
	var got allArguments
	require.NoError(t, DecodeArguments(args, &got))
	moveStack(1000)
	runtime.GC()
	assert.Equal(t, []string{"a", "b"}, got.Keys)
	assert.Equal(t, []entryArguments{{Key: "k"}}, got.Entries)
	assert.Equal(t, 7, *got.Maybe)
	assert.Equal(t, map[string]int{"a": 1}, got.Labels)
	assert.Equal(t, []byte{0, 1, 2}, got.Bytes)
	assert.Equal(t, 2026, got.When.Year())
	assert.Equal(t, map[string]any{"x": "y"}, got.Any)
}

// moveStack has the stack grow, which moves it.
//
//go:noinline
func moveStack(depth int) (sum byte) {
	var room [1024]byte
	if depth > 0 {
		room[depth%len(room)] = moveStack(depth - 1)
	}
	for _, b := range room {
		sum += b
	}
	return sum
}
