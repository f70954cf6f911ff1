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

// What stands beside MCP lets in the same requests, and no others.
func TestBeside(t *testing.T) {
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
		door.Beside = map[string]http.Handler{httpserve.PathMetrics: beside}
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
