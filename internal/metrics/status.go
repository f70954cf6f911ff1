package metrics

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/internal/sandbox"
)

// errorsShown bounds the tracked errors of a middleware in a Status.
const errorsShown = 10

// Status is all that a Registry and its sources know, as of about now.
type Status struct {
	Server Server `json:"server"`
	// UptimeSeconds is how long it has been counting.
	UptimeSeconds int64 `json:"uptime_seconds"`
	// BucketMillis are the upper ends of the buckets of all tools; the last bucket has
	// none.
	BucketMillis []float64 `json:"bucket_ms"`
	// Tools are in the order of their names.
	Tools []ToolStatus `json:"tools"`
	// Middleware is what all tools share, such as a limit of the whole server.
	Middleware []MiddlewareStatus `json:"middleware,omitempty"`
	State      *StateStatus       `json:"state,omitempty"`
	Modules    []ModuleStatus     `json:"modules,omitempty"`
}

// ToolStatus is one tool.
type ToolStatus struct {
	Name     string            `json:"name"`
	Kind     string            `json:"kind"`
	Calls    uint64            `json:"calls"` // that ended
	InFlight uint64            `json:"in_flight"`
	Errors   map[string]uint64 `json:"errors,omitempty"` // by class
	// MeanMillis is how long a call took; P50Millis and P99Millis are the upper ends
	// of the buckets in which half, and 99 of 100, of the calls end.
	MeanMillis float64 `json:"mean_ms"`
	P50Millis  float64 `json:"p50_ms"`
	P99Millis  float64 `json:"p99_ms"`
	// Buckets are how many calls took how long, not added up; none without a call. What
	// happened between two looks is the difference.
	Buckets []uint64 `json:"buckets,omitempty"`
	// Module is what the WebAssembly module is called that the tool is of, and
	// Capabilities what it may have.
	Module       string             `json:"module,omitempty"`
	Capabilities *Capabilities      `json:"capabilities,omitempty"`
	Middleware   []MiddlewareStatus `json:"middleware,omitempty"` // outermost first
}

// MiddlewareStatus is a middleware that has something to tell.
type MiddlewareStatus struct {
	Type   string           `json:"type"`
	Status string           `json:"status,omitempty"` // of a circuit breaker: closed, open or half_open
	Counts map[string]int64 `json:"counts,omitempty"`
	// Errors are the last of those that are tracked, the newest first, without their
	// texts; Tracked is how many are kept.
	Errors  []ErrorStatus `json:"errors,omitempty"`
	Tracked int           `json:"tracked,omitempty"`
}

// ErrorStatus is a failure of a tool.
type ErrorStatus struct {
	Time  time.Time `json:"time"`
	Class string    `json:"class"`
}

// StateStatus is the state.
type StateStatus struct {
	Backend  string `json:"backend"`
	Keys     int64  `json:"keys"`
	Bytes    int64  `json:"bytes"`
	BytesMax int64  `json:"bytes_max,omitempty"` // 0: no budget
	Watchers int    `json:"watchers"`
}

// ModuleStatus is a WebAssembly module.
type ModuleStatus struct {
	Name      string            `json:"name"`
	Calls     uint64            `json:"calls"`
	Errors    map[string]uint64 `json:"errors,omitempty"`
	Refusals  map[string]uint64 `json:"refusals,omitempty"` // by capability
	Fuel      uint64            `json:"fuel"`
	Running   int               `json:"running"`
	Queued    int               `json:"queued"`
	Instances int               `json:"instances"`
	Idle      int               `json:"idle"` // of the instances
	Discarded uint64            `json:"discarded"`
}

// Status reads everything.
func (r *Registry) Status(ctx context.Context) Status {
	s := Status{UptimeSeconds: int64(time.Since(r.started).Seconds()), Tools: []ToolStatus{}, BucketMillis: make([]float64, len(bounds))}
	for i, bound := range bounds {
		s.BucketMillis[i] = millis(bound)
	}
	if f := r.sources.Server; f != nil {
		s.Server = f()
	}
	chains := map[string][]MiddlewareStatus{}
	if f := r.sources.Middleware; f != nil {
		for _, one := range f() {
			chains[one.Tool] = append(chains[one.Tool], middlewareStatus(one))
		}
	}
	s.Middleware = chains[""]
	guests := map[string]Guest{}
	if f := r.sources.Guests; f != nil {
		guests = f()
	}
	for _, t := range r.all() {
		told := t.status(chains[t.name])
		if guest, ok := guests[t.name]; ok {
			told.Module, told.Capabilities = guest.Module, capabilities(guest.Policy)
		}
		s.Tools = append(s.Tools, told)
	}
	if f := r.sources.State; f != nil {
		ctx, cancel := context.WithTimeout(ctx, stateTimeout)
		defer cancel()
		if stats, err := f(ctx); err == nil {
			s.State = &StateStatus{stats.Backend, stats.Keys, stats.Bytes, stats.BytesMax, stats.Watchers}
		} else {
			r.logger.Warn("the state says nothing of itself", "error", err)
		}
	}
	if f := r.sources.Modules; f != nil {
		s.Modules = moduleStatus(f())
	}
	return s
}

func (t *Tool) status(chain []MiddlewareStatus) ToolStatus {
	read := t.read()
	s := ToolStatus{
		Name: t.name, Kind: t.kind, Calls: read.calls, InFlight: read.running, Errors: read.errors, Middleware: chain,
		P50Millis: millis(read.quantile(0.5)), P99Millis: millis(read.quantile(0.99)),
	}
	if read.calls > 0 {
		s.MeanMillis = read.seconds / float64(read.calls) * 1000
		s.Buckets = read.buckets[:]
	}
	return s
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func middlewareStatus(one middleware.State) MiddlewareStatus {
	m := MiddlewareStatus{Type: one.Type, Status: one.Status, Counts: one.Counts, Tracked: len(one.Errors)}
	for _, e := range one.Errors[:min(len(one.Errors), errorsShown)] {
		m.Errors = append(m.Errors, ErrorStatus{e.Time, string(e.Class)})
	}
	return m
}

func moduleStatus(stats map[string]sandbox.Stats) (all []ModuleStatus) {
	for _, name := range slices.Sorted(maps.Keys(stats)) {
		m := stats[name]
		all = append(all, ModuleStatus{
			Name: name, Calls: m.Calls, Errors: m.Errors, Refusals: m.Refusals, Fuel: m.Fuel, Running: m.Running, Queued: m.Queued,
			Instances: m.InstancesBusy + m.InstancesIdle, Idle: m.InstancesIdle, Discarded: m.Discarded,
		})
	}
	return all
}

// Handlers are what a server serves of the registry, by its paths.
func (r *Registry) Handlers() map[string]http.Handler {
	return map[string]http.Handler{"/metrics": r.Metrics(), "/status": r.StatusHandler()}
}

// StatusHandler answers with the Status as JSON.
func (r *Registry) StatusHandler() http.Handler {
	return readOnly(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(r.Status(q.Context())); err != nil {
			r.logger.Debug("answering with the status", "error", err) // the client went away
		}
	}))
}
