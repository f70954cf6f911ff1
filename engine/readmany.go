package engine

import (
	"slices"
	"unsafe"

	"github.com/ingot-run/ingot/hash"
)

// batchWindow is how many keys of a batch are in flight together: enough for
// the misses that a core can have open, few enough to stay in the first cache.
const batchWindow = 32

// growBytesMax is how much room a batch makes at once on the guess that the values
// to come are as long as those before.
const growBytesMax = 1 << 20

// GetMany returns one Entry per key, in the order of keys; absent ones have
// Version 0. Each key is read on its own: the result is not one moment of the
// whole store. A bad key refuses the whole call. A key may be named twice. The
// values lie in one allocation: keeping one keeps all.
func (s *Store) GetMany(keys []string) ([]Entry, error) {
	const valueBytesGuess = 64
	buf := make([]byte, 0, valueBytesGuess*min(batchWindow, len(keys)))
	_, entries, err := s.AppendGetMany(buf, make([]Entry, 0, min(len(keys), BatchOpsMax)), keys)
	return entries, err
}

// AppendGetMany is GetMany without an allocation of its own: it appends the
// values to buf and an Entry per key to entries, and returns both. The values of
// the new entries alias the returned buf. On an error both are as they were.
func (s *Store) AppendGetMany(buf []byte, entries []Entry, keys []string) ([]byte, []Entry, error) {
	if len(keys) > BatchOpsMax {
		return buf, entries, ErrBatchSize
	}
	for _, key := range keys {
		if err := s.checkKey(key); err != nil {
			return buf, entries, err
		}
	}
	if len(keys) == 0 {
		return buf, entries, nil
	}
	first, begin := len(entries), len(buf)
	var hashes [batchWindow]uint64
	windows := (len(keys) + batchWindow - 1) / batchWindow
	size := (len(keys) + windows - 1) / max(windows, 1) // the windows are about as long
	window := keys[:size]
	prefetchKeys(window)
	for rest := keys[len(window):]; len(window) > 0; {
		hash.BatchSeeded(hashes[:], window, s.seed.Value())
		next := rest[:min(size, len(rest))]
		rest = rest[len(next):]
		prefetchKeys(next)
		s.warm(hashes[:len(window)])
		for i, key := range window {
			h, at := hashes[i], len(buf)
			n, head := s.front(h).fetch(h, key, buf)
			if n >= 0 {
				buf = buf[:at+n]
				entries = append(entries, Entry{Value: buf[at:], Meta: Meta{Version: head >> 1}})
				continue
			}
			e := Entry{}
			if n != fetchAbsent {
				var err error
				if buf, e.Meta, err = s.appendGetSlow(buf, h, key); err != nil {
					return buf[:begin], entries[:first], err
				}
				e.Value = buf[at:]
			}
			entries = append(entries, e)
		}
		window = next
		if done := len(entries) - first; len(rest)+len(next) > 0 {
			// Room for as much as the keys before had, so that it is made once.
			buf = slices.Grow(buf, min((len(buf)-begin)/done*(len(rest)+len(next)), growBytesMax))
		}
	}
	realias(entries[first:], buf[begin:])
	return buf, entries, nil
}

// prefetchKeys asks for the first line of every key.
func prefetchKeys(keys []string) {
	var lines [batchWindow]unsafe.Pointer
	for i, key := range keys {
		lines[i] = unsafe.Pointer(unsafe.StringData(key))
	}
	prefetchAll(&lines[0], len(keys))
}

// realias points the values into buf, which may have moved while it grew. They
// lie in it one behind the other.
func realias(entries []Entry, buf []byte) {
	for i := range entries {
		if n := len(entries[i].Value); n > 0 {
			entries[i].Value, buf = buf[:n:n], buf[n:]
		} else if entries[i].Found() {
			entries[i].Value = []byte{}
		}
	}
}
