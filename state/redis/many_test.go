package redis_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ingot-run/ingot/internal/redistest"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/redis"
	"github.com/stretchr/testify/require"
)

// On the server's own clock an entry ends for every kind of read, its keys leave the
// indexes, its bytes are given back, and the watchers of all processes are told once.
func TestServerClock(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	writer := opened(t, redis.Options{URL: server.URL(), Name: "clock"})
	reader := opened(t, redis.Options{URL: server.URL(), Name: "clock", CacheEntries: 100})
	w, err := reader.Watch(background, state.WatchOptions{})
	require.NoError(t, err)
	defer w.Close()
	before := time.Now().UnixMilli() // the server's clock is this machine's
	_, err = writer.Set(background, "k", []byte("v"), state.SetOptions{TTL: time.Hour})
	require.NoError(t, err)
	e, err := reader.Get(background, "k")
	require.NoError(t, err)
	require.GreaterOrEqual(t, e.ExpiresAt, before+time.Hour.Milliseconds())
	require.LessOrEqual(t, e.ExpiresAt, time.Now().UnixMilli()+time.Hour.Milliseconds())
	ends := time.Now().UnixMilli() + 50
	_, err = writer.Expire(background, "k", 50*time.Millisecond)
	require.NoError(t, err)
	until(t, "it has ended", func() bool {
		_, err := reader.Get(background, "k")
		return err != nil && errors.Is(err, state.ErrNotFound)
	})
	require.GreaterOrEqual(t, time.Now().UnixMilli(), ends, "not before its time")
	page, err := reader.List(background, state.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
	event, err := w.Next(background)
	require.NoError(t, err)
	require.Equal(t, state.EventSet, event.Kind)
	event, err = w.Next(background)
	require.NoError(t, err)
	require.Equal(t, state.EventSet, event.Kind, "the new end")
	event, err = w.Next(background)
	require.NoError(t, err)
	require.Equal(t, state.EventExpire, event.Kind)
	require.Equal(t, "k", event.Key)
	stats, err := reader.Stats(background)
	require.NoError(t, err)
	require.Zero(t, stats.Keys)
	require.Zero(t, stats.Bytes)
	_, err = writer.Set(background, "k", nil, state.SetOptions{TTL: time.Millisecond})
	require.NoError(t, err)
	event, err = w.Next(background)
	require.NoError(t, err)
	require.Equal(t, state.EventSet, event.Kind, "there was one end, told once")
}

// Values of every byte and of many megabytes come back as they were.
func TestValues(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	m := opened(t, redis.Options{URL: server.URL(), StreamValueBytes: 100})
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
	}
	large := make([]byte, 20<<20)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(large)
	w, err := m.Watch(background, state.WatchOptions{Values: true})
	require.NoError(t, err)
	defer w.Close()
	for i, value := range [][]byte{all, large, nil, bytes.Repeat([]byte{0}, 1000)} {
		key := string(all[1:]) + fmt.Sprint(i)
		_, err := m.Set(background, key, value, state.SetOptions{})
		require.NoError(t, err)
		e, err := m.Get(background, key)
		require.NoError(t, err)
		require.True(t, bytes.Equal(value, e.Value))
		version, err := m.Expire(background, key, time.Hour)
		require.NoError(t, err)
		e, err = m.Get(background, key)
		require.NoError(t, err)
		require.True(t, bytes.Equal(value, e.Value), "a new end leaves the value")
		event, err := w.Next(background)
		require.NoError(t, err)
		require.True(t, bytes.Equal(value, event.Value), "value %d", i)
		if len(value) > 100 {
			require.Equal(t, version, event.Version, "a long value is told as it is now")
			continue
		}
		event, err = w.Next(background)
		require.NoError(t, err)
		require.Equal(t, version, event.Version)
	}
}

// What another process writes replaces what this one keeps, and what this one writes
// is what it reads next.
func TestCache(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	a := opened(t, redis.Options{URL: server.URL(), Name: "cache", CacheEntries: 64})
	b := opened(t, redis.Options{URL: server.URL(), Name: "cache"})
	get := func(key string) string {
		e, err := a.Get(background, key)
		if err != nil {
			require.ErrorIs(t, err, state.ErrNotFound)
			return "-"
		}
		return string(e.Value)
	}
	for i := range 200 {
		key := fmt.Sprint("own", i%3)
		_, err := a.Set(background, key, []byte(fmt.Sprint(i)), state.SetOptions{})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), get(key))
		require.Equal(t, fmt.Sprint(i), get(key))
	}
	_, err := b.Set(background, "k", []byte("1"), state.SetOptions{})
	require.NoError(t, err)
	require.Equal(t, "1", get("k"))
	until(t, "no read reaches the server", func() bool {
		reads := commands(t, server, "get")
		for range 100 {
			require.Equal(t, "1", get("k"))
		}
		return reads == commands(t, server, "get")
	})
	_, err = b.Set(background, "k", []byte("2"), state.SetOptions{})
	require.NoError(t, err)
	until(t, "the other's value is read", func() bool { return get("k") == "2" })
	_, _, err = b.Delete(background, "k", state.DeleteOptions{})
	require.NoError(t, err)
	until(t, "the other's deletion is seen", func() bool { return get("k") == "-" })
	for i := range 1000 {
		_, err := b.Set(background, fmt.Sprint("many", i), []byte("v"), state.SetOptions{})
		require.NoError(t, err)
		require.Equal(t, "v", get(fmt.Sprint("many", i)))
	}
	entries, _ := redis.CacheSize(a)
	require.LessOrEqual(t, entries, 64)
	require.Positive(t, entries)
	server.Text("CLIENT", "KILL", "TYPE", "normal")
	_, err = b.Set(background, "many999", []byte("w"), state.SetOptions{})
	require.True(t, err == nil || isFault(err))
	until(t, "nothing is kept that nobody would take back", func() bool {
		_, err := b.Set(background, "many999", []byte("w"), state.SetOptions{})
		return err == nil && get("many999") == "w"
	})
}

// commands is how often the server ran a command.
func commands(t *testing.T, server *redistest.Server, name string) string {
	for line := range strings.Lines(server.Text("INFO", "commandstats")) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_"+name+":calls="); ok {
			calls, _, _ := strings.Cut(rest, ",")
			return calls
		}
	}
	return ""
}

// Two processes write and watch: both hear of everything, in the order of each key,
// and one that was away resumes where it was, or is told that something is missing.
func TestTwoProcesses(t *testing.T) {
	nodes := redistest.Cluster(t, 3, 0, "--appendonly", "no")
	name := "two"
	a := opened(t, redis.Options{URL: nodes.URL(), Name: name, StreamEvents: 1000})
	b := opened(t, redis.Options{URL: nodes.URL(), Name: name, StreamEvents: 1000})
	w, err := a.Watch(background, state.WatchOptions{Buffer: 10_000})
	require.NoError(t, err)
	const keys, steps = 20, 30
	write := func() {
		var writers sync.WaitGroup
		for i, m := range []*redis.Manager{a, b} {
			writers.Go(func() {
				for step := range steps {
					for k := range keys {
						if _, _, err := m.Increment(background, fmt.Sprint("k", k), state.IncrementOptions{Delta: 1}); err != nil {
							t.Errorf("process %d, step %d: %v", i, step, err)
							return
						}
					}
				}
			})
		}
		writers.Wait()
	}
	versions := map[string]uint64{}
	hear := func(w state.Watcher, count int) (token string) {
		for range count {
			e, err := w.Next(background)
			require.NoError(t, err)
			require.Equal(t, state.EventSet, e.Kind)
			require.Greater(t, e.Version, versions[e.Key])
			versions[e.Key] = e.Version
			token = e.Token
		}
		return token
	}
	write()
	token := hear(w, keys*steps*2)
	w.Close()
	write()
	w, err = b.Watch(background, state.WatchOptions{Buffer: 10_000, Resume: token})
	require.NoError(t, err)
	hear(w, keys*steps*2)
	w.Close()
	write()
	for _, node := range nodes.Servers { // what an exact MAXLEN would have left
		for _, stream := range strings.Fields(strings.Trim(node.Text("KEYS", name+":*x"), "[]")) {
			node.Text("XTRIM", stream, "MAXLEN", "1")
		}
	}
	w, err = a.Watch(background, state.WatchOptions{Resume: token})
	require.NoError(t, err)
	defer w.Close()
	e, err := w.Next(background)
	require.NoError(t, err)
	require.Equal(t, state.EventLagged, e.Kind)
	_, err = a.Watch(background, state.WatchOptions{Resume: "r1.2"})
	require.ErrorIs(t, err, state.ErrOptions)
}
