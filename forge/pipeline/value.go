package pipeline

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/expression"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/mcp"
)

// result makes the pipeline's answer.
func (r *run) result(ctx context.Context, last *answer, values template.Values) (*mcp.CallResult, error) {
	switch {
	case r.output != nil:
		values, err := withState(ctx, values, r.shows)
		if err != nil {
			return nil, err
		}
		value, err := r.output.Append(nil, values, inputBytesMax)
		if err != nil {
			return nil, fault.Because(err, fault.Failed, "the output cannot be filled in: %v (at most %d bytes)", err, inputBytesMax)
		}
		return resultOf(value, r.object)
	case last == nil:
		return resultOf(jsontext.Value("{}"), r.object)
	case last.result == nil || r.object && last.result.Structured == nil:
		return resultOf(last.value, r.object)
	}
	return last.result, nil
}

// withState are the values, and what the state holds now under some keys, as the value
// state.
func withState(ctx context.Context, values template.Values, keys []string) (template.Values, error) {
	if len(keys) == 0 {
		return values, nil
	}
	read := expression.StateOf(ctx)
	if read == nil {
		return nil, fault.New(fault.Internal, "there is no state here")
	}
	found := map[string]jsontext.Value{}
	for _, key := range keys {
		value, err := read.Read(ctx, key)
		if err != nil {
			return nil, err
		}
		if value != nil {
			found[key] = value
		}
	}
	all, err := json.Marshal(found)
	if err != nil {
		return nil, fault.Because(err, fault.Internal, "the state holds what is no JSON")
	}
	with := maps.Clone(values)
	with[nameState] = all
	return with, nil
}

// resultOf is the answer that says a value: an object is structured content, a string
// is text, anything else is JSON as text.
func resultOf(value jsontext.Value, object bool) (*mcp.CallResult, error) {
	switch kind := value.Kind(); {
	case kind == '{':
		return mcp.StructuredJSON(value), nil
	case object:
		return nil, fault.New(fault.Failed, "the answer is not the JSON object that the tool's output schema promises, but %.40s", value)
	case kind == '"':
		text, err := template.Text(value)
		if err != nil {
			return nil, fault.Because(err, fault.Internal, "the answer is no text")
		}
		return mcp.TextResult(text), nil
	}
	return mcp.TextResult(string(value)), nil
}

// valueOf is the value of a tool's answer, of its own memory.
func valueOf(result *mcp.CallResult) (value jsontext.Value, err error) {
	size := len(result.Structured)
	for _, c := range result.Content {
		size += len(c.Text) + len(c.Data)*4/3
	}
	switch {
	case size > valueBytesMax:
		return nil, fault.New(fault.Failed, "the tool answered with %d bytes, at most %d are allowed", size, valueBytesMax)
	case result.Structured != nil:
		value = jsontext.Value(result.Structured).Clone()
		if !value.IsValid() {
			return nil, fault.New(fault.Internal, "the tool's structured content is not JSON")
		}
		return value, nil
	case allText(result.Content):
		text := textOf(result)
		if v := jsontext.Value(strings.TrimSpace(text)); len(v) > 0 && (v[0] == '{' || v[0] == '[') && v.IsValid() {
			return v, nil
		}
		value, err = jsontext.AppendQuote(nil, strings.ToValidUTF8(text, "\ufffd"))
	default:
		value, err = blocks(result.Content)
	}
	if err != nil {
		return nil, fault.Because(err, fault.Internal, "the tool's answer cannot be read")
	}
	return value, nil
}

func allText(content []mcp.Content) bool {
	for _, c := range content {
		if c.Type != mcp.ContentText {
			return false
		}
	}
	return true
}

// textOf are the texts of an answer, a line end between two.
func textOf(result *mcp.CallResult) string {
	var texts []string
	for _, c := range result.Content {
		if c.Type == mcp.ContentText {
			texts = append(texts, c.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// blocks is content that is not all text, as a list of objects.
func blocks(content []mcp.Content) (jsontext.Value, error) {
	type block struct {
		Type     mcp.ContentType `json:"type"`
		Text     string          `json:"text,omitzero"`
		MIMEType string          `json:"mimeType,omitzero"`
		Data     string          `json:"data,omitzero"` // base64
		URI      string          `json:"uri,omitzero"`
	}
	all := make([]block, 0, len(content))
	for _, c := range content {
		b := block{Type: c.Type, Text: c.Text, MIMEType: c.MIMEType, Data: base64.StdEncoding.EncodeToString(c.Data)}
		switch {
		case c.Link != nil:
			b.URI, b.MIMEType = c.Link.URI, c.Link.MIMEType
		case c.Resource != nil:
			b.URI, b.MIMEType, b.Text = c.Resource.URI, c.Resource.MIMEType, c.Resource.Text
			if len(c.Resource.Blob) > valueBytesMax {
				return nil, fmt.Errorf("a resource of %d bytes", len(c.Resource.Blob))
			}
			b.Data = base64.StdEncoding.EncodeToString(c.Resource.Blob)
		}
		all = append(all, b)
	}
	return json.Marshal(all)
}

// Expression makes the handler of a native tool that is an expression over its
// parameters. The error says what is wrong with the expression.
func Expression(tool *config.Tool) (mcp.Handler, error) {
	var names []string
	for _, p := range tool.Params {
		names = append(names, p.Name)
	}
	input := !slices.Contains(names, nameInput)
	if input {
		names = append(names, nameInput)
	}
	e, err := expression.Compile(tool.Native.Inline, names)
	if err != nil {
		return nil, fmt.Errorf("tool %s: inline: %w", tool.Name, err)
	}
	object := len(tool.OutputSchema) > 0
	return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		values, err := template.ReadValues(r.Arguments)
		if err != nil {
			return nil, fault.Because(err, fault.InvalidInput, "%v", err)
		}
		if input && values != nil {
			values[nameInput] = r.Arguments
		}
		value, err := e.Run(ctx, values)
		if err != nil {
			return nil, err
		}
		return resultOf(value, object)
	}, nil
}
