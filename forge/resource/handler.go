package resource

import (
	"context"
	"encoding/base64"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/expression"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/mcp"
)

// The operations that a handler is told.
const (
	operationRead  = "read"
	operationWrite = "write"
)

// functionSource is a Go function.
type functionSource struct{ function Function }

// expressionSource is an expression.
type expressionSource struct {
	expression *expression.Expression
	lookup     expression.State
}

func newHandler(c *config.Resource, variables []string, o Options) (source, error) {
	if c.Handler.Inline == "" {
		f, err := o.Function(c.Handler.Path)
		if err != nil {
			return nil, err
		}
		return &functionSource{f}, nil
	}
	e, err := expression.Compile(c.Handler.Inline, slices.Concat(variables, []string{"uri", "operation"}))
	if err != nil {
		return nil, err
	}
	return &expressionSource{e, o.Lookup}, nil
}

// arguments are what a handler gets: the variables, and what stands beside them.
func arguments(at *place, operation string) (template.Values, error) {
	values := template.Values{}
	for name, value := range at.variables {
		if !utf8.ValidString(value) {
			return nil, mcp.ErrNoResource
		}
		quoted, err := jsontext.AppendQuote(nil, value)
		if err != nil {
			return nil, err
		}
		values[name] = quoted
	}
	quoted, err := jsontext.AppendQuote(nil, at.uri)
	if err != nil {
		return nil, mcp.ErrNoResource
	}
	values["uri"], values["operation"] = quoted, jsontext.Value(`"`+operation+`"`)
	return values, nil
}

func (f *functionSource) read(ctx context.Context, at *place) (*Content, error) {
	values, err := arguments(at, operationRead)
	if err != nil {
		return nil, err
	}
	args, err := json.Marshal(values, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	out, err := f.function(ctx, args)
	if err != nil {
		return nil, err
	}
	return contentOf(out)
}

func (f *functionSource) write(ctx context.Context, at *place, c *Content) error {
	values, err := arguments(at, operationWrite)
	if err != nil {
		return err
	}
	text, encoding := string(c.Bytes), "text"
	if c.Blob || !utf8.Valid(c.Bytes) {
		text, encoding = base64.StdEncoding.EncodeToString(c.Bytes), "base64"
	}
	for name, value := range map[string]string{"content": text, "encoding": encoding, "mime_type": c.MIMEType} {
		if values[name], err = jsontext.AppendQuote(nil, value); err != nil {
			return fault.Because(err, fault.InvalidInput, "%s is no UTF-8", name)
		}
	}
	args, err := json.Marshal(values, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = f.function(ctx, args)
	return err
}

func (x *expressionSource) read(ctx context.Context, at *place) (*Content, error) {
	values, err := arguments(at, operationRead)
	if err != nil {
		return nil, err
	}
	if x.lookup != nil {
		ctx = expression.WithState(ctx, x.lookup)
	}
	value, err := x.expression.Run(ctx, values)
	if err != nil {
		return nil, err
	}
	return jsonContent(value)
}

// write is never asked for: the configuration refuses it.
func (x *expressionSource) write(context.Context, *place, *Content) error {
	return fault.New(fault.Denied, "an expression writes nothing")
}

// contentOf is what a function answered.
func contentOf(out any) (*Content, error) {
	switch v := out.(type) {
	case nil:
		return nil, mcp.ErrNoResource
	case string:
		return &Content{Bytes: []byte(v)}, nil
	case []byte:
		return &Content{Bytes: v}, nil
	case Content:
		return &v, nil
	case *Content:
		if v == nil {
			return nil, mcp.ErrNoResource
		}
		return v, nil
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, fault.Because(err, fault.Internal, "the answer cannot be written as JSON: %v", err)
	}
	return jsonContent(raw)
}

// jsonContent is a value: a text as it is, another as JSON, null as nothing.
func jsonContent(value jsontext.Value) (*Content, error) {
	switch value.Kind() {
	case 'n':
		return nil, mcp.ErrNoResource
	case '"':
		text, err := template.Text(value)
		if err != nil {
			return nil, fault.Because(err, fault.Internal, "the answer is no text")
		}
		return &Content{Bytes: []byte(text)}, nil
	}
	return &Content{Bytes: value, MIMEType: mimeJSON}, nil
}
