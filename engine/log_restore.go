package engine

import "github.com/ingot-run/ingot/internal/message"

// replaceLogged is replaceContents for a store in a directory: the contents become
// a snapshot, which is shown between the last change before them and the first one
// behind. Nobody's change becomes durable meanwhile.
func (s *Store) replaceLogged(staged []shard, records []record, version uint64) error {
	l := s.log
	l.compacting.Lock()
	defer l.compacting.Unlock()
	l.abandon()
	if err := l.take(); err != nil {
		return err
	}
	defer l.give()
	if err := l.lead(true); err != nil {
		return err
	}
	w, err := l.newSnapshotFile(l.active.header.number + 1)
	if err != nil {
		return message.Errorf("engine: restoring: %w", err)
	}
	for i := range staged {
		if err := w.addShard(&staged[i], s.now()); err != nil {
			w.drop()
			return message.Errorf("engine: restoring: %w", err)
		}
	}
	needs := logPosition{w.header.number, fileHeaderBytes}
	if err := w.finish(snapshotEnd{version: version, needs: needs}); err != nil {
		w.drop()
		return message.Errorf("engine: restoring: %w", err)
	}
	if err := s.swapLogged(w, staged, records, version); err != nil {
		return err
	}
	l.compacted(w)
	return l.lead(true)
}

// swapLogged shows the snapshot and swaps in the contents. All writers wait.
func (s *Store) swapLogged(w *snapshotFile, staged []shard, records []record, version uint64) error {
	l := s.log
	all := s.allShards()
	s.lock(all)
	defer s.unlock(all)
	err := s.checkReplace(records)
	if err == nil {
		err = l.lead(true) // what belongs to the contents before
	}
	if err == nil {
		// Nobody took a snapshot at the version that the segment begins with, so none
		// is followed by an increment that would not know of the new contents.
		s.version.Add(1)
		err = l.judge(l.rotate(0))
	}
	if err == nil {
		err = l.judge(l.sync())
	}
	if err != nil {
		w.drop()
		return err
	}
	if err := w.show(); err != nil {
		// It may be there or not: only reading the directory tells.
		return l.judge(message.Errorf("%w: %w", errSyncFailed, err))
	}
	s.replaceLocked(staged, version)
	l.append(&logRecord{kind: recordVersion, Meta: Meta{Version: s.version.Load()}})
	return nil
}
