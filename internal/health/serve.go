package health

import (
	"encoding/json"
	"net/http"
)

// The paths that [Checks.Handlers] serves.
const (
	PathAlive = "/healthz"
	PathReady = "/readyz"
)

// The words for how a server is.
const (
	statusOK          = "ok"
	statusUnavailable = "unavailable"
)

// answer is what is sent. Strangers get the status alone.
type answer struct {
	Status string `json:"status"`
	*Report
}

// Handlers are what is served, by its paths. known says whether who asks may hear which
// check failed and why; nil is everybody.
func (c *Checks) Handlers(known func(*http.Request) bool) map[string]http.Handler {
	return map[string]http.Handler{
		PathAlive: readOnly(func(w http.ResponseWriter, _ *http.Request) { send(w, answer{Status: statusOK}) }),
		PathReady: readOnly(func(w http.ResponseWriter, r *http.Request) {
			report := c.Report(r.Context())
			a := answer{Status: statusUnavailable}
			if report.Ready {
				a.Status = statusOK
			}
			if known == nil || known(r) {
				a.Report = &report
			}
			send(w, a)
		}),
	}
}

// send writes an answer. That it cannot be written is nobody's business any more: who
// asked has gone.
func send(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json")
	if a.Status != statusOK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(a)
}

// readOnly refuses what is no question.
func readOnly(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "This can be read only: use GET.", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next(w, r)
	})
}
