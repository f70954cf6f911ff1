package engine

import "time"

// SyncPolicy says when a write to a store in a directory is on the disk.
type SyncPolicy uint8

const (
	// SyncAlways: before the write returns. Writers that come together share a sync.
	SyncAlways SyncPolicy = iota
	// SyncInterval: at most Options.SyncInterval later. A power failure loses at most
	// the changes since the last sync, a crash of the process those that wait in it:
	// 64 KiB, and up to 8 MiB while the system keeps the log's file waiting.
	SyncInterval
	// SyncNever: when the system likes, or Sync is called. A crash of the process loses
	// what it does with SyncInterval.
	SyncNever
)

// syncIntervalDefault is Options.SyncInterval where it is 0.
const syncIntervalDefault = time.Second

// LogStats are the figures of a store's directory.
type LogStats struct {
	// Dir is the directory as it names itself; empty for a store in memory.
	Dir string
	// Degraded says why writes are refused, or is nil. The error matches ErrDegraded
	// (it mends itself when the disk has room) or ErrReadOnly (until the store is
	// opened again).
	Degraded error
	// Segments and LogBytes are the log that is not compacted yet.
	Segments int64
	LogBytes int64
	// SnapshotBytes is the size of the snapshot, 0 without one.
	SnapshotBytes int64
	// PendingBytes are changes that wait in memory.
	PendingBytes int64
	// WrittenBytes were written to files since Open, compactions included.
	WrittenBytes int64
	// Syncs is how often the log was synced since Open, and SyncedAt when it was
	// last, in Unix milliseconds.
	Syncs    int64
	SyncedAt int64
	// Compactions since Open.
	Compactions int64
	// Recovered is what Open found.
	Recovered Recovery
}

// Sync makes all writes durable that returned before it was called, whatever the
// policy. For a store in memory it does nothing. Errors: ErrDegraded, ErrReadOnly,
// ErrClosed.
func (s *Store) Sync() error {
	if s.closed.Load() {
		return ErrClosed
	}
	if s.log == nil {
		return nil
	}
	return s.log.syncNow()
}

// StoreID is the store's own number, drawn when its directory began: its files carry it,
// and a copy of the entries in another directory has another one. It is 0 for a store in
// memory.
func (s *Store) StoreID() uint64 {
	if s.log == nil {
		return 0
	}
	return s.log.id
}

// LogStats tells of the store's directory; all of it is zero for a store in memory.
func (s *Store) LogStats() LogStats {
	l := s.log
	if l == nil {
		return LogStats{}
	}
	t := LogStats{
		Dir:           l.dir.String(),
		Segments:      l.counts.segments.Load(),
		LogBytes:      l.counts.logBytes.Load(),
		SnapshotBytes: l.counts.snapshotBytes.Load(),
		WrittenBytes:  l.counts.bytes.Load(),
		Syncs:         l.counts.syncs.Load(),
		SyncedAt:      l.counts.syncedAt.Load(),
		Compactions:   l.counts.compacted.Load(),
		Recovered:     l.recovered,
	}
	if state := l.state.Load(); state != nil {
		t.Degraded = state.err
	}
	l.mu.Lock()
	t.PendingBytes = int64(len(l.pending.bytes))
	l.mu.Unlock()
	return t
}

// record is what the log keeps of an outcome. changed is false when it is nothing.
func (o *outcome) record(key string, version uint64) (r logRecord, changed bool) {
	r = logRecord{key: key, Meta: Meta{Version: version, ExpiresAt: o.expiresAt}}
	switch {
	case o.put && o.sameValue:
		r.kind = recordEnd
	case o.put && o.expiresAt != 0:
		r.kind, r.value = recordSetEnds, o.value
	case o.put:
		r.kind, r.value = recordSet, o.value
	case o.remove:
		r.kind = recordRemove
	}
	return r, r.kind != 0
}

// logOutcome appends an outcome to the log. The caller holds the key's shard.
func (s *Store) logOutcome(key string, out *outcome, version uint64) *commitGroup {
	if r, changed := out.record(key, version); changed {
		return s.log.append(&r)
	}
	return nil
}

// add adds an outcome to the changes of a batch.
func (b *logBuffer) addOutcome(key string, out *outcome, version uint64) {
	if r, changed := out.record(key, version); changed {
		b.add(&r)
	}
}
