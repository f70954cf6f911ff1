package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/hash"
)

// The format of a backup, version 1. Integers are little-endian.
//
//	header
//	   0  8  magic "INGOTBAK"
//	   8  2  format version: 1
//	  10  2  zero
//	  12  4  length of the JSON, at most headBytesMax
//	  16     Head as JSON
//	   …  8  XXH3-64 (seed 0) of all before
//	chunk, repeated
//	   0  4  payload length, at most chunkBytes + sealBytes
//	   4  4  number, from 0, rising by 1
//	   8  1  kind: 1 part of the snapshot, 2 end
//	   9  7  zero
//	  16  8  XXH3-64 of the payload; its seed is XXH3-64 of bytes 0..15, seeded with the
//	         header's sum
//	  24     payload
//
// The payloads of kind 1, one after another, are a stream of Store.SnapshotSince. That of
// kind 2 is Tail as JSON, and nothing follows it. Where the head names a key each payload
// is sealed by AES-256-GCM, with the chunk's number as the nonce and bytes 4..15 as what
// else is covered; the file's key is derived as those of a store's files are.
const (
	magic         = "INGOTBAK"
	formatVersion = 1

	headBytesMax = 4 << 10
	chunkBytes   = 64 << 10
	chunkHead    = 24
	sealBytes    = 16
	saltBytes    = 16
	nonceBytes   = 12

	kindPart = 1
	kindEnd  = 2
)

// Head is what a backup says of itself at its beginning.
type Head struct {
	// Created is when it began, in Unix milliseconds.
	Created int64 `json:"created"`
	// Store is the number of the store that it is of; 0: a store in memory.
	Store uint64 `json:"store,omitzero,string"`
	// KeyID is the key that seals it; 0: it is not sealed. Salt belongs to it.
	KeyID uint64 `json:"key,omitzero,string"`
	Salt  []byte `json:"salt,omitempty"`
	// Since is the version that it was to go on from, and Previous the SHA-256 of the
	// backup of that version, in hexadecimal digits; empty: it was to be whole.
	Since    uint64 `json:"since,omitzero,string"`
	Previous string `json:"previous,omitempty"`
}

// Tail is what a backup says at its end, when that is known.
type Tail struct {
	// Version is the store's, of the moment that the backup is of.
	Version uint64 `json:"version,string"`
	// Full says that it needs no other.
	Full bool `json:"full"`
	// Bytes is the length of the snapshot.
	Bytes int64 `json:"bytes"`
}

// Info is what is known of a whole backup.
type Info struct {
	Head
	Tail
	// SHA256 is of the file, in hexadecimal digits.
	SHA256 string
	// FileBytes is its length.
	FileBytes int64
}

// CorruptError says where a backup is damaged, or ends too early.
type CorruptError struct {
	// Offset is where in the file, in bytes.
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("the backup is damaged at byte %d: %s: take another one", e.Offset, e.Reason)
}

// encodeHead is the header, and the seed of the chunks' sums.
func encodeHead(h *Head) (b []byte, sum uint64, err error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, 0, err
	}
	le := binary.LittleEndian
	b = append(b, magic...)
	b = le.AppendUint16(b, formatVersion)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(b, uint32(len(text)))
	b = append(b, text...)
	sum = hash.Sum64(b)
	return le.AppendUint64(b, sum), sum, nil
}

// reader reads a backup, and gives the snapshot in it.
type reader struct {
	in     io.Reader
	digest interface {
		io.Writer
		Sum([]byte) []byte
	}
	at     int64
	seed   uint64
	number uint32
	cipher engine.FileCipher // nil: not sealed, or only sums are looked at
	sealed bool
	part   bytes.Reader
	ended  bool
	info   Info
}

// newReader reads the header. Without keys the sums are looked at, and no contents.
func newReader(in io.Reader, keys engine.Encryption) (*reader, error) {
	r := &reader{in: in, digest: sha256.New()}
	fixed := make([]byte, 16)
	if err := r.fill(fixed, "the header"); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if string(fixed[:8]) != magic {
		return nil, r.corrupt(0, "it does not begin as a backup does")
	}
	if v := le.Uint16(fixed[8:]); v != formatVersion {
		return nil, fmt.Errorf("the backup has format %d, and this ingot reads %d: use the one that wrote it", v, formatVersion)
	}
	size := le.Uint32(fixed[12:])
	if size > headBytesMax {
		return nil, r.corrupt(12, "the header is too long")
	}
	rest := make([]byte, size+8)
	if err := r.fill(rest, "the header"); err != nil {
		return nil, err
	}
	r.seed = hash.Sum64(append(fixed, rest[:size]...))
	if r.seed != le.Uint64(rest[size:]) || json.Unmarshal(rest[:size], &r.info.Head) != nil {
		return nil, r.corrupt(16, "the header's checksum is wrong")
	}
	r.sealed = r.info.KeyID != 0
	if r.sealed && keys != nil {
		var err error
		if r.cipher, err = keys.Open(r.info.KeyID, r.info.Salt); err != nil {
			return nil, fmt.Errorf("the backup is sealed with key %d: %w", r.info.KeyID, err)
		}
	}
	return r, nil
}

func (r *reader) corrupt(at int64, reason string) error { return &CorruptError{at, reason} }

// fill reads all of b.
func (r *reader) fill(b []byte, what string) error {
	n, err := io.ReadFull(r.in, b)
	r.digest.Write(b[:n])
	at := r.at
	r.at += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.corrupt(at+int64(n), "it ends within "+what)
	}
	return err
}

// chunk reads the next one, and opens it if there is a cipher.
func (r *reader) chunk() (kind byte, payload []byte, err error) {
	begins := r.at
	head := make([]byte, chunkHead)
	if err := r.fill(head, fmt.Sprintf("chunk %d", r.number)); err != nil {
		return 0, nil, err
	}
	le := binary.LittleEndian
	size := le.Uint32(head)
	if size > chunkBytes+sealBytes || le.Uint32(head[4:]) != r.number {
		return 0, nil, r.corrupt(begins, fmt.Sprintf("chunk %d is not there", r.number))
	}
	payload = make([]byte, size)
	if err := r.fill(payload, fmt.Sprintf("chunk %d", r.number)); err != nil {
		return 0, nil, err
	}
	if hash.Seeded(payload, hash.Seeded(head[:16], r.seed)) != le.Uint64(head[16:]) {
		return 0, nil, r.corrupt(begins, fmt.Sprintf("the checksum of chunk %d is wrong", r.number))
	}
	if r.cipher != nil {
		if payload, err = r.cipher.Open(nil, nonce(r.number), payload, head[4:16]); err != nil {
			return 0, nil, r.corrupt(begins, fmt.Sprintf("chunk %d does not open with key %d", r.number, r.info.KeyID))
		}
	}
	r.number++
	return head[8], payload, nil
}

func nonce(number uint32) []byte {
	return binary.LittleEndian.AppendUint32(make([]byte, nonceBytes-4, nonceBytes), number)
}

// Read is the snapshot's bytes, up to the end chunk.
func (r *reader) Read(p []byte) (int, error) {
	for r.part.Len() == 0 {
		if r.ended {
			return 0, io.EOF
		}
		begins := r.at
		kind, payload, err := r.chunk()
		switch {
		case err != nil:
			return 0, err
		case kind == kindEnd:
			if err := r.end(begins, payload); err != nil {
				return 0, err
			}
		case kind == kindPart:
			r.part.Reset(payload)
		default:
			return 0, r.corrupt(begins, fmt.Sprintf("a chunk of kind %d", kind))
		}
	}
	return r.part.Read(p)
}

// end reads the tail, behind which there is nothing.
func (r *reader) end(at int64, payload []byte) error {
	if r.cipher != nil || !r.sealed {
		if err := json.Unmarshal(payload, &r.info.Tail); err != nil {
			return r.corrupt(at, "the end cannot be read")
		}
	}
	if n, _ := io.ReadFull(r.in, make([]byte, 1)); n > 0 {
		return r.corrupt(r.at, "there is more behind its end")
	}
	r.ended = true
	r.info.SHA256, r.info.FileBytes = hex.EncodeToString(r.digest.Sum(nil)), r.at
	return nil
}

// Check reads all of a backup and compares its checksums. Without keys for a sealed one
// its Tail stays zero. Errors: *CorruptError, or in's.
func Check(in io.Reader, keys engine.Encryption) (Info, error) {
	r, err := newReader(in, keys)
	if err != nil {
		return Info{}, err
	}
	_, err = io.Copy(io.Discard, r)
	return r.info, err
}
