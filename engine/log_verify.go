package engine

import (
	"bytes"
	"errors"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/internal/message"
)

// Verification is what Verify found in a directory.
type Verification struct {
	// Dir is the directory as it names itself.
	Dir string
	// Entries and Version are what Open would find, entries that have ended since
	// included, or, with Damage, what Repair would keep.
	Entries int64
	Version uint64
	Recovery
	// Damage is every damaged place. Open refuses a directory that has one.
	Damage []CorruptError
	// LostBytes is how many bytes of changes and entries are damaged or, as parts of
	// a change that is not whole, of no use. A file that is missing counts nothing.
	LostBytes int64
	// Leftovers are files that a crash left behind; Open removes them.
	Leftovers []string
}

// Verify reads every byte of the store in o.Dir and changes nothing. The damage
// that it finds is in the Verification; an error says that it could not look: a
// *storage.LockedError while the store is open, ErrFormatVersion, ErrKey, or one
// of the disk. It needs as much memory as the store.
func Verify(o Options) (*Verification, error) {
	var v *Verification
	err := offline(o, func(l *wal, r *recovery) (err error) {
		v, err = r.verify()
		return err
	})
	return v, err
}

// offline takes the directory of o and runs f with a reading of it that has not
// begun, into a store in memory.
func offline(o Options, f func(l *wal, r *recovery) error) error {
	if o.Dir == nil {
		return message.Errorf("%w: Dir is missing", ErrOptions)
	}
	l, files, err := lockLog(&o)
	if err != nil {
		return err
	}
	s, err := Open(Options{Now: o.Now, Seed: o.Seed})
	if err == nil {
		err = errors.Join(f(l, &recovery{s: s, dir: o.Dir, o: &o, files: files}), s.Close())
	}
	return errors.Join(err, l.release.Close())
}

// verify reads the directory as Open would, and when that fails, block by block.
// The store then holds what can be kept.
func (r *recovery) verify() (*Verification, error) {
	v := &Verification{Dir: r.dir.String(), Leftovers: r.files.leftovers}
	err := r.run()
	damage, corrupt := errors.AsType[*CorruptError](err)
	if err != nil && !corrupt {
		return nil, err
	}
	if corrupt {
		r.s.clearAll()
		sv := &salvage{r: r, v: v}
		if err := sv.run(); err != nil {
			return nil, err
		}
		if !sv.found(damage) {
			v.Damage = append([]CorruptError{*damage}, v.Damage...)
		}
		r.version += versionsSkipped
		r.Clean = false
	}
	v.Recovery, v.Version, v.Entries = r.Recovery, r.version, r.s.Stats().Keys
	return v, nil
}

// clearAll empties a store that nobody else uses.
func (s *Store) clearAll() {
	for i := range s.shards {
		s.shards[i].reset()
	}
}

// salvage reads what is whole in damaged files. Versions say which of two changes
// of a key is the newer, so files and blocks that are missing between others only
// cost what was in them; but where a removal was in them the entry is back.
type salvage struct {
	r *recovery
	v *Verification
}

func (sv *salvage) found(c *CorruptError) bool {
	for _, d := range sv.v.Damage {
		if d.File == c.File && d.Offset == c.Offset {
			return true
		}
	}
	return false
}

// run reads the snapshot and all segments.
func (sv *salvage) run() error {
	r := sv.r
	r.Recovery = Recovery{}
	if r.files.snapshot != 0 {
		if err := sv.file(snapshotName(r.files.snapshot), snapshotMagic, snapshotVersion2, false); err != nil {
			return err
		}
	}
	for i, n := range r.files.segments {
		if err := sv.file(logName(n), logMagic, logVersion, i == len(r.files.segments)-1); err != nil {
			return err
		}
		r.Segments++
	}
	return nil
}

// damaged notes a place.
func (sv *salvage) damaged(b *blockReader, at int64, reason string) {
	sv.v.Damage = append(sv.v.Damage, CorruptError{File: b.name, Offset: at, Reason: reason})
}

// open opens a file whose header may be damaged.
func (sv *salvage) open(name, magic string, format uint16) (b *blockReader, f storage.File, err error) {
	if f, err = sv.r.dir.Open(name); err != nil {
		return nil, nil, err
	}
	size, err := f.Size()
	if err == nil {
		b, err = newBlockReader(name, f, size, magic, format)
	}
	if damage, ok := errors.AsType[*CorruptError](err); ok {
		b = &blockReader{name: name, file: f, size: size, at: fileHeaderBytes}
		sv.v.Damage = append(sv.v.Damage, *damage)
		if err = b.guessHeader(); err == nil && b.unlock(sv.r.o.Encryption) != nil {
			b.at = size // what it says of its key is damaged: nothing in it can be read
			b.header.flags = 0
		}
	} else if err == nil {
		err = b.unlock(sv.r.o.Encryption)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return b, f, nil
}

// mendHeader is the header with the one bit turned back that makes its checksum
// right, or nil when there is none. A wrong salt would cost the whole file.
func mendHeader(raw []byte) []byte {
	mended := bytes.Clone(raw)
	for bit := range 8 * (fileHeaderBytes - 8) {
		mended[bit/8] ^= 1 << (bit % 8)
		if headerSum(mended) == rawHeader(mended).sum {
			return mended
		}
		mended[bit/8] ^= 1 << (bit % 8)
	}
	return nil
}

// guessHeader finds the seed of the blocks below a damaged header: its checksum as
// it stands there, unless that is what is damaged.
func (b *blockReader) guessHeader() error {
	if b.size < fileHeaderBytes {
		return nil
	}
	raw, err := b.bytes(0, fileHeaderBytes)
	if err != nil {
		return err
	}
	if mended := mendHeader(raw); mended != nil {
		b.header = rawHeader(mended)
		return nil
	}
	whole := rawHeader(raw)
	for _, sum := range [...]uint64{whole.sum, headerSum(raw)} {
		b.header = whole
		b.header.sum = sum
		_, _, _, what, err := b.peek(fileHeaderBytes)
		if err != nil || what == "" {
			return err
		}
	}
	return nil
}

// file reads a file block by block. What is whole behind damage is read too.
func (sv *salvage) file(name, magic string, format uint16, last bool) error {
	b, f, err := sv.open(name, magic, format)
	if err != nil {
		return err
	}
	ended, err := sv.blocks(b, last)
	if err == nil && magic == snapshotMagic && !ended && !sv.inFile(name) {
		sv.damaged(b, b.at, "the end is missing")
	}
	return errors.Join(err, f.Close())
}

// inFile reports whether damage was found in a file.
func (sv *salvage) inFile(name string) bool {
	for _, d := range sv.v.Damage {
		if d.File == name {
			return true
		}
	}
	return false
}

// blocks reads the blocks of a file. ended says that an end block was the last.
func (sv *salvage) blocks(b *blockReader, last bool) (ended bool, err error) {
	for {
		k, what, err := b.next()
		if damage, ok := errors.AsType[*CorruptError](err); ok {
			sv.v.Damage = append(sv.v.Damage, *damage)
			header, err := b.bytes(b.at, logBlockHeaderBytes)
			if err != nil {
				return false, err
			}
			broken, _ := parseBlock(header, b.header.blockSeed(b.at))
			sv.v.LostBytes += int64(broken.size)
			b.at += paddedBytes(broken.size)
			continue
		}
		if err != nil {
			return false, err
		}
		if what != "" {
			more, err := sv.skip(b, what, last)
			if err != nil || !more {
				return ended, err
			}
			continue
		}
		ended = k.kind == blockEnd
		if err := sv.change(b, k); err != nil {
			return false, err
		}
	}
}

// change applies the change that begins with k, if it is whole.
func (sv *salvage) change(b *blockReader, k block) error {
	if k.flags&blockContinues != 0 {
		whole, err := b.wholeChain(k)
		if _, corrupt := errors.AsType[*CorruptError](err); err != nil && !corrupt {
			return err
		}
		if b.at = k.end; !whole {
			sv.v.LostBytes += k.end - k.at
			return nil // what follows of it is met without its beginning
		}
		b.at = k.at
		if k, _, err = b.next(); err != nil {
			return err
		}
	}
	sv.r.sawTime(k.time)
	if k.kind != blockRecords {
		return nil
	}
	err := sv.r.apply(b, k)
	if damage, ok := errors.AsType[*CorruptError](err); ok {
		sv.v.Damage = append(sv.v.Damage, *damage)
		sv.v.LostBytes += int64(k.size)
		return nil
	}
	return err
}

// skip goes to the next whole block, or to the end.
func (sv *salvage) skip(b *blockReader, what string, last bool) (more bool, err error) {
	from := b.at
	used, err := b.rest(from)
	if err != nil || used == 0 {
		return false, err
	}
	next, err := b.nextWhole(from)
	if err != nil {
		return false, err
	}
	if next == 0 {
		sv.v.LostBytes += used
		if !last {
			sv.damaged(b, from, what)
		} else {
			sv.r.TornBytes = used
		}
		return false, nil
	}
	sv.damaged(b, from, what)
	sv.v.LostBytes += next - from
	b.at = next
	return true, nil
}

// nextWhole is where the next whole block is from an offset on, or 0.
func (b *blockReader) nextWhole(from int64) (int64, error) {
	for at := from; at+logBlockHeaderBytes <= b.size; at += blockAlign {
		_, _, _, what, err := b.peek(at)
		if err != nil {
			return 0, err
		}
		if what == "" {
			return at, nil
		}
	}
	return 0, nil
}
