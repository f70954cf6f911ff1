package engine

import (
	"errors"
	"math/rand/v2"
)

// damagedSuffix marks the files that Repair replaced: nobody reads them any more.
const damagedSuffix = ".damaged"

// Repair makes a store of what is whole in o.Dir, as a new snapshot with an empty
// log. It tells agree what it would keep and lose, before it changes anything, and
// goes on when agree returns true; repaired says whether it did. The files that it
// replaces stay in the directory under names that end in ".damaged". A directory
// without damage is left alone. Entries whose removal was lost are back, and those
// whose newest value was lost have an older one. Errors are those of Verify.
func Repair(o Options, agree func(*Verification) bool) (v *Verification, repaired bool, err error) {
	err = offline(o, func(l *wal, r *recovery) error {
		var err error
		if v, err = r.verify(); err != nil || len(v.Damage) == 0 || !agree(v) {
			return err
		}
		repaired = true
		return l.replaceBy(r)
	})
	return v, repaired && err == nil, err
}

// replaceBy makes the contents of r's store the directory's. The new files are
// whole before the old ones lose their names: whatever happens meanwhile, Open
// finds one or the other, or is refused and Repair does it again.
func (l *wal) replaceBy(r *recovery) error {
	s := r.s
	l.id, l.hashSeed = r.id, r.o.Seed
	for l.id == 0 {
		l.id = rand.Uint64()
	}
	s.version.Store(r.version)
	s.lastTime.Store(max(s.lastTime.Load(), r.time))
	l.version, l.now = s.version.Load, s.lastTime.Load
	number := r.files.snapshot
	for _, n := range r.files.segments {
		number = max(number, n)
	}
	number++
	if err := l.startSegment(number, 0); err != nil {
		return err
	}
	w, err := l.newSnapshotFile(number)
	if err != nil {
		return err
	}
	for i := range s.shards {
		if err := w.addShard(&s.shards[i], s.now()); err != nil {
			return err
		}
	}
	err = w.finish(snapshotEnd{version: r.version, needs: logPosition{number, fileHeaderBytes}})
	if err == nil {
		err = w.show()
	}
	for _, n := range r.files.segments {
		if err == nil {
			err = l.dir.Rename(logName(n), logName(n)+damagedSuffix)
		}
	}
	if old := r.files.snapshot; old != 0 && err == nil {
		err = l.dir.Rename(snapshotName(old), snapshotName(old)+damagedSuffix)
	}
	if err == nil {
		err = l.dir.Sync()
	}
	return errors.Join(err, l.closeFiles())
}
