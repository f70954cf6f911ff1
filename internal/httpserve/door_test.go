package httpserve_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/httpserve"
	"github.com/ingot-run/ingot/mcp"
)

// What a server tells about itself is for the requests that MCP lets in, and no others.
func TestTell(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef"
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
	beside := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "figures") })
	for _, guarded := range []bool{false, true} {
		flags := &httpserve.Flags{Rate: 1000, MaxConnections: 10, AllowHost: []string{"box.example"}}
		if guarded {
			flags.TokenFile = file
		}
		door, err := flags.Open("--listen", "127.0.0.1:0", slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { door.Close() })
		door.Tell(map[string]http.Handler{"/metrics": beside})
		server := mcp.NewServer(mcp.Options{})
		t.Cleanup(server.Close)
		h := door.Handler(server, nil)
		without := 200
		if guarded {
			without = 401
		}
		for _, c := range []struct {
			path, host, origin, token string
			want                      int
		}{
			{"/metrics", "localhost:7070", "", token, 200},
			{"/metrics", "box.example", "", token, 200},
			{"/metrics", "localhost", "http://localhost:3000", token, 200},
			{"/metrics", "localhost", "", "", without},
			{"/metrics", "localhost", "", "another", without},
			{"/metrics", "attacker.example", "", token, 403},
			{"/metrics", "localhost", "http://attacker.example", token, 403},
			{"/metrics/", "localhost", "", token, 404},
			{"/status", "localhost", "", token, 404},
		} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost"+c.path, nil)
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, c.want, w.Code, "%+v, guarded %v", c, guarded)
			require.Equal(t, c.want == 200, w.Body.String() == "figures")
		}
	}
}

func TestMetricsDisabled(t *testing.T) {
	flags := &httpserve.Flags{Rate: 1000, MaxConnections: 10, MetricsDisabled: true}
	require.ErrorContains(t, flags.Unused("this is stdio"), "--metrics-disabled is about HTTP")
	door, err := flags.Open("--listen", "127.0.0.1:0", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { door.Close() })
	door.Tell(map[string]http.Handler{"/metrics": http.NotFoundHandler()})
	server := mcp.NewServer(mcp.Options{})
	t.Cleanup(server.Close)
	w := httptest.NewRecorder()
	door.Handler(server, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })).
		ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/metrics", nil))
	require.Equal(t, http.StatusTeapot, w.Code, "the rest answers")
}
