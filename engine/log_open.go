package engine

import (
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/internal/message"
)

// lockLog takes the directory of o for a store, and reads which seed its keys were
// hashed with: with the same one, what stands together in a file belongs together
// in memory. The caller goes on with recover, or calls l.release.Close.
func lockLog(o *Options) (*wal, logFiles, error) {
	if o.SyncInterval < 0 || o.SegmentBytes < 0 || o.SegmentBytes > segmentBytesLimit/2 || o.CompressBytesMin < 0 || o.Sync > SyncNever {
		return nil, logFiles{}, message.Errorf("%w: Sync is one of the three policies, SyncInterval and CompressBytesMin are 0 or more, SegmentBytes is 0 to %d", ErrOptions, int64(segmentBytesLimit/2))
	}
	l := &wal{
		dir: o.Dir, token: make(chan struct{}, 1), ended: make(chan struct{}), group: newCommitGroup(),
		options: logOptions{sync: o.Sync, segmentBytes: o.SegmentBytes, compressMin: o.CompressBytesMin, encryption: o.Encryption,
			interval: o.SyncInterval, log: o.Log},
	}
	if l.options.interval == 0 {
		l.options.interval = syncIntervalDefault
	}
	var err error
	if l.release, err = o.Dir.Lock(); err != nil {
		return nil, logFiles{}, message.Errorf("engine: %w", err)
	}
	files, err := listFiles(o.Dir)
	if err != nil {
		return nil, logFiles{}, errors.Join(err, l.release.Close())
	}
	if o.Seed == 0 {
		o.Seed = storedSeed(o.Dir, files)
	}
	return l, files, nil
}

// storedSeed is the seed in the newest file's header, or 0. What is wrong with the
// file is found when all of it is read.
func storedSeed(dir storage.Dir, files logFiles) uint64 {
	name, magic, format := snapshotName(files.snapshot), snapshotMagic, uint16(snapshotVersion2)
	if files.snapshot == 0 {
		if len(files.segments) == 0 {
			return 0
		}
		name, magic, format = logName(files.segments[0]), logMagic, logVersion
	}
	f, err := dir.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0
	}
	b, err := newBlockReader(name, f, size, magic, format)
	if err != nil {
		return 0
	}
	return b.header.hashSeed
}

// recover fills the empty store from the directory and starts its log.
func (s *Store) recover(l *wal, files logFiles, o *Options) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, l.closeFiles(), l.release.Close())
		}
	}()
	r := &recovery{s: s, dir: l.dir, o: o, files: files}
	if err := r.run(); err != nil {
		return err
	}
	if len(files.segments) > 0 && !r.Clean {
		r.version += versionsSkipped
	}
	if r.version > versionMax {
		return message.Errorf("engine: %s: the versions are used up at %d", l.dir.String(), r.version)
	}
	s.version.Store(r.version)
	s.lastTime.Store(max(s.lastTime.Load(), r.time))
	s.budget.recount(s)
	l.id, l.hashSeed = r.id, o.Seed
	for l.id == 0 {
		l.id = rand.Uint64()
	}
	l.version, l.now = s.version.Load, s.lastTime.Load
	l.recovered = r.Recovery
	if err := l.start(r); err != nil {
		return err
	}
	s.Tick(0) // entries that ended meanwhile
	l.snapshot = files.snapshot
	l.counts.snapshotBytes.Store(r.SnapshotBytes)
	s.log = l
	if background && !o.BackgroundDisabled {
		l.wake = make(chan struct{}, 1)
		if l.wantsCompaction() {
			l.wake <- struct{}{}
		}
		l.wakeBackground()
		l.background.Go(func() { s.runBackground(l, l.options.interval) }) // ends with close
		if l.options.sync != SyncAlways {
			l.full = make(chan struct{}, 1)
			l.background.Go(l.runWriter) // ends with close
		}
	}
	if s.evict {
		s.makeRoom(0) // the budget may be smaller than it was
	}
	return nil
}

// start ends the log where it was found to end and begins a new segment behind. A segment that
// an earlier run wrote to is never written to again: its offsets are used up for
// the cipher, and its end is known for good.
func (l *wal) start(r *recovery) error {
	// A process that was killed may have left a snapshot whose new name is not
	// durable: it is to be so before what it stands for is removed.
	if err := l.dir.Sync(); err != nil {
		return message.Errorf("engine: %w", err)
	}
	for _, loose := range r.loose {
		if err := l.settle(loose); err != nil {
			return message.Errorf("engine: ending %s at byte %d: %w", loose.name, loose.end, err)
		}
	}
	keep := r.tail + 1 // segments
	number, before := max(r.files.snapshot, 1), int64(0)
	if keep > 0 {
		number, before = r.files.segments[r.tail]+1, r.end
		if r.empty && keep > 1 {
			keep, number, before = keep-1, number-1, r.before
		}
	}
	// Those behind number hold nothing that is part of the log. They go first: what
	// follows the new segment would belong to it. The last one goes before those in
	// front of it, durably, so that a crash leaves no gap.
	for _, n := range slices.Backward(r.files.segments[min(keep+1, int64(len(r.files.segments))):]) {
		if err := errors.Join(l.dir.Remove(logName(n)), l.dir.Sync()); err != nil {
			return message.Errorf("engine: %w", err)
		}
	}
	for _, name := range r.files.leftovers {
		if err := l.dir.Remove(name); err != nil {
			return message.Errorf("engine: %w", err)
		}
	}
	if err := l.dir.Sync(); err != nil {
		return message.Errorf("engine: %w", err)
	}
	for _, n := range r.files.segments[:keep] {
		s, err := l.oldSegment(n)
		if err != nil {
			return message.Errorf("engine: %w", err)
		}
		l.segments = append(l.segments, s)
		l.counts.logBytes.Add(s.end)
		l.counts.segments.Add(1)
	}
	return l.startSegment(number, before)
}

// startSegment makes the first segment that this run writes to. It has its
// beginning when it gets its name: in the place of one that an earlier run left, an
// unused one would say that the store was closed before.
func (l *wal) startSegment(number uint64, before int64) (err error) {
	if l.active, err = l.makeSegment(number, 0, &segmentBegin{before: before, durable: true}); err != nil {
		return message.Errorf("engine: starting the log in %s: %w", l.dir.String(), err)
	}
	return nil
}

// settle ends a segment and makes it durable as it was read. What the system shows
// of it need not be on the disk, even after a sync: after one that failed Linux
// goes on to show what it will never write. So what is not proven to be durable is
// written once more; that is the last group of changes under SyncAlways.
func (l *wal) settle(loose looseSegment) (err error) {
	f, err := l.dir.OpenWrite(loose.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return err
	}
	b := make([]byte, min(loose.end-loose.durable, readWindowBytes))
	for at := loose.durable; at < loose.end; at += int64(len(b)) {
		b = b[:min(int64(len(b)), loose.end-at)]
		there := b[:min(int64(len(b)), max(size-at, 0))] // it may end within its last padding
		if n, err := f.ReadAt(there, at); n < len(there) {
			return message.Errorf("reading %s at byte %d: %w", loose.name, at, err)
		}
		clear(b[len(there):])
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
	}
	if err := f.Truncate(loose.end); err != nil {
		return err
	}
	return f.Sync()
}

// oldSegment is a segment that is only kept until it is compacted.
func (l *wal) oldSegment(number uint64) (*segment, error) {
	f, err := l.dir.Open(logName(number))
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	s := &segment{name: logName(number), header: fileHeader{number: number}, end: size, synced: size}
	return s, errors.Join(err, f.Close())
}

// closeFiles closes what is open.
func (l *wal) closeFiles() (err error) {
	for _, s := range append(l.segments, l.active, l.spare) {
		if s != nil && s.file != nil {
			err = errors.Join(err, s.file.Close())
			s.file = nil
		}
	}
	return err
}

// close writes what waits, marks the end and gives the directory free. Nobody
// appends any more.
func (l *wal) close() error {
	close(l.ended)
	l.background.Wait()
	l.compacting.Lock()
	l.abandon()
	l.compacting.Unlock()
	l.token <- struct{}{} // kept: nobody writes after this
	l.closing = true
	// Entries that ended took versions of which the log need not have been told.
	if version := l.version(); version > 0 {
		l.append(&logRecord{kind: recordVersion, Meta: Meta{Version: version}})
	}
	err := l.lead(true)
	if err == nil {
		err = l.judge(l.writeEnd())
	}
	return errors.Join(err, l.closeFiles(), l.release.Close())
}

// writeEnd marks the log as closed. It gives the room back that was made ahead.
func (l *wal) writeEnd() error {
	at := l.active.end
	c := coder{cipher: l.active.cipher}
	b := c.appendBlock(nil, &l.active.header, logBlock{kind: blockEnd, time: l.now(), synced: l.active.synced}, nil, at)
	if err := l.active.file.Truncate(at + int64(len(b))); err != nil {
		return err
	}
	if _, err := l.active.file.WriteAt(b, at); err != nil {
		return err
	}
	l.active.end += int64(len(b))
	l.dirty = true
	if err := l.sync(); err != nil {
		return err
	}
	if l.spare != nil {
		if err := errors.Join(l.spare.file.Close(), l.dir.Remove(l.spare.name)); err != nil {
			return err
		}
		l.spare = nil
	}
	return nil
}
