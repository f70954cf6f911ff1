package middleware

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/backoff"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// counter counts one kind of event.
type counter struct {
	name string
	n    atomic.Int64
}

func (c *counter) state() State { return State{Counts: map[string]int64{c.name: c.n.Load()}} }

// counts is the counter of a middleware.
func (w *wrapping) counts(kind, event string, of any) *counter {
	return share(w, w.tool.Name, kind, of, func() *counter { return &counter{name: event} })
}

// timeout ends the context of a call that takes too long.
func (w *wrapping) timeout(limit time.Duration) layer {
	expired := w.counts(config.MiddlewareTimeout, "expired", limit)
	name := w.tool.Name
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			at := time.Now().Add(limit)
			if end, ok := ctx.Deadline(); ok && !end.After(at) {
				return next(ctx, r) // what is around ends it first
			}
			inner := &deadline{parent: ctx, at: at}
			defer inner.end()
			result, err := next(inner, r)
			if classOf(result, err) != "" && ctx.Err() == nil && errors.Is(inner.Err(), context.DeadlineExceeded) {
				expired.n.Add(1)
				return nil, fault.Because(err, fault.Timeout, "%s took longer than %v%s", name, limit, lastWords(err))
			}
			return result, err
		}
	}
}

// lastWords are what a tool says that was ended by its timeout.
func lastWords(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Class == fault.Timeout {
		return ": " + f.Message
	}
	return ""
}

// retry tries again what may be tried again.
func (w *wrapping) retry(c *config.Retry) layer {
	own := slices.ContainsFunc(w.tool.Middleware, func(m config.Middleware) bool {
		return m.Retry == c || m.Recovery != nil && m.Recovery.Retry == c
	})
	if c.MaxAttempts <= 1 || !own && !repeatable(w.tool) {
		return nil
	}
	again := w.counts(config.MiddlewareRetry, "repeated", c)
	policy := backoff.Policy{Attempts: c.MaxAttempts, Initial: c.Initial, Max: c.Max, Multiplier: c.Multiplier, Jitter: c.Jitter}
	on := classes(c.On)
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			for attempt := 1; ; attempt++ {
				result, err := next(ctx, r)
				class := classOf(result, err)
				if class == "" || attempt >= policy.Attempts || !slices.Contains(on, class) || ctx.Err() != nil {
					return result, err
				}
				asked := fault.RetryAfter(err)
				if asked > policy.Max || policy.Wait(ctx, attempt, asked) != nil {
					return result, err // the tool's last word says more
				}
				again.n.Add(1)
			}
		}
	}
}

func classes(names []string) (all []fault.Class) {
	for _, name := range names {
		all = append(all, fault.Class(name))
	}
	return all
}

// triedKey is the key of a context: the tools whose fallbacks are being tried.
type triedKey struct{}

type tried struct {
	tool   string
	before *tried
}

func (t *tried) has(tool string) bool {
	for ; t != nil; t = t.before {
		if t.tool == tool {
			return true
		}
	}
	return false
}

// fallback answers in place of a tool that failed.
func (w *wrapping) fallback(c *config.Fallback) layer {
	used := w.counts(config.MiddlewareFallback, "used", c)
	on, name, lookup := classes(c.On), w.tool.Name, w.shared.options.Lookup
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			result, err := next(ctx, r)
			if class := classOf(result, err); class == "" || !slices.Contains(on, class) {
				return result, err
			}
			around, _ := ctx.Value(triedKey{}).(*tried)
			inner := context.WithValue(ctx, triedKey{}, &tried{name, around})
			for i := range c.Alternatives {
				a := &c.Alternatives[i]
				instead, asked := alternative(inner, r, a, lookup, &tried{name, around})
				switch {
				case asked != nil:
					return nil, asked
				case instead != nil:
					used.n.Add(1)
					return instead, nil
				}
			}
			return result, err
		}
	}
}

// alternative tries one alternative: nil when it fails, or when it is being tried
// already. The error is mcp.ErrInputRequired.
func alternative(ctx context.Context, r *mcp.CallRequest, a *config.Alternative, lookup func(string) (mcp.Handler, bool), around *tried) (*mcp.CallResult, error) {
	if a.Tool == "" {
		return valueResult(a.Value), nil
	}
	h, ok := lookup(a.Tool)
	if !ok || around.has(a.Tool) {
		return nil, nil
	}
	request := derive(r)
	request.Name = a.Tool
	result, err := h(ctx, request)
	switch {
	case errors.Is(err, mcp.ErrInputRequired):
		return nil, err
	case classOf(result, err) != "":
		return nil, nil
	}
	return result, nil
}

// derive copies a request, so that it can be changed. The copy is of the same call.
func derive(r *mcp.CallRequest) *mcp.CallRequest {
	if r.ProtocolVersion != "" { // a server made it
		r.Call() // so that both have it
	}
	request := *r
	return &request
}

// valueResult is the answer that says a value of the file.
func valueResult(value []byte) *mcp.CallResult {
	switch v := jsontext.Value(value); v.Kind() {
	case '{':
		return mcp.StructuredJSON(value)
	case '"':
		var text string
		if json.Unmarshal(v, &text) == nil {
			return mcp.TextResult(text)
		}
	}
	return mcp.TextResult(string(value))
}
