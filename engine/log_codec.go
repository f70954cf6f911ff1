package engine

import (
	"encoding/binary"

	"github.com/golang/snappy"
	"github.com/ingot-run/ingot/internal/message"
)

// Encryption gives the files of a store their ciphers. The package engine/seal
// makes one; it stands apart so that a build without it does without the
// cryptography (engine.wasm would be larger by a tenth).
type Encryption interface {
	// Seal is the cipher for a new file with this salt, and the id of its key.
	Seal(salt []byte) (keyID uint64, c FileCipher, err error)
	// Open is the cipher of a file with this salt, written with the key of this id.
	// It fails when there is no such key.
	Open(keyID uint64, salt []byte) (FileCipher, error)
}

// FileCipher seals the blocks of one file, each with a nonce of its own: the
// methods are those of crypto/cipher.AEAD, with nonces of 12 bytes and an overhead
// of 16.
type FileCipher interface {
	Seal(dst, nonce, plaintext, additionalData []byte) []byte
	Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error)
}

const (
	nonceBytes = 12
	// sealBytesMax is what a cipher adds to a payload.
	sealBytesMax = 16
	// snappyRatioMax is more than Snappy can make of a byte: a copy of 64 takes 3.
	snappyRatioMax = 22
	// sealedHeaderBytes is the part of a block's header that the cipher covers.
	sealedHeaderBytes = 20
)

// nonceOf is the nonce of the block at an offset. A file has a key of its own, by
// its salt, and an offset is sealed once.
func nonceOf(offset int64) []byte {
	return binary.LittleEndian.AppendUint64(make([]byte, 4, nonceBytes), uint64(offset))
}

// coder turns payloads into what a file holds, and back.
type coder struct {
	compressMin int        // 0: never
	cipher      FileCipher // nil: none

	opened, plain []byte // memory of decode
}

// compress is the payload as its codec has it, in memory of scratch if it fits.
func (c *coder) compress(payload, scratch []byte) (body []byte, codec byte) {
	if c.compressMin == 0 || len(payload) < c.compressMin {
		return payload, codecNone
	}
	body = snappy.Encode(scratch[:cap(scratch)], payload)
	if len(body) > len(payload)-len(payload)/8 {
		return payload, codecNone // not worth the way back
	}
	return body, codecSnappy
}

// appendBlock appends a whole block, padding included, to b. body is the payload
// as its codec has it, and at the block's place in the file of h.
func (c *coder) appendBlock(b []byte, h *fileHeader, k logBlock, body []byte, at int64) []byte {
	start := len(b)
	size := len(body)
	if c.cipher != nil {
		size += sealBytesMax
	}
	b = append(b, make([]byte, logBlockHeaderBytes)...)
	k.encodeFields(b[start:], size)
	if c.cipher != nil {
		head := [sealedHeaderBytes]byte(b[start:])
		b = c.cipher.Seal(b, nonceOf(at), body, head[:])
	} else {
		b = append(b, body...)
	}
	encodeSums(b[start:], b[start+logBlockHeaderBytes:], h.blockSeed(at))
	for (len(b)-start)%blockAlign != 0 {
		b = append(b, 0)
	}
	return b
}

// decode is the payload of a block whose checksum was right. It is stored itself, or
// in memory of c that the next call uses again. reason says what is wrong, or is
// empty.
func (c *coder) decode(k logBlock, header, stored []byte, at int64) (payload []byte, reason string) {
	payload = stored
	if c.cipher != nil && k.kind != blockBegin {
		var err error
		if payload, err = c.cipher.Open(c.opened[:0], nonceOf(at), stored, header[:sealedHeaderBytes]); err != nil {
			return nil, "a block does not open with its key: somebody changed it who could make the checksum right"
		}
		c.opened = payload
	}
	switch k.codec {
	case codecNone:
		return payload, ""
	case codecSnappy:
		n, err := snappy.DecodedLen(payload)
		if err != nil || n > logBlockBytesMax || n > snappyRatioMax*len(payload) {
			return nil, message.Sprintf("a compressed block claims %d bytes (%v)", n, err)
		}
		if payload, err = snappy.Decode(c.plain[:cap(c.plain)], payload); err != nil {
			return nil, message.Sprintf("a block does not decompress: %v", err)
		}
		c.plain = payload
		return payload, ""
	}
	return nil, message.Sprintf("a block has the codec %d, which this build does not know", k.codec)
}

// coded reports whether blocks are anything but their payload.
func (l *wal) coded() bool { return l.options.compressMin > 0 || l.options.encryption != nil }

// placeCoded makes a chunk of the blocks of one change.
func (l *wal) placeCoded(chain int) error {
	c := coder{compressMin: l.options.compressMin, cipher: l.active.cipher}
	out, at := l.out[:0], l.active.end
	for ; l.next < chain; l.next++ {
		k := l.writing.blocks[l.next]
		h := l.header(k)
		var body []byte
		body, h.codec = c.compress(l.writing.payload(k), l.scratch)
		if h.codec != codecNone && cap(body) <= bufferKeptBytes {
			l.scratch = body
		}
		out = c.appendBlock(out, &l.active.header, h, body, at+int64(len(out)))
	}
	l.chunk = out
	if l.out = out; cap(out) > bufferKeptBytes {
		l.out = nil
	}
	return nil
}
