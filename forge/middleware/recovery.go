package middleware

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// trackedBytesMax bounds the text of a tracked error.
const trackedBytesMax = 512

// recovery tracks errors, and has a breaker and a retry, in this order from the
// outside. Panics are errors already: see Wrap.
func (w *wrapping) recovery(c *config.FaultTolerance) layer {
	var inner []layer
	if c.ErrorTracking != nil && !c.ErrorTracking.Disabled {
		inner = append(inner, w.tracking(c.ErrorTracking))
	}
	if c.CircuitBreaker != nil {
		inner = append(inner, w.circuitBreaker(c.CircuitBreaker))
	}
	if c.Retry != nil {
		inner = append(inner, w.retry(c.Retry))
	}
	return func(next mcp.Handler) mcp.Handler {
		for i := len(inner) - 1; i >= 0; i-- {
			if inner[i] != nil {
				next = inner[i](next)
			}
		}
		return next
	}
}

// catch turns a panic into an error whose text says nothing of it.
func (w *wrapping) catch() layer {
	log, secrets, name := w.shared.options.Logger, w.shared.options.Secrets, w.tool.Name
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (result *mcp.CallResult, err error) {
			defer func() {
				if p := recover(); p != nil {
					text := fault.Shorten(secrets.Redact(fmt.Sprint(p)), loggedBytesMax)
					log.ErrorContext(ctx, "a tool panicked", "tool", name, "panic", text, "stack", secrets.Redact(string(debug.Stack())))
					result, err = nil, fault.Because(fmt.Errorf("panic: %s", text), fault.Internal, "%s broke inside: the server's log says where", name)
				}
			}()
			return next(ctx, r)
		}
	}
}

// tracker keeps the last errors.
type tracker struct {
	secrets config.Secrets

	mu      sync.Mutex
	byClass map[fault.Class]int64
	last    []TrackedError // a ring
	next    int            // where the next one goes, once it is full
	max     int
}

func (w *wrapping) tracking(c *config.ErrorTracking) layer {
	t := share(w, w.tool.Name, "error_tracking", c, func() *tracker {
		return &tracker{secrets: w.shared.options.Secrets, byClass: map[fault.Class]int64{}, max: max(c.ErrorsMax, 1)}
	})
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			result, err := next(ctx, r)
			if class := classOf(result, err); class != "" {
				t.add(class, result, err)
			}
			return result, err
		}
	}
}

func (t *tracker) add(class fault.Class, result *mcp.CallResult, err error) {
	e := TrackedError{Time: time.Now(), Class: class, Message: fault.Shorten(t.secrets.Redact(messageOf(result, err)), trackedBytesMax)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byClass[class]++
	if len(t.last) < t.max {
		t.last = append(t.last, e)
		return
	}
	t.last[t.next] = e
	t.next = (t.next + 1) % t.max
}

// messageOf is what a failure says.
func messageOf(result *mcp.CallResult, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case result == nil:
		return "the tool answered nothing"
	}
	for _, c := range result.Content {
		if c.Type == mcp.ContentText {
			return c.Text
		}
	}
	return "the tool answered with an error"
}

func (t *tracker) state() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := State{Counts: map[string]int64{}}
	for class, n := range t.byClass {
		s.Counts[string(class)] = n
	}
	for i := range t.last {
		s.Errors = append(s.Errors, t.last[(t.next+len(t.last)-1-i)%len(t.last)])
	}
	return s
}

// meter counts the calls of a tool.
type meter struct {
	calls, running, micros atomic.Int64
	byClass                map[fault.Class]*atomic.Int64 // fixed
}

func (w *wrapping) metrics() layer {
	m := share(w, w.tool.Name, config.MiddlewareMetrics, nil, func() *meter {
		m := &meter{byClass: map[fault.Class]*atomic.Int64{}}
		for _, c := range fault.Classes {
			m.byClass[c] = new(atomic.Int64)
		}
		return m
	})
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			begin := time.Now()
			m.running.Add(1)
			class := fault.Internal // of a panic
			defer func() {
				m.running.Add(-1)
				m.calls.Add(1)
				m.micros.Add(time.Since(begin).Microseconds())
				if n := m.byClass[class]; n != nil {
					n.Add(1)
				}
			}()
			result, err := next(ctx, r)
			class = classOf(result, err)
			return result, err
		}
	}
}

func (m *meter) state() State {
	s := State{Counts: map[string]int64{"calls": m.calls.Load(), "running": m.running.Load(), "microseconds": m.micros.Load()}}
	for class, n := range m.byClass {
		if n := n.Load(); n > 0 {
			s.Counts[string(class)] = n
		}
	}
	return s
}
