package middleware_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/mcp"
)

// full is a tool with every kind of middleware.
func full() *config.Tool {
	return own(slices.Insert(chainMost(), 1, cacheOf(config.Cache{TTL: time.Millisecond, EntriesMax: 100, BytesMax: 1 << 20}))...)
}

// chainMost is every kind of middleware that every call goes through.
func chainMost() []config.Middleware {
	quick := config.Retry{MaxAttempts: 3, Initial: time.Microsecond, Max: time.Millisecond, Multiplier: 2, On: []string{"unavailable"}}
	return []config.Middleware{
		{Type: config.MiddlewareMetrics},
		{Type: config.MiddlewareLogging, Logging: &config.Logging{Level: "info"}},
		limitOf(config.RateLimit{Requests: 1_000_000_000, Per: time.Second, Burst: 1_000_000_000}),
		{Type: config.MiddlewareValidation, Validation: &config.Validation{RequiredFields: []string{"id"}}},
		{Type: config.MiddlewareRecovery, Recovery: &config.FaultTolerance{
			ErrorTracking: &config.ErrorTracking{ErrorsMax: 100}, CircuitBreaker: &config.CircuitBreaker{FailuresMax: 10, OpenTime: time.Microsecond, Successes: 1, ProbesMax: 1}, Retry: &quick}},
		{Type: config.MiddlewareTimeout, Timeout: time.Minute},
		{Type: config.MiddlewareBulkhead, Bulkhead: &config.Bulkhead{ConcurrencyMax: 4, QueueMax: 4, QueueTime: time.Second}},
		{Type: config.MiddlewareFallback, Fallback: &config.Fallback{Alternatives: []config.Alternative{{Value: []byte(`{}`)}}, On: []string{"failed"}}},
	}
}

// BenchmarkChain tells what each middleware adds to a call, and all of them together.
func BenchmarkChain(b *testing.B) {
	handler := func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) { return r.Text("ok"), nil }
	run := func(name string, chain []config.Middleware) {
		b.Run(name, func(b *testing.B) {
			s := middleware.NewShared(middleware.Options{Logger: slog.New(slog.NewJSONHandler(discard{}, nil))}, nil)
			h := wrap(b, handler, own(chain...), s)
			r := &mcp.CallRequest{Name: "t", Arguments: []byte(`{"id":7,"text":"thirty-two bytes of text, or so"}`)}
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h(ctx, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("none", nil)
	for _, m := range chainMost() {
		run(m.Type, []config.Middleware{m})
	}
	run("cache_hit", []config.Middleware{cacheOf(config.Cache{TTL: time.Hour, EntriesMax: 100, BytesMax: 1 << 20})})
	run("all", chainMost())
}

// discard is an io.Writer that slog does not know for one.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
