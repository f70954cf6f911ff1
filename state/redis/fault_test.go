package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ingot-run/ingot/internal/redistest"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/redis"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait for a condition.
const patience = 2 * time.Minute

// until waits until a condition holds.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

// load is writers that each set keys of their own, one after another, and count up a
// counter, and know which of it was acknowledged.
type load struct {
	m      *redis.Manager
	stop   atomic.Bool
	done   sync.WaitGroup
	acked  atomic.Int64
	failed atomic.Int64 // writes that returned an error
	last   []atomic.Int64

	mu      sync.Mutex
	wrong   []error           // errors of no kind that a fault explains
	written map[string]string // what was acknowledged
	unsure  map[string]int64  // increments of a counter that may have been done
	sums    map[string]int64  // the last sum that was acknowledged
}

func startLoad(m *redis.Manager, writers int) *load {
	l := &load{
		m: m, written: map[string]string{}, unsure: map[string]int64{}, sums: map[string]int64{}, last: make([]atomic.Int64, writers),
	}
	for w := range writers {
		l.done.Go(func() { l.write(w) })
	}
	return l
}

func (l *load) write(writer int) {
	counter := fmt.Sprintf("counter/%d", writer)
	for step := 0; !l.stop.Load(); step++ {
		key, value := fmt.Sprintf("w%d/%d", writer, step), fmt.Sprintf("value %d of %d", step, writer)
		_, err := l.m.Set(background, key, []byte(value), state.SetOptions{})
		l.note(writer, err, func() { l.written[key] = value }, nil)
		sum, _, err := l.m.Increment(background, counter, state.IncrementOptions{Delta: 1})
		l.note(writer, err, func() { l.sums[counter] = sum }, func() { l.unsure[counter]++ })
	}
}

// note counts what became of a write.
func (l *load) note(writer int, err error, acked, unsure func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		acked()
		l.acked.Add(1)
		l.last[writer].Add(1)
		return
	}
	l.failed.Add(1)
	time.Sleep(time.Millisecond) // who fails at once and goes on at once takes the servers' time
	if errors.Is(err, state.ErrUncertain) && unsure != nil {
		unsure()
	}
	if !errors.Is(err, state.ErrUncertain) && !errors.Is(err, state.ErrUnavailable) {
		l.wrong = append(l.wrong, err)
	}
}

// progress waits until every writer has had n more writes acknowledged.
func (l *load) progress(t testing.TB, n int64) {
	t.Helper()
	before := make([]int64, len(l.last))
	for i := range l.last {
		before[i] = l.last[i].Load()
	}
	until(t, "every writer gets on", func() bool {
		for i := range l.last {
			if l.last[i].Load() < before[i]+n {
				return false
			}
		}
		return true
	})
}

// check ends the load and compares the store with what was acknowledged.
func (l *load) check(t *testing.T) {
	t.Helper()
	l.stop.Store(true)
	l.done.Wait()
	require.Empty(t, l.wrong)
	lost := 0
	for key, value := range l.written {
		e, err := l.m.Get(background, key)
		if err != nil || string(e.Value) != value {
			lost++
			t.Errorf("%s: %q, %v, not %q", key, e.Value, err, value)
		}
	}
	for counter, sum := range l.sums {
		e, err := l.m.Get(background, counter)
		require.NoError(t, err)
		var now int64
		_, err = fmt.Sscan(string(e.Value), &now)
		require.NoError(t, err)
		require.GreaterOrEqual(t, now, sum, "%s: an increment is lost", counter)
		require.LessOrEqual(t, now, sum+l.unsure[counter], "%s: an increment was done twice", counter)
	}
	t.Logf("%d writes acknowledged, %d failed meanwhile, %d lost", l.acked.Load(), l.failed.Load(), lost)
}

// A server that writes every change to its disk before it answers loses nothing that
// it acknowledged, and comes back by itself for those who use it.
func TestKillSingle(t *testing.T) {
	server := redistest.Single(t)
	m := opened(t, redis.Options{URL: server.URL(), Timeout: 2 * time.Second})
	l := startLoad(m, 4)
	for range 2 {
		l.progress(t, 20)
		failed := l.failed.Load()
		server.Kill()
		until(t, "a write fails", func() bool { return l.failed.Load() > failed })
		require.ErrorIs(t, m.Health(background), state.ErrUnavailable)
		server.Restart()
	}
	l.progress(t, 20)
	until(t, "it is healthy", func() bool { return m.Health(background) == nil })
	l.check(t)
}

// A node of a cluster is killed and its replica takes its place: what was acknowledged
// with WAIT is there, and writers get on when the node is back as a replica.
func TestFailover(t *testing.T) {
	nodes := redistest.Cluster(t, 3, 1)
	m := opened(t, redis.Options{URL: nodes.URL(), WaitReplicas: 1, Timeout: 3 * time.Second})
	l := startLoad(m, 6)
	l.progress(t, 20)
	victim := nodes.Servers[0]
	begun := time.Now()
	victim.Kill()
	until(t, "a replica was promoted", func() bool { return len(nodes.Masters()) == 3 })
	promoted := time.Since(begun)
	victim.Restart()
	nodes.AwaitHealthy()
	until(t, "every part is served", func() bool { return m.Health(background) == nil })
	until(t, "no write fails any more", func() bool {
		failed := l.failed.Load()
		l.progress(t, 50)
		return failed == l.failed.Load()
	})
	l.check(t)
	t.Logf("promoted after %v", promoted.Round(time.Millisecond))
}

// A master that a Sentinel names is killed: the replica takes its place, and writers
// get on there.
func TestSentinel(t *testing.T) {
	watched := redistest.Sentinel(t)
	url := "redis+sentinel://" + watched.Sentinel.Address + "/mymaster"
	m := opened(t, redis.Options{URL: url, WaitReplicas: 1, Timeout: 3 * time.Second})
	l := startLoad(m, 3)
	l.progress(t, 20)
	watched.Master.Kill()
	until(t, "the replica was promoted", func() bool {
		role, _ := watched.Replica.Do("INFO", "replication") // the Sentinel ends connections now and then
		return strings.Contains(fmt.Sprint(role), "role:master")
	})
	watched.Master.Restart()
	until(t, "the old master follows the new one", func() bool {
		role, _ := watched.Master.Do("INFO", "replication")
		if !strings.Contains(fmt.Sprint(role), "role:slave") { // before the Sentinel says so
			_, _ = watched.Master.Do("REPLICAOF", "127.0.0.1", strconv.Itoa(watched.Replica.Port))
		}
		return strings.Contains(fmt.Sprint(role), "master_link_status:up")
	})
	l.progress(t, 20)
	l.check(t)
	_, err := redis.Open(background, redis.Options{URL: "redis+sentinel://" + watched.Sentinel.Address + "/other", Timeout: time.Second})
	require.ErrorIs(t, err, state.ErrUnavailable)
}

// A server that does not answer makes calls fail after the timeout, later ones at
// once, and is used again when it does answer.
func TestFrozen(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	m := opened(t, redis.WithRetry(redis.Options{URL: server.URL(), Timeout: time.Second}, 10*time.Millisecond))
	_, err := m.Set(background, "k", []byte("v"), state.SetOptions{})
	require.NoError(t, err)
	server.Freeze()
	t.Cleanup(server.Thaw)
	_, err = m.Set(background, "k", []byte("w"), state.SetOptions{})
	require.ErrorIs(t, err, state.ErrUncertain)
	require.ErrorIs(t, err, state.ErrUnavailable)
	_, err = m.Get(background, "k")
	require.ErrorIs(t, err, state.ErrUnavailable)
	require.NotErrorIs(t, err, state.ErrUncertain)
	until(t, "calls fail at once", func() bool {
		_, err := m.Get(background, "k")
		require.ErrorIs(t, err, state.ErrUnavailable)
		return redis.Shut(m, "k")
	})
	_, err = m.Get(background, "k")
	require.ErrorContains(t, err, server.Address)
	require.ErrorContains(t, err, "since 20")
	server.Thaw()
	until(t, "the server is used again", func() bool {
		_, err := m.Get(background, "k")
		return err == nil
	})
	require.NoError(t, m.Health(background))
}

// A caller who does not wait any longer gets the error of the context, and is told
// where a write may have been done.
func TestContext(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	m := opened(t, redis.Options{URL: server.URL()})
	ended, cancel := context.WithCancel(background)
	cancel()
	_, err := m.Get(ended, "k")
	require.ErrorIs(t, err, context.Canceled)
	server.Freeze()
	t.Cleanup(server.Thaw)
	short, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	_, err = m.Get(short, "k")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	short, cancel = context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	_, err = m.Set(short, "k", nil, state.SetOptions{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, state.ErrUncertain)
	server.Thaw()
}

// Without as many replicas as were asked for, a write is not acknowledged.
func TestWaitInVain(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	m := opened(t, redis.Options{URL: server.URL(), WaitReplicas: 1, WaitTimeout: 20 * time.Millisecond})
	_, err := m.Set(background, "k", []byte("v"), state.SetOptions{})
	require.ErrorIs(t, err, state.ErrUncertain)
	require.ErrorContains(t, err, "0 of 1 replicas")
	e, err := m.Get(background, "k")
	require.NoError(t, err)
	require.Equal(t, "v", string(e.Value), "it was done")
	_, err = m.Set(background, "k", nil, state.SetOptions{IfAbsent: true})
	require.ErrorIs(t, err, state.ErrConflict, "a refusal needs no replicas")
}
