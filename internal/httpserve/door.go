package httpserve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/internal/health"
	"github.com/ingot-run/ingot/internal/telemetry"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/oauth"
	"github.com/ingot-run/ingot/mcp/sse"
	"github.com/ingot-run/ingot/mcp/streamable"
	"github.com/ingot-run/ingot/mcp/websocket"
)

// The paths at which MCP is served.
const (
	PathMCP       = "/mcp" // streamable HTTP
	PathSSE       = "/sse"
	PathWebSocket = "/ws"
)

// Door is an address that is listened on, with who may come in.
type Door struct {
	// Origin is the URL of the address, as http://127.0.0.1:7070.
	Origin string
	// Fingerprint is the SHA-256 of a self-made certificate; empty: there is none.
	Fingerprint string
	// Guard decides who comes in; nil: everybody.
	Guard httpguard.Authenticator
	// Checks are what /readyz asks. It begins without any.
	Checks *health.Checks
	// Around, when not nil, stands around all that is served at a path, or at "other" for
	// whatever else is asked for: to count it. Set it before Serve or Handler.
	Around func(path string, next http.Handler) http.Handler

	flags    *Flags
	logger   *slog.Logger
	listener net.Listener
	secured  net.Listener
	proxies  httpguard.Proxies
	limited  bool // clients are others than this machine's
	beside   map[string]http.Handler
	tracer   *telemetry.Tracer
	buckets  httpguard.Buckets         // that others count in too; nil: none
	serving  atomic.Pointer[endpoints] // by Serve; nil before
}

// Sessions are the clients that are there now, by the transports: legacy sessions of
// streamable HTTP, and the connections of the others.
func (d *Door) Sessions() map[string]int {
	e := d.serving.Load()
	if e == nil {
		return nil
	}
	return map[string]int{"streamable": e.main.Sessions(), "sse": e.sse.Sessions(), "websocket": e.socket.Sessions()}
}

// Open listens on an address, if the flags let in those who can reach it. flag is the
// name of the flag that the address was given by. Close the door when it is not needed
// any more; its errors are [command.UsageError] where the command line is wrong.
//
// [command.UsageError]: https://pkg.go.dev/github.com/ingot-run/ingot/internal/command#UsageError
func (f *Flags) Open(flag, address string, logger *slog.Logger) (*Door, error) {
	guard, err := f.authenticator(logger)
	if err != nil {
		return nil, err
	}
	proxies, err := f.proxies()
	if err := errors.Join(err, f.check()); err != nil {
		return nil, err
	}
	listener, loopback, err := listen(flag, address, f, guard)
	if err != nil {
		return nil, err
	}
	limit := httpguard.Connections{Max: f.MaxConnections, MaxPerClient: connectionsPerClient, Proxies: proxies}
	secured, scheme, fingerprint, err := f.secure(httpguard.Limit(listener, limit))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return &Door{
		Origin: scheme + "://" + listener.Addr().String(), Fingerprint: fingerprint, Guard: guard,
		Checks: new(health.Checks),
		flags:  f, logger: logger, listener: listener, secured: secured, proxies: proxies, limited: !loopback || len(f.TrustedProxy) > 0,
	}, nil
}

// Close stops listening. After [Door.Serve] it does nothing.
func (d *Door) Close() error {
	if err := d.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Tell serves what the server tells about itself, by its paths, to those who may use
// MCP: the guard, hosts and origins are the same. With --metrics-disabled it serves
// none of it. Call it before Serve or Handler.
func (d *Door) Tell(handlers map[string]http.Handler) {
	if !d.flags.MetricsDisabled {
		d.beside = handlers
	}
}

// Share has the requests of each client (--rate) counted in buckets that other servers
// count in too. Call it before Serve or Handler.
func (d *Door) Share(b httpguard.Buckets) { d.buckets = b }

// Auth says in a word what clients have to bring: nothing (""), a "token", or one of
// "oauth".
func (d *Door) Auth() string {
	switch named(d.Guard).(type) {
	case nil, httpguard.Certificates: // which TLS asks for
		return ""
	case *oauth.Server:
		return "oauth"
	default:
		return "token"
	}
}

// endpoints are the transports of one server, and what else is served.
type endpoints struct {
	http.Handler
	server *mcp.Server
	main   *streamable.Handler
	sse    *sse.Handler
	socket *websocket.Handler
}

// Handler serves MCP at its paths and rest everywhere else; nil is nothing there. The
// server is not stopped with it: see [Door.Serve].
func (d *Door) Handler(server *mcp.Server, rest http.Handler) http.Handler {
	return d.endpoints(server, rest)
}

func (d *Door) endpoints(server *mcp.Server, rest http.Handler) *endpoints {
	f := d.flags
	if rest == nil {
		rest = http.HandlerFunc(nothingHere)
	}
	e := &endpoints{
		server: server,
		main:   streamable.NewHTTPHandler(server, streamable.HTTPOptions{AllowedHosts: f.AllowHost, AllowedOrigins: f.AllowOrigin, Logger: d.logger}),
		sse:    sse.NewHandler(server, sse.Options{AllowedHosts: f.AllowHost, AllowedOrigins: f.AllowOrigin, Logger: d.logger}),
		socket: websocket.NewHandler(server, websocket.Options{AllowedHosts: f.AllowHost, AllowedOrigins: f.AllowOrigin, Logger: d.logger}),
	}
	routes := map[string]http.Handler{PathMCP: e.main, PathSSE: e.sse, PathWebSocket: e.socket}
	gate := httpguard.NewGate(f.AllowHost, f.AllowOrigin)
	for path, h := range d.beside {
		routes[path] = gate.Wrap(h) // the transports have gates of their own
	}
	if d.Guard != nil {
		for path, h := range routes {
			routes[path] = gate.Wrap(httpguard.Require(d.Guard, h))
		}
	}
	for path, h := range d.Checks.Handlers(d.known()) {
		routes[path] = probed(gate, h)
	}
	if access, ok := named(d.Guard).(*oauth.Server); ok {
		for _, path := range access.MetadataPaths() {
			routes[path] = access.Metadata()
		}
	}
	routes[PathMCP] = d.tracer.HTTP(routes[PathMCP])
	if around := d.Around; around != nil {
		for path, h := range routes {
			routes[path] = around(path, h)
		}
		rest = around("other", rest)
	}
	// http.ServeMux would answer some paths itself, without the headers of rest.
	e.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := routes[r.URL.Path]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
	if d.limited {
		e.Handler = httpguard.LimitRate(e.Handler, httpguard.Rate{PerSecond: f.Rate, Burst: int(f.Rate*burstSeconds) + 1, Proxies: d.proxies, Shared: d.buckets})
	}
	return e
}

func nothingHere(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "There is nothing here. MCP is at "+PathMCP+", "+PathSSE+" and "+PathWebSocket+".", http.StatusNotFound)
}

// Serve answers until ctx ends; then it says that it is not ready (/readyz) for the time
// of --drain, takes no new connection, lets calls in flight end, closes the server, and
// returns nil. It fails when they do not end within --drain-timeout.
func (d *Door) Serve(ctx context.Context, server *mcp.Server, rest http.Handler) error {
	e := d.endpoints(server, rest)
	d.serving.Store(e)
	over := httpguard.NewServer(e, d.logger)
	failed := make(chan error, 1)
	go func() { failed <- over.Serve(d.secured) }() // ends with Shutdown or Close below
	select {
	case err := <-failed:
		return fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
	}
	d.Checks.Drain()
	if wait := d.flags.Drain; wait > 0 {
		d.logger.Info("draining; requests are still taken", "for", wait)
		select {
		case err := <-failed:
			return fmt.Errorf("serving HTTP: %w", err)
		case <-time.After(wait):
		}
	}
	d.logger.Info("stopping; calls in flight are answered first")
	patience := cmp.Or(d.flags.DrainTimeout, drainTimeoutDefault)
	drain, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e.drain()
	err := errors.Join(over.Shutdown(drain), e.close(drain))
	if err != nil {
		over.Close()
	}
	<-failed
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("calls still ran %v after the stop and were cut off (--drain-timeout)", patience)
	}
	return err
}

// drain has streams end and takes no new ones; calls go on.
func (e *endpoints) drain() {
	e.server.Shutdown()
	e.main.Drain()
	e.sse.Drain()
	e.socket.Drain()
}

// close ends sessions, connections and tasks, and waits for handlers: those of the
// connections until ctx ends.
func (e *endpoints) close(ctx context.Context) error {
	err := errors.Join(e.socket.Close(ctx), e.main.Close(ctx))
	e.server.Close()
	return err
}
