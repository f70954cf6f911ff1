package engine

import (
	"errors"
	"io"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/internal/message"
)

// readWindowBytes is how much of a file is read at a time.
const readWindowBytes = 1 << 20

// blockReader reads the blocks of a segment or of a snapshot, and checks them.
type blockReader struct {
	name   string
	file   io.ReaderAt
	size   int64
	header fileHeader
	coder  coder

	at       int64  // where the next block is
	window   []byte // bytes of the file from windowAt on
	windowAt int64
}

// block is a block that was read. payload is good until the next is read.
type block struct {
	logBlock
	at, end int64
	payload []byte
}

// openBlocks opens a file for reading and checks its header. The caller closes
// the file.
func openBlocks(dir storage.Dir, name, magic string, format uint16, e Encryption) (*blockReader, storage.File, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, nil, err
	}
	size, err := f.Size()
	if err == nil {
		var r *blockReader
		if r, err = newBlockReader(name, f, size, magic, format); err == nil {
			if err = r.unlock(e); err == nil {
				return r, f, nil
			}
		}
	}
	return nil, nil, errors.Join(err, f.Close())
}

// newBlockReader reads the header of a file.
func newBlockReader(name string, f io.ReaderAt, size int64, magic string, format uint16) (*blockReader, error) {
	r := &blockReader{name: name, file: f, size: size, at: fileHeaderBytes}
	b, err := r.bytes(0, int(min(size, fileHeaderBytes)))
	if err != nil {
		return nil, err
	}
	r.header, err = parseFileHeader(name, magic, format, b)
	return r, err
}

// unlock finds the cipher of an encrypted file.
func (r *blockReader) unlock(e Encryption) (err error) {
	if r.header.flags&flagEncrypted == 0 {
		return nil
	}
	if e == nil {
		return message.Errorf("%w: %s is encrypted with key %d and no key was given", ErrKey, r.name, r.header.keyID)
	}
	if r.coder.cipher, err = e.Open(r.header.keyID, r.header.salt[:]); err != nil {
		return message.Errorf("%w: %s is encrypted with key %d: %w", ErrKey, r.name, r.header.keyID, err)
	}
	return nil
}

// bytes is n bytes of the file at an offset; they are there.
func (r *blockReader) bytes(at int64, n int) ([]byte, error) {
	if at < r.windowAt || at+int64(n) > r.windowAt+int64(len(r.window)) {
		want := int(min(max(int64(n), readWindowBytes), r.size-at))
		if want > cap(r.window) || cap(r.window) > 2*max(want, readWindowBytes) {
			r.window = make([]byte, want)
		}
		r.window, r.windowAt = r.window[:want], at
		if got, err := r.file.ReadAt(r.window, at); got < want {
			r.window = r.window[:0]
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // it became shorter, or the disk gave less
			}
			return nil, message.Errorf("engine: reading %s at byte %d: %w", r.name, at, err)
		}
	}
	return r.window[at-r.windowAt:][:n], nil
}

// peek reads the block at an offset, as it is stored. ok is false when there is
// none, or one that is not whole: what says why.
func (r *blockReader) peek(at int64) (k logBlock, header, stored []byte, what string, err error) {
	if at+logBlockHeaderBytes > r.size {
		return k, nil, nil, "the file ends", nil
	}
	seed := r.header.blockSeed(at)
	header, err = r.bytes(at, logBlockHeaderBytes)
	if err != nil {
		return k, nil, nil, "", err
	}
	k, ok := parseBlock(header, seed)
	if !ok {
		return k, nil, nil, "no block begins", nil
	}
	if at+logBlockHeaderBytes+int64(k.size) > r.size {
		return k, nil, nil, "the file ends inside a block that begins", nil
	}
	whole, err := r.bytes(at, logBlockHeaderBytes+k.size)
	if err != nil {
		return k, nil, nil, "", err
	}
	header, stored = whole[:logBlockHeaderBytes], whole[logBlockHeaderBytes:]
	if payloadSum(header, stored, seed) != k.sum {
		return k, nil, nil, "the checksum is wrong of the block that begins", nil
	}
	return k, header, stored, "", nil
}

// next reads the block at r.at and goes behind it. what says why there is none; an
// error is damage that no crash can have made, or that of the file.
func (r *blockReader) next() (b block, what string, err error) {
	k, header, stored, what, err := r.peek(r.at)
	if err != nil || what != "" {
		return b, what, err
	}
	if k.kind < blockRecords || k.kind > blockEnd || k.flags&^blockContinues != 0 || header[7] != 0 {
		return b, "", r.corrupt(r.at, "a block has kind %d and flags %d, which this build does not know", k.kind, k.flags)
	}
	payload, reason := r.coder.decode(k, header, stored, r.at)
	if reason != "" {
		return b, "", r.corrupt(r.at, "%s", reason)
	}
	b = block{logBlock: k, at: r.at, end: r.at + paddedBytes(k.size), payload: payload}
	r.at = b.end
	return b, "", nil
}

// corrupt is a *CorruptError at an offset.
func (r *blockReader) corrupt(at int64, format string, args ...any) error {
	return &CorruptError{File: r.name, Offset: at, Reason: message.Sprintf(format, args...)}
}

// provesDurable looks for a whole block from an offset on that was written when
// more than the first limit bytes of the file were durable. It gives its offset,
// or 0. found is how many whole blocks there are.
func (r *blockReader) provesDurable(from, limit int64) (proof int64, found int, err error) {
	for at := from; at+logBlockHeaderBytes <= r.size; {
		header, err := r.bytes(at, logBlockHeaderBytes)
		if err != nil {
			return 0, 0, err
		}
		if [logBlockHeaderBytes]byte(header) == ([logBlockHeaderBytes]byte{}) {
			at += blockAlign
			continue
		}
		k, _, _, what, err := r.peek(at)
		switch {
		case err != nil:
			return 0, 0, err
		case what != "":
			at += blockAlign
		case k.synced > limit:
			return at, found, nil
		default:
			found++
			at += paddedBytes(k.size)
		}
	}
	return 0, found, nil
}

// rest is how many bytes from an offset on are used: what follows them is zeros.
func (r *blockReader) rest(from int64) (used int64, err error) {
	for at := from; at < r.size; {
		n := int(min(r.size-at, readWindowBytes))
		b, err := r.bytes(at, n)
		if err != nil {
			return 0, err
		}
		for i := len(b) - 1; i >= 0; i-- {
			if b[i] != 0 {
				used = at + int64(i) + 1 - from
				break
			}
		}
		at += int64(n)
	}
	return used, nil
}
