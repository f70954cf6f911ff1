package main

import (
	"bytes"
	"context"
	"github.com/ingot-run/ingot/internal/httpserve"
	"github.com/ingot-run/ingot/internal/statetools"
	"github.com/ingot-run/ingot/state"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/engine"
)

// runWith calls run without stdin and returns what it wrote.
func runWith(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

func TestVersion(t *testing.T) {
	code, stdout, stderr := runWith(t, "version")
	if code != 0 || !strings.HasPrefix(stdout, "ingot ") || strings.Count(stdout, "\n") != 1 || stderr != "" {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args   string
		code   int
		stream string // out or err
		want   string
	}{
		{"--help", 0, "out", "serve"},
		{"serve --help", 0, "out", "--listen"},
		{"", 2, "err", "ingot --help"},
		{"frobnicate", 2, "err", "frobnicate"},
		{"servr", 2, "err", `did you mean "serve"?`},
		{"state verfy x", 2, "err", `did you mean "verify"?`},
		{"serve --lisen 1", 2, "err", "--lisen"},
		{"serve extra", 2, "err", "extra"},
		{"serve --max-bytes many", 2, "err", `"many" is not a size`},
		{"serve --listen 7070", 2, "err", `--listen "7070" is not host:port`},
		{"serve --listen 127.0.0.1:http-ish", 1, "err", "choose another address with --listen"},
	} {
		code, stdout, stderr := runWith(t, strings.Fields(c.args)...)
		text := map[string]string{"out": stdout, "err": stderr}[c.stream]
		if code != c.code || !strings.Contains(text, c.want) {
			t.Errorf("ingot %s: exit %d, stdout %q, stderr %q; want exit %d and %q on std%s", c.args, code, stdout, stderr, c.code, c.want, c.stream)
		}
	}
}

func TestForeignAddressIsRefused(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.7:0", "example.com:80", "127.0.0.1.example.com:80"} {
		code, stdout, stderr := runWith(t, "serve", "--listen", address)
		if code != 2 || stdout != "" || !strings.Contains(stderr, "--token-file") || !strings.Contains(stderr, address) {
			t.Errorf("--listen %s: exit %d, stdout %q, stderr %q", address, code, stdout, stderr)
		}
	}
}

func TestBusyPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	code, stdout, stderr := runWith(t, "serve", "--listen", address)
	if code != 1 || stdout != "" || !strings.Contains(stderr, address+" is in use") || !strings.Contains(stderr, "--listen 127.0.0.1:") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// A stop that comes before the start: everything is put up and taken down.
func TestServeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err bytes.Buffer
	code := run(ctx, []string{"serve", "--listen", "localhost:0"}, nil, &out, &err)
	if code != 0 || !strings.Contains(out.String(), "/mcp") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, out.String(), err.String())
	}
}

func newTestHandler(t *testing.T) http.Handler {
	t.Helper()
	store, err := engine.Open(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	flags := &httpserve.Flags{Rate: 1, MaxConnections: 1}
	logger := slog.New(slog.DiscardHandler)
	door, err := flags.Open("--listen", "127.0.0.1:0", logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { door.Close() })
	m := state.Embed(store)
	server, _, err := newServer(&serveState{Manager: m, tasks: statetools.NewTasks(m)}, flags, nil, logger)
	if err != nil {
		t.Fatal(err)
	}
	page, err := newPage(door, nil)
	if err != nil {
		t.Fatal(err)
	}
	return door.Handler(server, page)
}

func TestRoutes(t *testing.T) {
	h := newTestHandler(t)
	for _, c := range []struct {
		method, path, host string
		want               int
	}{
		{"GET", "/", "localhost:7070", 200},
		{"GET", "/js/index.js", "localhost:7070", 200},
		{"GET", "/mcp/", "localhost:7070", 404},
		{"GET", "//mcp", "localhost:7070", 404},
		{"GET", "/mcp", "localhost:7070", 405},
		{"DELETE", "/mcp", "localhost:7070", 405},
		{"GET", "/", "attacker.example", 403},
		{"POST", "/mcp", "attacker.example", 403},
		{"POST", "/sse", "attacker.example", 403},
		{"GET", "/ws", "attacker.example", 403},
		{"POST", "/sse", "localhost", 404},
		{"GET", "/ws", "localhost", 400},
	} {
		r := httptest.NewRequest(c.method, "http://localhost"+c.path, nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s at %s: %d, want %d", c.method, c.path, c.host, w.Code, c.want)
		}
	}
}
