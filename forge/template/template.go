// Package template fills the values of a call into texts of a forge.yaml: into
// arguments of commands, URLs, headers, bodies and prompts.
//
// The main types are [Template], a text that was parsed once, [Tree], JSON with such
// texts, and [Values], the arguments of one call.
//
//	t, err := template.Parse("Hello {{user.name}}!")
//	values, err := template.ReadValues([]byte(`{"user":{"name":"Ada"}}`))
//	text, err := t.Text(values, nil) // "Hello Ada!"
//
// A placeholder is a name, or a path of names and array indexes joined by dots,
// between {{ and }}; spaces around it do not count. \{{ stands for {{. A string is
// filled in as it is, a number as it was written, true and false as words, null
// and what is absent as nothing, an object or array as compact JSON.
//
// # Caveats
//
// What a value holds is never looked at again: {{ in it means nothing. How a value
// has to be escaped depends on where it goes, so the caller says it.
package template

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of a template.
const (
	textBytesMax    = 1 << 20
	placeholdersMax = 1000
	pathDepthMax    = 16
)

// Template is a parsed text. It is safe for concurrent use.
type Template struct {
	source string
	parts  []part
}

// part is a piece of text, or the path of a placeholder.
type part struct {
	text string
	path []string
}

// Error is a mistake in a template.
type Error struct {
	// Offset is the byte of the text at which it was found.
	Offset int
	// Message says what is wrong and how to mend it.
	Message string
}

// Error is the message and its place.
func (e *Error) Error() string { return fmt.Sprintf("%s (at byte %d)", e.Message, e.Offset) }

// Parse parses a text. Its error is an [*Error].
func Parse(text string) (*Template, error) {
	if len(text) > textBytesMax {
		return nil, &Error{0, fmt.Sprintf("the text has %d bytes, at most %d are allowed", len(text), textBytesMax)}
	}
	t := &Template{source: text}
	var plain strings.Builder
	for rest := text; rest != ""; {
		at := len(text) - len(rest)
		switch {
		case strings.HasPrefix(rest, `\{{`):
			plain.WriteString("{{")
			rest = rest[3:]
		case strings.HasPrefix(rest, "{{"):
			inside, after, closed := strings.Cut(rest[2:], "}}")
			if !closed {
				return nil, &Error{at, `"{{" is never closed: end the placeholder with "}}", or write "\{{" for the braces themselves`}
			}
			path, err := parsePath(strings.TrimSpace(inside))
			if err != "" {
				return nil, &Error{at, err}
			}
			t.addText(&plain)
			t.parts = append(t.parts, part{path: path})
			if len(t.parts) > placeholdersMax {
				return nil, &Error{at, fmt.Sprintf("there are more than %d placeholders", placeholdersMax)}
			}
			rest = after
		default:
			plain.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	t.addText(&plain)
	return t, nil
}

// addText moves what was gathered into a part.
func (t *Template) addText(plain *strings.Builder) {
	if plain.Len() > 0 {
		t.parts = append(t.parts, part{text: plain.String()})
		plain.Reset()
	}
}

// parsePath splits a placeholder, or says what is wrong with it.
func parsePath(inside string) ([]string, string) {
	if inside == "" {
		return nil, `"{{}}" names nothing: write the name of a parameter inside`
	}
	path := strings.Split(inside, ".")
	if len(path) > pathDepthMax {
		return nil, fmt.Sprintf("{{%.80s}} has more than %d parts", inside, pathDepthMax)
	}
	for _, name := range path {
		if name == "" || strings.ContainsFunc(name, notInName) {
			return nil, fmt.Sprintf("{{%.80s}} is no name: it has letters, digits, _ and -, and dots between names", inside)
		}
	}
	return path, ""
}

func notInName(r rune) bool {
	return !(r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 0x7f)
}

// String is the text as it was parsed.
func (t *Template) String() string { return t.source }

// Paths are the paths of the placeholders, in order; each begins with the name of
// a parameter.
func (t *Template) Paths() [][]string {
	var all [][]string
	for _, p := range t.parts {
		if p.path != nil {
			all = append(all, p.path)
		}
	}
	return all
}

// Plain says whether there is no placeholder in the text, and what the text is
// then.
func (t *Template) Plain() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].path == nil:
		return t.parts[0].text, true
	}
	return "", false
}

// Sole returns the path of the one placeholder that is the whole text.
func (t *Template) Sole() (path []string, ok bool) {
	if len(t.parts) == 1 && t.parts[0].path != nil {
		return t.parts[0].path, true
	}
	return nil, false
}

// Leading returns the path of the placeholder that the text begins with.
func (t *Template) Leading() (path []string, ok bool) {
	if len(t.parts) > 0 && t.parts[0].path != nil {
		return t.parts[0].path, true
	}
	return nil, false
}

// Values are the arguments of one call.
type Values map[string]jsontext.Value

// ReadValues reads a JSON object. The values point into it.
func ReadValues(object []byte) (Values, error) {
	var v Values
	if err := json.Unmarshal(object, &v); err != nil {
		return nil, fmt.Errorf("the arguments are no JSON object: %w", err)
	}
	return v, nil
}

// Find returns the value at a path; nil when there is none.
func (v Values) Find(path []string) (jsontext.Value, error) {
	value := v[path[0]]
	for _, name := range path[1:] {
		var err error
		if value, err = step(value, name); err != nil || value == nil {
			return nil, err
		}
	}
	return value, nil
}

// step goes from a value to what it holds under a name or index.
func step(value jsontext.Value, name string) (jsontext.Value, error) {
	switch value.Kind() {
	case '{':
		var object map[string]jsontext.Value
		if err := json.Unmarshal(value, &object); err != nil {
			return nil, fmt.Errorf("reading %q of an object: %w", name, err)
		}
		return object[name], nil
	case '[':
		i, err := strconv.Atoi(name)
		if err != nil || i < 0 {
			return nil, nil // an array has indexes only
		}
		var array []jsontext.Value
		if err := json.Unmarshal(value, &array); err != nil {
			return nil, fmt.Errorf("reading element %d of an array: %w", i, err)
		}
		if i < len(array) {
			return array[i], nil
		}
	}
	return nil, nil
}

// Text is a value as it is filled in.
func Text(value jsontext.Value) (string, error) {
	switch value.Kind() {
	case 0, 'n':
		if len(value) > 0 && value.Kind() == 0 {
			return "", fmt.Errorf("a value is not JSON")
		}
		return "", nil
	case '"':
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return "", fmt.Errorf("reading a string: %w", err)
		}
		return s, nil
	case '{', '[':
		compact := value.Clone()
		if err := compact.Compact(); err != nil {
			return "", fmt.Errorf("reading a value: %w", err)
		}
		return string(compact), nil
	default:
		return string(value), nil
	}
}

// Text fills in the values. escape, when not nil, is asked what to put for the
// text of each value, and may refuse it; text of the template itself is not
// escaped.
func (t *Template) Text(v Values, escape func(path []string, text string) (string, error)) (string, error) {
	return t.Fill(v, func(_ int, path []string, value jsontext.Value) (string, error) {
		text, err := Text(value)
		if err == nil && escape != nil {
			text, err = escape(path, text)
		}
		return text, err
	})
}

// Fill puts for each placeholder what put returns for its value, which is nil when
// there is none; i counts the placeholders from 0, as in [Template.Before].
func (t *Template) Fill(v Values, put func(i int, path []string, value jsontext.Value) (string, error)) (string, error) {
	if plain, ok := t.Plain(); ok {
		return plain, nil
	}
	var out strings.Builder
	i := 0
	for _, p := range t.parts {
		if p.path == nil {
			out.WriteString(p.text)
			continue
		}
		value, err := v.Find(p.path)
		if err != nil {
			return "", err
		}
		text, err := put(i, p.path, value)
		if err != nil {
			return "", err
		}
		out.WriteString(text)
		i++
	}
	return out.String(), nil
}

// Before are the texts in front of the placeholders, one for each, from the
// placeholder before it on: from them one can tell where a placeholder stands.
func (t *Template) Before() []string {
	var all []string
	text := ""
	for _, p := range t.parts {
		if p.path == nil {
			text = p.text
			continue
		}
		all = append(all, text)
		text = ""
	}
	return all
}
