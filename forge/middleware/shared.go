package middleware

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// Options are what middleware needs beside its configuration.
type Options struct {
	// Logger is where logging writes to; nil discards.
	Logger *slog.Logger
	// Secrets are kept out of what is logged and tracked.
	Secrets config.Secrets
	// Lookup finds the tools of fallbacks, when they are needed. They should have
	// chains of their own.
	Lookup func(name string) (mcp.Handler, bool)
	// DependsOn, when not nil, are the tools that a tool's answers come from beside
	// itself: the steps of a pipeline, the alternatives of a fallback. When one of them
	// is another one in the next configuration, the tool's state does not outlive it.
	DependsOn func(t *config.Tool) []*config.Tool
	// Traced has each middleware begin a span in a call that is traced.
	Traced bool
	// Buckets, when not nil, are where rate limits count what several servers let in
	// together.
	Buckets Buckets
}

// Buckets are token buckets that several servers share. They are safe for concurrent use.
type Buckets interface {
	// Take takes a token off the bucket of key, into which one comes each interval, up
	// to as many as there are intervals in depth; or it says how long it is until there
	// is one. After an error the server counts alone.
	Take(ctx context.Context, key string, interval, depth time.Duration) (wait time.Duration, err error)
}

// Shared is the state of the middleware of all tools under one configuration. It is
// safe for concurrent use.
type Shared struct {
	options Options

	mu     sync.Mutex
	parts  map[partKey]entry
	before map[partKey]entry       // of the configuration before
	prints map[*config.Tool]string // of tools that others depend on
}

// part is the state of one middleware.
type part interface{ state() State }

// partKey is by what a part is known again.
type partKey struct {
	tool  string // empty: the server's
	kind  string
	print string // of the middleware and the tool
	nth   int    // of equal ones in the chain
}

type entry struct {
	part  part
	order int
}

// NewShared makes the state for a configuration. before, unless nil, is that of the
// configuration that it takes the place of.
func NewShared(o Options, before *Shared) *Shared {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Lookup == nil {
		o.Lookup = func(string) (mcp.Handler, bool) { return nil, false }
	}
	s := &Shared{options: o, parts: map[partKey]entry{}, prints: map[*config.Tool]string{}}
	if before != nil {
		before.mu.Lock()
		defer before.mu.Unlock()
		s.before = before.parts
		before.parts = maps.Clone(before.parts) // what is still wrapped there goes into a map of its own
	}
	return s
}

// share returns the part of a middleware: the one of before, or a new one.
func share[P part](w *wrapping, tool, kind string, of any, fresh func() P) P {
	key := partKey{tool: tool, kind: kind, print: printOf(of)}
	if tool != "" {
		key.print += w.toolPrint
	}
	key.nth = w.seen[key]
	w.seen[partKey{tool: tool, kind: kind, print: key.print}]++
	s := w.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.parts[key]
	if !ok {
		e, ok = s.before[key]
	}
	if !ok {
		e.part = fresh()
	}
	e.order = w.order
	w.order++
	s.parts[key] = e
	return e.part.(P)
}

// unlike makes prints that equal no other.
var unlike atomic.Int64

// printOf is a digest of a piece of configuration, without its place in the file.
func printOf(of any) string {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(of); err != nil {
		fmt.Fprint(h, unlike.Add(1)) // not JSON: like nothing else, so no state is taken over
	}
	if t, ok := of.(*config.Tool); ok && t.HTTP != nil && t.HTTP.Auth != nil {
		a := t.HTTP.Auth // which JSON leaves out
		for _, text := range []string{a.Token, a.Password, a.Key} {
			sum := sha256.Sum256([]byte(text))
			h.Write(sum[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// printOf is the print of a tool that several others may depend on.
func (s *Shared) printOf(t *config.Tool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.prints[t] == "" {
		s.prints[t] = printOf(t)
	}
	return s.prints[t]
}

// State is how one middleware of one tool stands.
type State struct {
	// Tool is empty for what all tools share.
	Tool string `json:"tool,omitempty"`
	// Type is that of the middleware; see config.Middleware.
	Type string `json:"type"`
	// Status is closed, open or half_open for a circuit breaker, empty for others.
	Status string `json:"status,omitempty"`
	// Counts are numbers by stable names: those of events since the start, and of
	// what is there now.
	Counts map[string]int64 `json:"counts,omitempty"`
	// Errors are the last ones, the newest first.
	Errors []TrackedError `json:"errors,omitempty"`
}

// ClassOf is the class of what a handler gave, as middleware sees it: empty for a
// success, and for a question to the client.
func ClassOf(result *mcp.CallResult, err error) fault.Class { return classOf(result, err) }

// TrackedError is an error that a tool ended with.
type TrackedError struct {
	Time    time.Time   `json:"time"`
	Class   fault.Class `json:"class"`
	Message string      `json:"message"` // without secrets, and bounded
}

// State lists how each middleware stands that has a state, by tools and in the order
// of their chains.
func (s *Shared) State() []State {
	type row struct {
		State
		order int
	}
	s.mu.Lock()
	rows := make([]row, 0, len(s.parts))
	for key, e := range s.parts {
		state := e.part.state()
		state.Tool, state.Type = key.tool, key.kind
		rows = append(rows, row{state, e.order})
	}
	s.mu.Unlock()
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(strings.Compare(a.Tool, b.Tool), cmp.Compare(a.order, b.order), strings.Compare(a.Type, b.Type))
	})
	states := make([]State, len(rows))
	for i, r := range rows {
		states[i] = r.State
	}
	return states
}
