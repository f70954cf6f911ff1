package middleware

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// The states of a breaker.
const (
	statusClosed   = "closed"
	statusOpen     = "open"
	statusHalfOpen = "half_open"
)

// breaker refuses calls of what fails.
//
//	closed ---- FailuresMax failures in a row ----> open
//	open ------ OpenTime is over -----------------> half open
//	half open - Successes successes --------------> closed
//	half open - a failure ------------------------> open
type breaker struct {
	config config.CircuitBreaker

	mu        sync.Mutex
	status    string
	turn      int // counts changes of status: a call that began before one says nothing
	failures  int // in a row, while closed
	successes int // while half open
	probes    int // that run, while half open
	openedAt  time.Time
	opened    int64
	refused   int64
}

// verdict is what a call says about the tool.
type verdict int

const (
	verdictNone verdict = iota
	verdictGood
	verdictBad
)

func (w *wrapping) circuitBreaker(c *config.CircuitBreaker) layer {
	if c.Disabled {
		return nil
	}
	b := share(w, w.tool.Name, config.MiddlewareCircuitBreaker, c, func() *breaker { return &breaker{config: *c, status: statusClosed} })
	name := w.tool.Name
	return func(next mcp.Handler) mcp.Handler {
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			turn, wait, ok := b.enter()
			if !ok {
				return nil, refused(wait, "%s failed too often and is left alone", name)
			}
			verdict := verdictBad // of a panic
			defer func() { b.leave(turn, verdict) }()
			result, err := next(ctx, r)
			verdict = judge(result, err)
			return result, err
		}
	}
}

// judge says what a call says about the tool.
func judge(result *mcp.CallResult, err error) verdict {
	switch class := classOf(result, err); {
	case class == "" && err == nil:
		return verdictGood
	case class.OfTool() && !errors.Is(err, errRefused):
		return verdictBad
	}
	return verdictNone
}

// enter lets a call in, or says how long it should stay away. Its partner is leave.
func (b *breaker) enter() (turn int, wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status == statusOpen {
		if wait = b.config.OpenTime - time.Since(b.openedAt); wait > 0 {
			b.refused++
			return 0, wait, false
		}
		b.become(statusHalfOpen)
	}
	if b.status == statusHalfOpen {
		if b.probes >= max(b.config.ProbesMax, 1) {
			b.refused++
			return 0, 0, false
		}
		b.probes++
	}
	return b.turn, 0, true
}

// leave takes what came of a call.
func (b *breaker) leave(turn int, v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if turn != b.turn {
		return
	}
	if b.status == statusHalfOpen {
		b.probes--
	}
	switch {
	case v == verdictNone:
	case v == verdictGood && b.status == statusClosed:
		b.failures = 0
	case v == verdictGood:
		if b.successes++; b.successes >= b.config.Successes {
			b.become(statusClosed)
		}
	default:
		if b.failures++; b.status == statusHalfOpen || b.failures >= b.config.FailuresMax {
			b.become(statusOpen)
		}
	}
}

// become changes the status.
func (b *breaker) become(status string) {
	b.status = status
	b.turn++
	b.failures, b.successes, b.probes = 0, 0, 0
	if status == statusOpen {
		b.openedAt = time.Now()
		b.opened++
	}
}

func (b *breaker) state() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := State{Status: b.status, Counts: map[string]int64{"failures": int64(b.failures), "opened": b.opened, "refused": b.refused}}
	if b.status == statusOpen {
		s.Counts["open_ms"] = max(0, (b.config.OpenTime - time.Since(b.openedAt)).Milliseconds())
	}
	return s
}

// refused is the error of a call that is kept away from its tool.
func refused(wait time.Duration, format string, args ...any) error {
	err := fault.Because(errRefused, fault.Unavailable, format, args...)
	if err.RetryAfter = wait; wait > 0 {
		err.Message += ": try again in " + max(wait.Round(time.Millisecond), time.Millisecond).String()
	} else {
		err.Message += ": try again later"
	}
	return err
}
