package httpserve

import "github.com/ingot-run/ingot/internal/metrics"

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
