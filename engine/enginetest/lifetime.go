package enginetest

import (
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

func testExpiry(t *testing.T, open Opener) {
	t.Run("exact at the millisecond", func(t *testing.T) {
		s, c := opened(t, open, engine.Options{})
		set(t, s, "k", "v", engine.SetOptions{TTL: 100 * time.Millisecond})
		e, err := s.Get("k")
		require.NoError(t, err)
		require.Equal(t, c.millis+100, e.ExpiresAt)
		c.millis += 99
		require.Equal(t, "v", value(t, s, "k"))
		c.millis++
		absent(t, s, "k")
		_, deleted, err := s.Delete("k", engine.DeleteOptions{})
		require.NoError(t, err)
		require.False(t, deleted)
	})
	t.Run("parts of a millisecond round up", func(t *testing.T) {
		s, c := opened(t, open, engine.Options{})
		set(t, s, "k", "v", engine.SetOptions{TTL: time.Nanosecond})
		require.Equal(t, "v", value(t, s, "k"))
		c.millis++
		absent(t, s, "k")
	})
	t.Run("writes decide the end", func(t *testing.T) {
		s, c := opened(t, open, engine.Options{})
		set(t, s, "plain", "v", engine.SetOptions{TTL: time.Second})
		set(t, s, "plain", "w", engine.SetOptions{}) // no TTL: for ever
		set(t, s, "kept", "v", engine.SetOptions{TTL: time.Second})
		set(t, s, "kept", "w", engine.SetOptions{KeepTTL: true})
		set(t, s, "count", "1", engine.SetOptions{TTL: time.Second})
		_, _, err := s.Increment("count", 1)
		require.NoError(t, err)
		set(t, s, "longer", "v", engine.SetOptions{TTL: time.Second})
		before, _, err := s.Stat("longer")
		require.NoError(t, err)
		version, err := s.Expire("longer", time.Minute)
		require.NoError(t, err)
		require.Greater(t, version, before.Version)
		set(t, s, "saved", "v", engine.SetOptions{TTL: time.Second})
		_, err = s.Expire("saved", 0)
		require.NoError(t, err)
		version, err = s.Expire("none", time.Second)
		require.NoError(t, err)
		require.Zero(t, version)

		c.millis += 1000
		absent(t, s, "kept")
		absent(t, s, "count")
		for _, key := range []string{"plain", "longer", "saved"} {
			require.NotEmpty(t, value(t, s, key))
		}
	})
	t.Run("nothing comes back", func(t *testing.T) {
		s, c := opened(t, open, engine.Options{})
		set(t, s, "k", "5", engine.SetOptions{TTL: time.Second})
		c.millis += 1000
		absent(t, s, "k")
		c.millis -= 5000 // a clock that goes backwards
		absent(t, s, "k")
		sum, _, err := s.Increment("k", 1)
		require.NoError(t, err)
		require.EqualValues(t, 1, sum)
		_, err = s.Set("k", nil, engine.SetOptions{IfAbsent: true})
		require.ErrorIs(t, err, engine.ErrConflict)
	})
	t.Run("an expired entry meets conditions as absent", func(t *testing.T) {
		s, c := opened(t, open, engine.Options{})
		v := set(t, s, "k", "5", engine.SetOptions{TTL: time.Second})
		c.millis += 1000
		_, err := s.Set("k", nil, engine.SetOptions{IfVersion: v})
		require.ErrorIs(t, err, engine.ErrConflict)
		set(t, s, "k", "6", engine.SetOptions{IfAbsent: true})
	})
	t.Run("a counter of a batch may end", func(t *testing.T) {
		s, c := opened(t, open, engine.Options{})
		step := []engine.Op{{Kind: engine.OpIncrement, Key: "n", Delta: 1, TTL: time.Second}}
		for range 2 { // the second one leaves the end as it is
			_, err := s.Batch(step)
			require.NoError(t, err)
			c.millis += 400
		}
		require.Equal(t, "2", value(t, s, "n"))
		c.millis += 200
		absent(t, s, "n")
	})
	t.Run("tick frees in steps", func(t *testing.T) {
		s, c := opened(t, open, engine.Options{})
		for i := range 100 {
			set(t, s, "k"+strings.Repeat("x", i), "v", engine.SetOptions{TTL: time.Duration(i+1) * time.Millisecond})
		}
		set(t, s, "stays", "v", engine.SetOptions{})
		require.Zero(t, s.Tick(0))
		c.millis += 50
		require.Equal(t, 20, s.Tick(20))
		require.Equal(t, 30, s.Tick(0))
		c.millis += 50
		require.Equal(t, 50, s.Tick(1000))
		require.EqualValues(t, 1, s.Stats().Keys)
		require.EqualValues(t, 100, s.Stats().Expired)
	})
	t.Run("overwriting does not grow what tick looks at", func(t *testing.T) {
		s, c := opened(t, open, engine.Options{})
		for range 10_000 {
			set(t, s, "k", "v", engine.SetOptions{TTL: time.Hour})
		}
		c.millis += 3_600_000
		require.Equal(t, 1, s.Tick(0))
	})
}

func testBudget(t *testing.T, open Opener) {
	t.Run("namespaces", func(t *testing.T) { testBudgets(t, open) })
	t.Run("edge", func(t *testing.T) { testBudgetEdge(t, open) })
}

// charged is what an entry costs by the rule that engine.Options.BytesMax gives.
func charged(keyLen, valueLen int, ends, evicts bool) (bytes int64) {
	cell := 16 + keyLen + valueLen
	if ends {
		cell += 8
		bytes += 40
	}
	if evicts {
		bytes += 26
	}
	step := 8
	for limit := 256; cell > limit && cell <= 32<<10; limit *= 2 { // eight steps to a doubling
		step = limit / 8
	}
	return bytes + 16 + int64((cell+step-1)/step*step)
}

// testBudgetEdge fills stores to the last byte.
func testBudgetEdge(t *testing.T, open Opener) {
	for _, evicts := range []bool{false, true} {
		for _, size := range []int{0, 1, 7, 8, 63, 64, 240, 241, 300, 1000, 5000, 32<<10 - 20, 32 << 10, 70_001} {
			for _, ttl := range []time.Duration{0, time.Second} {
				const key, entries = "some key", 3
				one := charged(len(key), size, ttl > 0, evicts)
				s, _ := opened(t, open, engine.Options{BytesMax: entries * one})
				if evicts {
					s, _ = opened(t, open, engine.Options{BytesMax: entries * one, Evict: true})
				}
				for i := range entries {
					set(t, s, key[1:]+string('0'+rune(i)), strings.Repeat("v", size), engine.SetOptions{TTL: ttl})
				}
				require.Equal(t, entries*one, s.Stats().Bytes, "%d bytes", size)
				if evicts {
					require.Zero(t, s.Stats().Evicted)
					continue
				}
				set(t, s, key[1:]+"0", strings.Repeat("w", size), engine.SetOptions{KeepTTL: true})
				_, err := s.Set("x", nil, engine.SetOptions{})
				require.ErrorIs(t, err, engine.ErrFull)
				_, err = s.Set(key[1:]+"0", make([]byte, size+size/4+9), engine.SetOptions{KeepTTL: true})
				require.ErrorIs(t, err, engine.ErrFull)
				if ttl == 0 {
					_, err = s.Expire(key[1:]+"0", time.Second)
					require.ErrorIs(t, err, engine.ErrFull, "an entry that ends is charged more")
				}
				require.Equal(t, entries*one, s.Stats().Bytes)
			}
		}
	}
}

func testBudgets(t *testing.T, open Opener) {
	s, c := opened(t, open, engine.Options{BytesMax: 10_000})
	set(t, s, "a", strings.Repeat("v", 5000), engine.SetOptions{TTL: time.Second})
	_, err := s.Set("b", make([]byte, 5000), engine.SetOptions{})
	require.ErrorIs(t, err, engine.ErrFull)
	absent(t, s, "b")
	used := s.Stats().Bytes
	set(t, s, "a", strings.Repeat("w", 5000), engine.SetOptions{KeepTTL: true}) // same size: nothing grows
	require.Equal(t, used, s.Stats().Bytes)
	_, err = s.SetMany([]engine.Item{{Key: "c", Value: make([]byte, 2500)}, {Key: "d", Value: make([]byte, 2500)}})
	require.ErrorIs(t, err, engine.ErrFull)
	require.Equal(t, used, s.Stats().Bytes)
	_, err = s.Batch([]engine.Op{{Kind: engine.OpSet, Key: "b", Value: make([]byte, 5000), TTL: time.Second}, {Kind: engine.OpDelete, Key: "a"}})
	require.NoError(t, err, "a batch may make its own room")
	require.Equal(t, used, s.Stats().Bytes)

	_, _, err = s.Delete("b", engine.DeleteOptions{})
	require.NoError(t, err)
	require.Zero(t, s.Stats().Bytes)
	set(t, s, "t", strings.Repeat("v", 9000), engine.SetOptions{TTL: time.Second})
	c.millis += 1000
	require.Equal(t, 1, s.Tick(0))
	require.Zero(t, s.Stats().Bytes)

	set(t, s, "ns/1", strings.Repeat("v", 1000), engine.SetOptions{})
	require.NoError(t, s.SetBudget("ns/", 2000))
	used, bytesMax := s.Budget("ns/")
	require.Equal(t, []int64{charged(4, 1000, false, false), 2000}, []int64{used, bytesMax})
	used, bytesMax = s.Budget("")
	require.Equal(t, []int64{s.Stats().Bytes, 10_000}, []int64{used, bytesMax})
	_, err = s.Set("ns/2", make([]byte, 1000), engine.SetOptions{})
	require.ErrorIs(t, err, engine.ErrFull)
	require.ErrorContains(t, err, `prefix "ns/"`)
	set(t, s, "other", strings.Repeat("v", 1000), engine.SetOptions{})
	_, _, err = s.Delete("ns/1", engine.DeleteOptions{})
	require.NoError(t, err)
	set(t, s, "ns/2", strings.Repeat("v", 1000), engine.SetOptions{})
	require.NoError(t, s.SetBudget("ns/", 0))
	used, bytesMax = s.Budget("ns/")
	require.Zero(t, used+bytesMax)
	set(t, s, "ns/3", strings.Repeat("v", 1000), engine.SetOptions{})
	require.ErrorIs(t, s.SetBudget("ns/", -1), engine.ErrOptions)

	require.NoError(t, s.SetBudget("", 20_000))
	set(t, s, "large", strings.Repeat("v", 12_000), engine.SetOptions{})
}
