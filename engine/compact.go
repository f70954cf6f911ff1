package engine

// Compaction writes what the store holds into a snapshot, and removes the log that
// led there. First the log goes on to a new segment: all changes before it are in
// the store by then. Then the shards are walked, a piece at a time, while writers
// go on; what they change meanwhile is in the new segment, and replaying that over
// the snapshot gives every key its newest version, whichever the walk met. The
// snapshot gets its name only when the log is durable up to where the walk ended:
// it may hold half of a batch whose other half is in the log.

import (
	"errors"
	"runtime"
	"time"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/internal/message"
)

const (
	// compactSlots is how many slots of a shard are walked under its lock, some
	// 0.2 ms, and compactBytes how much is copied: then the lock is let go, behind the
	// entry that went over. Where the table is replaced under the walk again and again,
	// a hold may have compactSlotsMax.
	compactSlots    = 1024
	compactSlotsMax = 8 * compactSlots
	compactBytes    = 256 << 10
	// compactTickBytes is how much one Tick writes.
	compactTickBytes = 1 << 20
	// syncAheadBytes is how little a sync that writers wait for may have before it, and
	// syncAheadMax how often that is tried: they go on writing.
	syncAheadBytes = 1 << 20
	syncAheadMax   = 5
	// snapshotSyncBytes is how much of a snapshot is written between syncs, so that
	// none of them keeps the log's syncs waiting for long.
	snapshotSyncBytes = 8 << 20
)

// background says that a goroutine can work while nobody calls.
const background = runtime.GOARCH != "wasm"

// errStopped says that the store was closed during a compaction.
var errStopped = errors.New("the store was closed")

// compaction is a compaction under way.
type compaction struct {
	s     *Store
	w     *snapshotFile
	shard int // the next to be walked
}

// Compact writes the contents into a new snapshot and removes the log before it,
// encrypted with the current key if there is one. It happens by itself when the log
// has become one and a half times as large as the snapshot. Writers go on
// meanwhile. For a store in memory it does nothing. Errors: ErrClosed, ErrDegraded,
// ErrReadOnly or those of the disk; then the store is as durable as before.
func (s *Store) Compact() error {
	l := s.log
	if s.closed.Load() {
		return ErrClosed
	}
	if l == nil {
		return nil
	}
	l.compacting.Lock()
	defer l.compacting.Unlock()
	l.abandon() // what a Tick has begun
	c, err := s.beginCompaction()
	if err != nil {
		return err
	}
	for done := false; !done; {
		if done, err = c.step(); err != nil {
			return c.failed(err)
		}
	}
	return nil
}

// failed removes what was written, and says what went wrong.
func (c *compaction) failed(err error) error {
	c.w.drop()
	if errors.Is(err, errStopped) {
		return ErrClosed
	}
	return message.Errorf("engine: compacting: %w", err)
}

// beginCompaction goes on to a new segment and begins its snapshot. The caller
// has l.compacting.
func (s *Store) beginCompaction() (*compaction, error) {
	l := s.log
	if err := l.syncAhead(); err != nil {
		return nil, err
	}
	if err := l.take(); err != nil {
		return nil, err
	}
	defer l.give()
	err := l.lead(true)
	if err == nil {
		err = l.judge(l.rotate(0))
	}
	if err != nil {
		return nil, err
	}
	w, err := l.newSnapshotFile(l.active.header.number)
	if err != nil {
		return nil, message.Errorf("engine: compacting: %w", err)
	}
	return &compaction{s: s, w: w}, nil
}

// step walks the next shard, or ends the compaction.
func (c *compaction) step() (done bool, err error) {
	if c.shard == len(c.s.shards) {
		return true, c.end()
	}
	if err := c.walk(&c.s.shards[c.shard]); err != nil {
		return false, err
	}
	c.shard++
	return false, c.w.flush(logBlockBytesTarget)
}

// walk adds the entries of a shard to the buffer. A table that is replaced
// meanwhile has its entries in other slots: the shard is walked anew, by longer
// pieces.
func (c *compaction) walk(sh *shard) error {
	var slots []uint64
	mark, count := c.w.buffer.mark(), c.w.count
	next, most := 0, compactSlots/2
	for {
		sh.mu.Lock()
		if c.s.closed.Load() {
			sh.mu.Unlock()
			return errStopped
		}
		if now := sh.table.slots(); len(slots) == 0 || &slots[0] != &now[0] {
			slots, next, most = now, 0, min(2*most, compactSlotsMax)
			c.w.buffer.backTo(mark)
			c.w.count, c.w.large = count, nil
		}
		next += c.w.addSlots(sh, slots[next:min(next+most, len(slots))], c.s.lastTime.Load())
		sh.mu.Unlock()
		runtime.Gosched() // who waited goes first; else it waits for the scheduler's turn, 10 ms
		if next == len(slots) {
			return c.w.addLarge()
		}
	}
}

// end shows the snapshot and removes what it replaces.
func (c *compaction) end() error {
	l := c.s.log
	err := l.syncAhead()
	if err == nil {
		err = l.take()
	}
	if errors.Is(err, ErrClosed) {
		return errStopped
	}
	if err != nil {
		return err
	}
	err = l.lead(true)
	needs := logPosition{l.active.header.number, l.active.synced}
	l.give()
	if err != nil {
		return err
	}
	if c.s.closed.Load() {
		return errStopped // the walk may have met emptied shards
	}
	if err := c.w.finish(snapshotEnd{version: c.s.version.Load(), needs: needs}); err != nil {
		return err
	}
	if err := c.w.show(); err != nil {
		return err
	}
	l.compacted(c.w)
	return nil
}

// syncAhead syncs what is written of the log without the token, until little is left
// for the sync that needs it: what a store with SyncNever wrote since the last sync can
// take longer to sync than writers may wait. The caller has l.compacting, which keeps
// the files open.
func (l *wal) syncAhead() error {
	if l.options.sync == SyncAlways {
		return nil
	}
	for range syncAheadMax {
		if err := l.take(); err != nil {
			return err
		}
		loose, ends, bytes := l.loose()
		l.give()
		if bytes < syncAheadBytes {
			return nil
		}
		var failure error
		for _, s := range loose {
			if err := s.file.Sync(); err != nil && failure == nil {
				failure = message.Errorf("%w: %w", errSyncFailed, err)
			}
		}
		if err := l.take(); err != nil {
			return err
		}
		if failure == nil {
			for i, s := range loose {
				s.synced = max(s.synced, ends[i])
				l.counts.syncs.Add(1)
			}
		}
		failure = l.judge(failure)
		l.give()
		if failure != nil {
			return failure
		}
	}
	return nil
}

// loose is the segments that are not synced to their ends, and how many bytes that is.
// The caller has the token.
func (l *wal) loose() (list []*segment, ends []int64, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range append(l.segments[:len(l.segments):len(l.segments)], l.active) {
		if s.synced != s.end {
			list, ends, bytes = append(list, s), append(ends, s.end), bytes+s.end-s.synced
		}
	}
	return list, ends, bytes
}

// snapshotFile is a snapshot that is being written, under a temporary name.
type snapshotFile struct {
	l        *wal
	name     string
	file     storage.File
	header   fileHeader
	coder    coder
	buffer   logBuffer
	scratch  []byte
	out      []byte
	at       int64
	unsynced int64
	count    uint64
	large    []logRecord // that are not in the buffer yet: they alias cells
}

// newSnapshotFile begins the snapshot that goes before the segment of a number.
func (l *wal) newSnapshotFile(number uint64) (*snapshotFile, error) {
	h, cipher, err := l.newHeader(snapshotMagic, snapshotVersion2, number)
	if err != nil {
		return nil, err
	}
	h.flags |= flagWithLog
	w := &snapshotFile{l: l, name: snapshotName(number), at: fileHeaderBytes,
		coder: coder{compressMin: l.options.compressMin, cipher: cipher}}
	w.file, err = l.createFile(w.name, &h)
	w.header = h
	return w, err
}

// addSlots adds the entries in some slots of a shard, but for those that have ended,
// until it has copied compactBytes. It returns how many slots it has done. Large
// values wait for addLarge: such a cell has its memory for itself and is never written
// again, so it is good without the lock.
func (w *snapshotFile) addSlots(sh *shard, slots []uint64, now int64) (done int) {
	for before := len(w.buffer.bytes); done < len(slots) && len(w.buffer.bytes)-before < compactBytes; done++ {
		r := ref(slots[done] & refMask)
		if r == 0 || r == refTombstone {
			continue
		}
		c := sh.arena.at(r)
		info := *c.info()
		rec := logRecord{kind: recordSet, key: c.key(info), value: c.value(info), Meta: c.meta(*c.head(), info)}
		if rec.ExpiresAt != 0 {
			if rec.ExpiresAt <= now {
				continue
			}
			rec.kind = recordSetEnds
		}
		if len(rec.value) > compactBytes {
			w.large = append(w.large, rec)
			continue
		}
		w.buffer.add(&rec)
		w.count++
	}
	return done
}

// addLarge adds the large entries that addSlots has met.
func (w *snapshotFile) addLarge() error {
	for i := range w.large {
		w.buffer.add(&w.large[i])
		w.count++
		if err := w.flush(logBlockBytesTarget); err != nil {
			return err
		}
	}
	w.large = nil
	return nil
}

// addShard adds and writes all entries of a shard that nobody else changes.
func (w *snapshotFile) addShard(sh *shard, now int64) error {
	for slots := sh.table.slots(); len(slots) > 0; {
		slots = slots[w.addSlots(sh, slots, now):]
	}
	if err := w.addLarge(); err != nil {
		return err
	}
	return w.flush(logBlockBytesTarget)
}

// flush writes the buffer when it has this many bytes.
func (w *snapshotFile) flush(least int) error {
	if len(w.buffer.bytes) < least {
		return nil
	}
	b := &w.buffer
	b.close()
	out := w.out[:0]
	for _, k := range b.blocks {
		h := logBlock{kind: blockRecords, time: w.l.now()}
		var body []byte
		body, h.codec = w.coder.compress(b.payload(k), w.scratch)
		if h.codec != codecNone {
			w.scratch = body
		}
		out = w.coder.appendBlock(out, &w.header, h, body, w.at+int64(len(out)))
	}
	b.reset()
	w.out = out
	return w.write(out)
}

// write appends to the file.
func (w *snapshotFile) write(b []byte) error {
	if _, err := w.file.WriteAt(b, w.at); err != nil {
		return err
	}
	w.at += int64(len(b))
	w.unsynced += int64(len(b))
	w.l.counts.bytes.Add(int64(len(b)))
	if w.unsynced < snapshotSyncBytes {
		return nil
	}
	w.unsynced = 0
	return w.file.Sync()
}

// finish writes the end block, syncs and closes the file.
func (w *snapshotFile) finish(e snapshotEnd) error {
	if err := w.flush(1); err != nil {
		return err
	}
	e.count = w.count
	h := logBlock{kind: blockEnd, time: w.l.now()}
	if err := w.write(w.coder.appendBlock(nil, &w.header, h, e.encode(), w.at)); err != nil {
		return err
	}
	err := errors.Join(w.file.Sync(), w.file.Close())
	w.file = nil
	return err
}

// show gives the snapshot its name, durably: from then on it is the store's.
func (w *snapshotFile) show() error {
	if err := w.l.dir.Rename(w.name+tmpSuffix, w.name); err != nil {
		return err
	}
	return w.l.dir.Sync()
}

// drop removes the file, if it can: the next Open does otherwise.
func (w *snapshotFile) drop() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
	_ = w.l.dir.Remove(w.name + tmpSuffix)
}

// compacted removes the log before a snapshot, and the snapshot before it. What
// cannot be removed now is removed by the next Open.
func (l *wal) compacted(w *snapshotFile) {
	l.counts.compacted.Add(1)
	l.counts.snapshotBytes.Store(w.at)
	l.mu.Lock()
	var keep, gone []*segment
	for _, s := range l.segments {
		if s.header.number < w.header.number {
			gone = append(gone, s)
		} else {
			keep = append(keep, s)
		}
	}
	l.segments = keep
	old := l.snapshot
	l.snapshot = w.header.number
	l.mu.Unlock()
	for _, s := range gone {
		l.counts.logBytes.Add(-s.end)
		l.counts.segments.Add(-1)
		if s.file != nil {
			_ = s.file.Close() // all of it is synced: nobody looks at it any more
			s.file = nil
		}
		_ = l.dir.Remove(s.name)
	}
	if old != 0 && old != w.header.number {
		_ = l.dir.Remove(snapshotName(old))
	}
}

// wantsCompaction reports whether the log is long for the contents.
func (l *wal) wantsCompaction() bool {
	first := l.options.segmentBytes
	if first == 0 {
		first = segmentBytesDefault
	}
	bytes := l.counts.logBytes.Load()
	return bytes > 2*first && 2*bytes > 3*l.counts.snapshotBytes.Load() && bytes > l.compactAgain.Load()
}

// wakeBackground lets the goroutine look at the log. The caller has the token.
func (l *wal) wakeBackground() {
	if l.wake != nil && (l.spare == nil || l.wantsCompaction()) {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// runBackground compacts and syncs until the store is closed. close waits for it.
func (s *Store) runBackground(l *wal, interval time.Duration) {
	var tick <-chan time.Time
	if l.options.sync == SyncInterval {
		t := time.NewTicker(interval)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-l.ended:
			return
		case <-tick:
			_ = l.syncNow() // the next write tells
		case <-l.wake:
			if l.take() == nil {
				_ = l.prepare() // the next write tells
				l.give()
			}
			if l.wantsCompaction() {
				l.compactionFailed(s.Compact())
			}
		}
	}
}

// runWriter writes what is pending when it is told to, until the store is closed.
// close waits for it.
func (l *wal) runWriter() {
	for {
		select {
		case <-l.ended:
			return
		case <-l.full:
			if l.take() == nil {
				_ = l.lead(false) // the next write tells
				l.give()
			}
		}
	}
}

// compactionFailed says so, and when to try again.
func (l *wal) compactionFailed(err error) {
	l.compactAgain.Store(0)
	if err == nil || errors.Is(err, ErrClosed) {
		return
	}
	l.compactAgain.Store(l.counts.logBytes.Load() + segmentBytesDefault)
	l.tell("%v: it is tried again when the log has grown by %d bytes", err, int64(segmentBytesDefault))
}

// tickLog does, in Tick, what the goroutine would do: a sync that is due, and some
// of a compaction.
func (s *Store) tickLog() {
	l := s.log
	if l.wake != nil {
		return
	}
	if now := s.now(); l.options.sync == SyncInterval && now-l.tickedAt.Load() >= l.options.interval.Milliseconds() {
		l.tickedAt.Store(now)
		_ = l.syncNow() // the next write tells
	}
	if !l.compacting.TryLock() {
		return
	}
	defer l.compacting.Unlock()
	if l.current == nil {
		if !l.wantsCompaction() {
			return
		}
		c, err := s.beginCompaction()
		if err != nil {
			l.compactionFailed(err)
			return
		}
		l.current = c
	}
	for from := l.current.w.at; l.current.w.at-from < compactTickBytes; {
		done, err := l.current.step()
		if err != nil {
			err = l.current.failed(err)
		}
		if done || err != nil {
			l.current = nil
			l.compactionFailed(err)
			return
		}
	}
}

// Work does a piece of what runs in the background natively: a sync that is due by
// SyncInterval, and some 1 MiB of a compaction. It reports whether more of that
// waits. It is for hosts that Tick too rarely and in which nothing runs between
// calls. For a store in memory, and where goroutines do the work, it does nothing.
func (s *Store) Work() (more bool) {
	l := s.log
	if l == nil || l.wake != nil || s.closed.Load() {
		return false
	}
	s.tickLog()
	if !l.compacting.TryLock() {
		return true
	}
	defer l.compacting.Unlock()
	return l.current != nil || l.wantsCompaction()
}

// abandon drops a compaction that Tick has begun. The caller has l.compacting.
func (l *wal) abandon() {
	if l.current != nil {
		l.current.w.drop()
		l.current = nil
	}
}
