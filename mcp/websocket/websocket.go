// Package websocket serves an [mcp.Server] over WebSocket, a custom transport:
// MCP names none, and its TypeScript SDK has a client for this form. The
// subprotocol is mcp; each text message is one JSON-RPC message (or batch).
// Both eras are served. A request is cancelled by notifications/cancelled, as
// over stdio; the end of the connection cancels all of its calls.
//
// [NewHandler] makes the handler; mount it at one path, such as /ws.
//
// # Caveats
//
//   - A page of any origin may try to open a WebSocket, without asking first as
//     for other requests (CORS): only the check of Origin keeps it out.
//   - Messages are not compressed.
//   - There is no authentication here: wrap the handler, for instance by package
//     httpguard, whose Principal each connection is bound to. Browsers cannot
//     send a token with a WebSocket.
package websocket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
)

// Subprotocol is what clients ask for in Sec-WebSocket-Protocol.
const Subprotocol = "mcp"

// Options configures a handler. The zero value serves loopback names only.
type Options struct {
	// AllowedHosts and AllowedOrigins are as in package streamable.
	AllowedHosts, AllowedOrigins []string
	// MaxConnections bounds the clients at once; others are refused with 503.
	// Default 1,000.
	MaxConnections int
	// PingEvery is the time between pings; a client that answers none for as
	// long again has its connection ended. Default 30 seconds.
	PingEvery time.Duration
	// ReadTimeout is how long a message may take from its first byte to its
	// last, and WriteTimeout how long the client may take to read one. Default
	// 30 seconds each.
	ReadTimeout, WriteTimeout time.Duration

	Logger *slog.Logger // nil discards
}

func (o Options) withDefaults() Options {
	if o.MaxConnections <= 0 {
		o.MaxConnections = 1000
	}
	for _, each := range [...]*time.Duration{&o.PingEvery, &o.ReadTimeout, &o.WriteTimeout} {
		if *each <= 0 {
			*each = 30 * time.Second
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Handler is the endpoint of one server. It is safe for concurrent use.
type Handler struct {
	server  *mcp.Server
	options Options
	gate    httpguard.Gate

	mu       sync.Mutex
	open     int
	draining chan struct{} // closed by Drain
	idle     chan struct{} // closed when open becomes 0; nil: nobody waits
}

// NewHandler returns the handler of s's endpoint.
func NewHandler(s *mcp.Server, o Options) *Handler {
	return &Handler{
		server: s, options: o.withDefaults(),
		gate:     httpguard.NewGate(o.AllowedHosts, o.AllowedOrigins),
		draining: make(chan struct{}),
	}
}

// ServeHTTP serves one connection until it ends.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, problem := h.gate.Check(r); status != 0 {
		http.Error(w, problem, status)
		return
	}
	if !offers(r) {
		http.Error(w, "this endpoint takes WebSocket connections with the subprotocol "+Subprotocol, http.StatusBadRequest)
		return
	}
	if !h.begin() {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "too many connections are open, or the server is stopping; come back later", http.StatusServiceUnavailable)
		return
	}
	defer h.end()
	taken := &hijacker{ResponseWriter: w}
	socket, err := websocket.Accept(taken, r, &websocket.AcceptOptions{
		Subprotocols:       []string{Subprotocol},
		InsecureSkipVerify: true, // the gate has checked the Origin, by the rules of all transports
	})
	if err != nil {
		return // Accept has answered
	}
	c := &connection{handler: h, socket: socket, below: taken.conn}
	defer c.cut()
	ctx, leave := httpguard.UntilExpiry(r.Context())
	defer leave()
	c.conn = h.server.Connect(ctx, c, mcp.ConnOptions{Principal: httpguard.Principal(r.Context())})
	defer c.conn.Close()
	watched := make(chan struct{})
	go func() { // ends with ctx
		defer close(watched)
		c.watch(ctx)
	}()
	err = c.read(ctx)
	leave()
	<-watched
	h.options.Logger.Debug("a connection ended", slog.Any("reason", err))
}

// hijacker keeps the connection that is taken out of a response.
type hijacker struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack is http.Hijacker's.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, buffered, err
}

// offers reports whether r offers the subprotocol.
func offers(r *http.Request) bool {
	for _, line := range r.Header.Values("Sec-Websocket-Protocol") {
		if slices.ContainsFunc(strings.Split(line, ","), func(p string) bool { return strings.TrimSpace(p) == Subprotocol }) {
			return true
		}
	}
	return false
}

// begin counts a connection, if there is room; end is its partner.
func (h *Handler) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isDraining() || h.open >= h.options.MaxConnections {
		return false
	}
	h.open++
	return true
}

func (h *Handler) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
	if h.open == 0 && h.idle != nil {
		close(h.idle)
		h.idle = nil
	}
}

func (h *Handler) isDraining() bool {
	select {
	case <-h.draining:
		return true
	default:
		return false
	}
}

// Drain has each client's calls answered and its connection ended, and refuses
// new ones.
func (h *Handler) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.isDraining() {
		close(h.draining)
	}
}

// Close is Drain, and waits until the last connection has ended, or ctx has,
// whose error it then returns. (http.Server.Shutdown waits for no WebSocket.)
func (h *Handler) Close(ctx context.Context) error {
	h.Drain()
	idle := make(chan struct{})
	h.mu.Lock()
	if h.open > 0 {
		h.idle = idle
	} else {
		close(idle)
	}
	h.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connection is one client's.
type connection struct {
	handler *Handler
	socket  *websocket.Conn
	below   net.Conn // of the socket
	conn    *mcp.Conn
	handled atomic.Int64 // twice the messages handled; odd while one is
}

// Send is mcp.Stream's. A client that does not read loses its connection.
func (c *connection) Send(ctx context.Context, frame []byte) error {
	timeout := c.handler.options.WriteTimeout
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	err := c.socket.Write(ctx, websocket.MessageText, frame)
	if errors.Is(err, context.DeadlineExceeded) {
		c.handler.options.Logger.Info("cut off a client that did not read", slog.Duration("for", timeout))
	}
	return err
}

// cut ends the connection at once. The socket's CloseNow alone would wait for a
// Close that is under way.
func (c *connection) cut() {
	// Errors are that the connection is closed already.
	_ = c.below.Close()
	_ = c.socket.CloseNow()
}

// goodbyeMax bounds the wait for the client's part of a close handshake.
const goodbyeMax = 5 * time.Second

// goodbye ends the connection and tells the client why. The library itself would
// read the rest of an unfinished frame without bound (coder/websocket 1.8.15,
// waitCloseHandshake): a client that announces a long one and sends it never
// would keep its place.
func (c *connection) goodbye(code websocket.StatusCode, reason string) error {
	bound := time.AfterFunc(min(goodbyeMax, c.handler.options.WriteTimeout), func() { c.below.Close() })
	defer bound.Stop()
	return c.socket.Close(code, reason)
}

var errTooLong = errors.New("a message is too long")

// read hands messages to the server until the connection ends.
func (c *connection) read(ctx context.Context) error {
	bytesMax := c.handler.server.MaxMessageBytes()
	c.socket.SetReadLimit(-1) // it is checked here, so that the client is told by an answer
	buffer := make([]byte, 0, 4<<10)
	late := time.AfterFunc(time.Hour, func() { c.below.Close() })
	defer late.Stop()
	late.Stop()
	for {
		kind, message, err := c.socket.Reader(ctx)
		if err != nil {
			return err
		}
		if kind != websocket.MessageText {
			return c.goodbye(websocket.StatusUnsupportedData, "messages are text")
		}
		late.Reset(c.handler.options.ReadTimeout)
		buffer, err = readAll(message, buffer[:0], bytesMax)
		late.Stop()
		if errors.Is(err, errTooLong) {
			c.conn.RefuseTooLong()
			return c.goodbye(websocket.StatusMessageTooBig, fmt.Sprintf("a message is longer than the limit of %d bytes", bytesMax))
		}
		if err != nil {
			return err
		}
		c.handled.Add(1)
		c.conn.Receive(buffer)
		c.handled.Add(1)
		if cap(buffer) > 1<<20 {
			buffer = nil
		}
	}
}

func readAll(from io.Reader, dst []byte, bytesMax int) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := from.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > bytesMax:
			return dst, errTooLong
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// watch ends the connection when its client answers no pings, when nothing can
// be sent any more, and when the server stops.
func (c *connection) watch(ctx context.Context) {
	every := time.NewTicker(c.handler.options.PingEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.conn.Done():
			c.cut()
			return
		case <-c.handler.draining:
			c.conn.Drain()
			// Its error is that the client has gone before.
			_ = c.goodbye(websocket.StatusGoingAway, "the server is stopping")
			return
		case <-every.C:
			if !c.ping(ctx) {
				c.handler.options.Logger.Info("cut off a client that answers no ping")
				c.cut()
				return
			}
		}
	}
}

// ping reports whether the client is alive. While a message is being handled
// no pong can be read: that counts as life.
func (c *connection) ping(ctx context.Context) bool {
	before := c.handled.Load()
	ctx, stop := context.WithTimeout(ctx, c.handler.options.PingEvery)
	defer stop()
	err := c.socket.Ping(ctx)
	return err == nil || before%2 == 1 || c.handled.Load() != before
}
