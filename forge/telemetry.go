package forge

import (
	"cmp"
	"log/slog"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/metrics"
	"github.com/ingot-run/ingot/internal/telemetry"
)

// Tracer is what traces the project's calls; nil: nothing does.
func (p *Project) Tracer() *telemetry.Tracer { return p.tracer }

// openTelemetry makes the tracer that the file or the environment asks for. Its spans are
// counted.
func (p *Project) openTelemetry(c *config.Config) (err error) {
	t := &c.Telemetry
	p.tracer, err = TracerOf(telemetry.Options{
		Endpoint: t.Endpoint, Headers: t.Headers, SampleRatio: t.SampleRatio, Baggage: t.Baggage,
		ServiceName: t.ServiceName, ServiceVersion: c.Forge.Version,
	}, c.Forge.Name, p.options.Logger)
	if err == nil {
		p.tracer.Redact(c.Secrets.Redact)
	}
	CountSpans(p.metrics, p.tracer)
	return err
}

// TracerOf makes the tracer of some options and of the environment; nil where neither
// names a collector. name is whose spans they are where neither says. What goes wrong
// later is logged.
func TracerOf(o telemetry.Options, name string, logger *slog.Logger) (*telemetry.Tracer, error) {
	o.ServiceVersion = cmp.Or(o.ServiceVersion, command.Version())
	o.Problem = func(text string) {
		logger.Warn("traces were not sent; calls go on, and their spans are dropped", "error", text)
	}
	o, err := telemetry.FromEnvironment(o)
	if err != nil {
		return nil, err
	}
	o.ServiceName = cmp.Or(o.ServiceName, name)
	return telemetry.Open(o)
}

// CountSpans has metrics tell what became of a tracer's spans, if there is one.
func CountSpans(r *metrics.Registry, t *telemetry.Tracer) {
	if t == nil {
		return
	}
	r.Add("trace_spans_total", "Spans that ended, by what became of them: sent, dropped because the queue was full, or failed to be sent.", []string{"result"}, func(emit metrics.Emit) {
		counts := t.Counts()
		emit(float64(counts.Sent), "sent")
		emit(float64(counts.Dropped), "dropped")
		emit(float64(counts.Failed), "failed")
	})
	r.Add("trace_spans_waiting", "Spans that wait to be sent.", nil, func(emit metrics.Emit) { emit(float64(t.Counts().Waiting)) })
}
