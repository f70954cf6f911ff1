package engine

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"github.com/ingot-run/ingot/internal/message"
)

// snapshotEnd is the payload of a snapshot's end block: four uvarints.
type snapshotEnd struct {
	count   uint64      // of entries
	version uint64      // of the store when the last of them was written
	needs   logPosition // up to where the log was durable before the snapshot was shown
}

func (e *snapshotEnd) encode() []byte {
	var b []byte
	for _, n := range [...]uint64{e.count, e.version, e.needs.segment, uint64(e.needs.offset)} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func parseSnapshotEnd(p []byte) (e snapshotEnd, ok bool) {
	var field [4]uint64
	for i := range field {
		n, size := binary.Uvarint(p)
		if size <= 0 {
			return e, false
		}
		field[i], p = n, p[size:]
	}
	e = snapshotEnd{count: field[0], version: field[1], needs: logPosition{field[2], int64(field[3])}}
	return e, len(p) == 0 && e.version <= versionMax && field[3] <= segmentBytesLimit
}

// loadSnapshot reads the snapshot beside the log into the store.
func (r *recovery) loadSnapshot(name string) (err error) {
	b, f, err := r.open(name, snapshotMagic, snapshotVersion2, r.files.snapshot)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if b.header.flags&flagSince != 0 {
		return b.corrupt(0, "it holds only what changed since version %d", b.header.since)
	}
	var count uint64
	for {
		k, what, err := b.next()
		switch {
		case err != nil:
			return err
		case what != "":
			return b.corrupt(b.at, "%s", what)
		case k.kind == blockEnd:
			return r.endSnapshot(b, k, count)
		}
		n, err := r.load(b, k)
		if err != nil {
			return err
		}
		count += n
		r.report(name, k.end-k.at)
	}
}

// load puts the entries of a block into the store.
func (r *recovery) load(b *blockReader, k block) (count uint64, err error) {
	if k.kind != blockRecords || k.flags != 0 {
		return 0, b.corrupt(k.at, "a block of kind %d stands in a snapshot", k.kind)
	}
	for p := k.payload; len(p) > 0; count++ {
		rec, key, rest, reason := parseRecord(p)
		if reason == "" && rec.kind != recordSet && rec.kind != recordSetEnds {
			reason = message.Sprintf("a record of kind %d stands in a snapshot", rec.kind)
		}
		if reason != "" {
			return 0, b.corrupt(k.at, "%s", reason)
		}
		r.sawVersion(rec.Version)
		rec.key = unsafe.String(unsafe.SliceData(key), len(key))
		r.s.replay(&rec)
		p = rest
	}
	return count, nil
}

// endSnapshot compares the end with what was read.
func (r *recovery) endSnapshot(b *blockReader, k block, count uint64) error {
	e, ok := parseSnapshotEnd(k.payload)
	if !ok || e.count != count {
		return b.corrupt(k.at, "the end block does not agree with the %d entries before it", count)
	}
	if b.at != b.size {
		return b.corrupt(b.at, "bytes follow the end block")
	}
	r.sawVersion(e.version)
	r.sawTime(k.time)
	r.needs = e.needs
	r.SnapshotBytes = b.size
	return nil
}
