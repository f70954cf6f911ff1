package mcp

import (
	"context"
	"slices"
	"sync"
)

// queuedPerWorker bounds the calls that wait for a worker. Beyond it the
// connection is not read, so that a client feels it is too fast.
const queuedPerWorker = 16

// heldMessages bounds the bytes of all calls that run or wait, in messages of
// the greatest length.
const heldMessages = 4

// callPool runs the calls of one connection on at most workersMax goroutines,
// started when first needed, and knows which are in flight.
type callPool struct {
	server     *Server
	ctx        context.Context
	out        *frameWriter
	workersMax int
	bytesMax   int

	mu       sync.Mutex
	arrived  sync.Cond // a call was queued, or the pool closes
	left     sync.Cond // a call is done, or the pool closes
	queue    jobRing
	inFlight map[string]*job // by idKey: queued or running, not cancelled
	spare    []*job
	workers  int // goroutines
	idle     int // of them, those that wait for a call
	running  int // of them, those inside a handler
	held     int // bytes of the calls that are not done
	undone   int // calls submitted whose answers are not written yet
	closed   bool
}

// job is one call that was taken off the reading goroutine.
type job struct {
	request
	key       string
	held      []byte // backs the request's slices
	ctx       context.Context
	stop      context.CancelFunc
	call      CallRequest
	cancelled bool // guarded by callPool.mu
}

func newCallPool(ctx context.Context, s *Server, out *frameWriter) *callPool {
	p := &callPool{
		server: s, ctx: ctx, out: out,
		workersMax: s.options.MaxInFlight,
		bytesMax:   heldMessages * s.options.MaxMessageBytes,
		inFlight:   make(map[string]*job),
	}
	p.arrived.L, p.left.L = &p.mu, &p.mu
	return p
}

// hasRoom reports whether a call of size bytes may be submitted now. Only the
// goroutine that submits may ask: to it, room does not shrink.
func (p *callPool) hasRoom(size int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.roomFor(size)
}

func (p *callPool) roomFor(size int) bool {
	return p.closed || p.queue.count < queuedPerWorker*p.workersMax && (p.held == 0 || p.held+size <= p.bytesMax)
}

// waitRoom waits until hasRoom.
func (p *callPool) waitRoom(size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.roomFor(size) {
		p.left.Wait()
	}
}

// submit takes a copy of r and has a worker run it; the caller has seen to it
// that there is room. It refuses an id that a call in flight has; key is ""
// for a batch, which has none.
func (p *callPool) submit(r *request, key string) *wireError {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	if p.inFlight[key] != nil {
		return errIDInFlight()
	}
	j := p.newJob(r, key)
	if key != "" {
		p.inFlight[key] = j
	}
	p.held += len(j.held)
	p.undone++
	p.queue.push(j)
	if p.idle >= p.queue.count {
		p.arrived.Signal()
	} else if p.workers < p.workersMax {
		p.workers++
		go p.work() // ends when the pool is closed
	}
	return nil
}

// size is the number of bytes that a job for r holds.
func (r *request) size() int { return len(r.id) + len(r.arguments) + len(r.meta) + len(r.retry) }

// newJob copies r, whose slices are the reader's, into a job.
func (p *callPool) newJob(r *request, key string) *job {
	j := &job{}
	if n := len(p.spare); n > 0 {
		j, p.spare = p.spare[n-1], p.spare[:n-1]
	}
	*j = job{request: *r, key: key, held: slices.Grow(j.held[:0], r.size())}
	j.scanned = nil // the reader goes on with it
	for _, part := range [...]*[]byte{&j.id, &j.arguments, &j.meta, &j.retry} {
		if *part != nil { // nil says that there is none
			from := len(j.held)
			j.held = append(j.held, *part...)
			*part = j.held[from:len(j.held):len(j.held)]
		}
	}
	j.ctx, j.stop = context.WithCancel(p.ctx)
	return j
}

// work runs calls until the pool is closed.
func (p *callPool) work() {
	var frame []byte
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for p.queue.count == 0 && !p.closed {
			p.idle++
			p.arrived.Wait()
			p.idle--
		}
		if p.closed {
			return
		}
		j := p.queue.pop()
		if !j.cancelled && p.ctx.Err() == nil {
			frame = p.run(j, frame[:0])
		}
		p.finish(j)
		if cap(frame) > readBytesMin { // there may be many workers
			frame = nil
		}
	}
}

// run answers j, unless it is cancelled meanwhile. It is called and returns
// with mu held, and gives frame back for reuse.
func (p *callPool) run(j *job, frame []byte) []byte {
	p.running++
	p.mu.Unlock()
	j.mayHold = !p.waits()
	frame = p.server.respond(j.ctx, &j.request, &j.call, frame)
	p.mu.Lock()
	p.running--
	if p.inFlight[j.key] == j {
		delete(p.inFlight, j.key)
	}
	if j.cancelled || p.closed || p.ctx.Err() != nil {
		return frame
	}
	p.mu.Unlock()
	if len(frame) > 0 {
		frame = append(frame, '\n')
		if j.holds {
			p.out.write(frame, heldAnswer{to: len(frame), id: len(j.id)})
		} else {
			p.out.write(frame)
		}
	}
	if j.after != nil {
		j.after()
	}
	p.mu.Lock()
	return frame
}

// waits reports whether recording takes long, as for a disk: each call then waits for it,
// and not the writer, behind which the answers of other calls would.
func (p *callPool) waits() bool {
	g := p.server.guard
	return g != nil && g.guard.Waits()
}

// finish gives back what j held.
func (p *callPool) finish(j *job) {
	j.stop()
	p.held -= len(j.held)
	p.undone--
	if len(p.spare) < p.workersMax && cap(j.held) <= readBytesMin {
		p.spare = append(p.spare, j)
	}
	p.left.Broadcast()
}

// has reports whether a call in flight has key.
func (p *callPool) has(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inFlight[key] != nil
}

// cancel ends the call in flight that has key; its answer is dropped. A call
// that is unknown or done is no mistake (basic/patterns/cancellation).
func (p *callPool) cancel(key string, reason []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j := p.inFlight[key]
	if j == nil {
		return
	}
	delete(p.inFlight, key)
	j.cancelled = true
	j.stop()
	p.server.options.Logger.DebugContext(p.ctx, "call cancelled", "of", j.target(), "reason", shown(reason))
}

// wait returns when each call that was submitted is done and its answer
// written, or when the pool is closed.
func (p *callPool) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.undone > 0 && !p.closed {
		p.left.Wait()
	}
}

// close has the workers end and waits for the handlers that run; their context
// has ended already.
func (p *callPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.arrived.Broadcast()
	p.left.Broadcast()
	for p.running > 0 {
		p.left.Wait()
	}
	for p.queue.count > 0 {
		p.queue.pop().stop()
	}
}

// jobRing is a queue that grows by doubling and reuses its slots.
type jobRing struct {
	slots []*job
	first int
	count int
}

func (q *jobRing) push(j *job) {
	if q.count == len(q.slots) {
		grown := make([]*job, max(16, 2*len(q.slots)))
		n := copy(grown, q.slots[q.first:])
		copy(grown[n:], q.slots[:q.first])
		q.slots, q.first = grown, 0
	}
	q.slots[(q.first+q.count)%len(q.slots)] = j
	q.count++
}

func (q *jobRing) pop() *job {
	j := q.slots[q.first]
	q.slots[q.first] = nil
	q.first = (q.first + 1) % len(q.slots)
	q.count--
	return j
}
