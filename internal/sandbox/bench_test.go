package sandbox

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A call of a C guest on a fresh instance, with 1 KB of text.
func BenchmarkCallC(b *testing.B) {
	tool := loadFile(b, sha256Path, Policy{})
	benchmarkCall(b, tool, `{"text":"`+strings.Repeat("x", 1000)+`"}`)
}

// The same by several callers at once.
func BenchmarkCallCParallel(b *testing.B) {
	tool := loadFile(b, sha256Path, Policy{})
	args := []byte(`{"text":"` + strings.Repeat("x", 1000) + `"}`)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := tool.Call(context.Background(), CallRequest{Arguments: args}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func benchmarkCall(b *testing.B, tool *Module, args string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := callTool(tool, args); err != nil {
			b.Fatal(err)
		}
	}
}

// Loading the C guest: read, compile, describe.
func BenchmarkLoadC(b *testing.B) {
	module, err := os.ReadFile(sha256Path)
	require.NoError(b, err)
	host := New(Options{})
	b.ReportAllocs()
	for b.Loop() {
		tool, err := host.Load(context.Background(), "sha256.wasm", module, Policy{})
		if err != nil {
			b.Fatal(err)
		}
		if err := tool.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
