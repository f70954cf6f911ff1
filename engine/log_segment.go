package engine

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/internal/message"
)

const (
	// segmentBytesDefault is the first segment's size; later ones grow with the log.
	segmentBytesDefault = 4 << 20
	// segmentBytesGrown is the size up to which segments grow by themselves.
	segmentBytesGrown = 64 << 20

	logPrefix      = "log-"
	snapshotPrefix = "snapshot-"
	fileSuffix     = ".ingot"
	tmpSuffix      = ".tmp"
)

// segment is a file of the log. A file of this name has a header that is durable:
// it got the name only then.
type segment struct {
	name   string
	file   storage.File
	header fileHeader
	cipher FileCipher
	size   int64 // what was made room for
	begin  int64 // where the block behind the begin block starts
	end    int64 // where the next block goes
	synced int64 // what is durable
}

func logName(number uint64) string {
	return message.Sprintf("%s%016x%s", logPrefix, number, fileSuffix)
}
func snapshotName(number uint64) string {
	return message.Sprintf("%s%016x%s", snapshotPrefix, number, fileSuffix)
}

// fileNumber is the number in a name that logName or snapshotName made.
func fileNumber(name, prefix string) (number uint64, ok bool) {
	digits, found := strings.CutPrefix(name, prefix)
	digits, tail := strings.CutSuffix(digits, fileSuffix)
	if !found || !tail || len(digits) != 16 {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 16, 64)
	return number, err == nil && number != 0
}

// newHeader is a header of the store's own, as of now.
func (l *wal) newHeader(magic string, format uint16, number uint64) (h fileHeader, c FileCipher, err error) {
	h = fileHeader{
		magic: magic, format: format, storeID: l.id, number: number,
		version: l.version(), time: l.now(),
	}
	for i := 0; i < saltBytes; i += 8 {
		binary.LittleEndian.PutUint64(h.salt[i:], rand.Uint64())
	}
	if l.options.encryption != nil {
		h.flags |= flagEncrypted
		h.keyID, c, err = l.options.encryption.Seal(h.salt[:])
	} else {
		h.hashSeed = l.hashSeed
	}
	return h, c, err
}

// createFile makes a file with its header in it, under a temporary name.
func (l *wal) createFile(name string, h *fileHeader) (storage.File, error) {
	tmp := name + tmpSuffix
	f, err := l.dir.Create(tmp)
	if errors.Is(err, fs.ErrExist) { // an earlier try met a full disk
		if err = l.dir.Remove(tmp); err == nil {
			f, err = l.dir.Create(tmp)
		}
	}
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l.counts.bytes.Add(fileHeaderBytes)
	return f, nil
}

// makeSpare makes the segment behind the active one, so that the log has room
// before it needs it.
func (l *wal) makeSpare() error {
	number := uint64(1)
	if l.active != nil {
		number = l.active.header.number + 1
	}
	s, err := l.makeSegment(number, 0, nil)
	l.spare = s
	return err
}

// segmentBegin is what the block says that puts a segment into use: where the
// segment before it ends, and whether that was durable.
type segmentBegin struct {
	before  int64
	durable bool
}

// makeSegment makes a segment that has a header and no block, or, where begin is
// given, is in use as soon as it has its name.
func (l *wal) makeSegment(number uint64, sizeMin int64, begin *segmentBegin) (*segment, error) {
	h, cipher, err := l.newHeader(logMagic, logVersion, number)
	if err != nil {
		return nil, err
	}
	s := &segment{name: logName(number), cipher: cipher, size: max(l.segmentBytes(), sizeMin), begin: fileHeaderBytes, end: fileHeaderBytes}
	f, err := l.createFile(s.name, &h)
	if err != nil {
		return nil, err
	}
	s.header = h
	if begin != nil {
		if err := l.beginSegment(s, f, *begin); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err := f.Preallocate(s.size); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Closed before it is renamed, which Windows asks for.
	if err := f.Close(); err != nil {
		return nil, err
	}
	if err := l.dir.Rename(s.name+tmpSuffix, s.name); err != nil {
		return nil, err
	}
	if err := l.dir.Sync(); err != nil {
		return nil, message.Errorf("%w: %w", errSyncFailed, err)
	}
	s.file, err = l.dir.OpenWrite(s.name)
	s.synced = s.end
	return s, err
}

// segmentBytes is the size of the next segment: a large log has large ones.
func (l *wal) segmentBytes() int64 {
	if l.options.segmentBytes != 0 {
		return l.options.segmentBytes
	}
	return min(max(l.counts.logBytes.Load()/2, segmentBytesDefault), segmentBytesGrown)
}

// rotate goes on to the spare segment, which gets room for a change of size bytes.
func (l *wal) rotate(size int64) error {
	if l.spare == nil {
		if err := l.makeSpare(); err != nil {
			return err
		}
	}
	s := l.spare
	if need := s.end + logBlockHeaderBytes*2 + size; need > s.size {
		if err := s.file.Preallocate(need); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		s.size = need
	}
	old := l.active
	if l.options.sync != SyncNever && old.synced != old.end {
		if err := l.sync(); err != nil {
			return err
		}
	}
	if err := l.beginSegment(s, s.file, segmentBegin{before: old.end, durable: old.synced == old.end}); err != nil {
		return err
	}
	l.mu.Lock()
	l.segments = append(l.segments, old)
	l.mu.Unlock()
	l.active, l.spare = s, nil
	return nil
}

// beginSegment writes the block that puts a segment into use to its file. It is
// not encrypted: a second try, after a full disk, may say something else in the
// same place.
func (l *wal) beginSegment(s *segment, f storage.File, begin segmentBegin) error {
	var flags uint64
	if begin.durable {
		flags = beginDurable
	}
	payload := binary.AppendUvarint(nil, uint64(begin.before))
	payload = binary.AppendUvarint(payload, flags)
	payload = binary.AppendUvarint(payload, l.version())
	b := s.encodePlain(logBlock{kind: blockBegin, time: l.now(), synced: fileHeaderBytes}, payload, fileHeaderBytes)
	if _, err := f.WriteAt(b, fileHeaderBytes); err != nil {
		return err
	}
	s.begin = fileHeaderBytes + int64(len(b))
	s.end = s.begin
	l.dirty = true
	l.counts.bytes.Add(int64(len(b)))
	l.counts.logBytes.Add(s.end)
	l.counts.segments.Add(1)
	return nil
}

// encodePlain is a block of its own for an offset.
func (s *segment) encodePlain(k logBlock, payload []byte, at int64) []byte {
	b := make([]byte, paddedBytes(len(payload)))
	copy(b[logBlockHeaderBytes:], payload)
	encodeBlock(b, k, payload, s.header.blockSeed(at))
	return b
}

// beginDurable is a flag of a begin block: the segment before it was durable.
const beginDurable = 1
