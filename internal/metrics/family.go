package metrics

import (
	"context"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ingot-run/ingot/internal/health"
)

// seriesMax bounds the series of one family that somebody adds: what is beyond it is not
// told, so that a label which a caller can choose fills nobody's memory.
const seriesMax = 1000

// Emit tells one value, with the values of its family's labels.
type Emit func(value float64, labels ...string)

// Add adds a family of metrics, ingot_ and a name, whose values are asked for when
// somebody looks; one whose name ends in _total only counts up. Call it before the
// handlers serve. A name that is there already, or is none, panics.
func (r *Registry) Add(name, help string, labels []string, read func(emit Emit)) {
	kind := prometheus.GaugeValue
	if strings.HasSuffix(name, "_total") {
		kind = prometheus.CounterValue
	}
	r.register.MustRegister(&family{desc: desc(name, help, labels...), kind: kind, read: read})
}

// family is what Add adds.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(emit Emit)
}

// Describe implements prometheus.Collector.
func (f *family) Describe(out chan<- *prometheus.Desc) { out <- f.desc }

// Collect implements prometheus.Collector.
func (f *family) Collect(out chan<- prometheus.Metric) {
	told := 0
	f.read(func(value float64, labels ...string) {
		if told++; told > seriesMax {
			return
		}
		for i, text := range labels {
			labels[i] = label(text)
		}
		sink(out).put(f.desc, f.kind, value, labels...)
	})
}

// AddSessions tells of clients by the transport that they use.
func (r *Registry) AddSessions(sessions func() map[string]int) {
	r.Add("sessions", "Clients that are there now: legacy sessions of streamable HTTP, and the connections of the other transports.", []string{"transport"}, func(emit Emit) {
		for transport, n := range sessions() {
			emit(float64(n), transport)
		}
	})
}

// AddHealth tells what checks say: ingot_ready and ingot_health_check.
func (r *Registry) AddHealth(c *health.Checks) {
	r.Add("ready", "1 while /readyz says 200: all checks pass, and the server is not draining.", nil, func(emit Emit) {
		emit(number(c.Report(context.Background()).Ready))
	})
	r.Add("health_check", "1 for a check of /readyz that passes, 0 for one that does not.", []string{"check"}, func(emit Emit) {
		for _, result := range c.Report(context.Background()).Checks {
			emit(number(result.OK), result.Name)
		}
	})
}

// number is 1 for true.
func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
