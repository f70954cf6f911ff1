package middleware_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/mcp"
)

func TestFallback(t *testing.T) {
	tools := map[string]mcp.Handler{
		"broken": failing(down),
		"says": func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			return mcp.TextResult(r.Name + string(r.Arguments)), nil
		},
		"asks": failing(mcp.ErrInputRequired),
	}
	options := middleware.Options{Lookup: func(name string) (mcp.Handler, bool) { h, ok := tools[name]; return h, ok }}
	on := []string{"timeout", "unavailable", "failed", "internal"}
	for _, c := range []struct {
		alternatives []config.Alternative
		err          error
		want         string
	}{
		{[]config.Alternative{{Tool: "gone"}, {Tool: "broken"}, {Tool: "says"}, {Value: []byte(`1`)}}, down, `says{"a":1}`},
		{[]config.Alternative{{Tool: "broken"}, {Value: []byte(`{"x":1}`)}}, down, `{"x":1}`},
		{[]config.Alternative{{Value: []byte(`"text"`)}}, errors.New("x"), `text`},
		{[]config.Alternative{{Value: []byte(`[1]`)}}, down, `[1]`},
		{[]config.Alternative{{Tool: "broken"}}, down, ``},
		{[]config.Alternative{{Tool: "says"}}, fault.New(fault.InvalidInput, "no"), ``},
		{[]config.Alternative{{Tool: "says"}}, nil, `ok`},
		{[]config.Alternative{{Tool: "t"}, {Value: []byte(`"not in a circle"`)}}, down, `not in a circle`},
	} {
		s := middleware.NewShared(options, nil)
		target := &target{do: ok}
		if c.err != nil {
			target.do = failing(c.err)
		}
		h := wrap(t, target.call, own(config.Middleware{Type: config.MiddlewareFallback, Fallback: &config.Fallback{Alternatives: c.alternatives, On: on}}), s)
		tools["t"] = h
		got, err := call(h, `{"a":1}`)
		require.Equal(t, c.want, got)
		if c.want == "" {
			require.Equal(t, c.err, err)
		}
		require.EqualValues(t, c.want != "" && c.want != "ok", counts(s, config.MiddlewareFallback)["used"] == 1)
	}
	h := wrap(t, failing(down), own(config.Middleware{Type: config.MiddlewareFallback, Fallback: &config.Fallback{Alternatives: []config.Alternative{{Tool: "asks"}}, On: on}}), middleware.NewShared(options, nil))
	_, err := call(h, `{}`)
	require.Equal(t, mcp.ErrInputRequired, err)
}
