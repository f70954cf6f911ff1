package telemetry_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/internal/metrics"
	"github.com/ingot-run/ingot/internal/otlptest"
	"github.com/ingot-run/ingot/internal/telemetry"
	"github.com/ingot-run/ingot/mcp"
)

// BenchmarkEchoPipelined is a call of a native tool, one of many that a client has sent
// without waiting: bare, counted, and counted and traced at some ratios.
//
//	GOMAXPROCS=1 go test ./internal/telemetry -run '^$' -bench EchoPipelined -count 5
func BenchmarkEchoPipelined(b *testing.B) {
	counted := func(h mcp.Handler) mcp.Handler {
		return metrics.New(metrics.Sources{}, nil).Tool("echo", "native").Wrap(h)
	}
	b.Run("bare", func(b *testing.B) { pipelined(b, func(h mcp.Handler) mcp.Handler { return h }) })
	b.Run("metrics", func(b *testing.B) { pipelined(b, counted) })
	for _, ratio := range []float64{0, 0.01, 0.1, 1} {
		b.Run(fmt.Sprintf("metrics and traces of %v", ratio), func(b *testing.B) {
			tracer, err := telemetry.Open(telemetry.Options{Endpoint: otlptest.Start(b).URL, SampleRatio: ratio})
			if err != nil {
				b.Fatal(err)
			}
			defer tracer.Close()
			pipelined(b, func(h mcp.Handler) mcp.Handler { return tracer.Tool("echo", "native", counted(h)) })
		})
	}
}

// pipelined sends b.N calls of a tool to a server and reads the answers.
func pipelined(b *testing.B, around func(mcp.Handler) mcp.Handler) {
	server := mcp.NewServer(mcp.Options{Name: "bench"})
	defer server.Close()
	server.AddTool(mcp.Tool{Name: "echo", Inline: true}, around(func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		return r.Text(string(r.Arguments)), nil
	}))
	begin := `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"b","version":"1"}}}` + "\n"
	frame := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}` + "\n"
	b.ResetTimer()
	in := io.MultiReader(strings.NewReader(begin), &repeated{text: frame, left: b.N})
	if err := server.ServeStdio(b.Context(), in, io.Discard); err != nil {
		b.Fatal(err)
	}
}

// repeated reads as a text so many times.
type repeated struct {
	text     string
	left, at int
}

// Read implements io.Reader.
func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) && r.left > 0 {
		c := copy(p[n:], r.text[r.at:])
		n, r.at = n+c, r.at+c
		if r.at == len(r.text) {
			r.at, r.left = 0, r.left-1
		}
	}
	if n == 0 && r.left == 0 {
		return 0, io.EOF
	}
	return n, nil
}
