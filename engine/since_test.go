package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// A copy follows a store by increments, whatever happens to it in between.
func TestSnapshotSince(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	source := openStore(t, engine.Options{Dir: storage.Memory(), SegmentBytes: 4096, BackgroundDisabled: true})
	replica := openStore(t, engine.Options{Dir: storage.Memory(), BytesMax: 1 << 30})
	inMemory := openStore(t, engine.Options{})
	var version uint64
	increments := 0
	for round := range 20 {
		mix(t, source, rng, 100)
		switch round {
		case 7:
			require.NoError(t, source.Compact())
		case 12:
			_, err := source.Clear("akey-1")
			require.NoError(t, err)
		}
		var stream bytes.Buffer
		next, full, err := source.SnapshotSince(&stream, version)
		require.NoError(t, err)
		require.Equal(t, source.Stats().Version, next)
		require.Equal(t, round == 7, full) // the log of version 0 is the whole log
		if !full {
			increments++
		}
		version = next
		for _, copy := range []*engine.Store{replica, inMemory} {
			require.NoError(t, copy.RestoreSince(bytes.NewReader(stream.Bytes())))
			require.Equal(t, contents(t, source), contents(t, copy))
			require.Equal(t, source.Stats().Bytes, copy.Stats().Bytes)
			require.GreaterOrEqual(t, copy.Stats().Version, version)
		}
	}
	require.Equal(t, 19, increments)
	require.NoError(t, replica.Close())
}

func TestSnapshotSinceAfterRestore(t *testing.T) {
	s := openStore(t, engine.Options{Dir: storage.Memory()})
	mix(t, s, rand.New(rand.NewPCG(1, 1)), 50)
	var whole bytes.Buffer
	require.NoError(t, s.Snapshot(&whole))
	mix(t, s, rand.New(rand.NewPCG(1, 2)), 50)
	before := s.Stats().Version
	require.NoError(t, s.Restore(&whole))
	_, full, err := s.SnapshotSince(&bytes.Buffer{}, before)
	require.NoError(t, err)
	require.True(t, full, "the restored entries are older than what was there")
	require.NoError(t, s.Close())
}

func TestSnapshotSinceInMemoryIsFull(t *testing.T) {
	s := openStore(t, engine.Options{})
	mix(t, s, rand.New(rand.NewPCG(1, 1)), 50)
	var stream, whole bytes.Buffer
	version, full, err := s.SnapshotSince(&stream, 10)
	require.NoError(t, err)
	require.True(t, full)
	require.Equal(t, s.Stats().Version, version)
	require.NoError(t, s.Snapshot(&whole))
	require.Equal(t, whole.Len(), stream.Len())
}

// Every damage of the stream is found, and changes nothing.
func TestRestoreSinceChecksFirst(t *testing.T) {
	s := openStore(t, engine.Options{Dir: storage.Memory()})
	for i := range 10 {
		_, err := s.Set(fmt.Sprint(i), []byte("value"), engine.SetOptions{})
		require.NoError(t, err)
	}
	_, _, err := s.Delete("3", engine.DeleteOptions{})
	require.NoError(t, err)
	var stream bytes.Buffer
	_, full, err := s.SnapshotSince(&stream, 0)
	require.NoError(t, err)
	require.False(t, full)

	copy := openStore(t, engine.Options{})
	_, err = copy.Set("mine", nil, engine.SetOptions{})
	require.NoError(t, err)
	want := contents(t, copy)
	refused := 0
	for i := range stream.Len() {
		for _, damaged := range [][]byte{stream.Bytes()[:i], flipped(stream.Bytes(), i)} {
			if err := copy.RestoreSince(bytes.NewReader(damaged)); err != nil {
				refused++
				require.Equal(t, want, contents(t, copy))
			} else {
				require.NoError(t, copy.Close()) // padding: it does not matter
				copy = openStore(t, engine.Options{})
				_, err = copy.Set("mine", nil, engine.SetOptions{})
				require.NoError(t, err)
			}
		}
	}
	require.Greater(t, refused, 2*stream.Len()-16)

	later, _, err := s.SnapshotSince(&bytes.Buffer{}, 0)
	require.NoError(t, err)
	stream.Reset()
	_, full, err = s.SnapshotSince(&stream, later)
	require.NoError(t, err)
	require.False(t, full)
	require.ErrorIs(t, copy.RestoreSince(&stream), engine.ErrSnapshot, "what is between is missing")
	require.NoError(t, s.Close())
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 4
	return b
}

// An entry that got another end, or a value with an end, and whose time is over by the
// next increment, is gone from the copy too: no record of the log tells that.
func TestSnapshotSinceTellsOfWhatEnded(t *testing.T) {
	now := int64(1_000)
	clock := func() int64 { return now }
	source := openStore(t, engine.Options{Dir: storage.Memory(), Now: clock})
	replica := openStore(t, engine.Options{Now: clock})
	for _, key := range []string{"ends sooner", "overwritten", "stays"} {
		_, err := source.Set(key, []byte("for ever"), engine.SetOptions{})
		require.NoError(t, err)
	}
	var stream bytes.Buffer
	version, _, err := source.SnapshotSince(&stream, 0)
	require.NoError(t, err)
	require.NoError(t, replica.RestoreSince(&stream))

	_, err = source.Expire("ends sooner", time.Second)
	require.NoError(t, err)
	_, err = source.Set("overwritten", []byte("for a second"), engine.SetOptions{TTL: time.Second})
	require.NoError(t, err)
	now += 2_000
	source.Tick(0)
	_, full, err := source.SnapshotSince(&stream, version)
	require.NoError(t, err)
	require.False(t, full)
	require.NoError(t, replica.RestoreSince(&stream))
	require.Equal(t, contents(t, source), contents(t, replica))
	require.Equal(t, "\"stays\"=\"for ever\" v3 ends 0\n", contents(t, replica))
	require.NoError(t, source.Close())
}

// An increment of a store that nothing ever happened to changes nothing, and the copy
// opens again.
func TestRestoreSinceOfNothing(t *testing.T) {
	source := openStore(t, engine.Options{Dir: storage.Memory()})
	var stream bytes.Buffer
	_, full, err := source.SnapshotSince(&stream, 0)
	require.NoError(t, err)
	require.False(t, full)
	dir := storage.Memory()
	replica := openStore(t, engine.Options{Dir: dir})
	require.NoError(t, replica.RestoreSince(&stream))
	require.NoError(t, replica.Close())
	replica = openStore(t, engine.Options{Dir: dir})
	require.Empty(t, contents(t, replica))
	require.NoError(t, replica.Close())
	require.NoError(t, source.Close())
}
