package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/mcp/httpguard"
)

// drainTimeout is how long calls in flight may take once the server is told
// to stop. What runs longer is cut off.
const drainTimeout = 10 * time.Second

// serveCommand is "ingot serve".
type serveCommand struct {
	Listen string `default:"127.0.0.1:7070" placeholder:"HOST:PORT" help:"Address to listen on; port 0 takes a free one. One that other machines can reach needs --token-file or --oauth-issuer. (${default})"`
	accessFlags
	command.StoreFlags
}

// Help ends "ingot serve --help".
func (c *serveCommand) Help() string {
	return `MCP is served at /mcp (streamable HTTP, both eras), /sse (HTTP+SSE, for clients of 2024-11-05) and /ws (WebSocket).

Examples:

  ingot serve
  ingot serve --listen 127.0.0.1:0 --memory
  openssl rand -hex 32 > token && ingot serve --listen 0.0.0.0:7070 --token-file token --allow-host box.example --tls-self-signed
  INGOT_TOKEN=$(cat token) ingot serve --listen :443 --allow-host mcp.example --tls-cert chain.pem --tls-key key.pem
  ingot serve --trusted-proxy 127.0.0.1 --oauth-issuer https://login.example --oauth-audience https://mcp.example --oauth-tool-scope '*=state:write'`
}

// Run serves until ctx ends and what is in flight is answered.
func (c *serveCommand) Run(ctx context.Context, out streams) (err error) {
	logger := slog.New(slog.NewTextHandler(out.stderr, nil))
	guard, err := c.authenticator(logger)
	if err != nil {
		return err
	}
	proxies, err := c.proxies()
	if err := errors.Join(err, c.check()); err != nil {
		return err
	}
	listener, loopback, err := listen(c.Listen, &c.accessFlags, guard)
	if err != nil {
		return err
	}
	defer listener.Close()
	address := listener.Addr().String()
	listener = httpguard.Limit(listener, httpguard.Connections{Max: c.MaxConnections, MaxPerClient: connectionsPerClient, Proxies: proxies})
	secured, scheme, fingerprint, err := c.secure(listener)
	if err != nil {
		return err
	}
	store, closeStore, err := c.Open(ctx, "serve", logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	e, err := newEndpoints(store, &c.accessFlags, guard, logger)
	if err != nil {
		return err
	}
	if !loopback || len(c.TrustedProxy) > 0 {
		e.Handler = httpguard.LimitRate(e.Handler, httpguard.Rate{PerSecond: c.Rate, Burst: int(c.Rate*burstSeconds) + 1, Proxies: proxies})
	}
	defer command.StartTicking(store)()
	w := welcome{origin: scheme + "://" + address, guarded: guard != nil, issuer: c.Issuer, fingerprint: fingerprint}
	if err := w.print(out.stdout); err != nil {
		return fmt.Errorf("printing the address: %w", err)
	}
	return serveHTTP(ctx, secured, e, logger)
}

// serveHTTP answers until ctx ends; then it takes no new connection, lets calls
// in flight end, and returns nil. It fails when they do not end in drainTimeout.
func serveHTTP(ctx context.Context, listener net.Listener, e *endpoints, logger *slog.Logger) error {
	server := httpguard.NewServer(e, logger)
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
	e.drain()
	err := errors.Join(server.Shutdown(drain), e.close(drain))
	if err != nil {
		server.Close()
	}
	<-failed
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("calls still ran %v after the stop and were cut off", drainTimeout)
	}
	return err
}
