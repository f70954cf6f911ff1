package httptool

import (
	"context"
	"errors"
	"mime"
	"net/http"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/internal/netguard"
)

// Answer is what came back.
type Answer struct {
	MIMEType string // without parameters; empty: not said
	Content  []byte
}

// errStatus is the cause of an error by its status.
type errStatus int

func (s errStatus) Error() string { return http.StatusText(int(s)) }

// NewFetch makes a function that sends the request of a resource once, and close, which
// ends the connections that it keeps. It answers nil where there is no such thing (404,
// 410); its other errors are those of a tool. The caller's context bounds its time.
func NewFetch(name string, c *config.HTTP, secrets config.Secrets) (fetch func(ctx context.Context, values template.Values) (*Answer, error), close func(), err error) {
	return newFetch(name, c, secrets, netguard.Options{ConnsPerHostMax: connsMax})
}

func newFetch(name string, c *config.HTTP, secrets config.Secrets, o netguard.Options) (fetch func(ctx context.Context, values template.Values) (*Answer, error), close func(), err error) {
	t, close, err := makeTool(&config.Tool{Name: name, HTTP: c}, secrets, o)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, values template.Values) (*Answer, error) {
		a, err := t.attempt(ctx, values)
		var status errStatus
		switch {
		case errors.As(err, &status) && (status == http.StatusNotFound || status == http.StatusGone):
			return nil, nil
		case err != nil:
			return nil, err
		}
		media, _, err := mime.ParseMediaType(a.contentType)
		if err != nil {
			media = ""
		}
		return &Answer{MIMEType: media, Content: a.content}, nil
	}, close, nil
}
