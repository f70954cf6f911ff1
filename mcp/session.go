package mcp

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// SessionOptions says what a transport knows of a session's client.
type SessionOptions struct {
	// Principal is who the client is, as the transport authenticated it; "" is
	// anybody. What a server hands out for later (request states, tasks) is
	// good for the same principal only.
	Principal string
	// Values, when not nil, is a context whose values the session's messages are about:
	// what a guard knows callers by. The session does not end with it.
	Values context.Context
}

// Session is what a server knows of one legacy client from one message to the
// next: what initialize agreed on, the requests that wait for the client's
// answers, its subscriptions. A [Conn] has one of its own; a transport whose
// client comes with one message at a time (streamable HTTP) makes one per
// session id. It is safe for concurrent use.
type Session struct {
	server    *Server
	number    uint64 // no other session of the process has it
	principal string
	ctx       context.Context // ends when the session is closed
	stop      context.CancelFunc
	deaf      chan struct{} // closed when the client will say nothing more

	client   atomic.Pointer[client]
	logLevel atomic.Pointer[LogLevel] // by logging/setLevel

	mu        sync.Mutex
	asked     map[int64]chan<- reply // requests to the client that wait
	askedLast int64
	exchanges map[string]context.CancelFunc // by idKey: calls of Exchanges
	running   sync.WaitGroup                // Exchanges that are answered
	listener  *listener                     // nil until there is something to hear of
	closed    bool

	out    sender        // what the listener begins with; set before use
	detach chan struct{} // closed when another stream is attached; guarded by Server.mu
}

// sessionsBegun numbers sessions.
var sessionsBegun atomic.Uint64

// NewSession begins a session, which its transport must close.
func (s *Server) NewSession(o SessionOptions) *Session {
	ctx := context.Background()
	if o.Values != nil {
		ctx = context.WithoutCancel(o.Values)
	}
	return newSession(ctx, s, o.Principal)
}

func newSession(ctx context.Context, s *Server, principal string) *Session {
	c := &Session{server: s, number: sessionsBegun.Add(1), principal: principal, deaf: make(chan struct{})}
	c.ctx, c.stop = context.WithCancel(ctx)
	c.client.Store(unknownClient)
	level := LogInfo
	c.logLevel.Store(&level)
	return c
}

// Version returns the protocol version that initialize agreed on; "" before.
func (c *Session) Version() string { return c.client.Load().version }

// Close ends the session: calls are cancelled and waited for, and requests
// that wait for the client fail with [ErrClosed].
func (c *Session) Close() {
	c.mu.Lock()
	c.closed = true
	l := c.listener
	c.mu.Unlock()
	c.stop()
	if l != nil {
		c.server.unwatch(l)
	}
	c.running.Wait()
}

// reply is a client's answer to a request of the server.
type reply struct {
	result []byte // raw JSON: the result, or the error
	failed bool
}

// asksMax bounds the requests of one session that wait for the client.
const asksMax = 256

// request sends a request to the client and waits for the answer. params is
// raw JSON, or nil.
func (c *Session) request(ctx context.Context, out sender, method string, params []byte) ([]byte, error) {
	answer := make(chan reply, 1)
	id, err := c.expect(answer)
	if err != nil {
		return nil, err
	}
	defer c.forget(id)
	frame := strconv.AppendInt([]byte(`{"jsonrpc":"2.0","id":`), id, 10)
	frame = appendQuestion(addByte(frame, ','), method, params)
	if err := out.send(ctx, frame); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		if r.failed {
			return nil, clientError(r.result)
		}
		return r.result, nil
	case <-c.ctx.Done():
		return nil, ErrClosed
	case <-c.deaf:
		return nil, ErrClosed
	case <-ctx.Done():
		c.tellCancelled(out, id)
		return nil, ctx.Err()
	}
}

// expect registers answer for a new request; forget is its partner.
func (c *Session) expect(answer chan<- reply) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return 0, ErrClosed
	case len(c.asked) >= asksMax:
		return 0, errTooManyAsks
	}
	if c.asked == nil {
		c.asked = make(map[int64]chan<- reply)
	}
	c.askedLast++
	c.asked[c.askedLast] = answer
	return c.askedLast, nil
}

// hangUp has all questions fail, now and later, since no answer can come.
func (c *Session) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.deaf:
	default:
		close(c.deaf)
	}
}

func (c *Session) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asked, id)
}

// cancelledWait bounds how long a client may hold up the message that its
// answer is not needed any more.
const cancelledWait = 5 * time.Second

// tellCancelled tells the client that nobody waits for its answer any more. It
// does not wait for a slow client: it may be the reason.
func (c *Session) tellCancelled(out sender, id int64) {
	ctx, stop := context.WithTimeout(c.ctx, cancelledWait)
	defer stop()
	frame := add([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`), strconv.FormatInt(id, 10))
	if err := out.send(ctx, add(frame, `}}`)); err != nil {
		c.server.options.Logger.DebugContext(c.ctx, "could not cancel a request to the client", "error", err)
	}
}

// deliver hands a client's response to who waits for it.
func (c *Session) deliver(m *message) {
	id, err := strconv.ParseInt(string(m.id), 10, 64)
	c.mu.Lock()
	answer := c.asked[id]
	delete(c.asked, id)
	c.mu.Unlock()
	if err != nil || answer == nil {
		c.server.options.Logger.WarnContext(c.ctx, "ignored a response to a request that was never sent", "id", shown(m.id))
		return
	}
	answer <- reply{result: bytes.Clone(m.result), failed: m.failed}
}

// begin registers the call of an Exchange, so that the client can cancel it;
// the returned function is to be called at its end.
func (c *Session) begin(ctx context.Context, key string) (context.Context, func(), *wireError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, refuse(CodeInvalidRequest, "the session is closed; begin a new one with initialize")
	}
	if c.exchanges[key] != nil {
		return nil, nil, errIDInFlight()
	}
	if c.exchanges == nil {
		c.exchanges = make(map[string]context.CancelFunc)
	}
	ctx, cancel := context.WithCancel(ctx)
	unlink := context.AfterFunc(c.ctx, cancel)
	c.exchanges[key] = cancel
	c.running.Add(1)
	return ctx, func() {
		unlink()
		cancel()
		c.mu.Lock()
		delete(c.exchanges, key)
		c.mu.Unlock()
		c.running.Done()
	}, nil
}

// cancel ends the call of an Exchange, if there is one with this key.
func (c *Session) cancel(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stop := c.exchanges[key]; stop != nil {
		stop()
	}
}
