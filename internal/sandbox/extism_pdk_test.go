package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/guestbuild"
)

// A plug-in that Extism's own PDK for Rust has made, which uses input, output,
// errors, config, variables, logs and HTTP.
func TestExtismRustPDK(t *testing.T) {
	module := guestbuild.ExtismRust(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Header.Get("X-Said"))
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s got: %s", r.Method, body)
	}))
	defer server.Close()
	var log bytes.Buffer
	host := sandbox.New(sandbox.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer host.Close(context.Background())
	m, err := host.Load(context.Background(), "rustpdk.wasm", module, sandbox.Policy{
		Isolation: sandbox.IsolationShared,
		Config:    map[string]string{"greeting": "Salut"},
		HTTP:      []sandbox.HTTPGrant{{Host: strings.TrimPrefix(server.URL, "http://"), Methods: []string{"POST"}, Private: true, Headers: []string{"X-Said"}}},
		Limits:    sandbox.Limits{ConcurrencyMax: 1, TimeMax: time.Minute, LoadTimeMax: time.Minute},
	})
	require.NoError(t, err)
	require.Equal(t, "extism/2", m.Info().ABI)
	require.Len(t, m.Tools(), 2)
	call := func(tool, args string) (string, error) {
		out, err := m.Call(context.Background(), sandbox.CallRequest{Tool: tool, Arguments: []byte(args)})
		return string(out.MCP), err
	}
	for n := 1; n <= 3; n++ {
		out, err := call("greet", `{"name":"Ada"}`)
		require.NoError(t, err)
		require.JSONEq(t, fmt.Sprintf(`{"content":[{"type":"text","text":"Salut, Ada! (%d)"}],"structuredContent":{"length":15}}`, n), out)
	}
	require.Equal(t, 3, strings.Count(log.String(), `msg="greeting Ada"`))
	_, err = call("greet", `{"name":""}`)
	var g *sandbox.GuestError
	require.ErrorAs(t, err, &g)
	require.Contains(t, g.Message, "the name is empty")
	out, err := call("fetch", fmt.Sprintf(`{"url":%q}`, server.URL))
	require.NoError(t, err)
	require.Contains(t, out, "202 hi POST got: from the PDK")
	_, err = call("fetch", `{"url":"http://192.0.2.1/"}`)
	require.ErrorIs(t, err, sandbox.ErrRefused)
}

// The same of Extism's PDK for AssemblyScript.
func TestExtismAssemblyScriptPDK(t *testing.T) {
	host := sandbox.New(sandbox.Options{})
	defer host.Close(context.Background())
	m, err := host.Load(context.Background(), "aspdk.wasm", guestbuild.ExtismAssemblyScript(t), sandbox.Policy{
		Isolation: sandbox.IsolationShared,
		Config:    map[string]string{"unit": "vowels"},
		Limits:    sandbox.Limits{ConcurrencyMax: 1, TimeMax: time.Minute, LoadTimeMax: time.Minute},
	})
	require.NoError(t, err)
	require.Equal(t, "extism/1", m.Info().ABI)
	for n := 1; n <= 3; n++ {
		out, err := m.Call(context.Background(), sandbox.CallRequest{Arguments: []byte(`{"text":"Extism is here"}`)})
		require.NoError(t, err)
		require.JSONEq(t, fmt.Sprintf(`{"content":[{"type":"text","text":"5 of %d vowels gone"}]}`, 5*n), string(out.MCP))
	}
}
