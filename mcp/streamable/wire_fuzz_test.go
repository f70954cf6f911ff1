package streamable_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/internal/wiretest"
	"github.com/ingot-run/ingot/mcp/sse"
	"github.com/ingot-run/ingot/mcp/streamable"
)

// FuzzWire sends any bytes to a server of streamable HTTP and HTTP+SSE, then the
// end: what comes back are HTTP responses, of JSON or events where they are the
// transports', and the connection is closed. Seeds run with every go test.
func FuzzWire(f *testing.F) {
	f.Add([]byte(rawHead + "Content-Length: 40\r\n\r\n" + `{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	f.Add([]byte(strings.Repeat(rawHead+"Content-Length: 2\r\n\r\n{}", 3)))
	f.Add([]byte(rawHead + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"))
	f.Add([]byte("POST /sse?session=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: x\r\n\r\nGET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte("OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nAccess-Control-Request-Method: POST\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newServer()
		main := streamable.NewHTTPHandler(s, streamable.HTTPOptions{})
		events := sse.NewHandler(s, sse.Options{})
		mux := http.NewServeMux()
		mux.Handle("/mcp", main)
		mux.Handle("/sse", events)
		server := httpguard.NewServer(mux, slog.New(slog.DiscardHandler))
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		all := exchange(t, l.Addr().String(), data)
		if !bytes.Contains(data, []byte("HEAD ")) { // whose answers cannot be read without knowing so
			checkWire(t, all)
		}
		events.Drain()
		if err := main.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		server.Close()
		<-served
	})
}

// exchange sends data and returns all that comes back.
func exchange(t *testing.T, address string, data []byte) []byte {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(wiretest.Patience))
	go func() { // ends with the connection
		c.Write(data) // an error is a server that has seen enough
		c.(*net.TCPConn).CloseWrite()
	}()
	all, err := io.ReadAll(c)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Fatalf("the connection goes on after %q: %q", data, all)
	}
	return all
}

// checkWire fails unless all are responses.
func checkWire(t *testing.T, all []byte) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(all))
	for {
		if _, err := in.Peek(1); err == io.EOF {
			return
		}
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("no response: %v in %q", err, all)
		}
		body, err := io.ReadAll(response.Body)
		kind := response.Header.Get("Content-Type")
		if err != nil && kind != "text/event-stream" {
			t.Fatalf("half a body: %v in %q", err, all)
		}
		if kind == "application/json" && len(body) > 0 && !json.Valid(body) {
			t.Fatalf("no JSON: %q", body)
		}
		if response.StatusCode >= 500 && response.StatusCode != 501 && response.StatusCode != 505 {
			t.Fatalf("%s: %q", response.Status, all)
		}
	}
}
