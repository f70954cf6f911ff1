package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/sandbox"
)

// Bounds of a look at the metrics.
const (
	scrapesMax   = 4 // at once; more get 503
	stateTimeout = 2 * time.Second
)

// Metrics answers in the text format of Prometheus.
func (r *Registry) Metrics() http.Handler {
	return readOnly(promhttp.HandlerFor(r.register, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{r.logger}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapesMax,
	}))
}

// readOnly refuses what is no question.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "This can be read only: use GET.", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// scrapeLog is where promhttp writes what goes wrong.
type scrapeLog struct{ logger *slog.Logger }

// Println implements promhttp.Logger.
func (l scrapeLog) Println(v ...any) {
	l.logger.Warn("collecting the metrics", "error", fmt.Sprint(v...))
}

func newRegister(r *Registry) *prometheus.Registry {
	g := prometheus.NewRegistry()
	g.MustRegister(collector{r}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return g
}

// collector makes the metrics out of counts when they are asked for. The library's own
// counters would cost each call more: they look labels up, or lock.
type collector struct{ r *Registry }

var _ prometheus.Collector = collector{}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ingot_"+name, help, labels, nil)
}

var (
	descInfo    = desc("server_info", "Who is being measured; always 1.", "name", "version")
	descCalls   = desc("tool_calls_total", "Calls of a tool that ended.", "tool", "kind")
	descErrors  = desc("tool_errors_total", "Calls of a tool that failed, by the class of the failure.", "tool", "class")
	descRunning = desc("tool_calls_in_flight", "Calls of a tool that run.", "tool")
	descSeconds = desc("tool_duration_seconds", "How long the calls of a tool took, with all that stands around it.", "tool")

	descBreaker = desc("circuit_breaker_state", "1 for the state that a circuit breaker is in.", "tool", "position", "state")
	descEvents  = desc("middleware_events_total", "What a middleware did, by the name of the event.", "tool", "type", "position", "event")
	descLevels  = desc("middleware_level", "How much a middleware holds now.", "tool", "type", "position", "of")

	descKeys     = desc("state_keys", "Entries of the state, those that are over and not yet removed included.", "backend")
	descBytes    = desc("state_bytes", "Bytes charged for the entries of the state.", "backend")
	descBytesMax = desc("state_bytes_max", "The budget of the state; 0 is none.", "backend")
	descWatchers = desc("state_watchers", "Watchers of the state.", "backend")

	descModuleCalls     = desc("module_calls_total", "Calls of a WebAssembly module that ended.", "module")
	descModuleErrors    = desc("module_errors_total", "Calls of a module that failed.", "module", "error")
	descModuleRefusals  = desc("module_refusals_total", "What a module asked for and was refused, by capability.", "module", "capability")
	descModuleFuel      = desc("module_fuel_total", "The fuel that a module burnt.", "module")
	descModuleWaits     = desc("module_waits_total", "Calls that waited for their turn.", "module")
	descModuleSeconds   = desc("module_wait_seconds_total", "How long calls waited for their turn.", "module")
	descModuleRunning   = desc("module_calls", "Calls of a module, by what they do now: run or wait.", "module", "state")
	descModuleInstances = desc("module_instances", "Instances of a module, by what they do now.", "module", "state")
	descModuleLives     = desc("module_instance_events_total", "What became of instances.", "module", "event")

	descriptions = []*prometheus.Desc{
		descInfo, descCalls, descErrors, descRunning, descSeconds, descBreaker, descEvents, descLevels, descKeys, descBytes, descBytesMax, descWatchers,
		descModuleCalls, descModuleErrors, descModuleRefusals, descModuleFuel, descModuleWaits, descModuleSeconds, descModuleRunning, descModuleInstances, descModuleLives,
	}
)

// levels are the counts of middleware.State that also go down.
var levels = map[string]bool{"running": true, "waiting": true, "clients": true, "entries": true, "bytes": true, "failures": true, "open_ms": true}

// breakerStates are the values of middleware.State.Status.
var breakerStates = []string{"closed", "half_open", "open"}

// Describe implements prometheus.Collector.
func (collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range slices.Concat(descriptions, engineDescriptions) {
		out <- d
	}
}

// sink takes metrics; one that cannot be made is told of, and the others go on.
type sink chan<- prometheus.Metric

func (s sink) put(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
	m, err := prometheus.NewConstMetric(d, kind, v, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	s <- m
}

func (s sink) count(d *prometheus.Desc, v uint64, labels ...string) {
	s.put(d, prometheus.CounterValue, float64(v), labels...)
}

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.put(d, prometheus.GaugeValue, v, labels...)
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s, from := sink(out), c.r.sources
	if from.Server != nil {
		who := from.Server()
		s.gauge(descInfo, 1, label(who.Name), label(who.Version))
	}
	s.build(command.Version())
	for _, t := range c.r.all() {
		s.tool(t)
	}
	if from.Middleware != nil {
		s.middleware(from.Middleware())
	}
	if from.Modules != nil {
		for name, stats := range from.Modules() {
			s.module(label(name), stats)
		}
	}
	if from.Denied != nil {
		if n, ok := from.Denied(); ok {
			s.count(descDenied, uint64(n))
		}
	}
	if from.Engine != nil {
		if e, ok := from.Engine(); ok {
			s.engine(e)
		}
	}
	if from.State == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	stats, err := from.State(ctx)
	s.gauge(descStateUp, number(err == nil))
	if err != nil {
		c.r.logger.Warn("the state says nothing of itself", "error", err)
		return
	}
	s.gauge(descKeys, float64(stats.Keys), stats.Backend)
	s.gauge(descBytes, float64(stats.Bytes), stats.Backend)
	s.gauge(descBytesMax, float64(stats.BytesMax), stats.Backend)
	s.gauge(descWatchers, float64(stats.Watchers), stats.Backend)
}

// label makes a text a label's value: the format has UTF-8 only.
func label(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return strconv.QuoteToASCII(text)
}

func (s sink) tool(t *Tool) {
	read, name := t.read(), label(t.name)
	s.count(descCalls, read.calls, name, t.kind)
	s.gauge(descRunning, float64(read.running), name)
	for class, n := range read.errors {
		s.count(descErrors, n, name, class)
	}
	if read.calls == 0 {
		return // a thousand tools that nobody calls are not to fill each scrape
	}
	buckets, sum := make(map[float64]uint64, len(bounds)), uint64(0)
	for i, bound := range bounds {
		sum += read.buckets[i]
		buckets[bound.Seconds()] = sum
	}
	m, err := prometheus.NewConstHistogram(descSeconds, read.calls, read.seconds, buckets, name)
	if err != nil {
		m = prometheus.NewInvalidMetric(descSeconds, err)
	}
	s <- m
}

// middleware tells of each by its position among those of its tool that have a state:
// a chain may have the same twice.
func (s sink) middleware(states []middleware.State) {
	position, before := 0, ""
	for i, state := range states {
		if i > 0 && state.Tool == before {
			position++
		} else {
			position, before = 0, state.Tool
		}
		tool, at := label(state.Tool), strconv.Itoa(position)
		if state.Status != "" {
			for _, status := range breakerStates {
				is := 0.0
				if status == state.Status {
					is = 1
				}
				s.gauge(descBreaker, is, tool, at, status)
			}
		}
		for name, n := range state.Counts {
			if levels[name] {
				s.gauge(descLevels, float64(n), tool, state.Type, at, name)
			} else {
				s.count(descEvents, uint64(n), tool, state.Type, at, name)
			}
		}
	}
}

func (s sink) module(name string, m sandbox.Stats) {
	s.count(descModuleCalls, m.Calls, name)
	for class, n := range m.Errors {
		s.count(descModuleErrors, n, name, class)
	}
	for capability, n := range m.Refusals {
		s.count(descModuleRefusals, n, name, capability)
	}
	s.count(descModuleFuel, m.Fuel, name)
	s.count(descModuleWaits, m.Waits, name)
	s.put(descModuleSeconds, prometheus.CounterValue, m.WaitTime.Seconds(), name)
	s.gauge(descModuleRunning, float64(m.Running), name, "run")
	s.gauge(descModuleRunning, float64(m.Queued), name, "wait")
	s.gauge(descModuleInstances, float64(m.InstancesBusy), name, "busy")
	s.gauge(descModuleInstances, float64(m.InstancesIdle-m.InstancesResting), name, "idle")
	s.gauge(descModuleInstances, float64(m.InstancesResting), name, "resting")
	s.count(descModuleLives, m.Started, name, "started")
	s.count(descModuleLives, m.Reset, name, "reset")
	s.count(descModuleLives, m.Discarded, name, "discarded")
	s.count(descModuleLives, m.Evicted, name, "evicted")
}
