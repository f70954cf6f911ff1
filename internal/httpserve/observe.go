package httpserve

import (
	"github.com/ingot-run/ingot/internal/metrics"
	"github.com/ingot-run/ingot/internal/telemetry"
)

// Traced has a tracer told where requests say that they come from. Call it before Serve.
func (d *Door) Traced(t *telemetry.Tracer) { d.tracer = t }

// Observe serves what a registry tells ([Door.Tell]), and has it tell of the door: the
// requests, the clients, and what /readyz says. Call it once, before Serve.
func (d *Door) Observe(r *metrics.Registry) {
	if d.flags.MetricsDisabled {
		return
	}
	r.AddHealth(d.Checks)
	r.AddSessions(d.Sessions)
	d.Around = r.AddRequests().Count
	d.Tell(r.Handlers())
}
