package harness

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	return v
}

func TestMatch(t *testing.T) {
	tests := []struct{ name, want, got, problem string }{
		{"equal", `{"a":[1,"x",null,true]}`, `{"a":[1,"x",null,true]}`, ""},
		{"other value", `{"a":1}`, `{"a":2}`, "result.a: got 2, want 1"},
		{"other type", `{"a":1}`, `{"a":"1"}`, `result.a: got "1", want 1`},
		{"member missing", `{"a":1,"b":2}`, `{"a":1}`, "want the members"},
		{"member too many", `{"a":1}`, `{"a":1,"b":2}`, "want the members"},
		{"element too many", `[1]`, `[1,2]`, "want 1 elements"},
		{"bound twice", `["$v","$v"]`, `[3,3]`, ""},
		{"bound to another", `["$v","$v"]`, `[3,4]`, "want $v = 3"},
		{"versions rise", `["$v","$w"]`, `[3,4]`, ""},
		{"versions fall", `["$v","$w"]`, `[3,2]`, "above 3"},
		{"version zero", `["$v"]`, `[0]`, "above 0"},
		{"empty cursor", `["$c"]`, `[""]`, "empty"},
		{"bound to nothing", `["$c"]`, `[null]`, "want a number or a string"},
		{"in range", `["$1..3","$1..3"]`, `[1,3]`, ""},
		{"below the range", `["$1..3"]`, `[0]`, "$1..3"},
		{"above the range", `["$1..3"]`, `[4]`, "$1..3"},
		{"not whole", `["$1..3"]`, `[1.5]`, "$1..3"},
	}
	for _, test := range tests {
		var b Bindings
		err := b.Match(decode(t, test.want), decode(t, test.got))
		if test.problem == "" {
			require.NoError(t, err, test.name)
		} else {
			require.ErrorContains(t, err, test.problem, test.name)
		}
	}
}

func TestFill(t *testing.T) {
	var b Bindings
	require.NoError(t, b.Match(decode(t, `{"version":"$v"}`), decode(t, `{"version":12}`)))
	filled, err := b.Fill(decode(t, `{"list":[{"version":"$v","key":"k"}]}`))
	require.NoError(t, err)
	require.Equal(t, decode(t, `{"list":[{"version":12,"key":"k"}]}`), filled)
	_, err = b.Fill("$unbound")
	require.ErrorContains(t, err, "before it is bound")
}
