package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// load is writers that go on until they are stopped: each writes keys of its own, one
// after the other, and never one twice.
type load struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	phase  string
	acked  map[string]string // key to value
	counts map[string]*count // by phase
	since  []int             // acknowledged writes of each writer in a row in this phase
}

// count is what became of the writes that were begun and ended in one phase.
type count struct {
	acked, failed int
	first         error
}

const writers = 8

func run(t *testing.T, origin string) *load {
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop, acked: map[string]string{}, counts: map[string]*count{}, since: make([]int, writers)}
	l.enter("before")
	for w := range writers {
		l.running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key, value := fmt.Sprintf("load/%d/%d", w, i), fmt.Sprintf("%d of %d", i, w)
				phase := l.now()
				_, err := call(ctx, origin, "state_set", fmt.Sprintf(`{"key":%q,"value":%q}`, key, value))
				if ctx.Err() == nil {
					l.note(w, phase, key, value, err)
				}
			}
		})
	}
	return l
}

func (l *load) now() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase
}

// enter begins a phase.
func (l *load) enter(phase string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = phase
	l.counts[phase] = &count{}
	clear(l.since)
}

// note counts a write that was begun in a phase. One that saw a fault counts for it,
// whether the fault began or ended meanwhile.
func (l *load) note(writer int, begun, key, value string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts[begun]
	if isFault(l.phase) {
		c = l.counts[l.phase]
	}
	if err != nil {
		c.failed++
		if c.first == nil {
			c.first = err
		}
		l.since[writer] = 0
		return
	}
	c.acked++
	l.acked[key] = value
	if begun == l.phase {
		l.since[writer]++
	}
}

func isFault(phase string) bool { return strings.HasSuffix(phase, "fault") }

// await waits until each writer had so many writes acknowledged in a row that it began
// in this phase.
func (l *load) await(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(2 * patience); ; time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		least, phase, since := slices.Min(l.since), l.phase, slices.Clone(l.since)
		l.mu.Unlock()
		if least >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: some writer gets no answers: %v", phase, since)
		}
	}
}

// settle waits until nothing has failed for a second, which is twice the longest that a
// server stays away from one that failed it.
func (l *load) settle(t *testing.T) {
	t.Helper()
	failures := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		clear(l.since)
		return l.counts[l.phase].failed
	}
	for end, before := time.Now().Add(2*patience), -1; ; {
		now := failures()
		if now == before {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("writes go on to fail: %d so far", now)
		}
		before = now
		time.Sleep(time.Second)
		l.await(t, 5)
	}
}

// A master of redis and a server are killed under load: no write that was acknowledged is
// lost, errors come between a fault and its end only, who listened still hears, and a task
// of the server that was killed has failed.
func (d *deployment) testFaults(t *testing.T) {
	streams := map[string]*stream{} // of keys in different parts of the cluster
	for _, key := range []string{"told/a", "told/b", "told/c", "told/d"} {
		streams[key] = listen(t, d.processes[1], key)
	}
	l := run(t, d.balancer.URL)
	defer func() { l.stop(); l.running.Wait() }()
	l.await(t, 20)

	// A master is killed; its replica takes its place. It comes back as a replica of
	// that one, without which no write there has two homes.
	l.enter("redis fault")
	killed := d.nodes.Masters()[0]
	killed.Kill()
	until(t, "3 masters", func() string { return fmt.Sprintf("%d masters", len(d.nodes.Masters())) })
	killed.Restart()
	d.nodes.AwaitHealthy()
	l.settle(t)
	l.enter("redis mended")
	l.await(t, 20)
	for key, s := range streams { // who listened before the fault still hears
		must(t, d.processes[0].origin, "state_set", fmt.Sprintf(`{"key":%q,"value":"x"}`, key))
		s.hear(t, `"uri":"state:///`+key+`"`)
	}

	task := begin(t, d.processes[2], "never written")
	l.enter("server fault")
	d.processes[2].kill()
	l.settle(t)
	l.enter("server gone")
	l.await(t, 20)
	until(t, `"status":"failed"`, func() string { return about(t, d.processes[0], "tasks/get", task) })
	l.stop()
	l.running.Wait()

	for _, phase := range []string{"before", "redis fault", "redis mended", "server fault", "server gone"} {
		c := l.counts[phase]
		t.Logf("%-12s %5d writes acknowledged, %3d failed", phase, c.acked, c.failed)
		if c.failed > 0 && !isFault(phase) {
			t.Errorf("%s: %d writes failed, the first one with %v", phase, c.failed, c.first)
		}
	}
	lost := 0
	for _, key := range slices.Sorted(maps.Keys(l.acked)) {
		got := must(t, d.balancer.URL, "state_get", fmt.Sprintf(`{"key":%q}`, key))
		if got["value"] != l.acked[key] {
			if lost++; lost <= 5 {
				t.Errorf("%s was acknowledged, and is %v", key, got)
			}
		}
	}
	t.Logf("acknowledged writes: %d, of them not there: %d", len(l.acked), lost)
	if lost > 0 {
		t.Errorf("%d acknowledged writes are lost", lost)
	}
}
