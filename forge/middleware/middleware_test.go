package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/inmemory"
)

var (
	down = fault.New(fault.Unavailable, "down")
	yes  = true
)

// target is a tool whose answers the test sets.
type target struct {
	calls atomic.Int32
	do    func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error)
}

func (t *target) call(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
	t.calls.Add(1)
	return t.do(ctx, r)
}

func ok(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return mcp.TextResult("ok"), nil }

func failing(err error) func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
	return func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return nil, err }
}

// own is a tool with a chain of its own.
func own(chain ...config.Middleware) *config.Tool {
	return &config.Tool{Name: "t", Kind: config.KindCLI, Middleware: chain}
}

func wrap(t testing.TB, h mcp.Handler, tool *config.Tool, s *middleware.Shared) mcp.Handler {
	wrapped, err := middleware.Wrap(h, tool, tool.Middleware, s)
	require.NoError(t, err)
	return wrapped
}

func shared() *middleware.Shared { return middleware.NewShared(middleware.Options{}, nil) }

func call(h mcp.Handler, arguments string) (string, error) {
	result, err := h(context.Background(), &mcp.CallRequest{Name: "t", Arguments: []byte(arguments)})
	if err != nil {
		return "", err
	}
	if result.Structured != nil {
		return string(result.Structured), nil
	}
	return result.Content[0].Text, nil
}

func counts(s *middleware.Shared, kind string) map[string]int64 {
	for _, state := range s.State() {
		if state.Type == kind {
			return state.Counts
		}
	}
	return nil
}

func breakerOf(c config.CircuitBreaker) config.Middleware {
	return config.Middleware{Type: config.MiddlewareCircuitBreaker, CircuitBreaker: &c}
}

func TestCircuitBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shared()
		target := &target{do: failing(down)}
		h := wrap(t, target.call, own(breakerOf(config.CircuitBreaker{FailuresMax: 3, OpenTime: time.Minute, Successes: 2, ProbesMax: 1})), s)
		status := func() string { return s.State()[0].Status }

		// Closed: three failures in a row open it, and a success between them, or a
		// failure that is the caller's, does not count.
		for _, err := range []error{down, down, nil, down, down, fault.New(fault.InvalidInput, "x"), context.Canceled, mcp.ErrInputRequired} {
			target.do = failing(err)
			if err == nil {
				target.do = ok
			}
			_, got := call(h, `{}`)
			require.Equal(t, err, got)
			require.Equal(t, "closed", status())
		}
		target.do = func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return mcp.ErrorResult("no"), nil }
		_, err := call(h, `{}`)
		require.NoError(t, err)
		require.Equal(t, "open", status())

		// Open: calls do not reach the tool.
		before := target.calls.Load()
		time.Sleep(59 * time.Second)
		_, err = call(h, `{}`)
		require.EqualError(t, err, "t failed too often and is left alone: try again in 1s")
		require.Equal(t, fault.Unavailable, fault.ClassOf(err))
		require.Equal(t, before, target.calls.Load())
		require.EqualValues(t, 1000, s.State()[0].Counts["open_ms"])

		// Half open: a failure opens it again, two successes close it.
		time.Sleep(time.Second)
		target.do = failing(down)
		_, err = call(h, `{}`)
		require.Equal(t, down, err)
		require.Equal(t, "open", status())
		time.Sleep(time.Minute)
		target.do = ok
		_, err = call(h, `{}`)
		require.NoError(t, err)
		require.Equal(t, "half_open", status())
		_, err = call(h, `{}`)
		require.NoError(t, err)
		require.Equal(t, "closed", status())
		require.Equal(t, map[string]int64{"failures": 0, "opened": 2, "refused": 1}, s.State()[0].Counts)
	})
}

// While it is half open, no more than ProbesMax calls try, and one that is given up
// makes room for another.
func TestHalfOpenProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan error)
		target := &target{do: failing(down)}
		h := wrap(t, target.call, own(breakerOf(config.CircuitBreaker{FailuresMax: 1, OpenTime: time.Minute, Successes: 1, ProbesMax: 2})), shared())
		_, err := call(h, `{}`)
		require.Equal(t, down, err)
		time.Sleep(time.Minute)
		target.do = func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return mcp.TextResult(""), <-release }
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { _, _ = call(h, `{}`) })
		}
		synctest.Wait()
		_, err = call(h, `{}`)
		require.EqualError(t, err, "t failed too often and is left alone: try again later")
		release <- context.Canceled
		synctest.Wait()
		all.Go(func() { _, _ = call(h, `{}`) })
		synctest.Wait()
		require.EqualValues(t, 4, target.calls.Load())
		release <- nil // closes it; the other one's failure is of before, and says nothing
		synctest.Wait()
		release <- down
		all.Wait()
		target.do = ok
		_, err = call(h, `{}`)
		require.NoError(t, err)
	})
}

// A panic is a failure, and gives back what the call held.
func TestPanics(t *testing.T) {
	s := shared()
	target := &target{do: func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { panic("token") }}
	chain := []config.Middleware{
		{Type: config.MiddlewareRecovery, Recovery: &config.FaultTolerance{}},
		{Type: config.MiddlewareMetrics},
		breakerOf(config.CircuitBreaker{FailuresMax: 3, OpenTime: time.Minute, Successes: 1}),
		{Type: config.MiddlewareBulkhead, Bulkhead: &config.Bulkhead{ConcurrencyMax: 1}},
		{Type: config.MiddlewareCache, Cache: &config.Cache{TTL: time.Minute, EntriesMax: 1, BytesMax: 1000}},
	}
	h := wrap(t, target.call, own(chain...), s)
	for range 3 {
		_, err := call(h, `{}`)
		require.EqualError(t, err, "t broke inside: the server's log says where")
		require.Equal(t, fault.Internal, fault.ClassOf(err))
	}
	_, err := call(h, `{}`)
	require.ErrorContains(t, err, "left alone")
	require.EqualValues(t, 3, target.calls.Load())
	require.EqualValues(t, 0, counts(s, config.MiddlewareBulkhead)["running"])
	require.EqualValues(t, 0, counts(s, config.MiddlewareMetrics)["running"])
	require.EqualValues(t, 3, counts(s, config.MiddlewareMetrics)["internal"])
}

func retryOf(c config.Retry) config.Middleware {
	return config.Middleware{Type: config.MiddlewareRetry, Retry: &c}
}

var retryDefault = config.Retry{MaxAttempts: 3, Initial: 100 * time.Millisecond, Max: 30 * time.Second, Multiplier: 2, On: []string{"timeout", "unavailable"}}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asks := fault.New(fault.Unavailable, "busy")
		asks.RetryAfter = 5 * time.Second
		long := fault.New(fault.Unavailable, "busy")
		long.RetryAfter = time.Hour
		for _, c := range []struct {
			errs  []error
			calls int32
			took  time.Duration
		}{
			{[]error{nil}, 1, 0},
			{[]error{down, nil}, 2, 100 * time.Millisecond},
			{[]error{down, down, down, nil}, 3, 300 * time.Millisecond},
			{[]error{fault.New(fault.Failed, "no"), nil}, 1, 0},
			{[]error{fault.New(fault.InvalidInput, "no"), nil}, 1, 0},
			{[]error{mcp.ErrInputRequired, nil}, 1, 0},
			{[]error{asks, nil}, 2, 5 * time.Second},
			{[]error{long, nil}, 1, 0},
		} {
			target := &target{}
			target.do = func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
				return mcp.TextResult("ok"), c.errs[target.calls.Load()-1]
			}
			s := shared()
			h := wrap(t, target.call, own(retryOf(retryDefault)), s)
			begin := time.Now()
			_, err := call(h, `{}`)
			require.Equal(t, c.errs[c.calls-1], err)
			require.Equal(t, c.calls, target.calls.Load())
			require.Equal(t, c.took, time.Since(begin))
			require.EqualValues(t, c.calls-1, counts(s, config.MiddlewareRetry)["repeated"])
		}
	})
}

// A retry of all tools repeats only what may be repeated.
func TestRetryLooksAtTheTool(t *testing.T) {
	for name, c := range map[string]struct {
		tool  *config.Tool
		calls int32
	}{
		"not said":           {&config.Tool{Name: "t"}, 1},
		"read-only":          {&config.Tool{Name: "t", Annotations: &mcp.ToolAnnotations{ReadOnlyHint: &yes}}, 3},
		"idempotent":         {&config.Tool{Name: "t", Annotations: &mcp.ToolAnnotations{IdempotentHint: &yes}}, 3},
		"GET":                {&config.Tool{Name: "t", HTTP: &config.HTTP{Method: "GET"}}, 3},
		"PUT":                {&config.Tool{Name: "t", HTTP: &config.HTTP{Method: "PUT"}}, 3},
		"POST":               {&config.Tool{Name: "t", HTTP: &config.HTTP{Method: "POST"}}, 1},
		"GET, but it writes": {&config.Tool{Name: "t", HTTP: &config.HTTP{Method: "GET"}, Annotations: &mcp.ToolAnnotations{ReadOnlyHint: new(bool)}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target := &target{do: failing(down)}
				of := &config.Config{Middleware: []config.Middleware{retryOf(retryDefault)}}
				h, err := middleware.Wrap(target.call, c.tool, middleware.Chain(of, c.tool), shared())
				require.NoError(t, err)
				_, err = call(h, `{}`)
				require.Equal(t, down, err)
				require.Equal(t, c.calls, target.calls.Load())
			})
		})
	}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shared()
		hang := func(ctx context.Context, _ *mcp.CallRequest) (*mcp.CallResult, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		tool := own(retryOf(retryDefault))
		tool.Timeout = time.Minute
		target := &target{do: hang}
		h := wrap(t, target.call, tool, s)
		begin := time.Now()
		_, err := call(h, `{}`)
		require.EqualError(t, err, "t took longer than 1m0s")
		require.Equal(t, fault.Timeout, fault.ClassOf(err))
		require.Equal(t, 3*time.Minute+300*time.Millisecond, time.Since(begin)) // each attempt has it
		require.EqualValues(t, 3, counts(s, config.MiddlewareTimeout)["expired"])

		// The end of the caller is not the tool's.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = h(ctx, &mcp.CallRequest{})
		require.Equal(t, context.DeadlineExceeded, err)

		// What came in spite of it is an answer.
		target.do = func(ctx context.Context, _ *mcp.CallRequest) (*mcp.CallResult, error) {
			<-ctx.Done()
			return mcp.TextResult("late"), nil
		}
		got, err := call(h, `{}`)
		require.NoError(t, err)
		require.Equal(t, "late", got)
	})
}

func limitOf(c config.RateLimit) config.Middleware {
	return config.Middleware{Type: config.MiddlewareRateLimit, RateLimit: &c}
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shared()
		target := &target{do: ok}
		h := wrap(t, target.call, own(limitOf(config.RateLimit{Requests: 2, Per: time.Second, Burst: 3})), s)
		for range 3 {
			_, err := call(h, `{}`)
			require.NoError(t, err)
		}
		_, err := call(h, `{}`)
		require.EqualError(t, err, "t is called too often, at most 2 times in 1s: try again in 500ms")
		var f *fault.Error
		require.ErrorAs(t, err, &f)
		require.Equal(t, 500*time.Millisecond, f.RetryAfter)
		time.Sleep(f.RetryAfter)
		_, err = call(h, `{}`)
		require.NoError(t, err)
		_, err = call(h, `{}`)
		require.Error(t, err)
		time.Sleep(time.Hour) // no more than the burst is saved up
		for range 3 {
			_, err = call(h, `{}`)
			require.NoError(t, err)
		}
		_, err = call(h, `{}`)
		require.Error(t, err)
		require.EqualValues(t, 3, counts(s, config.MiddlewareRateLimit)["refused"])
	})
}

// A breaker does not take the refusals of a limit for failures of the tool.
func TestRefusalsAreNoFailures(t *testing.T) {
	s := shared()
	target := &target{do: ok}
	h := wrap(t, target.call, own(breakerOf(config.CircuitBreaker{FailuresMax: 1, OpenTime: time.Minute, Successes: 1}), limitOf(config.RateLimit{Requests: 1, Per: time.Hour, Burst: 1})), s)
	for range 5 {
		_, _ = call(h, `{}`)
	}
	require.Equal(t, "closed", s.State()[0].Status)
}

// Through a server, each session has a limit of its own, unless the tool or the
// server is what is limited.
func TestRateLimitBy(t *testing.T) {
	for by, want := range map[string]int{"client": 4, "tool": 2, "server": 1} {
		t.Run(by, func(t *testing.T) {
			of := &config.Config{Middleware: []config.Middleware{limitOf(config.RateLimit{Requests: 1, Per: time.Hour, Burst: 1, By: by})}}
			s := shared()
			server := mcp.NewServer(mcp.Options{})
			for _, name := range []string{"a", "b"} {
				tool := &config.Tool{Name: name}
				h, err := middleware.Wrap(ok, tool, middleware.Chain(of, tool), s)
				require.NoError(t, err)
				server.AddTool(mcp.Tool{Name: name, InputSchema: []byte(`{"type":"object"}`)}, h)
			}
			passed := 0
			for range 2 {
				client := inmemory.Connect(t.Context(), server, mcp.ConnOptions{})
				defer client.Close()
				for _, name := range []string{"a", "b", "a", "b"} {
					if !strings.Contains(request(t, client, name), "called too often") {
						passed++
					}
				}
			}
			require.Equal(t, want, passed)
		})
	}
}

func request(t *testing.T, client *inmemory.Client, tool string) string {
	client.Send(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`, tool))
	frame, err := client.Receive(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(frame), `"result"`)
	return string(frame)
}

func TestBulkhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shared()
		release := make(chan struct{})
		target := &target{do: func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
			<-release
			return mcp.TextResult(""), nil
		}}
		h := wrap(t, target.call, own(config.Middleware{Type: config.MiddlewareBulkhead, Bulkhead: &config.Bulkhead{ConcurrencyMax: 2, QueueMax: 1, QueueTime: time.Second}}), s)
		var all sync.WaitGroup
		var waited error
		for range 2 {
			all.Go(func() { _, _ = call(h, `{}`) })
		}
		synctest.Wait()
		all.Go(func() { _, waited = call(h, `{}`) })
		synctest.Wait()
		require.Equal(t, map[string]int64{"running": 2, "waiting": 1, "refused": 0}, counts(s, config.MiddlewareBulkhead))
		_, err := call(h, `{}`)
		require.EqualError(t, err, "t is busy with 2 calls, and 1 wait: try again later")
		time.Sleep(time.Second)
		synctest.Wait()
		require.ErrorContains(t, waited, "the wait took longer than 1s")
		all.Go(func() { _, waited = call(h, `{}`) })
		synctest.Wait()
		release <- struct{}{}
		synctest.Wait()
		require.EqualValues(t, 3, target.calls.Load())

		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() { _, err = h(ctx, &mcp.CallRequest{}) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.Equal(t, fault.Canceled, fault.ClassOf(err))
		close(release)
		all.Wait()
		require.NoError(t, waited)
		require.Equal(t, map[string]int64{"running": 0, "waiting": 0, "refused": 2}, counts(s, config.MiddlewareBulkhead))
	})
}

func TestRecoveryTracksErrors(t *testing.T) {
	s := shared()
	target := &target{}
	target.do = func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
		if n := target.calls.Load(); n > 1 {
			return nil, fault.New(fault.Denied, "error %d", n)
		}
		return mcp.ErrorResult("the first"), nil
	}
	h := wrap(t, target.call, own(config.Middleware{Type: config.MiddlewareRecovery, Recovery: &config.FaultTolerance{
		ErrorTracking:  &config.ErrorTracking{ErrorsMax: 2},
		CircuitBreaker: &config.CircuitBreaker{FailuresMax: 2, OpenTime: time.Minute, Successes: 1},
		Retry:          &retryDefault,
	}}), s)
	var said []string
	for n := range 4 {
		_, _ = call(h, `{}`)
		if n == 0 {
			require.Equal(t, "the first", s.State()[0].Errors[0].Message)
		}
	}
	for _, e := range s.State()[0].Errors {
		said = append(said, e.Message)
	}
	states := s.State()
	require.Equal(t, []string{"error 4", "error 3"}, said)
	require.Equal(t, map[string]int64{"failed": 1, "denied": 3}, counts(s, "error_tracking"))
	require.Equal(t, "closed", states[0].Status+states[1].Status+states[2].Status)
}

func TestLogging(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	s := middleware.NewShared(middleware.Options{Logger: log}, nil)
	target := &target{do: func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.StructuredJSON([]byte(`{"apiKey":"sk-1","rows":[{"Session-Token":"abc","n":1}]}`)), nil
	}}
	line := func() (m map[string]any) {
		require.NoError(t, json.Unmarshal(out.Bytes(), &m), out.String())
		out.Reset()
		return m
	}
	h := wrap(t, target.call, own(config.Middleware{Type: config.MiddlewareLogging, Logging: &config.Logging{Tag: "audit", Level: "info", IncludeRequest: true, IncludeResponse: true, Redact: []string{"ssn"}}}), s)
	_, err := call(h, `{"user":"ada","user_password":{"a":"hunter2"},"ssn":12,"max_tokens":5}`)
	require.NoError(t, err)
	got := line()
	require.Equal(t, `{"user":"ada","user_password":"[redacted]","ssn":"[redacted]","max_tokens":5}`, got["arguments"])
	require.Equal(t, `{"apiKey":"[redacted]","rows":[{"Session-Token":"[redacted]","n":1}]}`, got["answer"])
	require.Equal(t, []any{"INFO", "call", "t", "audit"}, []any{got["level"], got["msg"], got["tool"], got["tag"]})

	target.do = func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
		return &mcp.CallResult{Content: []mcp.Content{{Type: mcp.ContentText, Text: "2"}, {Type: mcp.ContentText, Text: "state_handle: ABC"}}}, nil
	}
	_, err = call(h, `{"state_handle":"ABC"}`)
	require.NoError(t, err)
	got = line()
	require.Equal(t, `{"state_handle":"[redacted]"}`, got["arguments"])
	require.Equal(t, "2\nstate_handle: [redacted]", got["answer"])

	target.do = failing(fault.Because(errors.New("password=hunter2"), fault.Unavailable, "down"))
	_, _ = call(h, strings.Repeat(" ", 65<<10)+`{}`)
	got = line()
	require.Equal(t, []any{"WARN", "unavailable", "down", "[66562 bytes]"}, []any{got["level"], got["class"], got["error"], got["arguments"]})

	target.do = ok
	h = wrap(t, target.call, own(config.Middleware{Type: config.MiddlewareLogging, Logging: &config.Logging{Level: "info"}}), s)
	_, _ = call(h, `{"user":"ada"}`)
	require.NotContains(t, out.String(), "ada")
	require.NotContains(t, line(), "arguments")
	h = wrap(t, target.call, own(config.Middleware{Type: config.MiddlewareLogging, Logging: &config.Logging{Level: "debug"}}), s)
	_, _ = call(h, `{}`)
	require.Empty(t, out.String())
}

// What did not change keeps its state over a reload; a reload that comes to nothing
// changes nothing.
func TestReload(t *testing.T) {
	target := &target{do: failing(down)}
	chain := func(failures int) []config.Middleware {
		return []config.Middleware{breakerOf(config.CircuitBreaker{FailuresMax: failures, OpenTime: time.Hour, Successes: 1}), {Type: config.MiddlewareMetrics}}
	}
	first := shared()
	old := wrap(t, target.call, own(chain(1)...), first)
	_, _ = call(old, `{}`)

	moved := own(chain(1)...)
	moved.Pos.Line = 9 // a line was put in above
	second := middleware.NewShared(middleware.Options{}, first)
	h := wrap(t, target.call, moved, second)
	_, err := call(h, `{}`)
	require.ErrorContains(t, err, "left alone")
	require.EqualValues(t, 1, counts(second, config.MiddlewareMetrics)["calls"])

	third := middleware.NewShared(middleware.Options{}, second)
	changed := own(chain(1)...)
	changed.Description = "another tool"
	_, err = call(wrap(t, target.call, changed, third), `{}`)
	require.Equal(t, down, err)
	require.Len(t, third.State(), 2)

	_, err = call(old, `{}`)
	require.ErrorContains(t, err, "left alone")
	require.Equal(t, "open", first.State()[0].Status)
}

// Calls of many at once, under -race.
func TestAtOnce(t *testing.T) {
	s := shared()
	target := &target{}
	target.do = func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		switch target.calls.Load() % 7 {
		case 0:
			return nil, down
		case 1:
			return mcp.ErrorResult("no"), nil
		}
		return r.Text("ok"), nil
	}
	h := wrap(t, target.call, full(), s)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 200 {
				_, _ = call(h, fmt.Sprintf(`{"id":%d}`, (n+i)%5))
				s.State()
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1600, counts(s, config.MiddlewareMetrics)["calls"])
	require.Zero(t, counts(s, config.MiddlewareMetrics)["running"])
	require.Zero(t, counts(s, config.MiddlewareBulkhead)["running"])
}

func ExampleWrap() {
	tool := &config.Tool{Name: "search", Middleware: []config.Middleware{limitOf(config.RateLimit{Requests: 1, Per: time.Hour, Burst: 1})}}
	shared := middleware.NewShared(middleware.Options{}, nil)
	h, err := middleware.Wrap(ok, tool, middleware.Chain(&config.Config{}, tool), shared)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		_, err := h(context.Background(), &mcp.CallRequest{Arguments: []byte(`{}`)})
		fmt.Printf("%q\n", fault.ClassOf(err))
	}
	fmt.Println(shared.State()[0].Counts)
	// Output:
	// ""
	// "unavailable"
	// map[clients:1 refused:1]
}
