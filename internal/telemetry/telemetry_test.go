package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/otlptest"
	"github.com/ingot-run/ingot/internal/telemetry"
	"github.com/ingot-run/ingot/internal/trace"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
)

// open makes a tracer for a collector.
func open(t *testing.T, o telemetry.Options) *telemetry.Tracer {
	t.Helper()
	tracer, err := telemetry.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tracer.Close() })
	return tracer
}

func call(t *testing.T, h mcp.Handler, ctx context.Context, meta string) {
	t.Helper()
	_, err := h(ctx, &mcp.CallRequest{Meta: []byte(meta), ProtocolVersion: "2026-07-28"})
	require.NoError(t, err)
}

func answers(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
	return mcp.TextResult("a"), nil
}

// The caller's span is the parent of the call's, which is that of the layers' further in.
func TestSpans(t *testing.T) {
	c := otlptest.Start(t)
	tracer := open(t, telemetry.Options{Endpoint: c.URL, ServiceName: "demo", Headers: map[string]string{"X-Key": "k"}, SampleRatio: 0, Baggage: true})
	m, err := state.Open(state.Options{})
	require.NoError(t, err)
	defer m.Close()
	seen := tracer.State(m)
	var out http.Header
	h := tracer.Tool("echo", "native", func(ctx context.Context, _ *mcp.CallRequest) (*mcp.CallResult, error) {
		ctx, span := trace.Start(ctx, trace.Internal, "layer")
		_, err := seen.Get(ctx, "absent")
		require.ErrorIs(t, err, state.ErrNotFound)
		out = http.Header{}
		trace.Inject(ctx, out)
		span.End("timeout")
		return mcp.ErrorResult("bad"), nil
	})
	call(t, h, t.Context(), `{"traceparent":"00-`+traceID+`-`+spanID+`-01","tracestate":"a=b","baggage":"user=ada"}`)
	require.NoError(t, tracer.Close())
	spans := c.Spans()
	require.Len(t, spans, 3)
	server, layer, op := otlptest.Find(spans, "tools/call echo"), otlptest.Find(spans, "layer"), otlptest.Find(spans, "state get")
	require.Equal(t, []string{traceID, spanID, "server", "demo", "a=b"}, []string{server.Trace, server.Parent, server.Kind, server.Service, server.State})
	require.Equal(t, []string{traceID, server.ID, "internal"}, []string{layer.Trace, layer.Parent, layer.Kind})
	require.Equal(t, []string{traceID, layer.ID, "client"}, []string{op.Trace, op.Parent, op.Kind})
	for key, want := range map[string]string{
		"mcp.method.name": "tools/call", "gen_ai.tool.name": "echo", "gen_ai.operation.name": "execute_tool", "error.type": "tool_error", "mcp.protocol.version": "2026-07-28",
	} {
		require.Equal(t, want, server.Attributes[key], key)
	}
	require.True(t, server.Failed)
	require.Equal(t, "timeout", layer.Attributes["error.type"])
	require.False(t, op.Failed, "an absent key is no failure")
	require.Equal(t, "00-"+traceID+"-"+layer.ID+"-01", out.Get("Traceparent"))
	require.Equal(t, "a=b", out.Get("Tracestate"))
	require.Equal(t, "user=ada", out.Get("Baggage"))
	headers, paths := c.Requests()
	require.Equal(t, "k", headers[0].Get("X-Key"))
	require.Equal(t, "/v1/traces", paths[0])
	require.EqualValues(t, 3, tracer.Counts().Sent)
}

// Callers decide whether their calls are traced, and the ratio where they do not.
func TestSampling(t *testing.T) {
	for _, c := range []struct {
		name   string
		ratio  float64
		alone  bool
		meta   string
		header string
		want   int
	}{
		{"always", 1, false, "", "", 1},
		{"never", 0, false, "", "", 0},
		{"the caller's word", 0, false, `{"traceparent":"00-` + traceID + `-` + spanID + `-01"}`, "", 1},
		{"the caller's no", 1, false, `{"traceparent":"00-` + traceID + `-` + spanID + `-00"}`, "", 0},
		{"a word that does not count", 0, true, `{"traceparent":"00-` + traceID + `-` + spanID + `-01"}`, "", 0},
		{"a header's word", 0, false, "", "00-" + traceID + "-" + spanID + "-01", 1},
		{"_meta before the header", 1, false, `{"traceparent":"00-` + traceID + `-` + spanID + `-00"}`, "00-" + traceID + "-" + spanID + "-01", 0},
		{"nonsense", 0, false, `{"traceparent":"00-zz-` + spanID + `-01"}`, "", 0},
		{"another type", 1, false, `{"traceparent":7}`, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := otlptest.Start(t)
			tracer := open(t, telemetry.Options{Endpoint: to.URL, SampleRatio: c.ratio, SampleAlone: c.alone})
			h := tracer.Tool("echo", "native", answers)
			tracer.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { call(t, h, r.Context(), c.meta) })).ServeHTTP(httptest.NewRecorder(), func() *http.Request {
				r := httptest.NewRequestWithContext(t.Context(), "POST", "/mcp", nil)
				if c.header != "" {
					r.Header.Set("Traceparent", c.header)
				}
				return r
			}())
			require.NoError(t, tracer.Close())
			require.Len(t, to.Spans(), c.want)
		})
	}
}

// What is not traced is passed on: to other servers, and in logs.
func TestPassedOn(t *testing.T) {
	c := otlptest.Start(t)
	tracer := open(t, telemetry.Options{Endpoint: c.URL, SampleRatio: 1})
	var log bytes.Buffer
	logger := slog.New(trace.Handler(slog.NewTextHandler(&log, nil)))
	parent := "00-" + traceID + "-" + spanID + "-00"
	h := tracer.Tool("echo", "native", func(ctx context.Context, _ *mcp.CallRequest) (*mcp.CallResult, error) {
		out := http.Header{}
		trace.Inject(ctx, out)
		require.Equal(t, parent, out.Get("Traceparent"))
		logger.With("a", 1).InfoContext(ctx, "line")
		return mcp.TextResult("a"), nil
	})
	call(t, h, t.Context(), `{"traceparent":"`+parent+`"}`)
	require.Contains(t, log.String(), "a=1 trace_id="+traceID+" span_id="+spanID)
	require.NoError(t, tracer.Close())
	require.Empty(t, c.Spans())
}

// A collector that is away, or that hangs, holds up no call, and what it does not get is
// counted.
func TestCollectorAway(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	hangs := make(chan struct{})
	stuck := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hangs }))
	defer stuck.Close()
	defer close(hangs)
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }))
	defer refuses.Close()
	for name, url := range map[string]string{"away": gone.URL, "hanging": stuck.URL, "refusing": refuses.URL} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var problems []string
			tracer := open(t, telemetry.Options{Endpoint: url, SampleRatio: 1, Problem: func(text string) {
				mu.Lock()
				defer mu.Unlock()
				problems = append(problems, text)
			}})
			h := tracer.Tool("echo", "native", answers)
			const calls = 6000 // more than the queue has room for
			for range calls {
				call(t, h, t.Context(), "")
			}
			_ = tracer.Close() // it may say that the time was not enough
			counts := tracer.Counts()
			require.Zero(t, counts.Sent)
			require.Positive(t, counts.Failed)
			mu.Lock()
			defer mu.Unlock()
			require.Len(t, problems, 1, "one line a minute")
		})
	}
}

func TestEndpoints(t *testing.T) {
	for _, bad := range []string{"127.0.0.1:4318", "ftp://x", "http://user:hunter2@host", "http://"} {
		_, err := telemetry.Open(telemetry.Options{Endpoint: bad})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "hunter2")
	}
	off, err := telemetry.Open(telemetry.Options{})
	require.NoError(t, err)
	require.Nil(t, off)
	require.NoError(t, off.Close())
	require.Zero(t, off.Counts())
	_, err = off.Tool("a", "native", func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return nil, errors.New("same") })(t.Context(), nil)
	require.EqualError(t, err, "same")
}

func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		in   telemetry.Options
		want telemetry.Options
		bad  string
	}{
		{nil, telemetry.Options{SampleRatio: 1}, telemetry.Options{}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, telemetry.Options{SampleRatio: 1}, telemetry.Options{Endpoint: "http://c:4318/v1/traces", SampleRatio: 1}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://d"}, telemetry.Options{}, telemetry.Options{Endpoint: "http://c:4318/x"}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://d", "OTEL_SERVICE_NAME": "s"}, telemetry.Options{Endpoint: "http://own", ServiceName: "own"}, telemetry.Options{Endpoint: "http://own", ServiceName: "own"}, ""},
		{map[string]string{"OTEL_SDK_DISABLED": "true"}, telemetry.Options{Endpoint: "http://own"}, telemetry.Options{}, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "none"}, telemetry.Options{Endpoint: "http://own"}, telemetry.Options{}, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, telemetry.Options{Endpoint: "http://own"}, telemetry.Options{}, "otlp and none"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://d", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, telemetry.Options{}, telemetry.Options{}, "http/protobuf"},
		{map[string]string{"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, telemetry.Options{Endpoint: "http://own"}, telemetry.Options{Endpoint: "http://own", SampleRatio: 0.25}, ""},
		{map[string]string{"OTEL_TRACES_SAMPLER": "always_off"}, telemetry.Options{Endpoint: "http://own", SampleRatio: 1}, telemetry.Options{Endpoint: "http://own", SampleAlone: true}, ""},
		{map[string]string{"OTEL_TRACES_SAMPLER": "jaeger_remote"}, telemetry.Options{Endpoint: "http://own"}, telemetry.Options{}, "traceidratio"},
		{map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, telemetry.Options{Endpoint: "http://own"}, telemetry.Options{}, "from 0 to 1"},
	} {
		t.Run("", func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			got, err := telemetry.FromEnvironment(c.in)
			if c.bad != "" {
				require.ErrorContains(t, err, c.bad)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// What is not traced allocates nothing.
func TestNotTracedAllocatesNothing(t *testing.T) {
	tracer := open(t, telemetry.Options{Endpoint: "http://127.0.0.1:1", SampleRatio: 0})
	result := mcp.TextResult("a")
	plain := func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return result, nil }
	h := tracer.Tool("echo", "native", func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		_, span := trace.Start(ctx, trace.Internal, "layer")
		span.Set("a", "b")
		span.End("")
		return plain(ctx, r)
	})
	r, ctx := &mcp.CallRequest{Meta: []byte(`{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`)}, t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = h(ctx, r) }))
}
