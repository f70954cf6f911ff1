package audit

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/access"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/streamable"
)

// BenchmarkCalls calls a tool over HTTP, from many clients: without rules and a record,
// with rules, and with a record of each call.
func BenchmarkCalls(b *testing.B) {
	rules := access.Rules{Roles: []access.Role{{Name: "all", Principals: []string{"**"}, Tools: []string{"echo*"}}}}
	for _, mode := range []string{"off", "rules", SyncInterval, SyncAlways} {
		b.Run(mode, func(b *testing.B) {
			server := mcp.NewServer(mcp.Options{})
			server.AddTool(mcp.Tool{Name: "echo", Inline: true}, func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
				return r.Text("done"), nil
			})
			if mode != "off" {
				policy, err := access.Compile(rules)
				require.NoError(b, err)
				var recorder access.Recorder
				if mode != "rules" {
					l := opened(b, filepath.Join(b.TempDir(), "audit.log"), Options{Sync: mode})
					defer l.Close()
					recorder = l
				}
				server.SetGuard(access.NewKeeper(policy, recorder))
			}
			callOverHTTP(b, server)
		})
	}
}

func callOverHTTP(b *testing.B, server *mcp.Server) {
	h := streamable.NewHTTPHandler(server, streamable.HTTPOptions{})
	web := httptest.NewServer(h)
	defer web.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	defer client.CloseIdleConnections()
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello"}}}`
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r, err := http.NewRequest("POST", web.URL, strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/json")
			w, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			text, err := io.ReadAll(w.Body)
			w.Body.Close()
			if err != nil || !strings.Contains(string(text), "done") {
				b.Errorf("%s %v", text, err)
				return
			}
		}
	})
	b.StopTimer()
}
