package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/internal/metrics"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// sources have one of each.
func sources() metrics.Sources {
	return metrics.Sources{
		Server: func() metrics.Server { return metrics.Server{Name: "de\"mo\n", Version: "1.2"} },
		Middleware: func() []middleware.State {
			return []middleware.State{
				{Type: "ratelimit", Counts: map[string]int64{"clients": 2, "refused": 3}},
				{Tool: "echo", Type: "circuit_breaker", Status: "open", Counts: map[string]int64{"opened": 1, "open_ms": 70}},
				{Tool: "echo", Type: "timeout", Counts: map[string]int64{"expired": 4}},
				{Tool: "echo", Type: "timeout", Counts: map[string]int64{"expired": 5}},
				{Tool: "echo", Type: "error_tracking", Errors: []middleware.TrackedError{{Class: fault.Failed, Message: "what somebody sent"}}},
			}
		},
		State: func(context.Context) (state.Stats, error) {
			return state.Stats{Backend: "memory", Keys: 7, Bytes: 700, BytesMax: 1000}, nil
		},
		Modules: func() map[string]sandbox.Stats {
			return map[string]sandbox.Stats{"a.wasm": {Calls: 9, Fuel: 90, InstancesIdle: 3, InstancesResting: 1, Errors: map[string]uint64{"trap": 2}}}
		},
	}
}

// get asks a handler and returns what it answered.
func get(t *testing.T, h http.Handler, method string) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/", nil))
	body, err := io.ReadAll(w.Result().Body)
	require.NoError(t, err)
	return w.Result(), string(body)
}

// parsed is the text as Prometheus' own parser reads it.
func parsed(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err, text)
	return families
}

// value finds a metric by its labels, given as name, value, name, value, …
func value(t *testing.T, all map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	family := all["ingot_"+name]
	require.NotNil(t, family, name)
	for _, m := range family.Metric {
		has := map[string]string{}
		for _, l := range m.Label {
			has[l.GetName()] = l.GetValue()
		}
		fits := true
		for i := 0; i < len(labels); i += 2 {
			fits = fits && has[labels[i]] == labels[i+1]
		}
		switch {
		case fits && m.Counter != nil:
			return m.Counter.GetValue()
		case fits && m.Gauge != nil:
			return m.Gauge.GetValue()
		case fits && m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount())
		}
	}
	t.Fatalf("there is no %s %v", name, labels)
	return 0
}

// call calls a handler that answers so.
func call(t *testing.T, tool *metrics.Tool, result *mcp.CallResult, err error) {
	t.Helper()
	h := tool.Wrap(func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return result, err })
	got, gotErr := h(t.Context(), &mcp.CallRequest{})
	require.Same(t, result, got)
	require.Equal(t, err, gotErr)
}

func TestMetrics(t *testing.T) {
	r := metrics.New(sources(), nil)
	echo := r.Tool("echo", "native")
	call(t, echo, mcp.TextResult("a"), nil)
	call(t, echo, mcp.ErrorResult("a"), nil)
	call(t, echo, nil, fault.New(fault.Timeout, "slow"))
	call(t, echo, nil, mcp.ErrInputRequired) // neither a success nor a failure
	panics := echo.Wrap(func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { panic("x") })
	require.Panics(t, func() { _, _ = panics(t.Context(), &mcp.CallRequest{}) })
	r.Show([]*metrics.Tool{echo, r.Tool("idle\xff", "cli")})

	response, text := get(t, r.Metrics(), "GET")
	require.Equal(t, 200, response.StatusCode)
	require.Contains(t, response.Header.Get("Content-Type"), "text/plain; version=0.0.4")
	require.NotContains(t, text, "what somebody sent")
	all := parsed(t, text)
	for _, c := range []struct {
		want float64
		name string
		by   []string
	}{
		{1, "server_info", []string{"name", "de\"mo\n", "version", "1.2"}},
		{5, "tool_calls_total", []string{"tool", "echo", "kind", "native"}},
		{0, "tool_calls_total", []string{"tool", `"idle\xff"`, "kind", "cli"}},
		{5, "tool_duration_seconds", []string{"tool", "echo"}},
		{0, "tool_calls_in_flight", []string{"tool", "echo"}},
		{1, "tool_errors_total", []string{"tool", "echo", "class", "failed"}},
		{1, "tool_errors_total", []string{"class", "timeout"}},
		{1, "tool_errors_total", []string{"class", "internal"}},
		{1, "circuit_breaker_state", []string{"tool", "echo", "state", "open"}},
		{0, "circuit_breaker_state", []string{"tool", "echo", "state", "closed"}},
		{1, "middleware_events_total", []string{"type", "circuit_breaker", "event", "opened", "position", "0"}},
		{4, "middleware_events_total", []string{"type", "timeout", "event", "expired", "position", "1"}},
		{5, "middleware_events_total", []string{"type", "timeout", "event", "expired", "position", "2"}},
		{3, "middleware_events_total", []string{"tool", "", "type", "ratelimit", "event", "refused"}},
		{2, "middleware_level", []string{"type", "ratelimit", "of", "clients"}},
		{70, "middleware_level", []string{"type", "circuit_breaker", "of", "open_ms"}},
		{7, "state_keys", []string{"backend", "memory"}},
		{700, "state_bytes", nil},
		{1000, "state_bytes_max", nil},
		{9, "module_calls_total", []string{"module", "a.wasm"}},
		{2, "module_errors_total", []string{"error", "trap"}},
		{90, "module_fuel_total", nil},
		{2, "module_instances", []string{"state", "idle"}},
		{1, "module_instances", []string{"state", "resting"}},
	} {
		require.Equal(t, c.want, value(t, all, c.name, c.by...), "%s %v", c.name, c.by)
	}
	require.Len(t, all["ingot_tool_errors_total"].Metric, 3, "a question to the client is no failure")
	require.Contains(t, all, "go_goroutines")
}

func TestStatus(t *testing.T) {
	r := metrics.New(sources(), nil)
	counted := shown(r, "echo", "native")
	call(t, counted, mcp.TextResult("a"), nil)
	call(t, counted, mcp.ErrorResult("a"), nil)
	r.Show([]*metrics.Tool{counted, r.Tool("other", "cli")})
	response, text := get(t, r.StatusHandler(), "GET")
	require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	require.NotContains(t, text, "what somebody sent")
	var s metrics.Status
	require.NoError(t, json.Unmarshal([]byte(text), &s))
	require.Equal(t, "1.2", s.Server.Version)
	require.Len(t, s.Tools, 2)
	echo := s.Tools[0]
	require.Equal(t, "native", echo.Kind)
	require.EqualValues(t, 2, echo.Calls)
	require.Equal(t, map[string]uint64{"failed": 1}, echo.Errors)
	require.Positive(t, echo.MeanMillis)
	require.GreaterOrEqual(t, echo.P99Millis, echo.P50Millis)
	require.Len(t, echo.Middleware, 4)
	require.Equal(t, "open", echo.Middleware[0].Status)
	require.Equal(t, "failed", echo.Middleware[3].Errors[0].Class)
	require.EqualValues(t, 3, s.Middleware[0].Counts["refused"])
	require.Equal(t, &metrics.StateStatus{Backend: "memory", Keys: 7, Bytes: 700, BytesMax: 1000}, s.State)
	require.EqualValues(t, 90, s.Modules[0].Fuel)
}

// What runs is seen while it runs, by many at once, and a look does no harm to it.
func TestInFlight(t *testing.T) {
	r := metrics.New(metrics.Sources{}, nil)
	enter, leave := make(chan struct{}), make(chan struct{})
	h := shown(r, "slow", "native").Wrap(func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
		enter <- struct{}{}
		<-leave
		return mcp.TextResult("a"), nil
	})
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() { _, _ = h(t.Context(), &mcp.CallRequest{}) })
		<-enter
	}
	require.EqualValues(t, 8, r.Status(t.Context()).Tools[0].InFlight)
	_, text := get(t, r.Metrics(), "GET")
	require.Equal(t, 8.0, value(t, parsed(t, text), "tool_calls_in_flight"))
	close(leave)
	running.Wait()
	s := r.Status(t.Context()).Tools[0]
	require.EqualValues(t, 8, s.Calls)
	require.Zero(t, s.InFlight)
}

// A tool that is made anew goes on counting; one that is gone is forgotten.
func TestReload(t *testing.T) {
	r := metrics.New(metrics.Sources{}, nil)
	call(t, shown(r, "a", "native"), mcp.TextResult(""), nil)
	again := r.Tool("a", "native")
	r.Show([]*metrics.Tool{again, r.Tool("b", "native")})
	call(t, again, mcp.TextResult(""), nil)
	r.Tool("a", "cli") // of a file that came to nothing
	s := r.Status(t.Context())
	require.Len(t, s.Tools, 2)
	require.EqualValues(t, 2, s.Tools[0].Calls)
	shown(r, "a", "cli")
	s = r.Status(t.Context())
	require.Len(t, s.Tools, 1)
	require.Zero(t, s.Tools[0].Calls, "another kind is another tool")
}

// shown is a tool that is told of, alone.
func shown(r *metrics.Registry, name, kind string) *metrics.Tool {
	tool := r.Tool(name, kind)
	r.Show([]*metrics.Tool{tool})
	return tool
}

// Modules are told of without the folders that they are in.
func TestByName(t *testing.T) {
	named := metrics.ByName("/srv/tools", map[string]string{"/else/b/a.wasm": "b"}, map[string]sandbox.Stats{
		"/srv/tools/a.wasm": {Calls: 1}, "/srv/tools/b/a.wasm": {Calls: 2}, "/else/a.wasm": {Calls: 3}, "/else/b/a.wasm": {Calls: 4},
	})
	var calls []uint64
	for _, name := range []string{"a.wasm", "a.wasm (2)", "b", "b/a.wasm"} {
		calls = append(calls, named[name].Calls)
	}
	require.ElementsMatch(t, []uint64{1, 2, 3, 4}, calls)
	require.Len(t, named, 4)
}

func TestAnswersQuestionsOnly(t *testing.T) {
	r := metrics.New(metrics.Sources{State: func(context.Context) (state.Stats, error) { return state.Stats{}, errors.New("gone") }}, nil)
	for _, h := range []http.Handler{r.Metrics(), r.StatusHandler()} {
		response, _ := get(t, h, "POST")
		require.Equal(t, 405, response.StatusCode)
		response, _ = get(t, h, "GET") // a state that does not answer does not hide the rest
		require.Equal(t, 200, response.StatusCode)
		require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	}
}

// The histogram counts each call in the first bucket that is long enough.
func TestBuckets(t *testing.T) {
	r := metrics.New(metrics.Sources{}, nil)
	tool := shown(r, "a", "native")
	for _, took := range []time.Duration{10 * time.Microsecond, 2 * time.Millisecond, time.Hour} {
		metrics.End(tool, took)
	}
	_, text := get(t, r.Metrics(), "GET")
	histogram := parsed(t, text)["ingot_tool_duration_seconds"].Metric[0].Histogram
	require.InDelta(t, 3600.00201, histogram.GetSampleSum(), 1e-9)
	counts := map[float64]uint64{}
	for _, b := range histogram.Bucket {
		counts[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	require.EqualValues(t, 1, counts[0.00001])
	require.EqualValues(t, 1, counts[0.001])
	require.EqualValues(t, 2, counts[0.005])
	require.EqualValues(t, 2, counts[60])
	require.EqualValues(t, 5.0, r.Status(t.Context()).Tools[0].P50Millis)
}

func TestClassesFit(t *testing.T) { require.LessOrEqual(t, len(fault.Classes), metrics.ClassesMax) }

// BenchmarkWrap tells what counting adds to a call: with, without and with again in
// one run.
func BenchmarkWrap(b *testing.B) {
	result := mcp.TextResult("a")
	plain := func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return result, nil }
	wrapped := metrics.New(metrics.Sources{}, nil).Tool("a", "native").Wrap(plain)
	for _, c := range []struct {
		name string
		h    mcp.Handler
	}{{"off", plain}, {"on", wrapped}, {"off again", plain}, {"on again", wrapped}} {
		b.Run(c.name, func(b *testing.B) {
			r := &mcp.CallRequest{}
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.h(b.Context(), r)
			}
		})
	}
}
