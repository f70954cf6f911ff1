package engine

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/internal/message"
)

const (
	// logFlushBytes is how many bytes of changes wait in memory, where nobody waits
	// for a sync, before a writer hands them to the file.
	logFlushBytes = 64 << 10
	// logPendingBytesMax is when writers wait for the file.
	logPendingBytesMax = 8 << 20
	// groupYieldsMax is how often the leader of a group lets others join it.
	groupYieldsMax = 16
)

// wal is the write-ahead log. A writer appends its change while it holds its
// shard, so the changes of a key stand in the order of their versions, and then
// waits, without the shard, until its group is on the disk: whoever comes first
// takes the token, writes what all have appended and syncs once for all (group
// commit). No goroutine is needed for that.
//
// Locks are taken in this order: the token, shards, mu. Nobody waits for the token
// with a shard in hand.
type wal struct {
	dir      storage.Dir
	options  logOptions
	release  io.Closer // the directory's lock
	id       uint64    // of the store
	hashSeed uint64
	version  func() uint64
	now      func() int64

	state atomic.Pointer[logState] // nil while all is well
	token chan struct{}            // holds one value while somebody has the files
	ended chan struct{}            // closed when the store is

	mu       sync.Mutex
	pending  logBuffer    // changes that nobody has taken yet
	group    *commitGroup // who waits for them
	flush    atomic.Bool  // pending has logFlushBytes or more, and nobody was told; set with mu
	segments []*segment   // before active, oldest first: written by the token's holder too

	// Of whoever has the token.
	writing logBuffer // taken from pending; nextBlock is the first that is not in a chunk
	next    int
	chunk   []byte // goes to the end of active
	out     []byte // memory of chunks that are coded
	scratch []byte // memory of what is compressed
	active  *segment
	spare   *segment // the next segment, made before it is needed
	dirty   bool     // something was written and not synced
	closing bool
	crowd   int // how many waited for the last group

	compacting sync.Mutex  // one at a time; taken before the token
	current    *compaction // guarded by compacting: one that Tick has begun
	snapshot   uint64      // guarded by mu: the number of the newest, 0 without

	wake         chan struct{}  // nil without the goroutines
	full         chan struct{}  // tells the one that writes; nil without it
	background   sync.WaitGroup // the goroutines
	compactAgain atomic.Int64   // after a failure: not before the log has so many bytes
	tickedAt     atomic.Int64   // Unix milliseconds of the last sync by Tick

	counts    logCounts
	recovered Recovery
}

// logOptions are the Options that the log needs.
type logOptions struct {
	sync         SyncPolicy
	segmentBytes int64
	compressMin  int
	encryption   Encryption
	interval     time.Duration
	log          func(string)
}

// logCounts are what LogStats tells, read without a lock.
type logCounts struct {
	bytes         atomic.Int64 // written to files, the compactions included
	syncs         atomic.Int64
	syncedAt      atomic.Int64 // Unix milliseconds
	logBytes      atomic.Int64 // of the segments that are not compacted yet
	segments      atomic.Int64
	compacted     atomic.Int64
	snapshotBytes atomic.Int64
}

// logState says why the store does not write.
type logState struct {
	err      error
	readOnly bool // until it is opened again
}

// commitGroup is writers whose changes go to the disk together.
type commitGroup struct {
	done chan struct{} // closed when they are there, or err says why not
	err  error         // read after done
	size int           // guarded by wal.mu: changes in it
}

func newCommitGroup() *commitGroup { return &commitGroup{done: make(chan struct{})} }

// admit refuses a write that could not be logged, before it changes anything. A
// full disk is tried again here: there may be room now.
func (l *wal) admit() error {
	state := l.state.Load()
	if state == nil {
		return nil
	}
	if state.readOnly {
		return state.err
	}
	select {
	case l.token <- struct{}{}:
		defer l.give()
		return l.lead(l.options.sync == SyncAlways)
	default: // somebody is at it
		return state.err
	}
}

// append adds a change to the log. The caller holds the shards that it changed,
// and calls commit when it has let go of them.
func (l *wal) append(r *logRecord) *commitGroup {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.pending.bytes)
	l.pending.add(r)
	return l.joinLocked(before)
}

// appendBatch adds the changes of a batch, which come to the disk all or not at all.
func (l *wal) appendBatch(b *logBuffer) *commitGroup {
	if len(b.blocks) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.pending.bytes)
	l.pending.addAll(b)
	return l.joinLocked(before)
}

// joinLocked counts a change, before which so many bytes were pending.
func (l *wal) joinLocked(before int) *commitGroup {
	l.group.size++
	if now := len(l.pending.bytes); now >= logFlushBytes && before < logFlushBytes || now >= logPendingBytesMax {
		l.flush.Store(true)
	}
	return l.group
}

// commit waits until the changes of a group are as safe as the policy asks for.
// A nil group is nothing to wait for.
func (l *wal) commit(g *commitGroup) error {
	if g == nil {
		return nil
	}
	if l.options.sync != SyncAlways {
		return l.commitLater(g)
	}
	select {
	case <-g.done:
		return g.err
	case l.token <- struct{}{}:
	}
	select {
	case <-g.done:
	default:
		l.letJoin()
		_ = l.lead(true) // g.err tells
	}
	l.give()
	<-g.done
	return g.err
}

// commitLater has what waits written to the file when it is much: by the goroutine for
// that, since the system may keep who writes waiting for long, or here without it. It
// waits only when it is too much.
func (l *wal) commitLater(g *commitGroup) error {
	if !l.flush.CompareAndSwap(true, false) {
		return nil
	}
	l.mu.Lock()
	bytes := len(l.pending.bytes)
	l.mu.Unlock()
	if bytes < logPendingBytesMax {
		if l.full != nil {
			select {
			case l.full <- struct{}{}:
			default: // it was told, and has not begun
			}
			return nil
		}
		select {
		case l.token <- struct{}{}:
		default:
			l.flush.Store(true) // somebody is at it: the next writer sees
			return nil
		}
	} else {
		select {
		case l.token <- struct{}{}:
		case <-g.done:
			return g.err
		}
	}
	defer l.give()
	return l.lead(false)
}

// take waits for the token; give is its partner.
func (l *wal) take() error {
	select {
	case l.token <- struct{}{}:
		return nil
	case <-l.ended:
		return ErrClosed
	}
}

func (l *wal) give() { <-l.token }

// syncNow writes and syncs what was appended.
func (l *wal) syncNow() error {
	if err := l.take(); err != nil {
		return err
	}
	defer l.give()
	return l.lead(true)
}

// letJoin gives others the time to append, as long as some do: a sync costs as
// much as many changes. Only where the last group was a crowd: alone, the wait
// would be for nothing.
func (l *wal) letJoin() {
	if l.crowd < 2 {
		return
	}
	for last, tries := 0, 0; tries < groupYieldsMax; tries++ {
		l.mu.Lock()
		size := l.group.size
		l.mu.Unlock()
		if size == last {
			return
		}
		last = size
		runtime.Gosched()
	}
}

// lead writes everything that was appended, syncs it if asked to, and tells the
// group. The caller has the token.
func (l *wal) lead(sync bool) error {
	err := l.readOnly()
	if err == nil {
		err = l.finish() // what a full disk left
	}
	l.mu.Lock()
	g := l.group
	l.group = newCommitGroup()
	if err == nil {
		l.pending, l.writing = l.writing, l.pending
		l.flush.Store(false)
	}
	l.mu.Unlock()
	l.crowd = g.size
	if err == nil {
		err = l.finish()
	}
	if err == nil && sync {
		err = l.sync()
	}
	if err == nil && l.state.Load() != nil && l.spare != nil {
		l.state.Store(nil) // there was room again
	}
	g.err = l.judge(err)
	close(g.done)
	l.wakeBackground()
	if err == nil && l.spare == nil && !l.closing && (l.options.sync == SyncAlways || l.wake == nil) {
		return l.prepare()
	}
	return g.err
}

// prepare makes the next segment, if it is not there. When it cannot, writers are
// refused before they change anything. The caller has the token.
func (l *wal) prepare() error {
	if l.spare != nil || l.readOnly() != nil {
		return nil
	}
	err := l.judge(l.makeSpare())
	if err == nil {
		l.state.Store(nil)
	}
	return err
}

// readOnly is the error of a log that failed for good.
func (l *wal) readOnly() error {
	if state := l.state.Load(); state != nil && state.readOnly {
		return state.err
	}
	return nil
}

// judge remembers a failure: a full disk can be mended, everything else leaves the
// files in doubt. It returns what callers are told.
func (l *wal) judge(err error) error {
	if err == nil || errors.Is(err, ErrReadOnly) {
		return err
	}
	state := &logState{readOnly: true}
	if errors.Is(err, storage.ErrSpace) && !errors.Is(err, errSyncFailed) {
		state.readOnly = false
		state.err = message.Errorf("%w: %w", ErrDegraded, err)
	} else {
		state.err = message.Errorf("%w: %w", ErrReadOnly, err)
	}
	if l.state.Swap(state) == nil {
		l.tell("%v", state.err)
	}
	return state.err
}

// tell says something to the person who runs the store.
func (l *wal) tell(format string, args ...any) {
	if l.options.log != nil {
		l.options.log(message.Sprintf(format, args...))
	}
}

// finish writes the blocks that were taken from pending.
func (l *wal) finish() error {
	for {
		if len(l.chunk) > 0 {
			if _, err := l.active.file.WriteAt(l.chunk, l.active.end); err != nil {
				return err
			}
			l.active.end += int64(len(l.chunk))
			l.counts.bytes.Add(int64(len(l.chunk)))
			l.counts.logBytes.Add(int64(len(l.chunk)))
			l.chunk, l.dirty = nil, true
		}
		if l.next == len(l.writing.blocks) {
			l.writing.reset()
			l.next = 0
			return nil
		}
		if err := l.place(); err != nil {
			return err
		}
	}
}

// sync makes everything that was written durable.
func (l *wal) sync() error {
	if !l.dirty {
		return nil
	}
	l.mu.Lock()
	before := l.segments
	l.mu.Unlock()
	for _, s := range append(before[:len(before):len(before)], l.active) {
		if s.synced == s.end {
			continue
		}
		if err := s.file.Sync(); err != nil {
			return message.Errorf("%w: %w", errSyncFailed, err)
		}
		s.synced = s.end
		l.counts.syncs.Add(1)
	}
	l.dirty = false
	l.counts.syncedAt.Store(l.now())
	return nil
}

// errSyncFailed marks a sync that failed: what is on the disk is not known then,
// and a later sync that succeeds would say nothing.
var errSyncFailed = errors.New("the sync failed")

// place makes a chunk of the blocks that come next and fit into the active
// segment, and goes on to the next segment where the first change does not fit.
func (l *wal) place() error {
	b := &l.writing
	b.close()
	chain := l.chain(l.next)
	size := l.chainBytes(chain)
	if l.active.end+size > l.active.size && l.active.end > l.active.begin {
		return l.rotate(size)
	}
	if l.coded() {
		return l.placeCoded(chain)
	}
	first, at := l.next, l.active.end
	for {
		for i := l.next; i < chain; i++ {
			k := b.blocks[i]
			encodeBlock(b.bytes[k.start:], l.header(k), b.payload(k), l.active.header.blockSeed(at))
			at += paddedBytes(k.end - k.start - logBlockHeaderBytes)
		}
		l.next = chain
		if chain == len(b.blocks) {
			break
		}
		chain = l.chain(chain)
		if at+l.chainBytes(chain) > l.active.size {
			break
		}
	}
	end := len(b.bytes)
	if l.next < len(b.blocks) {
		end = b.blocks[l.next].start
	}
	l.chunk = b.bytes[b.blocks[first].start:end]
	return nil
}

// header is what a block of records says of itself.
func (l *wal) header(k bufferedBlock) logBlock {
	h := logBlock{kind: blockRecords, time: l.now(), synced: l.active.synced}
	if k.continues {
		h.flags = blockContinues
	}
	return h
}

// chain is the block behind the change that begins at block first.
func (l *wal) chain(first int) int {
	for l.writing.blocks[first].continues {
		first++
	}
	return first + 1
}

// chainBytes is how much of a segment the blocks from next to chain take at most.
func (l *wal) chainBytes(chain int) (size int64) {
	for _, k := range l.writing.blocks[l.next:chain] {
		size += paddedBytes(k.end - k.start - logBlockHeaderBytes + sealBytesMax)
	}
	return size
}
