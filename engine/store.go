package engine

import (
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/hash"
	"github.com/ingot-run/ingot/internal/message"
)

// Limits that hold for every store.
const (
	// KeyBytesMax is the longest key, in bytes.
	KeyBytesMax = 64 << 10
	// ValueBytesMax is the longest value, in bytes, unless Options lowers it.
	ValueBytesMax = 64 << 20
	// BatchOpsMax is the largest number of operations in one batch.
	BatchOpsMax = 1 << 20
	// TTLMax is the longest time to live.
	TTLMax = 100 * 365 * 24 * time.Hour
)

// shardCountMax bounds the shards, so that a set of them fits in a shardSet.
const shardCountMax = 256

// Options says how a store is opened. The zero value works: system clock,
// random seed, no byte budget.
type Options struct {
	// Now returns the time in Unix milliseconds. Nil means the system clock.
	// The store never lets its own time run backwards: see Caveats.
	Now func() int64
	// Seed keys the hash that spreads keys over shards, so that nobody who
	// chooses keys can choose a shard. 0 draws one.
	Seed uint64
	// BytesMax is the byte budget of the store. 0 means no budget. An entry is
	// charged the memory that it holds: its cell, which is its key, its value and
	// 16 bytes, 8 more when it ends, rounded up to 8 bytes (above 256 bytes to an
	// eighth or less of the size); 16 for its slots in the table; 40 for its place
	// in the order of ends, when it ends; 26 where the store evicts. What is free
	// is in Stats.ResidentBytes only, and the copy of the keys for List in
	// Stats.OrderBytes.
	BytesMax int64
	// Evict makes room for a write that exceeds BytesMax, which must not be 0, by
	// removing entries that are used little (S3-FIFO), instead of refusing it with
	// ErrFull. A write that could not fit into an empty store is refused still.
	// The budgets of prefixes (SetBudget) and Restore do not evict.
	Evict bool
	// ValueBytesMax lowers the longest value. 0 means the constant of that name.
	ValueBytesMax int
	// OrderDisabled leaves out the sorted copy of all keys that List otherwise
	// builds on its first call and inserts and removals then maintain. Every page
	// of List then costs a walk over all keys.
	OrderDisabled bool

	// Dir is the directory that holds the store, from one Open to the next. Nil
	// means that it is in memory only. The other options below need it.
	Dir storage.Dir
	// Sync says when a write is on the disk: before it returns (SyncAlways, the
	// default), SyncInterval later, or when the system likes.
	Sync SyncPolicy
	// SyncInterval is for the policy of that name; 0 means a second.
	SyncInterval time.Duration
	// SegmentBytes is the size of the log's files; 0 means 4 MiB, and more as the
	// log grows. A file is made, and gets its room on the disk, before it is needed.
	SegmentBytes int64
	// CompressBytesMin lets a block of a file be compressed (Snappy) that has this many
	// bytes or more: a large value, or many small ones that came together. 0 means
	// never. A store reads what is compressed whatever it says.
	CompressBytesMin int
	// Encryption seals what is written; see the package engine/seal. Nil means
	// none. A store that was encrypted cannot be read without it.
	Encryption Encryption
	// BackgroundDisabled leaves syncs by SyncInterval and compactions to Tick, as
	// WebAssembly builds do in any case. Otherwise a store in a directory has one
	// goroutine for them, and with another policy than SyncAlways one that writes to
	// the log's file; Close waits for both.
	BackgroundDisabled bool
	// Log is told, in a line of text, what a person who runs the store should know:
	// what a crash cut off, why writes are refused. Nil means nobody.
	Log func(text string)
	// Progress is told, during Open, how far it is. Nil means nobody.
	Progress func(Progress)
}

// Meta is what the store knows of an entry beside its value.
type Meta struct {
	// Version is the store-wide number of the write that made the entry. It
	// grows with every write. 0 means that the key is absent.
	Version uint64
	// ExpiresAt is when the entry ends, in Unix milliseconds; 0 means never.
	ExpiresAt int64
}

// Found reports whether the key was present.
func (m Meta) Found() bool { return m.Version != 0 }

// Entry is a value with its Meta. The value belongs to the caller.
type Entry struct {
	Value []byte
	Meta
}

// Store is a concurrent key-value store. Open makes one; all methods may be
// called from many goroutines.
type Store struct {
	clock         func() int64
	seed          hash.Seed
	fronts        *front // the first of one for each shard
	shardShift    uint8  // 63 - log2(len(shards)): the high bits of the hash choose
	evict         bool
	valueBytesMax int
	shards        []shard

	log       *wal // nil: in memory only
	closed    atomic.Bool
	version   atomic.Uint64
	lastTime  atomic.Int64 // the latest time seen, so that time never runs back
	budget    budget
	evictNext atomic.Uint32 // the shard that gave room last
	watchers  watchers
	snapshot  snapshotLock
	order     order
}

// front is what readers load of a shard. The fronts stand side by side, apart
// from the shards, so that all of them stay in the first cache.
type front struct {
	slots atomic.Pointer[uint64]         // the table's first word
	dir   atomic.Pointer[unsafe.Pointer] // the arena's directory
	batch atomic.Bool                    // a change of several keys is under way: readers wait for its end
	_     [8]byte                        // 32 bytes: none lies across two lines
}

// shard holds the keys whose hash starts with its number. It is guarded by mu, but
// for its front.
type shard struct {
	*front

	mu      shardLock
	table   table
	arena   arena
	expiry  wheel
	queues  *queues       // the order of eviction; nil without
	capture *shardCapture // set while a snapshot still needs the shard as it was
	order   *orderPart    // holds the shard's keys too; nil while nobody has listed
	bytes   int64         // charged for the entries
	counts  counters
	_       [64]byte
}

// entry is an entry as it lies in its shard. The value aliases the cell: it is
// good until the shard is written or its lock is released.
type entry struct {
	value []byte
	Meta
	slot int
	ref  ref
}

// Open makes a store: an empty one, or that of Options.Dir as it was. Without a
// Dir it fails only when an option is out of range (ErrOptions). With one, beside
// the errors of the disk: a *storage.LockedError when another has the directory, a
// *CorruptError when a file is damaged, ErrFormatVersion when a newer build wrote
// it, ErrKey when it is encrypted with a key that was not given.
func Open(o Options) (*Store, error) {
	if o.BytesMax < 0 || o.ValueBytesMax < 0 || o.ValueBytesMax > ValueBytesMax {
		return nil, message.Errorf("%w: BytesMax must be 0 or more and ValueBytesMax 0 to %d", ErrOptions, ValueBytesMax)
	}
	if o.Evict && o.BytesMax == 0 {
		return nil, message.Errorf("%w: Evict needs a budget in BytesMax", ErrOptions)
	}
	if o.ValueBytesMax == 0 {
		o.ValueBytesMax = ValueBytesMax
	}
	if o.Now == nil {
		o.Now = func() int64 { return time.Now().UnixMilli() }
	}
	var log *wal
	var files logFiles
	if o.Dir != nil {
		var err error
		if log, files, err = lockLog(&o); err != nil {
			return nil, err
		}
	}
	if o.Seed == 0 {
		// The runtime's generator is ChaCha8 keyed by the system: nobody can guess
		// the seed, and engine.wasm is 170 KB smaller than with crypto/rand.
		o.Seed = rand.Uint64()
	}
	n := shardCount()
	if o.Evict {
		n = int(min(int64(n), evictShardCount(o.BytesMax)))
	}
	fronts := make([]front, n)
	s := &Store{
		clock:         o.Now,
		seed:          hash.NewSeed(o.Seed),
		fronts:        &fronts[0],
		shardShift:    uint8(63 - bits.TrailingZeros(uint(n))),
		evict:         o.Evict,
		valueBytesMax: o.ValueBytesMax,
		shards:        make([]shard, n),
	}
	for i := range s.shards {
		s.shards[i].front = &fronts[i]
		if o.Evict {
			s.shards[i].queues = &queues{}
		}
		s.shards[i].reset()
	}
	s.order.open(n, o.OrderDisabled)
	s.budget.bytesMax.Store(o.BytesMax)
	s.now() // from here on time only grows
	if log != nil {
		if err := s.recover(log, files, &o); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// shardCount is a power of two. Many shards keep each one's table small, so that
// rebuilding it delays nobody, and writers apart; a wasm build has one thread
// and less memory.
func shardCount() int {
	if runtime.GOARCH == "wasm" {
		return 16
	}
	return shardCountMax
}

// Close ends the store: later calls return ErrClosed, watchers end. The contents
// in memory are dropped; what a store in a directory was told before is on the
// disk when Close returns nil. Closing twice is harmless.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.watchers.closeAll()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.batch.Store(true) // for ever: readers then go where the closed store is seen
		sh.captureNow()
		sh.reset()
		sh.mu.Unlock()
	}
	s.order.drop()
	s.budget.used.Store(0)
	if s.log != nil {
		return s.log.close()
	}
	return nil
}

// hash is the hash that spreads keys over shards and slots.
func (s *Store) hash(key string) uint64 { return s.seed.String(key) }

// shardIndex is the shard of a hash. The high bits choose, since a weak hash
// shows first in its low ones.
func (s *Store) shardIndex(h uint64) int { return int(h >> 1 >> (s.shardShift & 63)) }

// front is the front of a hash's shard.
func (s *Store) front(h uint64) *front {
	return (*front)(unsafe.Add(unsafe.Pointer(s.fronts), uintptr(s.shardIndex(h))*unsafe.Sizeof(front{})))
}

// now is the clock in Unix milliseconds, held at the latest time seen when the
// clock goes backwards, so that what has expired stays expired.
func (s *Store) now() int64 {
	t := s.clock()
	for {
		last := s.lastTime.Load()
		if t <= last {
			return last
		}
		if s.lastTime.CompareAndSwap(last, t) {
			return t
		}
	}
}

// expired reports whether an entry has ended. The clock is read only for entries
// that can end.
func (s *Store) expired(m Meta) bool {
	return m.ExpiresAt != 0 && m.ExpiresAt <= s.now()
}

// checkKey is what every operation asks of a key.
func (s *Store) checkKey(key string) error {
	if s.closed.Load() {
		return ErrClosed
	}
	if len(key) == 0 || len(key) > KeyBytesMax {
		return message.Errorf("%w, not %d", ErrKeySize, len(key))
	}
	return nil
}

// Now is the store's time in Unix milliseconds: what Entry.ExpiresAt is
// compared with.
func (s *Store) Now() int64 { return s.now() }
