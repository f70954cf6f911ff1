package main

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// The rows of the measurement of stalls: how long the longest set takes, and what the
// machine adds, which a goroutine meets that only looks at the clock.
const (
	kindStall      = "longest set"
	kindStallTail  = "set, 99.99 %"
	rowQuiet       = "ingot, no compaction"
	rowCompacting  = "ingot, compacting"
	rowLooking     = "looking at the clock"
	stallsInARound = 3 // compactions, and as long without one
)

// stallSegmentBytes keeps the store from compacting by itself: it begins when the log
// has twice as much.
const stallSegmentBytes = 1 << 30

// measureStalls sets random keys of a full store with no sync while it is compacted,
// and as long while it is not, in turn.
func (r *results) measureStalls(work string, count int) error {
	dir, err := storage.OpenDir(filepath.Join(work, "stalls"))
	if err != nil {
		return err
	}
	s, err := engine.Open(engine.Options{Dir: dir, Sync: engine.SyncNever, SegmentBytes: stallSegmentBytes})
	if err != nil {
		return errors.Join(err, dir.Close())
	}
	key := make([]byte, 0, keyBytes)
	for i := 0; i < count && err == nil; i++ {
		_, err = s.Set(string(keyOf(key, uint64(i))), value, engine.SetOptions{})
	}
	for range stallsInARound {
		if err == nil {
			settleDisk()
			err = r.measureStall(s, uint64(count))
		}
	}
	return errors.Join(err, s.Close(), dir.Close())
}

// measureStall measures during one compaction, and then as long without.
func (r *results) measureStall(s *engine.Store, count uint64) error {
	start := time.Now()
	done := make(chan error, 1)
	go func() { done <- s.Compact() }()
	var compacted error
	tail, longest, err := latencies(s, count, func() bool {
		select {
		case compacted = <-done:
			return true
		default:
			return false
		}
	})
	if err = errors.Join(err, compacted); err != nil {
		return err
	}
	span := time.Since(start)
	r.add(rowCompacting, kindStall, longest)
	r.add(rowCompacting, kindStallTail, tail)

	for _, set := range []*engine.Store{s, nil} {
		row := rowQuiet
		if set == nil {
			row = rowLooking
		}
		start = time.Now()
		if tail, longest, err = latencies(set, count, func() bool { return time.Since(start) >= span }); err != nil {
			return err
		}
		r.add(row, kindStall, longest)
		r.add(row, kindStallTail, tail)
	}
	return nil
}

// latencies sets random keys until it is over, or nothing where the store is nil, and
// returns the 99.99th percentile and the longest of the sets, in seconds.
func latencies(s *engine.Store, count uint64, over func() bool) (tail, longest float64, err error) {
	rng := rand.New(rand.NewPCG(5, uint64(time.Now().UnixNano())))
	key := make([]byte, 0, keyBytes)
	var all []time.Duration
	for n := 0; n&63 != 0 || !over(); n++ {
		key = keyOf(key, rng.Uint64N(count))
		start := time.Now()
		if s != nil {
			if _, err := s.Set(text(key), value, engine.SetOptions{}); err != nil {
				return 0, 0, err
			}
		}
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	return all[len(all)*9999/10000].Seconds(), all[len(all)-1].Seconds(), nil
}
