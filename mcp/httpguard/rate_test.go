package httpguard_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ingot-run/ingot/mcp/httpguard"
)

// oneEach lets in one request of each client, or knows nothing.
type oneEach struct {
	seen     map[string]bool
	interval time.Duration
	depth    time.Duration
	broken   error
}

func (o *oneEach) Take(_ context.Context, key string, interval, depth time.Duration) (time.Duration, error) {
	if o.broken != nil {
		return 0, o.broken
	}
	o.interval, o.depth = interval, depth
	if o.seen[key] {
		return 1500 * time.Millisecond, nil
	}
	o.seen[key] = true
	return 0, nil
}

// Two servers that share their buckets know of each other's clients; one that gets no
// answer counts alone.
func TestRateOfSeveralServers(t *testing.T) {
	shared := &oneEach{seen: map[string]bool{}}
	rate := httpguard.Rate{PerSecond: 0.002, Burst: 3, Shared: shared}
	a, b := httpguard.LimitRate(whoami, rate), httpguard.LimitRate(whoami, rate)
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	r.RemoteAddr = "192.0.2.1:1"
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, 500*time.Second, shared.interval)
	assert.Equal(t, 1500*time.Second, shared.depth)
	w = httptest.NewRecorder()
	b.ServeHTTP(w, r)
	assert.Equal(t, 429, w.Code)
	assert.Equal(t, "2", w.Header().Get("Retry-After"))
	assert.Equal(t, map[string]bool{"192.0.2.1": true}, shared.seen)

	shared.broken = errors.New("no way to the store")
	codes := map[int]int{}
	for range 5 {
		w = httptest.NewRecorder()
		b.ServeHTTP(w, r)
		codes[w.Code]++
	}
	assert.Equal(t, map[int]int{200: 3, 429: 2}, codes)
}
