package sandbox

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// pool holds a module's instances and says who may use one when.
//
// A call first gets its turn: at the isolation "session" that of its session,
// then one of as many slots as calls may run at once. Calls that wait for a turn
// are bounded. Then it takes an instance, an idle one if there is one, and gives
// it back. What becomes of it there depends on the isolation: it is reset (call),
// goes back to its session, or among those that all calls share.
//
// No goroutine lives in a pool. One runs while an instance is made ahead of a
// call, and a timer wakes now and then while instances idle.
type pool struct {
	module *Module
	slots  chan struct{} // one element for each call that runs
	done   chan struct{} // closed by drain
	queued atomic.Int32
	ahead  sync.WaitGroup // instances that are being made ahead of a call

	mu       sync.Mutex
	idle     []*instance // the one used last is last
	sessions map[string]*session
	busy     int // instances in use
	making   int // instances that are being made ahead
	timer    *time.Timer
	next     time.Time // when timer fires
	closed   bool
}

// session is one caller's own instance.
type session struct {
	turn     chan struct{} // holds an element while a call of the session runs
	users    int           // calls that run or wait; guarded by pool.mu
	instance *instance     // nil until its first call, or when it was discarded
	lastUsed time.Time
}

// restAfter is how long an instance idles before it gives back its stacks and
// pages.
const restAfter = time.Second

func newPool(m *Module) *pool {
	running := m.policy.Limits.ConcurrencyMax
	if m.policy.Isolation == IsolationShared { // those that share are kept, all of them
		running = min(running, m.policy.Limits.InstancesIdleMax)
	}
	return &pool{
		module: m, slots: make(chan struct{}, running), done: make(chan struct{}), sessions: map[string]*session{},
	}
}

// lease is the use of an instance by one call.
type lease struct {
	*instance
	session *session
}

// take waits for the turn of a call and gets it an instance. The partner is give.
func (p *pool) take(ctx context.Context, name string) (lease, error) {
	var l lease
	if p.module.policy.Isolation == IsolationSession {
		var err error
		if l.session, err = p.enter(name); err != nil {
			return l, err
		}
		if err := p.wait(ctx, l.session.turn); err != nil {
			p.leave(l.session)
			return l, err
		}
	}
	if err := p.wait(ctx, p.slots); err != nil {
		p.endTurn(l.session)
		return l, err
	}
	var err error
	if l.instance, err = p.obtain(ctx, l.session); err != nil {
		<-p.slots
		p.endTurn(l.session)
		return l, err
	}
	return l, nil
}

// wait puts an element into turns, which the caller takes out again.
func (p *pool) wait(ctx context.Context, turns chan struct{}) error {
	select {
	case <-p.done:
		return errModuleClosed()
	case turns <- struct{}{}:
		return p.stillOpen(turns)
	default:
	}
	limits, stats := &p.module.policy.Limits, &p.module.stats
	defer p.queued.Add(-1)
	if p.queued.Add(1) > int32(limits.CallsQueuedMax) {
		return failf(ErrBusy, "all %d instances are in use and %d calls wait already; try again later, or raise the concurrency limit", cap(p.slots), limits.CallsQueuedMax)
	}
	since := time.Now()
	defer func() {
		stats.waits.Add(1)
		stats.waitNanos.Add(uint64(time.Since(since)))
	}()
	patience := time.NewTimer(limits.TimeMax)
	defer patience.Stop()
	select {
	case turns <- struct{}{}:
		return p.stillOpen(turns)
	case <-p.done:
		return errModuleClosed()
	case <-ctx.Done():
		return &failure{ErrCanceled, "the caller gave up while waiting for a free instance", context.Cause(ctx)}
	case <-patience.C:
		return failf(ErrBusy, "all %d instances were in use for %v; try again later, or raise the concurrency limit", cap(p.slots), limits.TimeMax)
	}
}

// stillOpen gives the turn back when drain came first.
func (p *pool) stillOpen(turns chan struct{}) error {
	select {
	case <-p.done:
		<-turns
		return errModuleClosed()
	default:
		return nil
	}
}

func errModuleClosed() error { return failf(ErrClosed, "the module was closed; load it again") }

// obtain is an idle instance or a new one.
func (p *pool) obtain(ctx context.Context, s *session) (*instance, error) {
	p.mu.Lock()
	p.busy++
	var i *instance
	if s != nil && s.instance != nil {
		i, s.instance = s.instance, nil
	} else if n := len(p.idle); n > 0 {
		i, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if i != nil {
		return i, nil
	}
	i, err := p.module.newInstance(ctx, p.module.policy.Limits.TimeMax)
	if err != nil {
		p.mu.Lock()
		p.busy--
		p.mu.Unlock()
	}
	return i, err
}

// give takes an instance back after a call; fit says that the guest came back
// from it in an orderly way. Its partner is take.
func (p *pool) give(l lease, fit bool) {
	i, stats := l.instance, &p.module.stats
	if p.module.policy.Isolation == IsolationCall {
		fit = fit && p.module.snapshot != nil && i.reset(p.module.snapshot)
		if fit {
			stats.reset.Add(1)
		}
	}
	if !fit {
		stats.discarded.Add(1)
	}
	p.keep(l, fit)
	<-p.slots
	p.endTurn(l.session)
}

// keep puts a fit instance where the next call finds it, and closes an unfit one.
func (p *pool) keep(l lease, fit bool) {
	p.mu.Lock()
	p.busy--
	var spare *instance
	switch {
	case !fit || p.closed:
		spare = l.instance
	case l.session != nil:
		l.session.instance = l.instance
	default:
		spare = p.push(l.instance)
	}
	if fit && spare == nil {
		p.watch(l.instance.settle())
	}
	p.mu.Unlock()
	if spare != nil {
		spare.close()
	}
	if !fit {
		p.makeAhead()
	}
}

// push adds an idle instance; it returns the one that is too many, or nil. p.mu
// is held.
func (p *pool) push(i *instance) *instance {
	p.idle = append(p.idle, i)
	if len(p.idle) <= p.module.policy.Limits.InstancesIdleMax {
		return nil
	}
	p.module.stats.evicted.Add(1)
	spare := p.idle[0]
	p.idle = append(p.idle[:0], p.idle[1:]...)
	return spare
}

// enter counts a call of a session in, and makes the session if it is new. Its
// partners are leave and endTurn.
func (p *pool) enter(name string) (*session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sessions[name]
	if s == nil {
		if len(p.sessions) >= p.module.policy.Limits.InstancesIdleMax && !p.evictSession() {
			return nil, failf(ErrBusy, "all %d sessions are in use; try again later, or raise the limit of idle instances", len(p.sessions))
		}
		s = &session{turn: make(chan struct{}, 1)}
		p.sessions[name] = s
	}
	s.users++
	return s, nil
}

// evictSession closes the session that was used longest ago and is not in use.
// It returns false when all are. p.mu is held.
func (p *pool) evictSession() bool {
	var oldest string
	var found *session
	for name, s := range p.sessions {
		if s.users == 0 && (found == nil || s.lastUsed.Before(found.lastUsed)) {
			oldest, found = name, s
		}
	}
	if found == nil {
		return false
	}
	p.endSession(oldest, found)
	return true
}

// endSession forgets a session that is not in use. p.mu is held.
func (p *pool) endSession(name string, s *session) {
	delete(p.sessions, name)
	if s.instance != nil {
		p.module.stats.evicted.Add(1)
		s.instance.close()
	}
}

// endTurn ends the turn of a call in its session, if there is one.
func (p *pool) endTurn(s *session) {
	if s != nil {
		<-s.turn
		p.leave(s)
	}
}

// leave counts a call of a session out.
func (p *pool) leave(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.users--
	s.lastUsed = time.Now()
	p.watch(s.lastUsed)
}

// makeAhead makes instances ready in the background where too few idle: after
// loading, after a discarded one, and so after each call of a module that cannot
// be reset.
func (p *pool) makeAhead() {
	limits := &p.module.policy.Limits
	if p.module.policy.Isolation == IsolationSession {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	ready := min(limits.InstancesReadyMin, limits.InstancesIdleMax, cap(p.slots))
	for ; len(p.idle)+p.making < ready; p.making++ {
		p.ahead.Go(p.makeOne)
	}
}

// makeOne makes one instance ready.
func (p *pool) makeOne() {
	i, err := p.module.newInstance(p.module.life, p.module.policy.Limits.LoadTimeMax)
	if err != nil {
		p.module.logger.Debug("an instance could not be made ahead of a call", "error", err)
	}
	p.mu.Lock()
	p.making--
	spare := i
	if i != nil && !p.closed {
		spare = p.push(i)
		p.watch(i.settle())
	}
	p.mu.Unlock()
	if spare != nil {
		spare.close()
	}
}

// add gives the pool its first instance, which has described itself.
func (p *pool) add(i *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.push(i)
	p.watch(i.settle())
}

// watch sees to it that sweep looks at what idles since now. p.mu is held.
func (p *pool) watch(now time.Time) {
	switch {
	case p.closed:
	case p.timer == nil:
		p.timer = time.AfterFunc(restAfter, func() { p.sweep(time.Now()) })
	case p.next.Sub(now) > 2*restAfter:
		p.timer.Reset(restAfter)
	default:
		return
	}
	p.next = now.Add(restAfter)
}

// watchAgain lets sweep run after d, if there is something to look at. p.mu is
// held.
func (p *pool) watchAgain(now time.Time, d time.Duration) {
	p.timer = nil
	if len(p.idle) > 0 || len(p.sessions) > 0 {
		p.next = now.Add(d)
		p.timer = time.AfterFunc(d, func() { p.sweep(time.Now()) })
	}
}

// sweep closes instances and ends sessions that idled for too long, and lets
// others rest. It runs again while there is something to watch.
func (p *pool) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	idleMax := p.module.policy.Limits.IdleTimeMax
	again := max(min(idleMax/4, time.Minute), restAfter)
	kept := p.idle[:0]
	for n, i := range p.idle {
		switch idle := now.Sub(i.idleSince); {
		case idle >= idleMax && n < len(p.idle)-1: // one stays, for the next call
			p.module.stats.evicted.Add(1)
			i.close()
			continue
		case idle >= restAfter:
			p.rest(i)
		default:
			again = restAfter
		}
		kept = append(kept, i)
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	for name, s := range p.sessions {
		switch idle := now.Sub(s.lastUsed); {
		case s.users > 0:
		case idle >= idleMax:
			p.endSession(name, s)
		case s.instance == nil:
		case idle >= restAfter:
			p.rest(s.instance)
		default:
			again = restAfter
		}
	}
	p.watchAgain(now, again)
}

// rest lets an idle instance rest: one that is reset after each call holds
// nothing that is not in the snapshot.
func (p *pool) rest(i *instance) {
	if i.resting {
		return
	}
	i.resting = true
	if p.module.policy.Isolation == IsolationCall {
		i.rest(p.module.snapshot)
	} else {
		i.rest(nil)
	}
}

// describe adds what the pool holds to the statistics.
func (p *pool) describe(s *Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Running, s.Queued = len(p.slots), int(p.queued.Load())
	s.InstancesBusy, s.Sessions = p.busy, len(p.sessions)
	count := func(i *instance) {
		s.InstancesIdle++
		if i.resting {
			s.InstancesResting++
		}
	}
	for _, i := range p.idle {
		count(i)
	}
	for _, session := range p.sessions {
		if session.instance != nil {
			count(session.instance)
		}
	}
}

// drain refuses further calls and waits for those that run.
func (p *pool) drain() {
	close(p.done)
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
}

// free closes all instances that are not in use, and keeps none from then on.
func (p *pool) free() {
	p.mu.Lock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, i := range p.idle {
		i.close()
	}
	p.idle = nil
	for name, s := range p.sessions {
		delete(p.sessions, name)
		if s.instance != nil {
			s.instance.close()
		}
	}
	p.mu.Unlock()
	p.ahead.Wait()
}
