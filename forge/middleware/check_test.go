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

// The second founding document's order: before in the order of the list, after and
// on_error in reverse; what recovers inside is a success further out.
func TestOrder(t *testing.T) {
	set := func(kind, to string) *config.Change {
		return &config.Change{Set: map[string]json.RawMessage{kind: json.RawMessage(`"` + to + `"`), to: []byte(`1`)}}
	}
	mark := func(name string) config.Middleware {
		return config.Middleware{Type: config.MiddlewareTransform, Transform: &config.Transform{Request: set("before", name), Response: set("after", name)}}
	}
	fallback := func(value string, on ...string) config.Middleware {
		return config.Middleware{Type: config.MiddlewareFallback, Fallback: &config.Fallback{On: on, Alternatives: []config.Alternative{{Value: json.RawMessage(value)}}}}
	}
	s := shared()
	target := &target{do: func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.StructuredJSON(bytes.Clone(r.Arguments)), nil
	}}
	of := &config.Config{Middleware: []config.Middleware{{Type: config.MiddlewareMetrics}, mark("a"), fallback(`{"by":"outer"}`, "failed", "denied")}}
	tool := own(mark("b"), fallback(`{"by":"inner"}`, "failed"), mark("c"))
	h, err := middleware.Wrap(target.call, tool, middleware.Chain(of, tool), s)
	require.NoError(t, err)
	got, err := call(h, `{}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"a":1,"b":1,"c":1,"before":"c","after":"a"}`, got)

	target.do = failing(fault.New(fault.Failed, "no"))
	got, err = call(h, `{}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"by":"inner","a":1,"b":1,"after":"a"}`, got) // c is inside of what recovers
	target.do = failing(fault.New(fault.Denied, "no"))
	got, err = call(h, `{}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"by":"outer","a":1,"after":"a"}`, got)
	target.do = failing(fault.New(fault.InvalidInput, "no"))
	_, err = call(h, `{}`)
	require.EqualError(t, err, "no")
	require.Equal(t, map[string]int64{"calls": 4, "running": 0, "invalid_input": 1}, without(counts(s, config.MiddlewareMetrics), "microseconds"))
}

func without(m map[string]int64, name string) map[string]int64 {
	delete(m, name)
	return m
}
