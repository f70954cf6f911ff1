package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/hash"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/statetools"
	"github.com/ingot-run/ingot/js"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/streamable"
	"github.com/ingot-run/ingot/web"
)

// endpoint is the path at which MCP is served.
const endpoint = "/mcp"

// Bounds of the HTTP server. The length of a body is the MCP handler's bound.
const (
	headerBytesMax    = 32 << 10
	readHeaderTimeout = 5 * time.Second
	readBodyTimeout   = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	// drainTimeout is how long calls in flight may take once the server is told
	// to stop. What runs longer is cut off.
	drainTimeout = 10 * time.Second
)

// serveCommand is "ingot serve".
type serveCommand struct {
	Listen string `default:"127.0.0.1:7070" placeholder:"HOST:PORT" help:"Loopback address to listen on; port 0 takes a free one. (${default})"`
	command.StoreFlags
}

// Run serves until ctx ends and what is in flight is answered.
func (c *serveCommand) Run(ctx context.Context, out streams) (err error) {
	logger := slog.New(slog.NewTextHandler(out.stderr, nil))
	listener, err := listenLoopback(c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	store, closeStore, err := c.Open(ctx, "serve", logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	handler, err := newHandler(store, logger)
	if err != nil {
		return err
	}
	defer command.StartTicking(store)()
	if err := printWelcome(out.stdout, listener.Addr().String()); err != nil {
		return fmt.Errorf("printing the address: %w", err)
	}
	return serveHTTP(ctx, listener, handler, logger)
}

// newHandler puts MCP on the store at its endpoint, and the page everywhere else.
func newHandler(store *engine.Store, logger *slog.Logger) (http.Handler, error) {
	server := mcp.NewServer(mcp.Options{
		Name:         "ingot",
		Title:        "ingot",
		Version:      command.Version(),
		Instructions: "A key-value state store. Every entry has a version, which can be the condition of a later write.",
		Logger:       logger,
	})
	statetools.Register(server, store)
	protocol := limitBodyTime(streamable.NewHTTPHandler(server, streamable.HTTPOptions{}))
	page, err := web.Handler(web.Options{
		Version:  command.Version(),
		Backend:  hash.Backend(),
		Endpoint: endpoint,
		JS:       js.Files(),
	})
	if err != nil {
		return nil, err
	}
	// http.ServeMux would answer some paths itself, without the page's headers.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == endpoint {
			protocol.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	}), nil
}

// serveHTTP answers until ctx ends; then it takes no new connection, lets calls
// in flight end, and returns nil. It fails when they do not end in drainTimeout.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		MaxHeaderBytes:    headerBytesMax,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }() // ends with Shutdown or Close below
	select {
	case err := <-failed:
		return fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
	}
	logger.Info("stopping; calls in flight are answered first")
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		server.Close()
	}
	<-failed
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("calls still ran %v after the stop and were cut off", drainTimeout)
	}
	return err
}

// limitBodyTime gives a client readBodyTimeout to send a body. The deadline is
// lifted when the body is read: http.Server.ReadTimeout would stay, and end the
// context of calls that take longer.
func limitBodyTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := http.NewResponseController(w)
		if err := conn.SetReadDeadline(time.Now().Add(readBodyTimeout)); err == nil {
			r.Body = &timedBody{r.Body, conn}
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody lifts the connection's read deadline once the body has ended.
type timedBody struct {
	io.ReadCloser
	conn *http.ResponseController
}

// Read is io.Reader's.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		// The error would be that the connection is gone, which the answer meets.
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
