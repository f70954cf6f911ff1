package mcp

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type base struct {
	ID int `json:"id"`
}

type everything struct {
	base
	Text    string            `json:"text"`
	Float   float64           `json:"float"`
	Small   float32           `json:"small"`
	Bytes   []byte            `json:"bytes"`
	Array   [2]bool           `json:"array"`
	List    []string          `json:"list"`
	Map     map[string]uint8  `json:"map"`
	Numbers map[int]string    `json:"numbers"`
	Pointer *int              `json:"pointer"`
	Any     any               `json:"any"`
	At      time.Time         `json:"at"`
	IP      netip.Addr        `json:"ip"`
	Raw     json.RawMessage   `json:"raw"`
	Zero    time.Time         `json:"zero,omitzero"`
	Empty   map[string]string `json:"empty,omitempty"`
	Hidden  int               `json:"-"`
	Plain   int
	private int
}

// Values are encoded as the standard's coming JSON package does.
func TestAppendValue(t *testing.T) {
	seven := 7
	full := everything{
		base: base{1}, Text: "a\"\xff\n", Float: 1e21, Small: 0.1, Bytes: []byte{0, 1}, List: []string{"x"},
		Map: map[string]uint8{"b": 2, "a": 1}, Numbers: map[int]string{10: "x", 9: "y"}, Pointer: &seven,
		Any: []any{nil, 1.5, map[string]any{"z": true}}, At: time.Unix(1, 0).UTC(), IP: netip.MustParseAddr("::1"),
		Raw: json.RawMessage("{\n \"a\": 1}"), Hidden: 1, private: 2,
	}
	for _, v := range []any{
		full, &full, &everything{Raw: json.RawMessage("null")}, nil, (*int)(nil), 1, "x", []int(nil), map[string]int(nil), 1e-7, math.Copysign(0, -1), float32(3.4e38),
		struct{ A *everything }{}, []any{int8(-1), uint64(math.MaxUint64)}, [0]int{},
	} {
		want, err := jsonv2.Marshal(v, jsonv2.Deterministic(true))
		if err != nil { // invalid UTF-8, which it refuses
			got, err := appendValue(nil, v)
			require.NoError(t, err)
			assert.Contains(t, string(got), `"text":"a\"`+"�"+`\n"`)
			assert.Contains(t, string(got), `"raw":{  "a": 1}`)
			continue
		}
		got, err := appendValue(nil, v)
		require.NoError(t, err, "%#v", v)
		assert.JSONEq(t, string(want), string(got), "%#v", v)
		assert.NotContains(t, string(got), "\n")
	}
}

type badJSON struct{}

func (badJSON) MarshalJSON() ([]byte, error) { return []byte(`{"a":1,"a":2}`), nil }

type failing struct{}

func (*failing) MarshalJSON() ([]byte, error) { return nil, errors.New("on strike") }

type cyclic struct{ Next *cyclic }

func TestAppendValueRefuses(t *testing.T) {
	loop := &cyclic{}
	loop.Next = loop
	for problem, v := range map[string]any{
		"no number NaN":              math.NaN(),
		"no number +Inf":             []any{math.Inf(1)},
		"cannot hold a chan int":     make(chan int),
		"B: JSON cannot hold a func": struct{ B func() }{},
		"made no valid JSON":         badJSON{},
		"on strike":                  []failing{{}},
		"contains itself":            loop,
		"whose keys are float64":     map[float64]int{1: 1},
	} {
		_, err := appendValue(nil, v)
		assert.ErrorContains(t, err, problem)
	}
}

// What is encoded decodes again to the same.
func TestValuesComeBack(t *testing.T) {
	type inner struct {
		S string             `json:"s"`
		M map[string]float64 `json:"m"`
	}
	type outer struct {
		F float64 `json:"f"`
		I int64   `json:"i"`
		U uint16  `json:"u"`
		B []byte  `json:"b"`
		L []inner `json:"l"`
		P *bool   `json:"p"`
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		v := outer{
			F: rapid.Float64().Draw(t, "f"), I: rapid.Int64().Draw(t, "i"), U: rapid.Uint16().Draw(t, "u"),
			B: rapid.SliceOf(rapid.Byte()).Draw(t, "b"), P: rapid.Ptr(rapid.Bool(), true).Draw(t, "p"), L: []inner{},
		}
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			v.L = append(v.L, inner{text.Draw(t, "s"), rapid.MapOf(text, rapid.Float64()).Draw(t, "m")})
		}
		raw, err := appendValue(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		var back outer
		if err := DecodeArguments(raw, &back); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		again, err := appendValue(nil, back)
		if err != nil || string(again) != string(raw) {
			t.Fatalf("%s became %s (%v)", raw, again, err)
		}
	})
}
