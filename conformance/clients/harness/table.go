package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Table is the content of calls.json.
type Table struct {
	Scripts  []Script  `json:"scripts"`
	Mistakes []Mistake `json:"mistakes"`
}

// Script is a list of calls for one fresh server.
type Script struct {
	Name  string `json:"name"`
	Steps []Step `json:"steps"`
}

// Step is one call and the structured content of its answer.
type Step struct {
	Tool      string         `json:"tool"`
	Arguments map[string]any `json:"arguments"`
	Result    any            `json:"result"` // with patterns, see the package comment
	Alone     bool           `json:"alone"`  // needs no step before it
}

// Mistake is a call that must be refused with an isError result.
type Mistake struct {
	Tool      string         `json:"tool"`
	Arguments map[string]any `json:"arguments"`
	Names     string         `json:"names"` // the refusal's text must hold this
}

// LoadTable reads calls.json.
func LoadTable(t testing.TB) Table {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root(t), "conformance", "clients", "calls.json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var table Table
	if err := decoder.Decode(&table); err != nil {
		t.Fatalf("calls.json: %v", err)
	}
	return table
}

// Tools returns the sorted names of the tools that the scripts call.
func (table Table) Tools() []string {
	names := map[string]bool{}
	for _, script := range table.Scripts {
		for _, step := range script.Steps {
			names[step.Tool] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Bindings are the values that a script's "$name" stand for so far. The zero
// value is ready to use.
type Bindings struct {
	values  map[string]any
	highest float64 // greatest number bound so far
}

// Fill returns arguments with every "$name" replaced by its value.
func (b *Bindings) Fill(arguments any) (any, error) {
	switch v := arguments.(type) {
	case map[string]any:
		filled := make(map[string]any, len(v))
		for name, member := range v {
			var err error
			if filled[name], err = b.Fill(member); err != nil {
				return nil, err
			}
		}
		return filled, nil
	case []any:
		filled := make([]any, len(v))
		for i, element := range v {
			var err error
			if filled[i], err = b.Fill(element); err != nil {
				return nil, err
			}
		}
		return filled, nil
	case string:
		if !strings.HasPrefix(v, "$") {
			return v, nil
		}
		value, ok := b.values[v]
		if !ok {
			return nil, fmt.Errorf("%s is used before it is bound", v)
		}
		return value, nil
	}
	return arguments, nil
}

// Match compares got, which was decoded from JSON, with the pattern want, and
// binds what want names. The error says where they differ.
func (b *Bindings) Match(want, got any) error { return b.match("result", want, got) }

func (b *Bindings) match(at string, want, got any) error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || !slices.Equal(slices.Sorted(maps.Keys(w)), slices.Sorted(maps.Keys(g))) {
			return fmt.Errorf("%s: got %s, want the members %q", at, show(got), slices.Sorted(maps.Keys(w)))
		}
		// In order of their names, so that versions are bound in a fixed order.
		for _, name := range slices.Sorted(maps.Keys(w)) {
			if err := b.match(at+"."+name, w[name], g[name]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("%s: got %s, want %d elements", at, show(got), len(w))
		}
		for i := range w {
			if err := b.match(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		if strings.HasPrefix(w, "$") {
			return b.matchPattern(at, w, got)
		}
	}
	if want != got {
		return fmt.Errorf("%s: got %s, want %s", at, show(got), show(want))
	}
	return nil
}

func (b *Bindings) matchPattern(at, pattern string, got any) error {
	if low, high, ok := strings.Cut(pattern[1:], ".."); ok {
		lowest, err1 := strconv.ParseFloat(low, 64)
		highest, err2 := strconv.ParseFloat(high, 64)
		number, isNumber := got.(float64)
		whole := isNumber && number == float64(int64(number))
		if err1 != nil || err2 != nil || !whole || number < lowest || number > highest {
			return fmt.Errorf("%s: got %s, want a whole number in %s", at, show(got), pattern)
		}
		return nil
	}
	if bound, ok := b.values[pattern]; ok {
		if bound != got {
			return fmt.Errorf("%s: got %s, want %s = %s", at, show(got), pattern, show(bound))
		}
		return nil
	}
	switch v := got.(type) {
	case float64:
		if v <= b.highest {
			return fmt.Errorf("%s: %s is %s, want a version above %s", at, pattern, show(got), show(b.highest))
		}
		b.highest = v
	case string:
		if v == "" {
			return fmt.Errorf("%s: %s is empty", at, pattern)
		}
	default:
		return fmt.Errorf("%s: %s is %s, want a number or a string", at, pattern, show(got))
	}
	if b.values == nil {
		b.values = map[string]any{}
	}
	b.values[pattern] = got
	return nil
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
