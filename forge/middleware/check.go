package middleware

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/internal/schema"
	"github.com/ingot-run/ingot/mcp"
)

// validation refuses calls whose arguments are not what the file asks for, and
// answers that are not what the tool promises.
func (w *wrapping) validation(c *config.Validation) (layer, error) {
	var input, output *schema.Schema
	var err error
	if len(c.Schema) > 0 {
		if input, err = schema.Compile(c.Schema); err != nil {
			return nil, fmt.Errorf("schema: %w", err)
		}
	}
	if c.Output && len(w.tool.OutputSchema) > 0 {
		if output, err = schema.Compile(w.tool.OutputSchema); err != nil {
			return nil, fmt.Errorf("the tool's output schema: %w", err)
		}
	}
	refused := w.counts(config.MiddlewareValidation, "refused", c)
	name, required := w.tool.Name, slices.Clone(c.RequiredFields)
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			if err := checkInput(r.Arguments, required, input); err != nil {
				refused.n.Add(1)
				return nil, err
			}
			result, err := next(ctx, r)
			if output == nil || err != nil || result == nil || result.IsError {
				return result, err
			}
			if err := checkOutput(name, result, output); err != nil {
				refused.n.Add(1)
				return nil, err
			}
			return result, nil
		}
	}, nil
}

func checkInput(arguments []byte, required []string, s *schema.Schema) error {
	for _, name := range required {
		if !hasMember(arguments, name) {
			return fault.New(fault.InvalidInput, "argument %q: is missing", name)
		}
	}
	if s != nil {
		if err := s.Validate(arguments); err != nil {
			return fault.Because(err, fault.InvalidInput, "%v", err)
		}
	}
	return nil
}

func checkOutput(name string, result *mcp.CallResult, s *schema.Schema) error {
	if result.Structured == nil {
		return fault.New(fault.Failed, "%s answered without the structured content that its output schema promises", name)
	}
	if err := s.Validate(result.Structured); err != nil {
		return fault.Because(err, fault.Failed, "%s answered with what its output schema does not allow: %v", name, err)
	}
	return nil
}

// transform changes arguments and answers.
func transform(c *config.Transform) (layer, error) {
	request, err := newEdit(c.Request)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	response, err := newEdit(c.Response)
	if err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			if request != nil {
				arguments, err := request.apply(r.Arguments)
				if err != nil {
					return nil, fault.Because(err, fault.InvalidInput, "the arguments are no JSON object")
				}
				r = derive(r)
				r.Arguments = arguments
			}
			result, err := next(ctx, r)
			if response == nil || err != nil || result == nil || result.IsError {
				return result, err
			}
			return response.result(result), nil
		}
	}, nil
}

// edit is a change of an object.
type edit struct {
	without map[string]bool // names that go away, or are set anew
	added   []byte          // the members that are set: "name":value,…
}

func newEdit(c *config.Change) (*edit, error) {
	if c == nil {
		return nil, nil
	}
	e := &edit{without: map[string]bool{}}
	for _, name := range c.Remove {
		e.without[name] = true
	}
	var names []string
	for name := range c.Set {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		e.without[name] = true
		if !jsontext.Value(c.Set[name]).IsValid() {
			return nil, fmt.Errorf("%s: no JSON value", name)
		}
		if len(e.added) > 0 {
			e.added = append(e.added, ',')
		}
		var err error
		if e.added, err = jsontext.AppendQuote(e.added, name); err != nil {
			return nil, err
		}
		e.added = append(append(e.added, ':'), c.Set[name]...)
	}
	return e, nil
}

// apply returns the object as it is changed.
func (e *edit) apply(object []byte) ([]byte, error) {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, fmt.Errorf("no object: %w", err)
	}
	out := append(make([]byte, 0, len(object)+len(e.added)+2), '{')
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		value, err := d.ReadValue()
		switch {
		case err != nil:
			return nil, err
		case e.without[name]:
			continue
		case len(out) > 1:
			out = append(out, ',')
		}
		if out, err = jsontext.AppendQuote(out, name); err != nil {
			return nil, err
		}
		out = append(append(out, ':'), value...)
	}
	if len(e.added) > 0 {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, e.added...)
	}
	return append(out, '}'), nil
}

// result changes an answer: its structured content, or its one text where that is a
// JSON object. Another answer stays as it is.
func (e *edit) result(r *mcp.CallResult) *mcp.CallResult {
	one := len(r.Content) == 1 && r.Content[0].Type == mcp.ContentText
	if r.Structured == nil {
		if !one {
			return r
		}
		changed, err := e.apply([]byte(r.Content[0].Text))
		if err != nil {
			return r
		}
		return mcp.TextResult(string(changed))
	}
	changed, err := e.apply(r.Structured)
	switch {
	case err != nil:
		return r
	case one && r.Content[0].Text == string(r.Structured): // the same for clients that know no other
		return mcp.StructuredJSON(changed)
	}
	return &mcp.CallResult{Content: r.Content, Structured: changed}
}
