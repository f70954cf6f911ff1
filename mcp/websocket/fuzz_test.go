package websocket_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/ingot-run/ingot/mcp/internal/wiretest"
	"github.com/ingot-run/ingot/mcp/websocket"
)

// FuzzFrames sends any bytes after a handshake: the connection ends, and what
// came back are whole frames of a server whose texts are JSON. Seeds run with
// every go test.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(frame(fin|text, pingMessage)))
	f.Add([]byte(frame(text, pingMessage[:9]) + frame(fin|ping, "x") + frame(fin|more, pingMessage[9:])))
	f.Add([]byte(frame(fin|text, pingMessage) + frame(fin|0x8, "\x03\xe8bye")))
	f.Add([]byte("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00{"))
	f.Add([]byte(frame(fin|text, "\xff")))
	f.Add([]byte(frame(fin|text, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":"b"}}}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := serve(t, websocket.Options{PingEvery: time.Hour, ReadTimeout: 5 * time.Second, WriteTimeout: time.Second})
		conn, in, status := e.raw(handshake)
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("the handshake: %d", status)
		}
		conn.Write(data) // an error is a server that has seen enough
		conn.CloseWrite()
		rest, err := io.ReadAll(in)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Fatalf("the connection goes on: %v", err)
		}
		if err == nil { // a reset may cut the last frame
			checkFrames(t, rest)
		}
		conn.Close()
	})
}

// checkFrames fails unless frames are those of a server (RFC 6455 section 5.2).
func checkFrames(t *testing.T, frames []byte) {
	t.Helper()
	for len(frames) > 0 {
		if len(frames) < 2 || frames[1]&0x80 != 0 || frames[0]&0x70 != 0 {
			t.Fatalf("no frame of a server: %q", frames)
		}
		head, length := 2, int(frames[1])
		switch length {
		case 126:
			head, length = 4, int(binary.BigEndian.Uint16(frames[2:]))
		case 127:
			head, length = 10, int(binary.BigEndian.Uint64(frames[2:]))
		}
		if len(frames) < head+length {
			t.Fatalf("%d bytes of a frame of %d: %q", len(frames), head+length, frames)
		}
		payload := frames[head : head+length]
		switch frames[0] {
		case fin | text:
			if !json.Valid(payload) {
				t.Fatalf("no JSON: %q", payload)
			}
		case fin | 0x8, fin | ping, fin | 0xA:
		default:
			t.Fatalf("a frame of the kind %#x", frames[0])
		}
		frames = frames[head+length:]
	}
}

// FuzzHandshake sends any bytes in place of a handshake: each is answered with
// HTTP, or the connection is closed.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte(handshake))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	f.Add([]byte(handshake[:100]))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := serve(t, websocket.Options{PingEvery: time.Hour})
		conn, err := net.Dial("tcp", e.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(wiretest.Patience))
		conn.Write(data)
		conn.(*net.TCPConn).CloseWrite()
		in := bufio.NewReader(conn)
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Fatalf("no answer to %q: %v", data, err)
			}
			if _, err := in.ReadByte(); err == nil {
				t.Fatalf("no HTTP came back for %q", data)
			}
			return
		}
		defer response.Body.Close()
		switch response.StatusCode {
		case 101, 400, 403, 405, 408, 413, 414, 417, 426, 431, 501, 505:
		default:
			t.Fatalf("%s for %q", response.Status, data)
		}
	})
}
