package engine

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unsafe"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/internal/message"
)

// versionsSkipped is by how much the version grows when a store is opened that was
// not closed. Changes that were not yet durable may have been read before the
// crash took them; their versions are given to nobody else, so that a condition on
// one of them can never hold again. No store hands out so many between two syncs.
const versionsSkipped = 1 << 32

// Recovery tells what Open found in the directory.
type Recovery struct {
	// SnapshotBytes and LogBytes were read, in Segments segments of the log.
	SnapshotBytes, LogBytes int64
	Segments                int
	// Records is how many changes the log held beside the snapshot.
	Records int64
	// Clean reports whether the store was closed before.
	Clean bool
	// TornBytes is how much was cut off the log's end: what a crash left of changes
	// that nobody was told to be durable.
	TornBytes int64
}

// Progress tells how far Open is.
type Progress struct {
	File        string // that is being read
	Done, Total int64  // bytes of all files
}

// logFiles are the files of a store in a directory.
type logFiles struct {
	snapshot  uint64   // the newest, 0 for none
	segments  []uint64 // those that belong to it, rising
	leftovers []string // what a crash left and nobody needs
}

// listFiles sorts the names in a directory. Other names are not the store's.
func listFiles(dir storage.Dir) (f logFiles, err error) {
	names, err := dir.List()
	if err != nil {
		return f, message.Errorf("engine: listing %s: %w", dir.String(), err)
	}
	var segments, snapshots []uint64
	for _, name := range names {
		if n, ok := fileNumber(name, snapshotPrefix); ok {
			snapshots = append(snapshots, n)
		} else if n, ok := fileNumber(name, logPrefix); ok {
			segments = append(segments, n)
		} else if whole, tmp := strings.CutSuffix(name, tmpSuffix); tmp {
			_, log := fileNumber(whole, logPrefix)
			_, snapshot := fileNumber(whole, snapshotPrefix)
			if log || snapshot {
				f.leftovers = append(f.leftovers, name)
			}
		}
	}
	for _, n := range snapshots {
		f.snapshot = max(f.snapshot, n)
	}
	for _, n := range snapshots {
		if n < f.snapshot {
			f.leftovers = append(f.leftovers, snapshotName(n))
		}
	}
	for _, n := range segments {
		if n < f.snapshot {
			f.leftovers = append(f.leftovers, logName(n))
		} else {
			f.segments = append(f.segments, n)
		}
	}
	slices.Sort(f.segments)
	return f, nil
}

// check finds what is missing. The first segment's number is that of the snapshot,
// or 1 without one.
func (f *logFiles) check() error {
	want := max(f.snapshot, 1)
	if len(f.segments) == 0 && f.snapshot == 0 {
		return nil
	}
	if f.snapshot == 0 && f.segments[0] != 1 {
		return &CorruptError{File: snapshotName(f.segments[0]), Reason: "it is missing: the log begins behind it"}
	}
	for _, n := range f.segments {
		if n != want {
			break
		}
		want++
	}
	if end := max(f.snapshot, 1) + uint64(len(f.segments)); want != end || len(f.segments) == 0 {
		return &CorruptError{File: logName(want), Reason: "it is missing"}
	}
	return nil
}

// recovery is the reading of a directory into an empty store.
type recovery struct {
	Recovery
	s        *Store
	dir      storage.Dir
	o        *Options
	files    logFiles
	id       uint64
	version  uint64
	time     int64
	progress Progress

	// Where the log ends: in the last segment that is in use, at end. before is the
	// end of the segment before that one. empty says that it holds no change.
	tail, end, before int64
	empty             bool
	needs             logPosition    // up to where the snapshot needs the log
	loose             []looseSegment // which may not be durable, rising
}

// looseSegment is a segment of which not all is proven to be durable.
type looseSegment struct {
	name         string
	durable, end int64 // proven, and read, in bytes
}

// logPosition is a place in the log.
type logPosition struct {
	segment uint64
	offset  int64
}

// run reads the snapshot and the log.
func (r *recovery) run() error {
	r.tail = -1
	if err := r.files.check(); err != nil {
		return err
	}
	for _, n := range r.files.segments {
		r.addSize(logName(n))
	}
	if r.files.snapshot != 0 {
		r.addSize(snapshotName(r.files.snapshot))
		if err := r.loadSnapshot(snapshotName(r.files.snapshot)); err != nil {
			return err
		}
	}
	r.tail = -1
	for i := range r.files.segments {
		last, err := r.replaySegment(i)
		if err != nil {
			return err
		}
		if last {
			break
		}
	}
	r.Segments = int(r.tail) + 1
	return r.reached()
}

// reached checks that the log goes as far as the snapshot needs it: the snapshot
// was taken while the store changed, and shown only when all of that was durable.
func (r *recovery) reached() error {
	if r.needs.segment == 0 {
		return nil
	}
	number := r.files.segments[r.tail]
	if number < r.needs.segment || number == r.needs.segment && r.end < r.needs.offset {
		return &CorruptError{File: logName(number), Offset: r.end, Reason: message.Sprintf("the log ends here, though the snapshot %x needs it up to %s, byte %d",
			r.files.snapshot, logName(r.needs.segment), r.needs.offset)}
	}
	return nil
}

// addSize counts a file for the progress. That it cannot be opened is told later.
func (r *recovery) addSize(name string) {
	if f, err := r.dir.Open(name); err == nil {
		if size, err := f.Size(); err == nil {
			r.progress.Total += size
		}
		_ = f.Close() // only its size was asked for
	}
}

// report tells how far the reading is.
func (r *recovery) report(name string, bytes int64) {
	r.progress.File = name
	r.progress.Done += bytes
	if r.o.Progress != nil {
		r.o.Progress(r.progress)
	}
}

// open opens a file of the store, which must be of this store.
func (r *recovery) open(name, magic string, format uint16, number uint64) (*blockReader, storage.File, error) {
	b, f, err := openBlocks(r.dir, name, magic, format, r.o.Encryption)
	if err != nil {
		return nil, nil, err
	}
	switch h := &b.header; {
	case h.number != number:
		err = b.corrupt(0, "its header says that it is number %x", h.number)
	case r.id != 0 && r.id != h.storeID:
		err = b.corrupt(0, "it belongs to another store")
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	r.id = b.header.storeID
	r.sawTime(b.header.time)
	return b, f, nil
}

func (r *recovery) sawVersion(v uint64) { r.version = max(r.version, v) }
func (r *recovery) sawTime(t int64)     { r.time = max(r.time, t) }

// replaySegment reads the i-th segment. last says that the log ends in it or in
// the one before.
func (r *recovery) replaySegment(i int) (last bool, err error) {
	number := r.files.segments[i]
	b, f, err := r.open(logName(number), logMagic, logVersion, number)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	begin, what, err := b.next()
	if err != nil {
		return false, err
	}
	if what != "" {
		if i == 0 && r.files.snapshot != 0 {
			return false, b.corrupt(fileHeaderBytes, "%s here, though the snapshot of this number needs it", what)
		}
		return true, r.unused(b, i, what)
	}
	before, durable, version, ok := parseBegin(begin)
	if !ok {
		return false, b.corrupt(begin.at, "the first block does not begin a segment")
	}
	if i > 0 && before != r.end {
		return true, r.endsEarly(b, before, durable)
	}
	r.sawVersion(version)
	r.sawTime(begin.time)
	r.tail, r.before, r.empty = int64(i), before, true
	if n := len(r.loose); durable && n > 0 {
		r.loose = r.loose[:n-1] // the segment before
	}
	r.loose = append(r.loose, looseSegment{name: b.name, durable: fileHeaderBytes, end: b.at})
	if err := r.replayBlocks(b); err != nil {
		return false, err
	}
	return i == len(r.files.segments)-1, nil
}

// parseBegin reads the block that puts a segment into use.
func parseBegin(b block) (before int64, durable bool, version uint64, ok bool) {
	p := b.payload
	var field [3]uint64
	for i := range field {
		n, size := binary.Uvarint(p)
		if size <= 0 {
			return 0, false, 0, false
		}
		field[i], p = n, p[size:]
	}
	ok = b.kind == blockBegin && len(p) == 0 && field[0] <= segmentBytesLimit && field[2] <= versionMax
	return int64(field[0]), field[1]&beginDurable != 0, field[2], ok
}

// replayBlocks applies the changes of a segment from b.at on, and finds its end.
func (r *recovery) replayBlocks(b *blockReader) error {
	r.end = b.at
	r.Clean = false
	loose := &r.loose[len(r.loose)-1]
	for {
		k, what, err := b.next()
		if err != nil {
			return err
		}
		if what != "" {
			return r.endAt(b, what)
		}
		r.Clean = k.kind == blockEnd
		if k.kind != blockEnd {
			r.empty = false
		}
		if k.flags&blockContinues != 0 {
			whole, err := b.wholeChain(k)
			if err != nil {
				return err
			}
			if !whole {
				return r.endAt(b, "a change is not whole that begins")
			}
			b.at = k.at // its payload was read over
			if k, _, err = b.next(); err != nil {
				return err
			}
		}
		for ; ; r.report(b.name, k.end-k.at) {
			loose.durable = max(loose.durable, k.synced)
			if err := r.apply(b, k); err != nil {
				return err
			}
			if k.flags&blockContinues == 0 {
				break
			}
			if k, what, err = b.next(); err != nil || what != "" {
				return errors.Join(err, b.corrupt(b.at, "the file changed while it was read: %s", what))
			}
		}
		r.report(b.name, k.end-k.at)
		r.end, loose.end = b.at, b.at
	}
}

// wholeChain reports whether all blocks of the change are there that begins with k.
func (b *blockReader) wholeChain(k block) (bool, error) {
	for k.flags&blockContinues != 0 {
		next, what, err := b.next()
		if err != nil || what != "" {
			return false, err
		}
		k = next
	}
	return true, nil
}

// endAt decides what it means that no whole block or change stands at r.end: the
// end of the log, or damage.
func (r *recovery) endAt(b *blockReader, what string) error {
	proof, found, err := b.provesDurable(r.end, r.end)
	if err != nil {
		return err
	}
	if proof != 0 {
		return b.corrupt(r.end, "%s here, though the block at %d was written after it was durable", what, proof)
	}
	used, err := b.rest(r.end)
	if err != nil {
		return err
	}
	if used > 0 {
		r.TornBytes = used
		r.logf("%s: the last %d bytes, from %d on, are what a crash left of changes that were not durable (%s here; %d whole blocks behind it): they are cut off",
			b.name, used, r.end, what, found)
	}
	r.LogBytes += r.end
	r.Clean = r.Clean && used == 0
	return nil
}

// endsEarly decides what it means that the segment of b says of the one before it
// that it ends elsewhere than it was found to.
func (r *recovery) endsEarly(b *blockReader, before int64, durable bool) error {
	name := logName(r.files.segments[r.tail])
	if before < r.end {
		return b.corrupt(fileHeaderBytes, "%s should end at %d and goes on to %d", name, before, r.end)
	}
	if !durable {
		proof, _, err := b.provesDurable(fileHeaderBytes, fileHeaderBytes)
		if err != nil {
			return err
		}
		durable = proof != 0
	}
	if durable {
		return &CorruptError{File: name, Offset: r.end, Reason: message.Sprintf("no whole block is here, though %s says that the file was durable up to %d", b.name, before)}
	}
	return r.dropFrom(b, int(r.tail)+1)
}

// unused looks at a segment without a beginning: one that was made ahead, or whose
// beginning was not durable.
func (r *recovery) unused(b *blockReader, i int, what string) error {
	proof, _, err := b.provesDurable(fileHeaderBytes, fileHeaderBytes)
	if err != nil {
		return err
	}
	if proof != 0 {
		return b.corrupt(fileHeaderBytes, "%s here, though the block at %d was written after it was durable", what, proof)
	}
	return r.dropFrom(b, i)
}

// dropFrom makes the log end before the i-th segment, unless a later one proves
// that it went on.
func (r *recovery) dropFrom(b *blockReader, i int) error {
	used, err := b.rest(fileHeaderBytes)
	if err != nil {
		return err
	}
	for _, number := range r.files.segments[i+1:] {
		later, f, err := r.open(logName(number), logMagic, logVersion, number)
		if err != nil {
			return err
		}
		begin, what, err := later.next()
		proof, _, err2 := later.provesDurable(fileHeaderBytes, fileHeaderBytes)
		more, err3 := later.rest(fileHeaderBytes)
		if err := errors.Join(err, err2, err3, f.Close()); err != nil {
			return err
		}
		_, durable, _, _ := parseBegin(begin)
		if proof != 0 || what == "" && durable {
			return &CorruptError{File: b.name, Offset: fileHeaderBytes, Reason: message.Sprintf("its beginning is not whole, though %s was written after it was durable", later.name)}
		}
		used += more
	}
	if used > 0 {
		r.TornBytes += used
		r.Clean = false
		r.logf("%s and what follows hold %d bytes of changes that were not durable: they are cut off", b.name, used)
	}
	return nil
}

func (r *recovery) logf(format string, args ...any) {
	if r.o.Log != nil {
		r.o.Log(message.Sprintf(format, args...))
	}
}

// apply replays the records of a block. Its checksum was right, so what is wrong
// in it was written so.
func (r *recovery) apply(b *blockReader, k block) error {
	r.sawTime(k.time)
	if k.kind == blockEnd {
		return nil
	}
	if k.kind != blockRecords {
		return b.corrupt(k.at, "a block of kind %d stands among changes", k.kind)
	}
	for p := k.payload; len(p) > 0; {
		rec, key, rest, reason := parseRecord(p)
		if reason != "" {
			return b.corrupt(k.at, "%s", reason)
		}
		r.sawVersion(rec.Version)
		r.Records++
		rec.key = unsafe.String(unsafe.SliceData(key), len(key))
		r.s.replay(&rec)
		p = rest
	}
	return nil
}

// replay applies a change to a store that nobody else uses yet. A change that is
// older than what the key is at is in the snapshot already. The record's memory is
// not kept.
func (s *Store) replay(rec *logRecord) {
	if rec.kind == recordVersion {
		return
	}
	if rec.kind == recordClear {
		s.replayClear(rec)
		return
	}
	h := s.hash(rec.key)
	sh := &s.shards[s.shardIndex(h)]
	cur := sh.present(h, rec.key)
	if cur.Version >= rec.Version {
		return
	}
	out := outcome{value: rec.value, expiresAt: rec.ExpiresAt}
	switch rec.kind {
	case recordSet, recordSetEnds:
		out.put = true
	case recordEnd:
		out.put, out.value = cur.Found(), cur.value
	case recordRemove:
		out.remove = cur.Found()
	}
	sh.bytes += out.chargeDelta(s.rate(), rec.key, &cur)
	switch {
	case out.put:
		s.put(sh, h, rec.key, &cur, out.value, rec.Meta)
	case out.remove:
		s.remove(sh, &cur, rec.key, Event{Kind: EventDelete, Meta: Meta{Version: rec.Version}})
	}
}

// replayClear removes what a Clear removed: it may run over a snapshot that was
// taken after it, and newer entries stay.
func (s *Store) replayClear(rec *logRecord) {
	for i := range s.shards {
		sh := &s.shards[i]
		for key, e := range sh.entries() {
			if e.Version <= rec.Version && strings.HasPrefix(key, rec.key) {
				sh.bytes -= s.rate().of(key, &e)
				s.remove(sh, &e, key, Event{Kind: EventDelete})
			}
		}
	}
}
