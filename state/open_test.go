package state_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/state"
	"github.com/stretchr/testify/require"
)

func TestOpenBackends(t *testing.T) {
	for _, c := range []struct {
		o    state.Options
		want string
		note string
	}{
		{state.Options{}, "memory", ""},
		{state.Options{Backend: "memory"}, "memory", ""},
		{state.Options{Backend: "trueno"}, "memory", "trueno is called memory"},
		{state.Options{Path: "here"}, "file", ""},
		{state.Options{Backend: "file", Path: "here", Sync: "interval"}, "file", ""},
		{state.Options{Backend: "sled", Path: "here"}, "file", "sled is called file"},
	} {
		var notes []string
		if c.o.Path != "" {
			c.o.Path = filepath.Join(t.TempDir(), c.o.Path)
		}
		c.o.Log = func(text string) { notes = append(notes, text) }
		m, err := state.Open(c.o)
		require.NoError(t, err)
		s, err := m.Stats(background)
		require.NoError(t, err)
		require.Equal(t, c.want, s.Backend)
		require.NoError(t, m.Close())
		if c.note == "" {
			require.Empty(t, notes)
		} else {
			require.Len(t, notes, 1)
			require.Contains(t, notes[0], c.note)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		o  state.Options
		is error
	}{
		"an unknown backend":   {state.Options{Backend: "redis5"}, state.ErrBackend},
		"memory in a place":    {state.Options{Backend: "memory", Path: dir}, state.ErrOptions},
		"memory with a sync":   {state.Options{Sync: "always"}, state.ErrOptions},
		"a file nowhere":       {state.Options{Backend: "file"}, state.ErrOptions},
		"an unknown sync":      {state.Options{Path: dir, Sync: "often"}, state.ErrOptions},
		"a negative TTL":       {state.Options{TTL: -1}, state.ErrTTL},
		"a budget below zero":  {state.Options{BytesMax: -1}, state.ErrOptions},
		"a value beyond limit": {state.Options{ValueBytesMax: -1}, state.ErrOptions},
	} {
		_, err := state.Open(c.o)
		require.ErrorIs(t, err, c.is, name)
	}
	m, err := state.Open(state.Options{Path: dir})
	require.NoError(t, err)
	_, err = state.Open(state.Options{Path: dir})
	require.ErrorIs(t, err, state.ErrLocked)
	require.Contains(t, err.Error(), dir)
	_, err = m.Set(background, "k", []byte(strings.Repeat("v", 10_000)), state.SetOptions{})
	require.NoError(t, err)
	require.NoError(t, m.Close())

	logs, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	for _, name := range logs {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		if len(b) > 5000 {
			b[2000] ^= 1
			require.NoError(t, os.WriteFile(name, b, 0o600))
		}
	}
	_, err = state.Open(state.Options{Path: dir})
	require.ErrorIs(t, err, state.ErrCorrupt)
}

// Whatever is written without a time to live has that of the options.
func TestDefaultTTL(t *testing.T) {
	now := int64(1_700_000_000_000)
	m, err := state.Open(state.Options{TTL: time.Minute, Now: func() int64 { return now }})
	require.NoError(t, err)
	defer m.Close()
	items := []state.Item{{Key: "many"}, {Key: "many own", TTL: time.Hour}}
	ops := []state.Op{{Kind: state.OpSet, Key: "batch"}, {Kind: state.OpIncrement, Key: "batch n"}, {Kind: state.OpSet, Key: "batch own", TTL: time.Hour}}
	_, err = m.Set(background, "set", nil, state.SetOptions{})
	require.NoError(t, err)
	_, err = m.Set(background, "own", nil, state.SetOptions{TTL: time.Hour})
	require.NoError(t, err)
	_, err = m.SetMany(background, items)
	require.NoError(t, err)
	_, err = m.Batch(background, ops)
	require.NoError(t, err)
	require.Zero(t, items[0].TTL+ops[0].TTL, "the caller's are left alone")
	_, _, err = m.Increment(background, "n", state.IncrementOptions{})
	require.NoError(t, err)
	version, swapped, err := m.CompareAndSwap(background, "swapped", 0, nil)
	require.NoError(t, err)
	require.True(t, swapped)
	found, swapped, err := m.CompareAndSwap(background, "swapped", 0, nil)
	require.NoError(t, err)
	require.False(t, swapped)
	require.Equal(t, version, found)
	_, err = m.Set(background, "kept", nil, state.SetOptions{KeepTTL: true})
	require.NoError(t, err)
	page, err := m.List(background, state.ListOptions{})
	require.NoError(t, err)
	require.Len(t, page.Entries, 10)
	for _, e := range page.Entries {
		want := now + time.Minute.Milliseconds()
		switch {
		case e.Key == "kept":
			want = 0 // asked for: there was no end to keep
		case strings.HasSuffix(e.Key, "own"):
			want = now + time.Hour.Milliseconds()
		}
		require.Equal(t, want, e.ExpiresAt, e.Key)
	}
	now += time.Minute.Milliseconds()
	require.Equal(t, 6, m.Tick(0))
}

func BenchmarkGet(b *testing.B) {
	store, err := engine.Open(engine.Options{})
	require.NoError(b, err)
	m := state.Manager(state.Embed(store))
	scoped, err := state.Scope(m, state.Namespace{Prefix: "tool/name/"})
	require.NoError(b, err)
	ctx := context.Background()
	value := []byte(strings.Repeat("v", 32))
	for _, key := range []string{"key", "tool/name/key"} {
		_, err = m.Set(ctx, key, value, state.SetOptions{})
		require.NoError(b, err)
	}
	public := state.Public(m)
	buffer := make([]byte, 0, 64)
	for _, row := range []struct {
		name string
		get  func() error
	}{
		{"engine", func() error { _, err := store.Get("key"); return err }},
		{"state", func() error { _, err := m.Get(ctx, "key"); return err }},
		{"public", func() error { _, err := public.Get(ctx, "key"); return err }},
		{"scoped", func() error { _, err := scoped.Get(ctx, "key"); return err }},
		{"engine append", func() error { _, _, err := store.AppendGet(buffer, "key"); return err }},
		{"state append", func() error { _, _, err := m.AppendGet(ctx, buffer, "key"); return err }},
		{"scoped append", func() error { _, _, err := scoped.AppendGet(ctx, buffer, "key"); return err }},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := row.get(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
