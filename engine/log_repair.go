package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"unicode/utf8"
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

// dumpedEntry is a line of Dump.
type dumpedEntry struct {
	Key       string `json:"key,omitempty"`
	KeyBytes  []byte `json:"key_base64,omitempty"`
	Value     string `json:"value,omitempty"`
	Bytes     []byte `json:"value_base64,omitempty"`
	Version   uint64 `json:"version"`
	ExpiresAt int64  `json:"expires_at,omitempty"`
}

// Dump writes the entries of the store in o.Dir to w, in key order, a JSON object a
// line: key or key_base64 (where it is not UTF-8), value or value_base64, version,
// and expires_at in Unix milliseconds where the entry ends. An empty value has
// neither. It changes nothing. Errors are those of Open, and w's.
func Dump(o Options, w io.Writer) error {
	return offline(o, func(_ *wal, r *recovery) error {
		if err := r.run(); err != nil {
			return err
		}
		r.s.lastTime.Store(max(r.s.lastTime.Load(), r.time))
		out := bufio.NewWriter(w)
		lines := json.NewEncoder(out)
		lines.SetEscapeHTML(false)
		for after := ""; ; {
			page, err := r.s.List(ListOptions{After: after, Limit: 1000, Values: true})
			if err != nil {
				return err
			}
			for _, e := range page.Entries {
				line := dumpedEntry{Version: e.Version, ExpiresAt: e.ExpiresAt}
				if line.Key = e.Key; !utf8.ValidString(e.Key) {
					line.Key, line.KeyBytes = "", []byte(e.Key)
				}
				if line.Value = string(e.Value); !utf8.Valid(e.Value) {
					line.Value, line.Bytes = "", e.Value
				}
				if err := lines.Encode(&line); err != nil {
					return fmt.Errorf("engine: writing the dump: %w", err)
				}
			}
			if after = page.Next; after == "" {
				return out.Flush()
			}
		}
	})
}
