package statetools

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

func TestURIs(t *testing.T) {
	for key, want := range map[string]string{
		"plain-._~Az09":      "state:///plain-._~Az09",
		"a/b":                "state:///a/b",
		"/":                  "state:////",
		"user:1@host?x=#[1]": "state:///user:1@host?x=#[1]",
		"100% \"é\xff\x00":   "state:///100%25%20%22%C3%A9%FF%00",
		"./a":                "state:///.%2Fa",
		"a/..":               "state:///a%2F..",
		"a/.../..b":          "state:///a/.../..b",
		"..":                 "state:///..",
	} {
		require.Equal(t, want, uriOf(key))
	}
}

func TestMIMETypes(t *testing.T) {
	for value, want := range map[string]string{
		"": mimeText, "text": mimeText, "\xff": mimeBytes, "{}": mimeJSON, "[1]": mimeJSON, "{": mimeText, "12": mimeText, "{} {}": mimeText,
		"[" + strings.Repeat(" ", jsonBytesMax) + "]": mimeText,
	} {
		require.Equal(t, want, mimeOf([]byte(value)), "%.20q", value)
	}
}

// opened is resources on a state of their own.
func opened(t *testing.T) (*resources, *state.Embedded) {
	m, err := state.Open(state.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	server := mcp.NewServer(mcp.Options{})
	RegisterResources(server, m, ResourceOptions{})
	return &resources{state: m, server: server, options: ResourceOptions{Allow: func(context.Context, string) error { return nil }}}, m
}

// A key whose URI is longer than one may be is none of the resources, and neither
// is a value that is too long for an answer.
func TestResourceBounds(t *testing.T) {
	r, m := opened(t)
	for _, key := range []string{strings.Repeat("k", uriBytesMax-len(uriStart)), strings.Repeat("k", uriBytesMax), "é" + strings.Repeat("k", uriBytesMax-len(uriStart)-5)} {
		_, err := m.Set(t.Context(), key, nil, state.SetOptions{})
		require.NoError(t, err)
	}
	page, err := r.list(t.Context(), &mcp.ListRequest{Limit: 1 << 30})
	require.NoError(t, err)
	require.Len(t, page.Resources, 1)
	require.Len(t, page.Resources[0].URI, uriBytesMax)
	_, err = m.Set(t.Context(), "long", make([]byte, readBytesMax+1), state.SetOptions{})
	require.NoError(t, err)
	_, err = r.read(t.Context(), &mcp.ReadRequest{Variables: map[string]string{keyVariable: "long"}})
	require.ErrorContains(t, err, "state_get")
	require.NoError(t, m.Close())
	_, err = r.list(t.Context(), &mcp.ListRequest{Limit: 1})
	require.ErrorIs(t, err, state.ErrClosed)
}

// listener hears of changes over a connection of its own.
type listener chan string

func (l listener) Send(_ context.Context, frame []byte) error {
	l <- string(frame)
	return nil
}
func (l listener) Interrupt(context.Context) error { return nil }

// Who listens to an entry is told when nobody knows whether it has changed; and
// stopping waits for the goroutine, also where the state was closed before.
func TestLostChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := opened(t)
		heard := make(listener, 10)
		ctx, cancel := context.WithCancel(t.Context())
		e := r.server.NewExchange([]byte(`{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["state:///a","state:///b","other:c"]},` +
			`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`))
		e.Stream = heard
		done := make(chan struct{})
		go func() {
			defer close(done)
			e.Answer(ctx, "", nil)
		}()
		require.Contains(t, <-heard, "acknowledged")
		synctest.Wait()
		var lagged state.Event
		lagged.Kind = state.EventLagged
		r.tell(lagged)
		require.Contains(t, <-heard, `"uri":"state:///a"`)
		require.Contains(t, <-heard, `"uri":"state:///b"`)
		synctest.Wait()
		require.Empty(t, heard)
		require.NoError(t, m.Close())
		cancel()
		<-done
		r.follow()() // on a state that is closed
	})
}

func TestTasks(t *testing.T) {
	now := int64(1_700_000_000_000)
	m, err := state.Open(state.Options{Now: func() int64 { return now }})
	require.NoError(t, err)
	defer m.Close()
	tasks := NewTasks(m)
	for _, id := range []string{"", "none", strings.Repeat("x", 256)} {
		_, err = tasks.Get(t.Context(), id)
		require.ErrorIs(t, err, mcp.ErrNoTask)
	}
	require.NoError(t, tasks.Put(t.Context(), "a", []byte("first"), time.Minute))
	require.NoError(t, tasks.Put(t.Context(), "a", []byte("second"), time.Minute))
	record, err := NewTasks(m).Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "second", string(record))
	page, err := state.Public(m).List(t.Context(), state.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
	now += time.Minute.Milliseconds()
	_, err = tasks.Get(t.Context(), "a")
	require.ErrorIs(t, err, mcp.ErrNoTask)
	require.NoError(t, m.Close())
	_, err = tasks.Get(t.Context(), "a")
	require.True(t, errors.Is(err, state.ErrClosed) && !errors.Is(err, mcp.ErrNoTask))
	require.ErrorIs(t, tasks.Put(t.Context(), "a", nil, time.Minute), state.ErrClosed)
	require.ErrorIs(t, NewTasks(m).Put(t.Context(), "a", nil, time.Minute), state.ErrClosed)
	require.ErrorIs(t, NewTasks(state.Public(m)).Put(t.Context(), "a", nil, time.Minute), state.ErrKey)
}

// Tasks do not take the room of the state.
func TestTasksAreBounded(t *testing.T) {
	m, err := state.Open(state.Options{})
	require.NoError(t, err)
	defer m.Close()
	tasks, record := NewTasks(m), make([]byte, 1<<20)
	for i := 0; err == nil; i++ {
		require.Less(t, i, tasksBytesMax>>20)
		err = tasks.Put(t.Context(), strings.Repeat("t", i+1), record, time.Minute)
	}
	require.ErrorIs(t, err, state.ErrFull)
	_, err = m.Set(t.Context(), "k", record, state.SetOptions{})
	require.NoError(t, err)
}

// A wait ends with a change of its key and of no other, with its timeout, and with
// the context.
func TestWaitFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := opened(t)
		tools := tools{m}
		var got state.Entry
		var err error
		var ended atomic.Bool
		wait := func(ctx context.Context, version uint64) {
			ended.Store(false)
			go func() {
				got, err = tools.waitFor(ctx, "k", version, time.Minute)
				ended.Store(true)
			}()
			synctest.Wait()
		}
		set := func(key string) (version uint64) {
			version, err := m.Set(t.Context(), key, []byte("v"), state.SetOptions{})
			require.NoError(t, err)
			synctest.Wait()
			return version
		}
		wait(t.Context(), 0)
		set("k2")
		require.False(t, ended.Load())
		version := set("k")
		require.True(t, ended.Load())
		require.NoError(t, err)
		require.Equal(t, version, got.Version)

		wait(t.Context(), version)
		for i := range 40 { // more than the watcher holds
			set(strings.Repeat("k", i+2))
		}
		require.False(t, ended.Load())
		_, _, deleteErr := m.Delete(t.Context(), "k", state.DeleteOptions{})
		require.NoError(t, deleteErr)
		synctest.Wait()
		require.True(t, ended.Load())
		require.NoError(t, err)
		require.False(t, got.Found())

		wait(t.Context(), 0)
		time.Sleep(59 * time.Second) // of the bubble's clock
		synctest.Wait()
		require.False(t, ended.Load())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.True(t, ended.Load())
		require.NoError(t, err)
		require.False(t, got.Found())

		ctx, cancel := context.WithCancel(t.Context())
		wait(ctx, 0)
		cancel()
		synctest.Wait()
		require.True(t, ended.Load())
		require.ErrorIs(t, err, context.Canceled)

		wait(t.Context(), 0)
		require.NoError(t, m.Close())
		synctest.Wait()
		require.True(t, ended.Load())
		require.ErrorIs(t, err, state.ErrClosed)
		require.Zero(t, watchers(t, m))
	})
}

// watchers is how many watch a state.
func watchers(t *testing.T, m state.Manager) int {
	s, err := m.Stats(t.Context())
	require.NoError(t, err)
	return s.Watchers
}
