package template

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrSize says that what is filled in makes a value that is too large.
var ErrSize = errors.New("the values make too large a text")

// Tree is JSON whose texts are templates. A text that is one placeholder and
// nothing else becomes the value itself, of whatever type; a member of an object
// whose only placeholder finds nothing is left out. It is safe for concurrent use.
type Tree struct {
	plain   jsontext.Value // what has no text in it
	text    *Template
	isList  bool
	list    []*Tree
	isBlock bool
	names   []string // of members, in their order
	members []*Tree
}

// ParseTree parses the texts of a JSON value. A mistake in one of them comes back
// as an [*Error] behind the path of the text.
func ParseTree(value []byte) (*Tree, error) {
	switch v := jsontext.Value(value); v.Kind() {
	case '"':
		var text string
		if err := json.Unmarshal(v, &text); err != nil {
			return nil, err
		}
		parsed, err := Parse(text)
		if err != nil {
			return nil, err
		}
		return &Tree{text: parsed}, nil
	case '[':
		var elements []jsontext.Value
		if err := json.Unmarshal(v, &elements); err != nil {
			return nil, err
		}
		t := &Tree{isList: true}
		for i, e := range elements {
			child, err := ParseTree(e)
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			t.list = append(t.list, child)
		}
		return t, nil
	case '{':
		return parseBlock(v)
	default:
		if !v.IsValid() {
			return nil, fmt.Errorf("no JSON value: %.40q", value)
		}
		return &Tree{plain: v.Clone()}, nil
	}
}

// parseBlock parses the members of an object, in their order.
func parseBlock(value jsontext.Value) (*Tree, error) {
	t := &Tree{isBlock: true}
	d := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := d.ReadToken(); err != nil { // {
		return nil, err
	}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		member, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		child, err := ParseTree(member)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		t.names, t.members = append(t.names, name), append(t.members, child)
	}
	return t, nil
}

// Paths are the paths of all placeholders, in order; see [Template.Paths].
func (t *Tree) Paths() (all [][]string) {
	if t.text != nil {
		return t.text.Paths()
	}
	for _, e := range t.list {
		all = append(all, e.Paths()...)
	}
	for _, m := range t.members {
		all = append(all, m.Paths()...)
	}
	return all
}

// Append writes the JSON value with what is filled in. It ends with [ErrSize] soon
// after dst has grown beyond bytesMax.
func (t *Tree) Append(dst []byte, values Values, bytesMax int) ([]byte, error) {
	dst, err := t.append(dst, values, bytesMax)
	if err == nil && len(dst) > bytesMax {
		err = ErrSize
	}
	if err != nil {
		return nil, err
	}
	return dst, nil
}

func (t *Tree) append(dst []byte, values Values, bytesMax int) ([]byte, error) {
	if len(dst) > bytesMax {
		return nil, ErrSize
	}
	switch {
	case t.text != nil:
		return t.appendText(dst, values)
	case t.isBlock:
		return t.appendBlock(dst, values, bytesMax)
	case !t.isList:
		return append(dst, t.plain...), nil
	}
	dst = append(dst, '[')
	for i, e := range t.list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.append(dst, values, bytesMax); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// appendBlock writes an object without the members whose one value is absent.
func (t *Tree) appendBlock(dst []byte, values Values, bytesMax int) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	for i, name := range t.names {
		if t.members[i].absent(values) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var err error
		if dst, err = jsontext.AppendQuote(dst, name); err != nil {
			return nil, err
		}
		if dst, err = t.members[i].append(append(dst, ':'), values, bytesMax); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// absent says whether the tree is one placeholder that finds nothing.
func (t *Tree) absent(values Values) bool {
	if t.text == nil {
		return false
	}
	path, sole := t.text.Sole()
	if !sole {
		return false
	}
	value, err := values.Find(path)
	return err == nil && value == nil
}

// appendText writes a text, or the value of the one placeholder that it is.
func (t *Tree) appendText(dst []byte, values Values) ([]byte, error) {
	if path, sole := t.text.Sole(); sole {
		value, err := values.Find(path)
		switch {
		case err != nil:
			return nil, err
		case value == nil:
			return append(dst, "null"...), nil
		}
		return append(dst, value...), nil
	}
	text, err := t.text.Text(values, nil)
	if err != nil {
		return nil, err
	}
	return jsontext.AppendQuote(dst, text)
}
