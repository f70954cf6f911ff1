package httptool

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/template"
)

// body is what a request carries.
type body interface {
	// fill returns the content and its type; nil is no body.
	fill(values template.Values) (content []byte, contentType string, err error)
}

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// newBody parses the body of a tool.
func newBody(c *config.HTTP) (body, error) {
	switch {
	case len(c.Body) > 0:
		tree, err := newTree(jsontext.Value(c.Body))
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		return tree, nil
	case c.BodyText != "":
		parsed, err := template.Parse(c.BodyText)
		if err != nil {
			return nil, fmt.Errorf("body_template: %w", err)
		}
		text := strings.TrimSpace(c.BodyText)
		switch {
		case strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "{{") || strings.HasPrefix(text, "["):
			return &jsonText{parsed, quotesBefore(parsed)}, nil
		case strings.Contains(strings.ToLower(header(c.Headers, "content-type")), typeForm):
			return formText{parsed}, nil
		}
		return plainText{parsed}, nil
	}
	return noBody{}, nil
}

func header(headers map[string]string, name string) string {
	for n, v := range headers {
		if strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}

type noBody struct{}

func (noBody) fill(template.Values) ([]byte, string, error) { return nil, "", nil }

// plainText is a text with the values as they are.
type plainText struct{ text *template.Template }

func (b plainText) fill(values template.Values) ([]byte, string, error) {
	return bounded(b.text.Text(values, nil))("text/plain; charset=utf-8")
}

// formText is a text of names and values, which are escaped.
type formText struct{ text *template.Template }

func (b formText) fill(values template.Values) ([]byte, string, error) {
	return bounded(b.text.Text(values, func(_ []string, text string) (string, error) { return url.QueryEscape(text), nil }))(typeForm)
}

// jsonText is JSON as text: between quotes a value is the content of a string,
// elsewhere it is a value.
type jsonText struct {
	text   *template.Template
	quoted []bool // whether the placeholder of that number stands between quotes
}

// quotesBefore tells for each placeholder whether it stands in a string.
func quotesBefore(t *template.Template) []bool {
	var all []bool
	inside := false
	for _, text := range t.Before() {
		for i := 0; i < len(text); i++ {
			switch {
			case text[i] == '\\' && inside:
				i++
			case text[i] == '"':
				inside = !inside
			}
		}
		all = append(all, inside)
	}
	return all
}

func (b *jsonText) fill(values template.Values) ([]byte, string, error) {
	content, contentType, err := bounded(b.text.Fill(values, func(i int, _ []string, value jsontext.Value) (string, error) {
		if !b.quoted[i] {
			if value == nil {
				return "null", nil
			}
			return string(value), nil
		}
		text, err := template.Text(value)
		if err != nil {
			return "", err
		}
		quoted, err := jsontext.AppendQuote(nil, text)
		if err != nil {
			return "", err
		}
		return string(quoted[1 : len(quoted)-1]), nil
	}))(typeJSON)
	if err == nil && !jsontext.Value(content).IsValid() {
		err = fault.New(fault.InvalidInput, "the arguments do not make a JSON body: the tool's body_template and its parameters do not fit")
	}
	return content, contentType, err
}

// bounded checks the length of a filled text.
func bounded(text string, err error) func(contentType string) ([]byte, string, error) {
	return func(contentType string) ([]byte, string, error) {
		switch {
		case err != nil:
			return nil, "", wrong(err)
		case len(text) > bodyBytesMax:
			return nil, "", fault.New(fault.InvalidInput, "the arguments make a body of %d bytes, at most %d are allowed", len(text), bodyBytesMax)
		}
		return []byte(text), contentType, nil
	}
}

// tree is JSON whose texts are templates.
type tree struct {
	plain   jsontext.Value // what has no text in it
	text    *template.Template
	list    []*tree
	isList  bool
	names   []string
	members []*tree
	isBlock bool
}

// newTree parses the texts of a JSON value.
func newTree(value jsontext.Value) (*tree, error) {
	switch value.Kind() {
	case '"':
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return nil, err
		}
		parsed, err := template.Parse(text)
		return &tree{text: parsed}, err
	case '[':
		var elements []jsontext.Value
		if err := json.Unmarshal(value, &elements); err != nil {
			return nil, err
		}
		t := &tree{isList: true}
		for i, e := range elements {
			child, err := newTree(e)
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			t.list = append(t.list, child)
		}
		return t, nil
	case '{':
		return newBlock(value)
	default:
		return &tree{plain: value.Clone()}, nil
	}
}

// newBlock parses the members of an object, in their order.
func newBlock(value jsontext.Value) (*tree, error) {
	t := &tree{isBlock: true}
	d := jsontext.NewDecoder(strings.NewReader(string(value)))
	if _, err := d.ReadToken(); err != nil { // {
		return nil, err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		text := name.String()
		member, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		child, err := newTree(member.Clone())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		t.names, t.members = append(t.names, text), append(t.members, child)
	}
	return t, nil
}

func (t *tree) fill(values template.Values) ([]byte, string, error) {
	content, err := t.append(nil, values)
	if err != nil {
		return nil, "", err
	}
	return content, typeJSON, nil
}

// append writes the value with what is filled in.
func (t *tree) append(out []byte, values template.Values) ([]byte, error) {
	if len(out) > bodyBytesMax {
		return nil, fault.New(fault.InvalidInput, "the arguments make a body of more than %d bytes", bodyBytesMax)
	}
	switch {
	case t.text != nil:
		return t.appendText(out, values)
	case t.isList:
		out = append(out, '[')
		for i, e := range t.list {
			if i > 0 {
				out = append(out, ',')
			}
			var err error
			if out, err = e.append(out, values); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case t.isBlock:
		return t.appendBlock(out, values)
	default:
		return append(out, t.plain...), nil
	}
}

// appendBlock writes an object without the members whose one value is absent.
func (t *tree) appendBlock(out []byte, values template.Values) ([]byte, error) {
	out = append(out, '{')
	first := true
	for i, name := range t.names {
		if member := t.members[i]; member.text != nil {
			if path, sole := member.text.Sole(); sole {
				if value, err := values.Find(path); err == nil && value == nil {
					continue
				}
			}
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		var err error
		if out, err = jsontext.AppendQuote(out, name); err != nil {
			return nil, wrong(err)
		}
		if out, err = t.members[i].append(append(out, ':'), values); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// appendText writes a text, or the value of the one placeholder that it is.
func (t *tree) appendText(out []byte, values template.Values) ([]byte, error) {
	if path, sole := t.text.Sole(); sole {
		value, err := values.Find(path)
		switch {
		case err != nil:
			return nil, wrong(err)
		case value == nil:
			return append(out, "null"...), nil
		}
		return append(out, value...), nil
	}
	text, err := t.text.Text(values, nil)
	if err != nil {
		return nil, wrong(err)
	}
	out, err = jsontext.AppendQuote(out, text)
	if err != nil {
		return nil, wrong(err)
	}
	return out, nil
}
