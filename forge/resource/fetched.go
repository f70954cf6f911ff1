package resource

import (
	"context"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/httptool"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/mcp"
)

// httpSource is a request.
type httpSource struct {
	fetch func(ctx context.Context, values template.Values) (*httptool.Answer, error)
	close func()
}

func newHTTP(c *config.Resource, secrets config.Secrets) (*httpSource, error) {
	fetch, close, err := httptool.NewFetch(c.Name, c.HTTP, secrets)
	if err != nil {
		return nil, err
	}
	return &httpSource{fetch, close}, nil
}

func (h *httpSource) read(ctx context.Context, at *place) (*Content, error) {
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
	a, err := h.fetch(ctx, values)
	switch {
	case err != nil:
		return nil, err
	case a == nil:
		return nil, mcp.ErrNoResource
	}
	return &Content{Bytes: a.Content, MIMEType: a.MIMEType}, nil
}

// write is never asked for: the configuration refuses it.
func (h *httpSource) write(context.Context, *place, *Content) error {
	return fault.New(fault.Denied, "what is answered by http can be read only")
}
