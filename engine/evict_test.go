package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// checkQueues walks a shard's queues: they hold each entry once, linked both
// ways, and their bytes are those of the entries.
func checkQueues(t *testing.T, sh *shard) {
	t.Helper()
	seen := map[int]bool{}
	for _, q := range []*evictQueue{&sh.queues.small, &sh.queues.main} {
		var bytes int64
		newer := uint32(0)
		for at := q.newest; at != 0; {
			slot := int(at) - 1
			n := sh.queues.nodes[slot]
			require.Equal(t, newer, n.newer)
			require.Same(t, q, sh.queues.of(slot))
			require.False(t, seen[slot])
			seen[slot] = true
			info := *sh.arena.at(ref(sh.table.slots()[slot] & refMask)).info()
			bytes += chargeOfInfo(info)
			newer, at = at, n.older&^inMain
		}
		require.Equal(t, newer, q.oldest)
		require.Equal(t, bytes, q.bytes)
	}
	require.Len(t, seen, sh.table.live)
	require.Equal(t, sh.bytes, sh.queues.small.bytes+sh.queues.main.bytes)
}

// TestQueues runs random operations on a store that evicts and looks at the
// queues in between.
func TestQueues(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	now := int64(1_700_000_000_000)
	s, err := Open(Options{BytesMax: 400_000, Evict: true, Now: func() int64 { return now }})
	require.NoError(t, err)
	defer s.Close()
	for round := range 60 {
		for range 1000 {
			key := fmt.Sprint("key", rng.IntN(8000))
			var err error
			switch rng.IntN(12) {
			case 0:
				_, _, err = s.Delete(key, DeleteOptions{})
			case 1:
				_, err = s.SetMany([]Item{{Key: key, Value: make([]byte, rng.IntN(3000))}, {Key: key + "'", Value: make([]byte, rng.IntN(300))}})
			case 2:
				_, err = s.Expire(key, time.Duration(rng.IntN(50))*time.Millisecond)
			case 3, 4, 5, 6:
				_, err = s.Get(key)
			default:
				_, err = s.Set(key, make([]byte, rng.IntN(200)), SetOptions{TTL: time.Duration(rng.IntN(2)*rng.IntN(500)) * time.Millisecond})
			}
			require.NoError(t, err)
		}
		switch round % 6 {
		case 1:
			now += 40
			s.Tick(rng.IntN(200))
		case 3:
			_, err := s.Clear("key1")
			require.NoError(t, err)
		case 5:
			var b bytes.Buffer
			require.NoError(t, s.Snapshot(&b))
			require.NoError(t, s.Restore(&b))
		}
		for i := range s.shards {
			checkQueues(t, &s.shards[i])
		}
		require.LessOrEqual(t, s.Stats().Bytes, int64(400_000))
	}
	require.NotZero(t, s.Stats().Evicted)
}

// TestHits counts in one byte what neighbours do not see.
func TestHits(t *testing.T) {
	q := newQueues(newSlots(8, true))
	for range 5 {
		hit(&q.hits[0], 2)
	}
	hit(&q.hits[0], 3)
	require.EqualValues(t, hitsMax, q.hitsOf(2))
	require.EqualValues(t, 1, q.hitsOf(3))
	q.setHits(2, 1)
	require.Equal(t, []uint32{1<<16 | 1<<24, 0}, q.hits)
}

// TestGhosts remembers the last ones that were evicted, and forgets one that came
// back.
func TestGhosts(t *testing.T) {
	q := newQueues(newSlots(64, true))
	for bits := range uint64(100) {
		q.remember(bits)
	}
	require.True(t, q.wasEvicted(99, 16))
	require.False(t, q.wasEvicted(99, 16))
	require.False(t, q.wasEvicted(80, 16))
	require.True(t, q.wasEvicted(81, 20))
	require.False(t, q.wasEvicted(200, 100))
}
