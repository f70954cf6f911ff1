package middleware_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/mcp"
)

const everyKind = `
forge: {name: test, version: 1.0.0}
middleware:
  - {type: logging, include_request: true, include_response: true}
  - {type: metrics}
  - {type: ratelimit, requests: 100}
fault_tolerance:
  circuit_breaker: {enabled: true, failure_threshold: 2}
  error_tracking: {max_errors: 5}
tools:
  - type: native
    name: t
    description: A tool.
    handler: {path: "test::t"}
    params: {text: string}
    middleware:
      - {type: bulkhead, max_concurrent: 2}
      - {type: fallback, fallback: {value: {from: the file}}}
  - type: http
    name: other
    description: Where the secret is from.
    endpoint: https://example.org
    auth: {type: bearer, token: "${TOKEN}"}
`

// A file's middleware, as it is loaded: a secret of the file is not logged, wherever
// a call brings it back.
func TestFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "forge.yaml")
	require.NoError(t, os.WriteFile(path, []byte(everyKind), 0o600))
	c, err := config.Load(path, config.Options{LookupEnv: func(name string) (string, bool) { return `hunter"2`, name == "TOKEN" }})
	require.NoError(t, err)
	var out bytes.Buffer
	s := middleware.NewShared(middleware.Options{Logger: slog.New(slog.NewJSONHandler(&out, nil)), Secrets: c.Secrets}, nil)
	target := &target{do: func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.StructuredJSON(bytes.Clone(r.Arguments)), nil
	}}
	tool := c.Tool("t")
	h, err := middleware.Wrap(target.call, tool, middleware.Chain(c, tool), s)
	require.NoError(t, err)
	_, err = call(h, `{"text":"is it hunter\"2?"}`)
	require.NoError(t, err)
	for range 3 {
		target.do = failing(fault.New(fault.Unavailable, `no: hunter"2`))
		got, err := call(h, `{"text":"x"}`)
		require.NoError(t, err)
		require.JSONEq(t, `{"from":"the file"}`, got)
	}
	target.do = failing(fault.New(fault.Denied, `never: hunter"2`))
	_, err = call(h, `{"text":"x"}`)
	require.Error(t, err)
	require.Contains(t, out.String(), "is it [secret]?")
	require.Contains(t, out.String(), "never: [secret]")
	require.NotContains(t, out.String(), "hunter")
	var types []string
	for _, state := range s.State() {
		types = append(types, state.Type)
	}
	require.Equal(t, []string{"metrics", "ratelimit", "error_tracking", "circuit_breaker", "bulkhead", "fallback"}, types)
	require.Equal(t, "never: [secret]", s.State()[2].Errors[0].Message)
}

// A panic of a tool without any middleware is an error, and what it says is logged
// without the secrets of the file.
func TestPanicsSayNoSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "forge.yaml")
	require.NoError(t, os.WriteFile(path, []byte("forge: {name: x, description: \"${TOKEN}\"}\ntools: [{type: native, name: t, handler: x}]\n"), 0o600))
	c, err := config.Load(path, config.Options{LookupEnv: func(string) (string, bool) { return "hunter2-token", true }})
	require.NoError(t, err)
	var out bytes.Buffer
	s := middleware.NewShared(middleware.Options{Logger: slog.New(slog.NewJSONHandler(&out, nil)), Secrets: c.Secrets}, nil)
	h, err := middleware.Wrap(func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { panic("no: hunter2-token") }, c.Tool("t"), middleware.Chain(c, c.Tool("t")), s)
	require.NoError(t, err)
	_, err = call(h, `{}`)
	require.EqualError(t, err, "t broke inside: the server's log says where")
	require.Equal(t, fault.Internal, fault.ClassOf(err))
	require.Contains(t, out.String(), "no: [secret]")
	require.Contains(t, out.String(), "file_test.go")
	require.NotContains(t, out.String(), "hunter2")
}
