package engine

// The snapshot format, version 1. All integers are little-endian.
//
//	header, 32 bytes
//	   0  8  magic "INGOTSNP"
//	   8  2  format version: 1
//	  10  2  flags: 0 (a reader refuses flags that it does not know)
//	  12  4  header length: 32
//	  16  8  store version when the snapshot was taken
//	  24  8  XXH3-64 (seed 0) of bytes 0..23
//	block, repeated
//	   0  4  payload length in bytes, at most blockBytesMax
//	   4  4  block number, from 0, rising by 1
//	   8  1  kind: 1 entries, 2 end
//	   9  1  codec: 0 stored as is (a reader refuses others)
//	  10  6  zero
//	  16  8  XXH3-64 of the payload; its seed is XXH3-64 (seed 0) of bytes 0..15
//	  24     payload
//
// The payload of an entries block is a run of whole entries: four uvarints (key
// length, value length, version, expiry in Unix milliseconds or 0), the key,
// the value. The payload of the end block is two uvarints, the number of
// entries and the store version; nothing follows it. docs/FORMAT.md draws the
// same for readers in other languages.

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/ingot-run/ingot/hash"
	"github.com/ingot-run/ingot/internal/message"
)

const (
	snapshotMagic   = "INGOTSNP"
	snapshotVersion = 1

	snapshotHeaderBytes = 32
	blockHeaderBytes    = 24
	blockKindEntries    = 1
	blockKindEnd        = 2

	// versionMax keeps twice a version, which a cell's head holds, in 64 bits.
	versionMax = 1 << 62

	// blockBytesTarget is when an entries block is written out.
	blockBytesTarget = 64 << 10
	// blockBytesMax holds the largest entry and its four uvarints.
	blockBytesMax = blockBytesTarget + KeyBytesMax + ValueBytesMax + 4*binary.MaxVarintLen64
)

// Snapshot writes all live entries to w as they are at one version, in the
// format above, which every build of the engine reads. It stops writers for the
// moment in which it takes the version; then it takes one shard after another,
// and a writer who comes first to a shard copies it for the snapshot before
// changing it. What was copied so and not yet written is held in memory, so a
// slow w under many writes can cost as much as the contents. One snapshot runs
// at a time. Errors: ErrClosed, or w's.
func (s *Store) Snapshot(w io.Writer) error {
	s.snapshot.mu.Lock()
	defer s.snapshot.mu.Unlock()
	_, err := s.writeSnapshot(w)
	return err
}

// writeSnapshot is Snapshot for who has s.snapshot. It returns the version.
func (s *Store) writeSnapshot(w io.Writer) (version uint64, err error) {
	c, err := s.beginCapture()
	if err != nil {
		return 0, err
	}
	sw := &snapshotWriter{w: bufio.NewWriterSize(w, blockBytesTarget)}
	sw.header(c.version)
	var count uint64
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.captureNow()
		sh.mu.Unlock()
		for _, payload := range c.taken[i].payloads {
			sw.block(blockKindEntries, payload)
		}
		count += c.taken[i].count
		c.taken[i] = capturedShard{}
	}
	sw.end(count, c.version)
	if err := sw.w.Flush(); err != nil {
		return 0, message.Errorf("engine: writing a snapshot: %w", err)
	}
	return c.version, nil
}

// snapshotLock lets one snapshot run at a time.
type snapshotLock struct{ mu sync.Mutex }

// capture is a snapshot under way.
type capture struct {
	version uint64
	now     int64 // Unix milliseconds: what has ended by then is left out
	taken   []capturedShard
}

// capturedShard is a shard's entries as the payloads of blocks.
type capturedShard struct {
	payloads [][]byte
	count    uint64
}

// beginCapture fixes the version, and asks every shard to be captured before it
// changes.
func (s *Store) beginCapture() (*capture, error) {
	all := s.allShards()
	s.lock(all)
	defer s.unlock(all)
	if s.closed.Load() {
		return nil, ErrClosed
	}
	c := &capture{version: s.version.Load(), now: s.now(), taken: make([]capturedShard, len(s.shards))}
	for i := range s.shards {
		s.shards[i].capture = &shardCapture{of: c, index: i}
	}
	return c, nil
}

// shardCapture is a shard's part in a capture.
type shardCapture struct {
	of    *capture
	index int
}

// captureNow copies the shard for the snapshot that waits for it, if one does.
// The caller holds the shard's lock and has changed nothing yet.
func (sh *shard) captureNow() {
	if sh.capture == nil {
		return
	}
	taken := &sh.capture.of.taken[sh.capture.index]
	var payload []byte
	for key, e := range sh.entries() {
		if e.ExpiresAt != 0 && e.ExpiresAt <= sh.capture.of.now {
			continue
		}
		payload = appendRecord(payload, key, e)
		taken.count++
		if len(payload) >= blockBytesTarget {
			taken.payloads, payload = append(taken.payloads, payload), nil
		}
	}
	if len(payload) > 0 {
		taken.payloads = append(taken.payloads, payload)
	}
	sh.capture = nil
}

// record is an entry of a snapshot.
type record struct {
	key   string
	value []byte
	Meta
}

// appendRecord appends an entry as a block's payload holds it.
func appendRecord(payload []byte, key string, e entry) []byte {
	for _, n := range [...]uint64{uint64(len(key)), uint64(len(e.value)), e.Version, uint64(e.ExpiresAt)} {
		payload = binary.AppendUvarint(payload, n)
	}
	return append(append(payload, key...), e.value...)
}

// snapshotWriter writes blocks. A bufio.Writer keeps its first error, so it is
// looked at once, at the end.
type snapshotWriter struct {
	w      *bufio.Writer
	number uint32
}

func (sw *snapshotWriter) header(version uint64) {
	var h [snapshotHeaderBytes]byte
	copy(h[:], snapshotMagic)
	binary.LittleEndian.PutUint16(h[8:], snapshotVersion)
	binary.LittleEndian.PutUint32(h[12:], snapshotHeaderBytes)
	binary.LittleEndian.PutUint64(h[16:], version)
	binary.LittleEndian.PutUint64(h[24:], hash.Sum64(h[:24]))
	sw.w.Write(h[:])
}

func (sw *snapshotWriter) end(count, version uint64) {
	sw.block(blockKindEnd, binary.AppendUvarint(binary.AppendUvarint(nil, count), version))
}

func (sw *snapshotWriter) block(kind byte, payload []byte) {
	var h [blockHeaderBytes]byte
	binary.LittleEndian.PutUint32(h[0:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(h[4:], sw.number)
	h[8] = kind
	binary.LittleEndian.PutUint64(h[16:], blockSum(h[:16], payload))
	sw.w.Write(h[:])
	sw.w.Write(payload)
	sw.number++
}

// blockSum is the checksum of a block: its payload, keyed by the checksum of
// the header bytes before it.
func blockSum(header, payload []byte) uint64 {
	return hash.Seeded(payload, hash.Sum64(header))
}

// Restore replaces the contents by the snapshot in r. It reads and checks all
// of it first: on any error the store is unchanged. Entries keep the versions
// and expiries of the snapshot; the store's own version never goes back.
// Watchers get EventReset. Errors: ErrSnapshot (with the place of the damage),
// ErrFull when the snapshot exceeds a budget, ErrClosed, or r's.
func (s *Store) Restore(r io.Reader) error {
	if s.closed.Load() {
		return ErrClosed
	}
	sr := &snapshotReader{r: bufio.NewReaderSize(r, blockBytesTarget), valueBytesMax: s.valueBytesMax}
	records, version, err := sr.readAll()
	if err != nil {
		return err
	}
	staged := make([]shard, len(s.shards))
	for i := range staged {
		staged[i].front = new(front)
		if s.evict {
			staged[i].queues = &queues{} // its table has to count hits
		}
		staged[i].reset()
		staged[i].expiry.now = s.now()
	}
	for _, rec := range records {
		h := s.hash(rec.key)
		if !staged[s.shardIndex(h)].stage(h, rec) {
			return message.Errorf("%w: key %q stands in it twice", ErrSnapshot, clip(rec.key))
		}
	}
	return s.replaceContents(staged, records, version)
}

// stage puts an entry of a snapshot into a shard that nobody reads yet. It
// returns false when the key is there already.
func (sh *shard) stage(h uint64, rec record) bool {
	if slot, _ := sh.find(h, rec.key); slot >= 0 {
		return false
	}
	r, _ := sh.arena.alloc(cellBytes(len(rec.key), len(rec.value), rec.ExpiresAt != 0))
	c := sh.arena.at(r)
	c.fill(rec.key, rec.value, rec.ExpiresAt)
	c.publish(rec.Version)
	sh.insert(h, r)
	sh.bytes += sh.rate().charge(len(rec.key), len(rec.value), rec.ExpiresAt != 0)
	if rec.ExpiresAt != 0 {
		sh.expiry.add(rec.ExpiresAt, rec.Version, h)
	}
	return true
}

// replaceContents swaps in the staged shards, unless they exceed a budget.
func (s *Store) replaceContents(staged []shard, records []record, version uint64) error {
	if s.log != nil {
		return s.replaceLogged(staged, records, version)
	}
	all := s.allShards()
	s.lock(all)
	defer s.unlock(all)
	if err := s.checkReplace(records); err != nil {
		return err
	}
	s.replaceLocked(staged, version)
	return nil
}

// checkReplace refuses contents that the store may not take.
func (s *Store) checkReplace(records []record) error {
	if s.closed.Load() {
		return ErrClosed
	}
	return s.budget.fits(s.rate(), records)
}

// replaceLocked swaps in the staged shards. The caller has all shards.
func (s *Store) replaceLocked(staged []shard, version uint64) {
	s.dropOrderLocked()
	for i := range s.shards {
		sh, from := &s.shards[i], &staged[i]
		sh.captureNow()
		sh.adopt(from.table, from.arena)
		sh.expiry, sh.bytes = from.expiry, from.bytes
		sh.refill()
	}
	s.budget.recount(s)
	if version > s.version.Load() { // all writers wait for the shards, so nobody adds meanwhile
		s.version.Store(version)
	}
	s.watchers.emit(Event{Kind: EventReset, Meta: Meta{Version: s.version.Add(1)}})
}

// snapshotReader reads a snapshot and remembers where it is for its errors.
type snapshotReader struct {
	r             *bufio.Reader
	valueBytesMax int
	offset        int64
	number        uint32
}

// fail is an ErrSnapshot that names the place.
func (sr *snapshotReader) fail(format string, args ...any) error {
	return message.Errorf("%w: %s at byte %d", ErrSnapshot, message.Sprintf(format, args...), sr.offset)
}

func (sr *snapshotReader) readAll() (records []record, version uint64, err error) {
	headerVersion, err := sr.header()
	if err != nil {
		return nil, 0, err
	}
	for {
		kind, payload, err := sr.block()
		if err != nil {
			return nil, 0, err
		}
		if kind == blockKindEnd {
			if err := sr.checkEnd(payload, uint64(len(records)), headerVersion); err != nil {
				return nil, 0, err
			}
			return records, headerVersion, nil
		}
		if records, err = sr.entries(records, payload, headerVersion); err != nil {
			return nil, 0, err
		}
	}
}

// header reads and checks the file header and returns the store version.
func (sr *snapshotReader) header() (uint64, error) {
	h := make([]byte, snapshotHeaderBytes)
	if err := sr.fill(h, "the header"); err != nil {
		return 0, err
	}
	if string(h[:8]) != snapshotMagic {
		return 0, sr.fail("the file does not begin with %q", snapshotMagic)
	}
	if v := binary.LittleEndian.Uint16(h[8:]); v != snapshotVersion {
		return 0, sr.fail("it has format version %d and this build reads %d", v, snapshotVersion)
	}
	if hash.Sum64(h[:24]) != binary.LittleEndian.Uint64(h[24:]) {
		return 0, sr.fail("the header's checksum is wrong")
	}
	if flags := binary.LittleEndian.Uint16(h[10:]); flags != 0 {
		return 0, sr.fail("it uses features (flags %#x) that this build does not know", flags)
	}
	if n := binary.LittleEndian.Uint32(h[12:]); n != snapshotHeaderBytes {
		return 0, sr.fail("the header says that it has %d bytes, not %d", n, snapshotHeaderBytes)
	}
	version := binary.LittleEndian.Uint64(h[16:])
	if version > versionMax {
		return 0, sr.fail("the store version %d is beyond the largest there can be", version)
	}
	sr.offset += snapshotHeaderBytes
	return version, nil
}

// block reads and checks the next block.
func (sr *snapshotReader) block() (kind byte, payload []byte, err error) {
	h := make([]byte, blockHeaderBytes)
	if err := sr.fill(h, "a block's header"); err != nil {
		return 0, nil, err
	}
	size := binary.LittleEndian.Uint32(h)
	if size > blockBytesMax {
		return 0, nil, sr.fail("a block claims %d bytes, more than the %d there can be", size, blockBytesMax)
	}
	payload, err = sr.payload(int(size))
	if err != nil {
		return 0, nil, err
	}
	if blockSum(h[:16], payload) != binary.LittleEndian.Uint64(h[16:]) {
		return 0, nil, sr.fail("the checksum of block %d is wrong", sr.number)
	}
	if n := binary.LittleEndian.Uint32(h[4:]); n != sr.number {
		return 0, nil, sr.fail("block %d stands where block %d belongs", n, sr.number)
	}
	if h[8] != blockKindEntries && h[8] != blockKindEnd || h[9] != 0 {
		return 0, nil, sr.fail("block %d has kind %d and codec %d, which this build does not know", sr.number, h[8], h[9])
	}
	sr.offset += blockHeaderBytes + int64(size)
	sr.number++
	return h[8], payload, nil
}

// payload reads size bytes in steps, so that a lying length costs no more
// memory than the stream has bytes.
func (sr *snapshotReader) payload(size int) ([]byte, error) {
	const step = 1 << 20
	var payload []byte
	for len(payload) < size {
		n := min(step, size-len(payload))
		payload = append(payload, make([]byte, n)...)
		if err := sr.fill(payload[len(payload)-n:], "a block"); err != nil {
			return nil, err
		}
	}
	return payload, nil
}

// fill reads len(b) bytes; the end of the stream inside them is damage.
func (sr *snapshotReader) fill(b []byte, what string) error {
	_, err := io.ReadFull(sr.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return sr.fail("the stream ends inside %s that begins", what)
	}
	if err != nil {
		return message.Errorf("engine: reading a snapshot at byte %d: %w", sr.offset, err)
	}
	return nil
}

// entries appends the entries of a checked payload to records.
func (sr *snapshotReader) entries(records []record, payload []byte, version uint64) ([]record, error) {
	for len(payload) > 0 {
		var field [4]uint64
		for i := range field {
			n, size := binary.Uvarint(payload)
			if size <= 0 {
				return nil, sr.fail("an entry's head is broken in the block before")
			}
			field[i], payload = n, payload[size:]
		}
		keyLen, valueLen := field[0], field[1]
		if keyLen == 0 || keyLen > KeyBytesMax || valueLen > uint64(sr.valueBytesMax) {
			return nil, sr.fail("an entry with a key of %d bytes and a value of %d exceeds this store's limits in the block before", keyLen, valueLen)
		}
		if field[2] == 0 || field[2] > version || field[3] > 1<<62 || keyLen+valueLen > uint64(len(payload)) {
			return nil, sr.fail("an entry contradicts its block, in the block before")
		}
		key, value := payload[:keyLen], payload[keyLen:keyLen+valueLen]
		payload = payload[keyLen+valueLen:]
		records = append(records, record{
			key: string(key), value: value, // the payload is this block's own: the records keep it
			Meta: Meta{Version: field[2], ExpiresAt: int64(field[3])},
		})
	}
	return records, nil
}

// checkEnd compares the end block with what was read and refuses what follows.
func (sr *snapshotReader) checkEnd(payload []byte, count, version uint64) error {
	gotCount, n := binary.Uvarint(payload)
	if n <= 0 {
		return sr.fail("the end block is broken")
	}
	gotVersion, m := binary.Uvarint(payload[n:])
	if m <= 0 || n+m != len(payload) || gotCount != count || gotVersion != version {
		return sr.fail("the end block does not agree with the %d entries before it", count)
	}
	switch _, err := sr.r.ReadByte(); {
	case err == nil:
		return sr.fail("bytes follow the end block")
	case err != io.EOF:
		return message.Errorf("engine: reading a snapshot at byte %d: %w", sr.offset, err)
	}
	return nil
}
