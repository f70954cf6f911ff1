package httptool

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

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
		parsed, err := template.ParseTree(c.Body)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		return tree{parsed}, nil
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
type tree struct{ *template.Tree }

func (t tree) fill(values template.Values) ([]byte, string, error) {
	content, err := t.Append(nil, values, bodyBytesMax)
	switch {
	case errors.Is(err, template.ErrSize):
		return nil, "", fault.New(fault.InvalidInput, "the arguments make a body of more than %d bytes", bodyBytesMax)
	case err != nil:
		return nil, "", wrong(err)
	}
	return content, typeJSON, nil
}
