package main

import (
	"errors"
	"math"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// openGCPercent lets the heap grow to five times its size before the collector looks at
// it again, while a store is opened: 100,000 keys open in 0.8 of the time.
const openGCPercent = 400

// directories holds the directory of each store that is in one, until the store
// is closed.
var directories = map[*engine.Store]*storage.Directory{}

// openDir opens the store in a directory that the host has preopened, or below
// one. Request: its path. Registers in: 0 and 1 as for ingot_open, 2 the sync
// policy, 3 the interval in milliseconds, 4 the size of a segment, 5 from which
// size on blocks are compressed; 0 in each is the engine's default. It returns the
// store's handle.
//
//go:wasmexport ingot_open_dir
func openDir(pathBytes uint32) int32 {
	path, _, ok := pair(pathBytes, 0)
	if !ok {
		return fail(errRequest)
	}
	o := memoryOptions()
	if registers[2] > math.MaxUint8 || registers[3] > math.MaxInt64/uint64(time.Millisecond) || registers[5] > math.MaxInt32 {
		return fail(engine.ErrOptions)
	}
	o.Sync, o.SyncInterval = engine.SyncPolicy(registers[2]), time.Duration(registers[3])*time.Millisecond
	o.SegmentBytes, o.CompressBytesMin = int64(registers[4]), int(registers[5])
	dir, err := storage.OpenDir(path)
	if err != nil {
		return failStorage(err)
	}
	o.Dir = dir
	// While the contents are read nearly nothing becomes garbage.
	percent := setGCPercent(openGCPercent)
	s, err := engine.Open(o)
	setGCPercent(percent)
	if err != nil {
		return failStorage(errors.Join(err, dir.Close()))
	}
	handle := stores.add(s)
	if handle < 0 {
		_ = errors.Join(s.Close(), dir.Close()) // no write was made
		return handle
	}
	directories[s] = dir
	return handle
}

// closeDir releases the directory of a store that is closed, if it has one.
func closeDir(s *engine.Store) error {
	dir := directories[s]
	if dir == nil {
		return nil
	}
	delete(directories, s)
	return dir.Close()
}

// flush makes durable what was written before; in memory it does nothing.
//
//go:wasmexport ingot_flush
func flush(store uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	if err := s.Sync(); err != nil {
		return failStorage(err)
	}
	return 0
}

// work does a piece of what waits in the background, and returns 1 when more of it
// does, or 0.
//
//go:wasmexport ingot_work
func work(store uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	if s.Work() {
		return 1
	}
	return 0
}

// compact writes the contents into a new snapshot and drops the log before it.
//
//go:wasmexport ingot_compact
func compact(store uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	if err := s.Compact(); err != nil {
		return failStorage(err)
	}
	return 0
}

// What ingot_log_stats says of the log first.
const (
	logWell     = iota // or there is none: the store is in memory
	logDegraded        // the disk is full: writes are refused until it has room
	logReadOnly        // until the store is opened again
)

// logStats replies with fifteen u64, in the order of engine.LogStats and
// engine.Recovery, the state first; then the text of what is wrong, if something is.
//
//go:wasmexport ingot_log_stats
func logStats(store uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	st := s.LogStats()
	state, text := logWell, ""
	if st.Degraded != nil {
		state, text = logDegraded, st.Degraded.Error()
		if errors.Is(st.Degraded, engine.ErrReadOnly) {
			state = logReadOnly
		}
	}
	clean := int64(0)
	if st.Recovered.Clean {
		clean = 1
	}
	out := area[:0]
	for _, n := range [...]int64{
		int64(state), st.Segments, st.LogBytes, st.SnapshotBytes, st.PendingBytes, st.WrittenBytes, st.Syncs, st.SyncedAt, st.Compactions,
		st.Recovered.SnapshotBytes, st.Recovered.LogBytes, int64(st.Recovered.Segments), st.Recovered.Records, clean, st.Recovered.TornBytes,
	} {
		out = appendU64(out, uint64(n))
	}
	return reply(append(out, text...), 0)
}
