package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFetchIsWhatTheLockSays holds the assembly to the locked path for every length
// of key and value that it treats by itself, and for the room that is one too short.
func TestFetchIsWhatTheLockSays(t *testing.T) {
	s, err := Open(Options{Seed: 1})
	require.NoError(t, err)
	defer s.Close()
	valueLengths := []int{1000, 4095, 4096, 4097, 70_000}
	for n := range 200 {
		valueLengths = append(valueLengths, n)
	}
	pattern := make([]byte, 70_000)
	for i := range pattern {
		pattern[i] = byte(i*7 + i>>8)
	}
	sure := 0
	for keyLen := 1; keyLen <= 40; keyLen++ {
		for _, n := range valueLengths {
			key := strings.Repeat("k", keyLen)
			value := pattern[keyLen : keyLen+min(n, len(pattern)-keyLen)]
			version, err := s.Set(key, value, SetOptions{})
			require.NoError(t, err)
			h := s.hash(key)
			for _, room := range []int{len(value) + 9, len(value), len(value) - 1} {
				if room < 0 {
					continue
				}
				dst := append(make([]byte, 0, 3+room), "abc"...)
				if got, head := s.front(h).fetch(h, key, dst); got != fetchUnsure {
					sure++
					require.Equal(t, len(value), got, "key %d, value %d", keyLen, n)
					require.Equal(t, version<<1, head)
					require.True(t, bytes.Equal(value, dst[3:3+got]), "key %d, value %d", keyLen, n)
					require.Equal(t, "abc", string(dst))
				}
				out, meta, err := s.AppendGet(dst, key)
				require.NoError(t, err)
				require.Equal(t, version, meta.Version)
				require.True(t, bytes.Equal(append([]byte("abc"), value...), out), "key %d, value %d, room %d", keyLen, n, room)
			}
			for _, other := range []string{key + "x", key[:keyLen-1] + "x", "x" + key[1:]} {
				if other == key || len(other) == 0 {
					continue
				}
				_, meta, err := s.AppendGet(nil, other)
				require.NoError(t, err)
				require.False(t, meta.Found(), "key %q", other)
			}
			_, _, err = s.Delete(key, DeleteOptions{})
			require.NoError(t, err)
		}
	}
	if fetches {
		require.Greater(t, sure, 10_000, "the assembly gave up where it need not")
	}
}

// TestFetchAmongManyKeys reads full lines, tombstones and missing keys.
func TestFetchAmongManyKeys(t *testing.T) {
	s, err := Open(Options{Seed: 2})
	require.NoError(t, err)
	defer s.Close()
	const n = 50_000
	key := func(i int) string { return fmt.Sprintf("key-%07d-%s", i, strings.Repeat("p", i%20)) }
	for i := range n {
		_, err := s.Set(key(i), fmt.Appendf(nil, "value %d", i), SetOptions{})
		require.NoError(t, err)
	}
	for i := 0; i < n; i += 3 {
		_, _, err := s.Delete(key(i), DeleteOptions{})
		require.NoError(t, err)
	}
	buf := make([]byte, 0, 64)
	var unsure int
	for i := range 2 * n {
		h := s.hash(key(i))
		if got, _ := s.front(h).fetch(h, key(i), buf); got == fetchUnsure {
			unsure++
		} else {
			require.Equal(t, i < n && i%3 != 0, got >= 0, "key %d", i)
		}
		out, meta, err := s.AppendGet(buf, key(i))
		require.NoError(t, err)
		require.Equal(t, i < n && i%3 != 0, meta.Found(), "key %d", i)
		if meta.Found() {
			require.Equal(t, fmt.Sprintf("value %d", i), string(out))
		}
	}
	if fetches {
		require.Less(t, unsure, n/5)
	}
}

// TestFetchOfTheHashZero asks shards that never held anything for hashes whose bits
// are those of an unused slot, and of a tombstone.
func TestFetchOfTheHashZero(t *testing.T) {
	s, err := Open(Options{Seed: 3})
	require.NoError(t, err)
	defer s.Close()
	var hashes [batchWindow]uint64
	for i := range s.shards {
		h := uint64(i) << (s.shardShift + 1) // the low bits are 0
		require.Same(t, s.shards[i].front, s.front(h))
		n, _ := s.front(h).fetch(h, "key", nil)
		require.Negative(t, n)
		c, _, _ := s.front(h).seek(h, "key")
		require.Nil(t, c.p)
		out, meta := s.appendValue(nil, h, "key")
		require.Empty(t, out)
		require.False(t, meta.Found())
		hashes[i%len(hashes)] = h
	}
	s.warm(hashes[:])
}
