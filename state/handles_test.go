package state_test

import (
	"context"
	"encoding/base32"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/statetest"
	"github.com/stretchr/testify/require"
)

var background = context.Background()

// hand is handles on a store whose clock the test moves.
func hand(t *testing.T, o state.HandleOptions) (h *state.Handles, m state.Manager, pass func(time.Duration)) {
	millis := int64(1_700_000_000_000)
	m = openMemory(t, statetest.Options{Now: func() int64 { return millis }})
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	h, err := state.NewHandles(m, o)
	require.NoError(t, err)
	return h, m, func(d time.Duration) { millis += d.Milliseconds() }
}

func TestHandle(t *testing.T) {
	h, m, pass := hand(t, state.HandleOptions{})
	handle, err := h.Mint(background, "alice", time.Hour)
	require.NoError(t, err)
	require.Len(t, handle, 26)
	_, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(handle[:24])
	require.NoError(t, err)
	other, err := h.Mint(background, "alice", 2*time.Hour)
	require.NoError(t, err)
	require.NotEqual(t, handle, other)

	mine, err := h.Open(background, "alice", handle)
	require.NoError(t, err)
	_, err = mine.Set(background, "k", []byte("secret"), state.SetOptions{})
	require.NoError(t, err)
	theirs, err := h.Open(background, "alice", other)
	require.NoError(t, err)
	_, err = theirs.Get(background, "k")
	require.ErrorIs(t, err, state.ErrNotFound)

	page, err := m.List(background, state.ListOptions{Limit: 1000})
	require.NoError(t, err)
	for _, e := range page.Entries {
		require.NotContains(t, e.Key, handle, "who reads the store does not learn the handle")
	}
	page, err = state.Public(m).List(background, state.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, page.Entries)

	pass(time.Hour)
	_, err = mine.Get(background, "k")
	require.ErrorIs(t, err, state.ErrHandle)
	_, err = mine.Set(background, "k", nil, state.SetOptions{})
	require.ErrorIs(t, err, state.ErrHandle)
	_, err = h.Open(background, "alice", other)
	require.NoError(t, err)
}

// All that is wrong with a handle is one error.
func TestHandleRefused(t *testing.T) {
	h, _, pass := hand(t, state.HandleOptions{})
	handle, err := h.Mint(background, "alice", time.Minute)
	require.NoError(t, err)
	revoked, err := h.Mint(background, "alice", time.Minute)
	require.NoError(t, err)
	require.ErrorIs(t, h.Revoke(background, "mallory", revoked), state.ErrHandle)
	m, err := h.Open(background, "alice", revoked)
	require.NoError(t, err)
	_, err = m.Set(background, "k", nil, state.SetOptions{})
	require.NoError(t, err)
	require.NoError(t, h.Revoke(background, "alice", revoked))
	_, err = m.Get(background, "k")
	require.ErrorIs(t, err, state.ErrNotFound)

	texts := map[string]bool{}
	refused := func(principal, handle string) {
		t.Helper()
		_, err := h.Open(background, principal, handle)
		require.ErrorIs(t, err, state.ErrHandle)
		texts[err.Error()] = true
	}
	refused("mallory", handle)
	refused("", handle)
	refused("alice", revoked)
	refused("alice", "")
	refused("alice", strings.ToLower(handle))
	refused("alice", handle+"A")
	refused("alice", "../"+handle)
	refused("alice", strings.Repeat("A", 1<<20))
	pass(time.Minute)
	refused("alice", handle)
	require.Len(t, texts, 1, "nobody learns which it was")
}

func TestHandleBounds(t *testing.T) {
	h, m, pass := hand(t, state.HandleOptions{PerPrincipal: 3, TTLMax: time.Hour, BytesMax: 10_000})
	for _, ttl := range []time.Duration{0, -1, time.Hour + 1} {
		_, err := h.Mint(background, "alice", ttl)
		require.ErrorIs(t, err, state.ErrTTL)
	}
	for _, principal := range []string{"", strings.Repeat("p", 1025)} {
		_, err := h.Mint(background, principal, time.Minute)
		require.ErrorIs(t, err, state.ErrOptions)
	}
	var wg sync.WaitGroup
	minted := make(chan string, 20)
	for range cap(minted) {
		wg.Go(func() {
			if handle, err := h.Mint(background, "alice", time.Minute); err == nil {
				minted <- handle
			}
		})
	}
	wg.Wait()
	require.Len(t, minted, 3)
	_, err := h.Mint(background, "alice", time.Minute)
	require.ErrorIs(t, err, state.ErrFull)
	_, err = h.Mint(background, "bob", time.Minute)
	require.NoError(t, err)
	require.NoError(t, h.Revoke(background, "alice", <-minted))
	last, err := h.Mint(background, "alice", time.Minute)
	require.NoError(t, err)

	data, err := h.Open(background, "alice", last)
	require.NoError(t, err)
	_, err = data.Set(background, "k", make([]byte, 11_000), state.SetOptions{})
	require.ErrorIs(t, err, state.ErrFull)
	for _, o := range []state.HandleOptions{{PerPrincipal: -1}, {PerPrincipal: state.ListLimitMax}, {TTLMax: -1}, {BytesMax: -1}} {
		_, err := state.NewHandles(m, o)
		require.ErrorIs(t, err, state.ErrOptions)
	}
	pass(time.Minute)
	_, err = h.Mint(background, "alice", time.Minute)
	require.NoError(t, err)
}

// Whatever is written under a handle ends with it, however it is written.
func TestHandleDataEnds(t *testing.T) {
	h, m, pass := hand(t, state.HandleOptions{})
	handle, err := h.Mint(background, "alice", time.Minute)
	require.NoError(t, err)
	d, err := h.Open(background, "alice", handle)
	require.NoError(t, err)
	check := func(_ any, err error) {
		t.Helper()
		require.NoError(t, err)
	}
	check(d.Set(background, "set", nil, state.SetOptions{}))
	check(d.Set(background, "longer", nil, state.SetOptions{TTL: time.Hour}))
	check(d.Set(background, "kept", nil, state.SetOptions{KeepTTL: true}))
	check(d.Set(background, "kept absent", nil, state.SetOptions{KeepTTL: true, IfAbsent: true}))
	check(d.Set(background, "short", nil, state.SetOptions{TTL: time.Second}))
	check(d.Set(background, "short", []byte("v"), state.SetOptions{KeepTTL: true}))
	check(d.SetMany(background, []state.Item{{Key: "many"}, {Key: "many longer", TTL: time.Hour}}))
	_, _, err = d.Increment(background, "n", state.IncrementOptions{Delta: 1})
	require.NoError(t, err)
	_, swapped, err := d.CompareAndSwap(background, "swapped", 0, nil)
	require.NoError(t, err)
	require.True(t, swapped)
	_, swapped, err = d.CompareAndSwap(background, "swapped", 0, nil)
	require.NoError(t, err)
	require.False(t, swapped)
	check(d.Expire(background, "set", 0))
	check(d.Batch(background, []state.Op{
		{Kind: state.OpSet, Key: "batch"}, {Kind: state.OpIncrement, Key: "batch n"}, {Kind: state.OpExpire, Key: "longer"},
		{Kind: state.OpSet, Key: "batch kept", KeepTTL: true, IfAbsent: true}, {Kind: state.OpCheck, Key: "none"}, {Kind: state.OpDelete, Key: "nothing"},
		{Kind: state.OpIncrement, Key: "batch n kept", KeepTTL: true},
	}))
	_, err = d.Batch(background, []state.Op{{Kind: state.OpSet, Key: "x", KeepTTL: true}})
	require.ErrorIs(t, err, state.ErrOptions)
	page, err := d.List(background, state.ListOptions{})
	require.NoError(t, err)
	require.Len(t, page.Entries, 13)
	for _, e := range page.Entries {
		most := time.Minute
		if e.Key == "short" {
			most = time.Second
		}
		require.NotZero(t, e.ExpiresAt, e.Key)
		require.LessOrEqual(t, e.ExpiresAt, m.Now()+most.Milliseconds(), e.Key)
	}
	pass(time.Minute)
	page, err = m.List(background, state.ListOptions{Prefix: "\x00ingot/handles/data/"})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
}

// A handle and its data outlive the process.
func TestHandleAfterRestart(t *testing.T) {
	o := state.Options{Path: t.TempDir()}
	m, err := state.Open(o)
	require.NoError(t, err)
	h, err := state.NewHandles(m, state.HandleOptions{})
	require.NoError(t, err)
	handle, err := h.Mint(background, "alice", time.Hour)
	require.NoError(t, err)
	d, err := h.Open(background, "alice", handle)
	require.NoError(t, err)
	_, err = d.Set(background, "k", []byte("v"), state.SetOptions{})
	require.NoError(t, err)
	require.NoError(t, m.Close())

	m, err = state.Open(o)
	require.NoError(t, err)
	defer m.Close()
	h, err = state.NewHandles(m, state.HandleOptions{})
	require.NoError(t, err)
	_, err = h.Open(background, "mallory", handle)
	require.ErrorIs(t, err, state.ErrHandle)
	d, err = h.Open(background, "alice", handle)
	require.NoError(t, err)
	e, err := d.Get(background, "k")
	require.NoError(t, err)
	require.Equal(t, "v", string(e.Value))
}

func ExampleHandles() {
	ctx := context.Background()
	m, err := state.Open(state.Options{})
	if err != nil {
		panic(err)
	}
	defer m.Close()
	handles, err := state.NewHandles(m, state.HandleOptions{})
	if err != nil {
		panic(err)
	}
	handle, err := handles.Mint(ctx, "alice", time.Hour) // the client brings it back
	if err != nil {
		panic(err)
	}
	mine, err := handles.Open(ctx, "alice", handle)
	if err != nil {
		panic(err)
	}
	if _, err := mine.Set(ctx, "draft", []byte("…"), state.SetOptions{}); err != nil {
		panic(err)
	}
	_, err = handles.Open(ctx, "mallory", handle)
	fmt.Println(err)
	// Output:
	// state: the handle is unknown, or has expired
}
