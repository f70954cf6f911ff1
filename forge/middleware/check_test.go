package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/mcp"
)

func TestValidation(t *testing.T) {
	tool := own(config.Middleware{Type: config.MiddlewareValidation, Validation: &config.Validation{
		RequiredFields: []string{"id"}, Schema: []byte(`{"type":"object","properties":{"id":{"type":"integer"}}}`), Output: true,
	}})
	tool.OutputSchema = []byte(`{"type":"object","required":["n"]}`)
	s := shared()
	target := &target{do: func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.StructuredJSON([]byte(`{"n":1}`)), nil
	}}
	h := wrap(t, target.call, tool, s)
	for arguments, want := range map[string]string{`{"id":1}`: "", `{}`: `argument "id": is missing`, `{"id":null}`: `argument "id": is missing`, `{"id":"x"}`: `argument "id": must be`} {
		_, err := call(h, arguments)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
		require.Equal(t, fault.InvalidInput, fault.ClassOf(err))
	}
	require.EqualValues(t, 1, target.calls.Load())
	require.EqualValues(t, 3, counts(s, config.MiddlewareValidation)["refused"])
	for _, bad := range []*mcp.CallResult{mcp.TextResult("n"), mcp.StructuredJSON([]byte(`{}`))} {
		target.do = func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return bad, nil }
		_, err := call(h, `{"id":1}`)
		require.ErrorContains(t, err, "output schema")
		require.Equal(t, fault.Failed, fault.ClassOf(err))
	}
	tool.Middleware[0].Validation = &config.Validation{Schema: []byte(`{"type":1}`)}
	_, err := middleware.Wrap(ok, tool, tool.Middleware, s)
	require.ErrorContains(t, err, "tool t: middleware 1 (validation): schema:")
}

func TestTransform(t *testing.T) {
	h := wrap(t, func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.StructuredJSON(bytes.Clone(r.Arguments)), nil
	}, own(config.Middleware{Type: config.MiddlewareTransform, Transform: &config.Transform{
		Request:  &config.Change{Remove: []string{"gone"}, Set: map[string]json.RawMessage{"b": []byte(`"{{a}}"`), "a": []byte(`1`)}},
		Response: &config.Change{Remove: []string{"secret"}, Set: map[string]json.RawMessage{"z": []byte(`[]`)}},
	}}), shared())
	for in, want := range map[string]string{
		`{"gone":1,"b":2,"c":3.50,"secret":"x"}`: `{"c":3.50,"a":1,"b":"{{a}}","z":[]}`,
		`{}`:                                     `{"a":1,"b":"{{a}}","z":[]}`,
	} {
		got, err := call(h, in)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for in, want := range map[string]string{`{"secret":1}`: `{"z":[]}`, `plain`: `plain`} {
		h := wrap(t, func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return mcp.TextResult(in), nil },
			own(config.Middleware{Type: config.MiddlewareTransform, Transform: &config.Transform{Response: &config.Change{Remove: []string{"secret"}, Set: map[string]json.RawMessage{"z": []byte(`[]`)}}}}), shared())
		got, err := call(h, `{}`)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
