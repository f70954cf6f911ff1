package backup

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/hash"
)

// Options are how a backup is written. The zero value is a whole one that is not sealed.
type Options struct {
	// Encryption seals it; nil: not sealed. Give it where the store has it.
	Encryption engine.Encryption
	// Since is what to go on from: another backup of the same store. The zero value is
	// none.
	Since Info
}

// ErrOtherStore says that a backup cannot go on from one of another store.
var ErrOtherStore = errors.New("the earlier backup is of another store, or of this one before it was restored: take a whole one")

// Source is a store that is backed up: an *engine.Store, or what stands on one. Its
// methods are that one's.
type Source interface {
	SnapshotSince(w io.Writer, since uint64) (version uint64, full bool, err error)
	StoreID() uint64
}

var _ Source = (*engine.Store)(nil)

// Write writes a backup of a store that may be in use. Errors: ErrOtherStore, those of
// Store.SnapshotSince, and w's; with one, what was written is no backup, and is not taken
// for one.
func Write(w io.Writer, store Source, o Options) (Info, error) {
	out := &writer{w: w, info: Info{Head: Head{Created: time.Now().UnixMilli(), Store: store.StoreID()}}}
	if o.Since.SHA256 != "" {
		if o.Since.Store != out.info.Store || o.Since.Store == 0 {
			return Info{}, ErrOtherStore
		}
		out.info.Since, out.info.Previous = o.Since.Version, o.Since.SHA256
	}
	if err := out.begin(o.Encryption); err != nil {
		return Info{}, err
	}
	since := o.Since.Version
	if since == 0 {
		since = wholeSince
	}
	version, full, err := store.SnapshotSince(out, since)
	if err != nil {
		return Info{}, err
	}
	out.info.Tail = Tail{Version: version, Full: full, Bytes: out.bytes}
	return out.info, out.end()
}

// wholeSince is later than every version: what changed since then is not known, so that
// all is written.
const wholeSince = 1<<64 - 1

// writer cuts what is written to it into chunks.
type writer struct {
	w      io.Writer
	cipher engine.FileCipher // nil: not sealed
	seed   uint64
	number uint32
	part   []byte
	bytes  int64
	sha    interface {
		io.Writer
		Sum([]byte) []byte
	}
	info Info
}

// begin writes the header.
func (w *writer) begin(e engine.Encryption) (err error) {
	w.sha = sha256.New()
	if e != nil {
		w.info.Salt = make([]byte, saltBytes)
		rand.Read(w.info.Salt) // it does not fail
		if w.info.KeyID, w.cipher, err = e.Seal(w.info.Salt); err != nil {
			return err
		}
	}
	head, seed, err := encodeHead(&w.info.Head)
	if err != nil {
		return err
	}
	w.seed = seed
	return w.put(head)
}

func (w *writer) put(b []byte) error {
	w.sha.Write(b)
	w.info.FileBytes += int64(len(b))
	_, err := w.w.Write(b)
	return err
}

// Write takes a part of the snapshot.
func (w *writer) Write(p []byte) (n int, err error) {
	n = len(p)
	w.bytes += int64(n)
	for len(p) > 0 {
		take := min(len(p), chunkBytes-len(w.part))
		w.part, p = append(w.part, p[:take]...), p[take:]
		if len(w.part) == chunkBytes {
			if err := w.chunk(kindPart, w.part); err != nil {
				return 0, err
			}
			w.part = w.part[:0]
		}
	}
	return n, nil
}

// chunk writes one.
func (w *writer) chunk(kind byte, payload []byte) error {
	le := binary.LittleEndian
	head := make([]byte, 16, chunkHead+chunkBytes+sealBytes)
	size := len(payload)
	if w.cipher != nil {
		size += sealBytes
	}
	le.PutUint32(head, uint32(size))
	le.PutUint32(head[4:], w.number)
	head[8] = kind
	if w.cipher != nil {
		payload = w.cipher.Seal(nil, nonce(w.number), payload, head[4:16])
	}
	w.number++
	b := le.AppendUint64(head, hash.Seeded(payload, hash.Seeded(head, w.seed)))
	return w.put(append(b, payload...))
}

// end writes what is left, and the end.
func (w *writer) end() error {
	if len(w.part) > 0 {
		if err := w.chunk(kindPart, w.part); err != nil {
			return err
		}
	}
	text, err := json.Marshal(&w.info.Tail)
	if err == nil {
		err = w.chunk(kindEnd, text)
	}
	w.info.SHA256 = hex.EncodeToString(w.sha.Sum(nil))
	return err
}
