package metrics

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Requests counts what is served over HTTP, by the paths that there are. The zero value
// has none.
type Requests struct {
	mu     sync.Mutex
	routes []*route
}

// AddRequests makes Requests whose counts are told.
func (r *Registry) AddRequests() *Requests {
	q := new(Requests)
	labels := []string{"path"}
	r.Add("http_requests_total", "Requests over HTTP that were answered, by the path, the method and the status.", []string{"path", "method", "code"}, q.answered)
	r.Add("http_requests_in_flight", "Requests over HTTP that are being answered, streams included.", labels, func(emit Emit) {
		q.each(func(t *route) { emit(float64(t.running.Load()), t.path) })
	})
	r.Add("http_streams", "Streams of events and WebSockets that are open.", labels, func(emit Emit) {
		q.each(func(t *route) { emit(float64(t.streams.Load()), t.path) })
	})
	return q
}

// Bounds of the labels: what a client makes up is one more value, and no more.
var (
	methods = [...]string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodHead, "other"}
	codeMin = 100
)

// route is the counts of one path.
type route struct {
	path             string
	running, streams atomic.Int64
	counts           [len(methods)][500]atomic.Uint64 // by method and status, from codeMin on
}

// Count counts what h answers under the name of a path. Names are the server's own, never
// what a client asks for.
func (q *Requests) Count(path string, h http.Handler) http.Handler {
	t := &route{path: path}
	q.mu.Lock()
	q.routes = append(q.routes, t)
	q.mu.Unlock()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.running.Add(1)
		seen := &seen{ResponseWriter: w, route: t}
		defer func() { // a handler may end by a panic
			t.running.Add(-1)
			if seen.streams {
				t.streams.Add(-1)
			}
			if seen.code == 0 {
				seen.code = http.StatusOK
			}
			t.counts[methodIndex(r.Method)][min(max(seen.code-codeMin, 0), len(t.counts[0])-1)].Add(1)
		}()
		h.ServeHTTP(seen, r)
	})
}

func methodIndex(method string) int {
	for i, known := range methods {
		if method == known {
			return i
		}
	}
	return len(methods) - 1
}

// seen is an answer whose status is noted.
type seen struct {
	http.ResponseWriter
	route   *route
	code    int
	streams bool
}

// Unwrap is for http.ResponseController.
func (s *seen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (s *seen) WriteHeader(code int) {
	if s.code == 0 && (code >= 200 || code == http.StatusSwitchingProtocols) {
		s.code = code
		if code == http.StatusSwitchingProtocols || strings.HasPrefix(s.Header().Get("Content-Type"), "text/event-stream") {
			s.streams = true
			s.route.streams.Add(1) // partner: the end of Count
		}
	}
	s.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (s *seen) Write(p []byte) (int, error) {
	if s.code == 0 {
		s.WriteHeader(http.StatusOK)
	}
	return s.ResponseWriter.Write(p)
}

func (q *Requests) each(f func(*route)) {
	q.mu.Lock()
	routes := q.routes
	q.mu.Unlock()
	for _, t := range routes {
		f(t)
	}
}

func (q *Requests) answered(emit Emit) {
	q.each(func(t *route) {
		for m := range t.counts {
			for c := range t.counts[m] {
				if n := t.counts[m][c].Load(); n > 0 {
					emit(float64(n), t.path, methods[m], strconv.Itoa(c+codeMin))
				}
			}
		}
	})
}
