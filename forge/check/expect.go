package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/mcpclient"
)

// shownMax is how much of a text a fault shows.
const shownMax = 4000

// faults says what of an answer is not as it is expected.
func faults(e *config.Expect, r *mcpclient.Result) (all []string) {
	text := textOf(r)
	switch {
	case r.IsError && !e.Error:
		return []string{"the tool answered with an error:\n" + indented(text)}
	case !r.IsError && e.Error:
		all = append(all, "an error was expected, and the tool answered:\n"+indented(text))
	}
	if e.Text != nil && text != *e.Text {
		if strings.TrimRight(text, "\n") == strings.TrimRight(*e.Text, "\n") {
			all = append(all, fmt.Sprintf("the text ends with %d line ends, and %d were expected", lineEnds(text), lineEnds(*e.Text)))
		} else {
			all = append(all, "the text is not what was expected:\n"+Diff(*e.Text, text))
		}
	}
	for _, part := range e.Contains {
		if !strings.Contains(text, part) {
			all = append(all, fmt.Sprintf("the text does not contain %q:\n%s", part, indented(text)))
		}
	}
	if e.Matches != "" {
		if matched, err := regexp.MatchString(e.Matches, text); err != nil || !matched {
			all = append(all, fmt.Sprintf("the text does not match %q:\n%s", e.Matches, indented(text)))
		}
	}
	if len(e.JSON) > 0 {
		if fault := jsonFault(e.JSON, r, text); fault != "" {
			all = append(all, fault)
		}
	}
	return all
}

// textOf is the text of an answer: its blocks of text, a line end between them.
func textOf(r *mcpclient.Result) string {
	var parts []string
	for _, c := range r.Content {
		switch {
		case c.Type == "text":
			parts = append(parts, c.Text)
		case c.Resource != nil && c.Resource.Blob == nil:
			parts = append(parts, c.Resource.Text)
		}
	}
	return strings.Join(parts, "\n")
}

func lineEnds(s string) int { return len(s) - len(strings.TrimRight(s, "\n")) }

func indented(text string) string {
	if len(text) > shownMax {
		text = strings.ToValidUTF8(text[:shownMax], "") + "…"
	}
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// jsonFault holds an answer against a JSON value: the structured one, or the text.
func jsonFault(expected []byte, r *mcpclient.Result, text string) string {
	raw := []byte(r.Structured)
	if len(raw) == 0 {
		raw = []byte(text)
	}
	want, err := decode(expected)
	if err != nil {
		return fmt.Sprintf("what is expected cannot be read as JSON: %v", err)
	}
	got, err := decode(raw)
	if err != nil {
		return "the answer is no JSON:\n" + indented(text)
	}
	if same(want, got) {
		return ""
	}
	return "the answer is not what was expected:\n" + Diff(pretty(want), pretty(got))
}

// decode reads JSON with its numbers as they are written.
func decode(raw []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("there is more than one value")
	}
	return v, nil
}

func pretty(v any) string {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err) // it was decoded from JSON
	}
	return strings.TrimRight(text.String(), "\n")
}

// same says whether two values are the same; members of objects have no order, and
// numbers are compared by what they are worth.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if other, ok := b[k]; !ok || !same(v, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(string(a), string(b))
	}
	return a == b
}

// sameNumber compares whole numbers by their digits, others as float64.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	if !strings.ContainsAny(a+b, ".eE") {
		return a == "-0" && b == "0" || a == "0" && b == "-0"
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}
