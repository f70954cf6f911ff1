// Command everything is an MCP server with one of each: every kind of tool,
// content, question, resource and prompt that package mcp knows, in both eras
// of the protocol. Conformance suites and clients are tried on it.
//
//	everything --stdio
//	everything --http 127.0.0.1:3000
//
// Over HTTP the endpoints are /mcp (streamable HTTP), /sse (HTTP+SSE) and /ws
// (WebSocket); a line on standard error says the first's address, which matters
// for port 0. Tools named test_… are the fixtures that
// the official suite asks of a server by that name (npm package
// @modelcontextprotocol/conformance); echo answers its message.
//
// # Caveats
//
// It is not for production: anyone may call it, and it changes its own tools
// and prompts on request.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/sse"
	"github.com/ingot-run/ingot/mcp/streamable"
	"github.com/ingot-run/ingot/mcp/websocket"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run serves until the end of stdin (with --stdio) or of ctx, and returns the
// exit code: 0, 1 when serving failed, 2 when args are wrong.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("everything", flag.ContinueOnError)
	flags.SetOutput(stderr)
	stdio := flags.Bool("stdio", false, "serve standard input and output")
	address := flags.String("http", "", "serve HTTP at this `address`, such as 127.0.0.1:3000")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *stdio == (*address != "") || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "everything: say either --stdio or --http ADDRESS")
		return 2
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	server := newServer(logger)
	defer server.Close()
	err := error(nil)
	if *stdio {
		err = server.ServeStdio(ctx, stdin, stdout)
	} else {
		err = serveHTTP(ctx, server, *address, stderr)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "everything:", err)
		return 1
	}
	return 0
}

// shutdownWait is how long calls in flight may take to end after a signal.
const shutdownWait = 2 * time.Second

// serveHTTP serves the endpoints until ctx ends.
func serveHTTP(ctx context.Context, server *mcp.Server, address string, stderr io.Writer) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w; choose another address with --http", address, err)
	}
	main := streamable.NewHTTPHandler(server, streamable.HTTPOptions{})
	events := sse.NewHandler(server, sse.Options{})
	sockets := websocket.NewHandler(server, websocket.Options{})
	mux := http.NewServeMux()
	mux.Handle("/mcp", main)
	mux.Handle("/sse", events)
	mux.Handle("/ws", sockets)
	h := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	for _, drain := range []func(){server.Shutdown, main.Drain, events.Drain, sockets.Drain} {
		h.RegisterOnShutdown(drain)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		patience, cancel := context.WithTimeout(context.Background(), shutdownWait)
		defer cancel()
		if h.Shutdown(patience) != nil {
			h.Close()
		}
		main.Close(patience)
		sockets.Close(patience)
	})
	fmt.Fprintf(stderr, "serving http://%s/mcp\n", listener.Addr())
	err = h.Serve(listener)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
