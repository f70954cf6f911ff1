package engine

// An incremental snapshot is a stream in the format of log_format.go: a header with
// flagSince, blocks of records, and an end block. Entries come from memory, removals
// from the log, so it reaches back as far as the log does.

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"

	"github.com/ingot-run/ingot/internal/message"
)

// SnapshotSince writes to w what changed since a version, for RestoreSince: the
// entries that are newer, and what was removed. It is of one moment, whose version
// it returns: the next call's since. Where the log does not reach back to since, as
// after a compaction, or the store is in memory, it writes a full snapshot, as
// Snapshot does; full says so. The stream is not encrypted. What it tells is durable
// when it returns, whatever the policy: a copy must not have what a crash takes from
// the store. Errors are those of Snapshot and of Sync, and those of reading the log;
// with one, what was written is worth nothing.
func (s *Store) SnapshotSince(w io.Writer, since uint64) (version uint64, full bool, err error) {
	s.snapshot.mu.Lock()
	defer s.snapshot.mu.Unlock()
	if s.log == nil {
		version, err = s.writeSnapshot(w)
		return version, true, err
	}
	s.log.compacting.Lock() // its segments stay
	defer s.log.compacting.Unlock()
	first, err := s.log.reachesBack()
	if err != nil {
		return 0, false, err
	}
	if since < first || since > s.version.Load() {
		if version, err = s.writeSnapshot(w); err == nil {
			s.log.noteTime(version)
			err = s.log.syncNow()
		}
		return version, true, err
	}
	c, err := s.beginCapture()
	if err != nil {
		return 0, false, err
	}
	changed := s.capturedSince(c, since)
	gone, err := s.log.removals(since, c.version, changed)
	if err != nil {
		return 0, false, err
	}
	return c.version, false, writeSince(w, since, c, append(gone, changed...))
}

// reachesBack is the version from which on the log holds every change.
func (l *wal) reachesBack() (uint64, error) {
	l.mu.Lock()
	oldest := l.active.name
	if len(l.segments) > 0 {
		oldest = l.segments[0].name
	}
	l.mu.Unlock()
	b, f, err := openBlocks(l.dir, oldest, logMagic, logVersion, l.options.encryption)
	if err != nil {
		return 0, err
	}
	begin, what, err := b.next()
	if err == nil && what != "" {
		err = b.corrupt(fileHeaderBytes, "%s", what)
	}
	_, _, version, _ := parseBegin(begin)
	return version, errors.Join(err, f.Close())
}

// capturedSince takes every shard and keeps the entries that are newer than since.
func (s *Store) capturedSince(c *capture, since uint64) (changed []logRecord) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.captureNow()
		sh.mu.Unlock()
		for _, payload := range c.taken[i].payloads {
			for len(payload) > 0 {
				var field [4]uint64
				for j := range field {
					n, size := binary.Uvarint(payload)
					field[j], payload = n, payload[size:]
				}
				key, value := payload[:field[0]], payload[field[0]:field[0]+field[1]]
				payload = payload[field[0]+field[1]:]
				if field[2] <= since {
					continue
				}
				rec := logRecord{kind: recordSet, key: string(key), value: value, Meta: Meta{Version: field[2], ExpiresAt: int64(field[3])}}
				if rec.ExpiresAt != 0 {
					rec.kind = recordSetEnds
				}
				changed = append(changed, rec)
			}
		}
		c.taken[i] = capturedShard{}
	}
	return changed
}

// removals reads from the log what was removed behind since and up to version,
// but for keys that are there again. It makes the log durable up to there.
func (l *wal) removals(since, version uint64, changed []logRecord) (gone []logRecord, err error) {
	l.noteTime(version)
	if err := l.take(); err != nil {
		return nil, err
	}
	err = l.lead(true)
	l.mu.Lock()
	names := make([]string, 0, len(l.segments)+1)
	for _, s := range l.segments {
		names = append(names, s.name)
	}
	names = append(names, l.active.name)
	end := l.active.end
	l.mu.Unlock()
	l.give()
	if err != nil {
		return nil, err
	}
	there := make(map[string]struct{}, len(changed))
	for i := range changed {
		there[changed[i].key] = struct{}{}
	}
	last := map[string]int{} // by key, in gone
	for i, name := range names {
		err := l.eachRecord(name, end, i == len(names)-1, func(rec *logRecord, key []byte) {
			if rec.Version <= since || rec.Version > version || rec.kind == recordVersion {
				return
			}
			rec.key, rec.value, rec.ExpiresAt = string(key), nil, 0
			if rec.kind == recordClear {
				gone = append(gone, *rec)
				return
			}
			// A key that was written and is not there was removed, or its time is over,
			// which no record tells.
			rec.kind = recordRemove
			if _, again := there[rec.key]; again {
				return
			}
			if at, twice := last[rec.key]; twice {
				gone[at] = *rec
				return
			}
			last[rec.key] = len(gone)
			gone = append(gone, *rec)
		})
		if err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// noteTime has the next sync tell what time it is: what had ended when a copy was made
// must not be back when the clock is set back by a restart.
func (l *wal) noteTime(version uint64) {
	if version > 0 {
		l.append(&logRecord{kind: recordVersion, Meta: Meta{Version: version}})
	}
}

// eachRecord reads a segment's records, of the last one up to end.
func (l *wal) eachRecord(name string, end int64, last bool, f func(rec *logRecord, key []byte)) (err error) {
	b, file, err := openBlocks(l.dir, name, logMagic, logVersion, l.options.encryption)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for !last || b.at < end {
		k, what, err := b.next()
		if err != nil {
			return err
		}
		if what != "" && last {
			return b.corrupt(b.at, "%s", what)
		}
		if what != "" {
			return nil
		}
		for p := k.payload; k.kind == blockRecords && len(p) > 0; {
			rec, key, rest, reason := parseRecord(p)
			if reason != "" {
				return b.corrupt(k.at, "%s", reason)
			}
			f(&rec, key)
			p = rest
		}
	}
	return nil
}

// writeSince writes the stream.
func writeSince(w io.Writer, since uint64, c *capture, records []logRecord) error {
	h := fileHeader{magic: snapshotMagic, format: snapshotVersion2, flags: flagSince, version: c.version, time: c.now, since: since}
	for i := 0; i < saltBytes; i += 8 {
		binary.LittleEndian.PutUint64(h.salt[i:], rand.Uint64())
	}
	out := bufio.NewWriterSize(w, blockBytesTarget)
	out.Write(h.encode())
	var buffer logBuffer
	var code coder
	at := int64(fileHeaderBytes)
	put := func(kind byte, payload []byte) {
		b := code.appendBlock(nil, &h, logBlock{kind: kind, time: c.now}, payload, at)
		at += int64(len(b))
		out.Write(b)
	}
	flush := func() {
		for _, k := range buffer.blocks {
			put(blockRecords, buffer.payload(k))
		}
		buffer.reset()
	}
	for i := range records {
		buffer.add(&records[i])
		if len(buffer.blocks) > 1 {
			flush()
		}
	}
	flush()
	e := snapshotEnd{count: uint64(len(records)), version: c.version}
	put(blockEnd, e.encode())
	if err := out.Flush(); err != nil { // a bufio.Writer keeps its first error
		return message.Errorf("engine: writing a snapshot: %w", err)
	}
	return nil
}

// RestoreSince makes the changes of a stream that SnapshotSince wrote, as one change.
// It reads and checks all of it first: on any error the store is unchanged. The
// store must hold what the other one held at the stream's since or later, by Restore
// or RestoreSince, and nothing else: this is for copies. Increments are to be taken
// from the store where the changes were made, not from a copy. Entries keep their
// versions; an entry that is newer here stays. A full snapshot is restored as
// Restore does. Errors are those of Restore and of Set.
func (s *Store) RestoreSince(r io.Reader) error {
	if s.closed.Load() {
		return ErrClosed
	}
	in := bufio.NewReader(r)
	start, err := in.Peek(10)
	if err == nil && binary.LittleEndian.Uint16(start[8:]) == snapshotVersion {
		return s.Restore(in)
	}
	all, err := io.ReadAll(in)
	if err != nil {
		return message.Errorf("engine: reading a snapshot: %w", err)
	}
	h, records, err := readSince(all, s.valueBytesMax)
	if err != nil {
		return message.Errorf("%w: %w", ErrSnapshot, err)
	}
	if h.since > s.version.Load() {
		return message.Errorf("%w: it tells what changed since version %d and this store is at %d: restore what is between first", ErrSnapshot, h.since, s.version.Load())
	}
	if s.log != nil {
		if err := s.log.admit(); err != nil {
			return err
		}
	}
	logged, err := s.applySince(h, records)
	if err == nil && logged != nil {
		err = s.log.commit(logged)
	}
	return err
}

// readSince checks a stream and returns its records, which alias it.
func readSince(all []byte, valueBytesMax int) (h *fileHeader, records []logRecord, err error) {
	b, err := newBlockReader("the stream", bytes.NewReader(all), int64(len(all)), snapshotMagic, snapshotVersion2)
	if err != nil {
		return nil, nil, err
	}
	if b.header.flags != flagSince {
		return nil, nil, b.corrupt(0, "it is a file of a store's directory (flags %#x)", b.header.flags)
	}
	seen := map[string]struct{}{}
	for {
		k, what, err := b.next()
		if err != nil || what != "" {
			return nil, nil, errors.Join(err, b.corrupt(b.at, "%s", what))
		}
		if k.kind == blockEnd {
			e, ok := parseSnapshotEnd(k.payload)
			if !ok || e.count != uint64(len(records)) || e.version != b.header.version || b.at != b.size {
				return nil, nil, b.corrupt(k.at, "the end block does not agree with what is before and behind it")
			}
			return &b.header, records, nil
		}
		for p := bytes.Clone(k.payload); k.kind == blockRecords && len(p) > 0; {
			rec, key, rest, reason := parseRecord(p)
			rec.key = string(key)
			if _, twice := seen[rec.key]; reason == "" && rec.kind <= recordRemove {
				if seen[rec.key] = struct{}{}; twice {
					reason = "a key stands twice"
				}
			}
			if reason == "" && (rec.kind == recordEnd || rec.kind == recordVersion || rec.Version > b.header.version || len(rec.value) > valueBytesMax) {
				reason = "a record has no place in it, or exceeds this store's limits"
			}
			if reason != "" {
				return nil, nil, b.corrupt(k.at, "%s", reason)
			}
			records = append(records, rec)
			p = rest
		}
	}
}

// applySince makes the changes, all or none.
func (s *Store) applySince(h *fileHeader, records []logRecord) (*commitGroup, error) {
	all := s.allShards()
	s.lock(all)
	defer s.unlock(all)
	if s.closed.Load() {
		return nil, ErrClosed
	}
	var changes []budgetChange
	for i := range records {
		if rec := &records[i]; rec.kind != recordClear {
			hash := s.hash(rec.key)
			cur := s.shards[s.shardIndex(hash)].present(hash, rec.key)
			if cur.Version < rec.Version {
				out := outcome{put: rec.kind != recordRemove, remove: rec.kind == recordRemove, value: rec.value, expiresAt: rec.ExpiresAt}
				changes = append(changes, out.budgetChange(s.rate(), rec.key, &cur))
			}
		}
	}
	if err := s.budget.reserveAll(changes); err != nil {
		return nil, err
	}
	var log logBuffer
	for i := range records {
		rec := &records[i]
		if rec.kind != recordClear {
			s.shards[s.shardIndex(s.hash(rec.key))].captureNow()
			s.replay(rec)
		}
		if s.log != nil {
			log.add(rec)
		}
	}
	for i := range records { // what is there by now and older was not counted above
		if records[i].kind == recordClear {
			s.clearSince(&records[i])
		}
	}
	s.version.Store(max(s.version.Load(), h.version))
	s.lastTime.Store(max(s.lastTime.Load(), h.time))
	if s.log == nil {
		return nil, nil
	}
	if version := s.version.Load(); version > 0 { // 0 in a store that nothing ever happened to
		log.add(&logRecord{kind: recordVersion, Meta: Meta{Version: version}})
	}
	return s.log.appendBatch(&log), nil
}

// clearSince removes what a Clear removed elsewhere.
func (s *Store) clearSince(rec *logRecord) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.captureNow()
		for key, e := range sh.entries() {
			if e.Version <= rec.Version && strings.HasPrefix(key, rec.key) {
				s.budget.release(key, s.rate().of(key, &e))
				sh.bytes -= s.rate().of(key, &e)
				s.remove(sh, &e, key, Event{Kind: EventDelete, Meta: Meta{Version: rec.Version}})
			}
		}
	}
}
