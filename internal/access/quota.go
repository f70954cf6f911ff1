package access

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/ingot-run/ingot/mcp"
)

// usage is what a caller uses of its quotas.
type usage struct {
	mu      sync.Mutex
	running int
	tokens  float64 // calls that may be made at once
	at      time.Time
}

// begin counts a call, if the quotas allow it; end is its partner.
func (s *subject) begin(now time.Time) error {
	q, u := &s.quotas, s.shared
	if q.CallsPerMinute == 0 && q.ConcurrentCalls == 0 {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if q.ConcurrentCalls > 0 && u.running >= q.ConcurrentCalls {
		return &Error{fmt.Sprintf("%s has %d calls running, and its quota concurrent_calls is %d: wait for one to end", s.caller.Name, u.running, q.ConcurrentCalls)}
	}
	if q.CallsPerMinute > 0 {
		most, perSecond := float64(q.CallsPerMinute), float64(q.CallsPerMinute)/60
		if u.at.IsZero() {
			u.tokens = most
		} else {
			u.tokens = min(most, u.tokens+max(now.Sub(u.at).Seconds(), 0)*perSecond)
		}
		u.at = now
		if u.tokens < 1 {
			wait := math.Ceil((1 - u.tokens) / perSecond)
			return &Error{fmt.Sprintf("%s has used its quota calls_per_minute of %d: try again in %.0f s", s.caller.Name, q.CallsPerMinute, wait)}
		}
		u.tokens--
	}
	u.running++
	return nil
}

func (s *subject) end() {
	if s.quotas.CallsPerMinute == 0 && s.quotas.ConcurrentCalls == 0 {
		return
	}
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	s.shared.running--
}

// idle reports whether the caller may be forgotten.
func (s *subject) idle() bool {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	return s.shared.running == 0
}

// WrapTool is for mcp.Options and forge.Options: it holds callers to their quotas of
// calls. A call that goes on as a task counts until its handler returns.
func (k *Keeper) WrapTool(_ mcp.Tool, h mcp.Handler) mcp.Handler {
	return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		p := k.policy.Load()
		if p == nil {
			return h(ctx, r)
		}
		s := p.subject(ctx)
		if err := s.begin(time.Now()); err != nil {
			k.denied.Add(1)
			return nil, err
		}
		defer s.end()
		return h(ctx, r)
	}
}
