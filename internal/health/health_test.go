package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/health"
)

// told is an answer of a handler.
type told struct {
	Status   string
	Draining bool
	Checks   []health.Result
}

// ask asks a handler for a path.
func ask(t *testing.T, handlers map[string]http.Handler, method, path string) (int, told) {
	t.Helper()
	w := httptest.NewRecorder()
	handlers[path].ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	var a told
	if w.Code != http.StatusMethodNotAllowed {
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a), w.Body)
	}
	return w.Code, a
}

func TestReady(t *testing.T) {
	c := health.Checks{Timeout: patience}
	all, none := c.Handlers(nil), c.Handlers(func(*http.Request) bool { return false })
	code, a := ask(t, all, "GET", health.PathReady)
	require.Equal(t, 200, code, "nothing to check")
	require.Equal(t, told{Status: "ok", Checks: []health.Result{}}, a)

	var broken atomic.Bool
	c.Add("state", func(context.Context) error { return nil })
	c.Add("redis", func(context.Context) error {
		if broken.Load() {
			return errors.New("gone")
		}
		return nil
	})
	code, a = ask(t, all, "GET", health.PathReady)
	require.Equal(t, 200, code, "a new check is run at once")
	require.Len(t, a.Checks, 2)
	broken.Store(true)
	require.Eventually(t, func() bool { code, a = ask(t, all, "GET", health.PathReady); return code == 503 }, patience, tick)
	require.Equal(t, "unavailable", a.Status)
	require.True(t, a.Checks[0].OK)
	require.Equal(t, []any{"redis", false, "gone"}, []any{a.Checks[1].Name, a.Checks[1].OK, a.Checks[1].Error})
	code, a = ask(t, none, "GET", health.PathReady)
	require.Equal(t, 503, code)
	require.Equal(t, told{Status: "unavailable"}, a, "strangers hear no more")
	code, a = ask(t, all, "GET", health.PathAlive)
	require.Equal(t, 200, code, "it lives")
	require.Equal(t, told{Status: "ok"}, a)

	c.Add("redis", func(context.Context) error { return nil })
	code, _ = ask(t, none, "HEAD", health.PathAlive)
	require.Equal(t, 200, code)
	code, a = ask(t, all, "GET", health.PathReady)
	require.Equal(t, 200, code, "%+v", a)
	c.Drain()
	code, a = ask(t, all, "GET", health.PathReady)
	require.Equal(t, 503, code, "draining is told at once")
	require.True(t, a.Draining)
	require.True(t, a.Checks[1].OK)
	for path := range all {
		code, _ = ask(t, all, "POST", path)
		require.Equal(t, 405, code)
	}
}

// Checks run side by side; one that hangs is said to, and is not called a second time
// while it hangs; one that panics has failed.
func TestHangingCheck(t *testing.T) {
	c := health.Checks{Timeout: patience}
	var calls atomic.Int64
	meet, free := make(chan struct{}), make(chan struct{})
	c.Add("one", func(context.Context) error { meet <- struct{}{}; return nil })
	c.Add("other", func(context.Context) error { <-meet; return nil })
	c.Add("panics", func(context.Context) error { panic("secret") })
	report := c.Report(t.Context())
	require.True(t, report.Checks[0].OK && report.Checks[1].OK, "%+v", report)
	require.Equal(t, "the check panicked", report.Checks[2].Error)

	hangs := health.Checks{Timeout: tick}
	hangs.Add("hangs", func(context.Context) error { calls.Add(1); <-free; return nil })
	report = hangs.Report(t.Context())
	require.False(t, report.Ready)
	require.Equal(t, "no answer in 20ms", report.Checks[0].Error)
	require.Eventually(t, func() bool {
		return hangs.Report(t.Context()).Checks[0].Error == "it has not answered since it was asked before"
	}, patience, tick)
	require.EqualValues(t, 1, calls.Load())
	close(free)
	require.Eventually(t, func() bool { return hangs.Report(t.Context()).Ready }, patience, tick)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var slow health.Checks
	gate := make(chan struct{})
	defer close(gate)
	slow.Add("slow", func(context.Context) error { <-gate; return nil })
	require.False(t, slow.Report(ctx).Ready, "who asked has gone")
}

func TestDisk(t *testing.T) {
	folder := t.TempDir()
	free, known, err := health.DiskFree(folder)
	require.NoError(t, err)
	if known {
		require.Equal(t, free >= 64<<20, health.Disk(folder)(t.Context()) == nil)
		require.Error(t, health.Disk(folder+"/gone")(t.Context()))
	}
}
