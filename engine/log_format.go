package engine

// The files of a store in a directory: log segments, format version 1, and
// snapshots, format version 2. Both are a header and then blocks. All integers
// are little-endian; a uvarint is encoding/binary's. docs/FORMAT.md draws the same
// for readers in other languages.
//
//	header, 96 bytes
//	   0  8  magic "INGOTLOG" or "INGOTSNP"
//	   8  2  format version: 1 of a log, 2 of a snapshot
//	  10  2  flags: 1 encrypted, 2 (snapshot) the log from number on belongs to it,
//	         4 (snapshot) only what changed since the version at 80
//	  12  4  header length: 96
//	  16  8  store id, drawn when the directory was first used
//	  24  8  number: of the segment, or of the first segment to replay on a snapshot
//	  32  8  store version when the file was begun
//	  40  8  latest time seen by then, Unix milliseconds
//	  48  8  key id, 0 without encryption
//	  56 16  salt, random
//	  72  8  seed of the hash of keys, 0 for none: readers may ignore it
//	  80  8  (snapshot) the version since which it tells of changes
//	  88  8  XXH3-64 (seed 0) of bytes 0..87
//	block, at an offset that is a multiple of 8
//	   0  4  payload length in bytes, at most logBlockBytesMax
//	   4  1  kind: 1 records, 2 begin, 3 end
//	   5  1  codec of the payload: 0 as is, 1 Snappy block format
//	   6  1  flags: 1 the next block belongs to the same change
//	   7  1  zero
//	   8  8  latest time seen, Unix milliseconds
//	  16  4  bytes of this file that were durable when it was written, over 8
//	  20  4  low half of XXH3-64 of bytes 0..19; its seed is S
//	  24  8  XXH3-64 of the payload; its seed is XXH3-64 of bytes 0..23 with seed S
//	  32     payload, then zeros up to a multiple of 8
//
// S is the header's XXH3-64 (at 88) plus the block's offset, modulo 2^64, so that
// a block of another file or of another place never passes for one of here.
// logRecord says what the payload of a records block is made of.

import (
	"encoding/binary"

	"github.com/ingot-run/ingot/hash"
	"github.com/ingot-run/ingot/internal/message"
)

const (
	logMagic         = "INGOTLOG"
	logVersion       = 1
	snapshotVersion2 = 2

	fileHeaderBytes = 96
	saltBytes       = 16

	flagEncrypted = 1
	flagWithLog   = 2
	flagSince     = 4

	logBlockHeaderBytes = 32
	blockAlign          = 8

	blockRecords = 1
	blockBegin   = 2
	blockEnd     = 3

	codecNone   = 0
	codecSnappy = 1

	blockContinues = 1

	// logBlockBytesTarget is when the log starts another block.
	logBlockBytesTarget = 1 << 20
	// logRecordBytesMax is the largest record: a kind, four uvarints, key and value.
	logRecordBytesMax = 1 + 4*binary.MaxVarintLen64 + KeyBytesMax + ValueBytesMax
	// logBlockBytesMax is the longest payload. A codec does not make it longer; a
	// cipher adds less than a kilobyte.
	logBlockBytesMax = logBlockBytesTarget + logRecordBytesMax + 1<<10

	// segmentBytesLimit bounds a file, so that an eighth of an offset fits in 32 bits.
	segmentBytesLimit = 32 << 30
)

// fileHeader is the header of a segment or a snapshot.
type fileHeader struct {
	magic    string
	format   uint16
	flags    uint16
	storeID  uint64
	number   uint64
	version  uint64
	time     int64
	keyID    uint64
	salt     [saltBytes]byte
	hashSeed uint64
	since    uint64
	sum      uint64 // as read or written: the seed of the blocks
}

// encode sets h.sum and returns the header's bytes.
func (h *fileHeader) encode() []byte {
	b := make([]byte, fileHeaderBytes)
	le := binary.LittleEndian
	copy(b, h.magic)
	le.PutUint16(b[8:], h.format)
	le.PutUint16(b[10:], h.flags)
	le.PutUint32(b[12:], fileHeaderBytes)
	le.PutUint64(b[16:], h.storeID)
	le.PutUint64(b[24:], h.number)
	le.PutUint64(b[32:], h.version)
	le.PutUint64(b[40:], uint64(h.time))
	le.PutUint64(b[48:], h.keyID)
	copy(b[56:], h.salt[:])
	le.PutUint64(b[72:], h.hashSeed)
	le.PutUint64(b[80:], h.since)
	h.sum = hash.Sum64(b[:88])
	le.PutUint64(b[88:], h.sum)
	return b
}

// parseFileHeader reads a header of fileHeaderBytes. name is for the errors, which
// are *CorruptError or ErrFormatVersion.
func parseFileHeader(name, magic string, format uint16, b []byte) (h fileHeader, err error) {
	le := binary.LittleEndian
	if len(b) < fileHeaderBytes {
		return h, &CorruptError{File: name, Reason: message.Sprintf("it has %d bytes, less than a header", len(b))}
	}
	if string(b[:8]) != magic {
		return h, &CorruptError{File: name, Reason: message.Sprintf("it does not begin with %q", magic)}
	}
	if v := le.Uint16(b[8:]); v > format {
		// The layout behind the version may be another: not even the checksum can be
		// looked at.
		return h, message.Errorf("%w: %s has version %d and this build reads up to %d: use a newer build", ErrFormatVersion, name, v, format)
	}
	if headerSum(b) != le.Uint64(b[88:]) {
		return h, &CorruptError{File: name, Reason: "the header's checksum is wrong"}
	}
	h = rawHeader(b)
	switch {
	case h.format != format:
		err = &CorruptError{File: name, Reason: message.Sprintf("its version is %d, which no build wrote", h.format)}
	case le.Uint32(b[12:]) != fileHeaderBytes:
		err = &CorruptError{File: name, Reason: "the header's length is wrong"}
	case h.flags&^(flagEncrypted|flagWithLog|flagSince) != 0:
		err = message.Errorf("%w: %s uses features (flags %#x) that this build does not know: use a newer build", ErrFormatVersion, name, h.flags)
	case h.version > versionMax || h.time < 0 || h.since > versionMax:
		err = &CorruptError{File: name, Reason: "the header holds a number out of range"}
	}
	return h, err
}

// headerSum is the checksum that a header should have.
func headerSum(b []byte) uint64 { return hash.Sum64(b[:88]) }

// rawHeader is a header's fields, unchecked.
func rawHeader(b []byte) (h fileHeader) {
	le := binary.LittleEndian
	h = fileHeader{
		magic: string(b[:8]), format: le.Uint16(b[8:]), flags: le.Uint16(b[10:]),
		storeID: le.Uint64(b[16:]), number: le.Uint64(b[24:]), version: le.Uint64(b[32:]),
		time: int64(le.Uint64(b[40:])), keyID: le.Uint64(b[48:]),
		hashSeed: le.Uint64(b[72:]), since: le.Uint64(b[80:]), sum: le.Uint64(b[88:]),
	}
	copy(h.salt[:], b[56:])
	return h
}

// blockSeed is the seed of the block at an offset.
func (h *fileHeader) blockSeed(offset int64) uint64 { return h.sum + uint64(offset) }

// logBlock is a block's header.
type logBlock struct {
	size   int // of the payload as it is stored
	kind   byte
	codec  byte
	flags  byte
	time   int64
	synced int64 // bytes
	sum    uint64
}

// encodeFields writes what is known before the payload is: size is how long it
// will be as it is stored.
func (k *logBlock) encodeFields(b []byte, size int) {
	le := binary.LittleEndian
	le.PutUint32(b, uint32(size))
	b[4], b[5], b[6], b[7] = k.kind, k.codec, k.flags, 0
	le.PutUint64(b[8:], uint64(k.time))
	le.PutUint32(b[16:], uint32(k.synced/blockAlign))
}

// encodeSums writes the checksums of a header and of its payload as it is stored.
func encodeSums(b, payload []byte, seed uint64) {
	le := binary.LittleEndian
	le.PutUint32(b[20:], uint32(hash.Seeded(b[:20], seed)))
	le.PutUint64(b[24:], payloadSum(b, payload, seed))
}

// encodeBlock writes a block's header into b, for a payload that is stored as it is.
func encodeBlock(b []byte, k logBlock, payload []byte, seed uint64) {
	k.encodeFields(b, len(payload))
	encodeSums(b, payload, seed)
}

// parseBlock reads a block's header, and reports whether it is one of this place.
func parseBlock(b []byte, seed uint64) (k logBlock, ok bool) {
	le := binary.LittleEndian
	if uint32(hash.Seeded(b[:20], seed)) != le.Uint32(b[20:]) {
		return k, false
	}
	size := le.Uint32(b)
	if size > logBlockBytesMax { // and would be negative where an int has 32 bits
		return k, false
	}
	k = logBlock{
		size: int(size), kind: b[4], codec: b[5], flags: b[6],
		time: int64(le.Uint64(b[8:])), synced: int64(le.Uint32(b[16:])) * blockAlign,
		sum: le.Uint64(b[24:]),
	}
	return k, k.time >= 0
}

// payloadSum is what a block's sum has to be.
func payloadSum(header, payload []byte, seed uint64) uint64 {
	return hash.Seeded(payload, hash.Seeded(header[:24], seed))
}

// paddedBytes is how much of the file a block with this payload takes.
func paddedBytes(payload int) int64 {
	return int64((logBlockHeaderBytes + payload + blockAlign - 1) &^ (blockAlign - 1))
}

// The kinds of record. A records block is a run of them; the lengths and numbers
// are uvarints in the order in which they are named.
//
//	1 set            key length, value length, version, key, value
//	2 set, ends      key length, value length, version, end, key, value
//	3 remove         key length, version, key
//	4 new end        key length, version, end (0: never), key
//	5 clear          prefix length, version, prefix: what is not newer is gone
//	6 version        version: the store had reached it
const (
	recordSet     = 1
	recordSetEnds = 2
	recordRemove  = 3
	recordEnd     = 4
	recordClear   = 5
	recordVersion = 6
)

// logRecord is one change. key and value may alias what it was read from.
type logRecord struct {
	kind  byte
	key   string
	value []byte
	Meta
}

// bound is at least as many bytes as the record takes.
func (r *logRecord) bound() int { return 1 + 4*binary.MaxVarintLen64 + len(r.key) + len(r.value) }

// append appends the record to b.
func (r *logRecord) append(b []byte) []byte {
	b = append(b, r.kind)
	if r.kind != recordVersion {
		b = binary.AppendUvarint(b, uint64(len(r.key)))
	}
	if r.kind == recordSet || r.kind == recordSetEnds {
		b = binary.AppendUvarint(b, uint64(len(r.value)))
	}
	b = binary.AppendUvarint(b, r.Version)
	if r.kind == recordSetEnds || r.kind == recordEnd {
		b = binary.AppendUvarint(b, uint64(r.ExpiresAt))
	}
	b = append(b, r.key...)
	return append(b, r.value...)
}

// parseRecord reads the first record of b, which it aliases, and returns the rest.
// reason says what is wrong, or is empty.
func parseRecord(b []byte) (r logRecord, key []byte, rest []byte, reason string) {
	r.kind, b = b[0], b[1:]
	if r.kind < recordSet || r.kind > recordVersion {
		return r, nil, nil, message.Sprintf("a record has the unknown kind %d", r.kind)
	}
	var keyLen, valueLen, version, end uint64
	ok := true
	next := func() (n uint64) {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			ok = false
			return 0
		}
		b = b[size:]
		return n
	}
	if r.kind != recordVersion {
		keyLen = next()
	}
	if r.kind == recordSet || r.kind == recordSetEnds {
		valueLen = next()
	}
	version = next()
	if r.kind == recordSetEnds || r.kind == recordEnd {
		end = next()
	}
	keyMin := uint64(1)
	if r.kind == recordClear || r.kind == recordVersion {
		keyMin = 0
	}
	switch {
	case !ok:
		return r, nil, nil, "a record's head is broken"
	case keyLen < keyMin || keyLen > KeyBytesMax || valueLen > ValueBytesMax:
		return r, nil, nil, message.Sprintf("a record with a key of %d bytes and a value of %d exceeds the limits", keyLen, valueLen)
	case version == 0 || version > versionMax || end > versionMax:
		return r, nil, nil, message.Sprintf("a record has the version %d and the end %d, which cannot be", version, end)
	case r.kind == recordSetEnds && end == 0:
		return r, nil, nil, "a record of an entry that ends has no end"
	case keyLen+valueLen > uint64(len(b)):
		return r, nil, nil, "a record reaches beyond its block"
	}
	r.Version, r.ExpiresAt = version, int64(end)
	r.value = b[keyLen : keyLen+valueLen]
	return r, b[:keyLen], b[keyLen+valueLen:], ""
}
