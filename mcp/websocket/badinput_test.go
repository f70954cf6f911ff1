package websocket_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/internal/wiretest"
	"github.com/ingot-run/ingot/mcp/websocket"
)

const handshake = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mcp\r\n\r\n"

// raw opens a connection, sends text and reads the answer's head.
func (e *endpoint) raw(text string) (c *net.TCPConn, in *bufio.Reader, status int) {
	e.t.Helper()
	c = wiretest.Dial(e.t, e.http.Listener.Addr().String(), text)
	in = bufio.NewReader(c)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return c, in, 0
	}
	return c, in, response.StatusCode
}

func TestHandshake(t *testing.T) {
	e := serve(t, websocket.Options{})
	with := func(old, new string) string { return strings.Replace(handshake, old, new, 1) }
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"good":             {handshake, 101},
		"several offers":   {with("Protocol: mcp", "Protocol: x, mcp"), 101},
		"no offer":         {with("Sec-WebSocket-Protocol: mcp\r\n", ""), 400},
		"another offer":    {with("Protocol: mcp", "Protocol: mcp2"), 400},
		"POST":             {with("GET", "POST"), 405},
		"an old version":   {with("Version: 13", "Version: 8"), 400},
		"a short key":      {with("AAAAAAAAAAAAAAAAAAAAAA==", "AAAA"), 400},
		"two keys":         {with("Sec-WebSocket-Key:", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Key:"), 400},
		"no upgrade":       {with("Upgrade: websocket\r\n", ""), 426},
		"HTTP/1.0":         {with("HTTP/1.1", "HTTP/1.0"), 426},
		"a foreign Host":   {with("localhost", "evil.example"), 403},
		"a foreign Origin": {with("Host:", "Origin: https://evil.example\r\nHost:"), 403},
		"no Host":          {with("Host: localhost\r\n", ""), 400},
		"not HTTP":         {"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400},
	} {
		_, _, status := e.raw(c.text)
		assert.Equal(t, c.status, status, name)
	}
}

// frame is a masked frame with a mask of zeros, which leaves the payload as it is.
func frame(first byte, payload string) string {
	head := []byte{first, 0x80 | byte(min(len(payload), 126))}
	if len(payload) >= 126 {
		head = binary.BigEndian.AppendUint16(head, uint16(len(payload)))
	}
	return string(head) + "\x00\x00\x00\x00" + payload
}

const (
	fin, text, more, ping = 0x80, 0x1, 0x0, 0x9
	pingMessage           = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
)

// Frames that break RFC 6455, or stop in the middle, end the connection with the
// code that is due, and harm nobody else.
func TestBadFrames(t *testing.T) {
	e := serve(t, websocket.Options{PingEvery: 200 * time.Millisecond, ReadTimeout: 100 * time.Millisecond, WriteTimeout: 200 * time.Millisecond})
	for _, c := range []struct {
		name, frames string
		end          bool
		code         int // of the close frame; 0: just closed
	}{
		{"not masked", "\x81\x02{}", false, 0},
		{"a reserved bit", frame(0xC0|text, "{}"), false, 1002},
		{"an unknown opcode", frame(fin|0x3, "{}"), false, 1002},
		{"a long control frame", frame(fin|ping, strings.Repeat("x", 126)), false, 1002},
		{"a control frame in parts", frame(ping, "x"), false, 1002},
		{"a continuation of nothing", frame(fin|more, "{}"), false, 1002},
		{"a new message inside of one", frame(text, "{") + frame(fin|text, "{}"), false, 1002},
		{"a negative length", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00{}", false, 0},
		{"binary", frame(fin|0x2, "{}"), false, 1003},
		{"longer than allowed, and says so", "\x81\xff\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00" + strings.Repeat(" ", 20_000), false, 1009},
		{"longer than allowed, in parts", frame(text, strings.Repeat(" ", 6000)) + frame(more, strings.Repeat(" ", 6000)), false, 1009},
		{"a message that does not end", frame(text, "{"), false, 0},
		{"shorter than it says, then silence", "\x81\xa0\x00\x00\x00\x00{", false, 0},
		{"shorter than it says, then the end", "\x81\xa0\x00\x00\x00\x00{", true, 0},
		{"half a head, then silence", "\x81", false, 0},
		{"half a head, then the end", "\x81", true, 0},
		{"nothing", "", true, 0},
	} {
		conn, in, status := e.raw(handshake)
		require.Equal(t, 101, status)
		_, err := io.WriteString(conn, c.frames)
		require.NoError(t, err)
		if c.end {
			require.NoError(t, conn.CloseWrite())
		}
		rest, err := io.ReadAll(in)
		assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, c.name)
		assert.Equal(t, c.code, closeCode(rest), "%s: %q, %v", c.name, rest, err)
		conn.Close()
	}
	assert.Contains(t, e.ask(e.dial(nil), pingMessage), `"result"`)
}

// closeCode returns the code of the close frame among a server's frames.
func closeCode(frames []byte) int {
	for len(frames) >= 2 {
		head, length := 2, int(frames[1])
		if length == 126 {
			head, length = 4, int(binary.BigEndian.Uint16(frames[2:]))
		}
		if frames[0]&0xF == 0x8 && length >= 2 {
			return int(binary.BigEndian.Uint16(frames[head:]))
		}
		frames = frames[min(len(frames), head+length):]
	}
	return 0
}

func TestHalfOpenConnections(t *testing.T) {
	e := serve(t, websocket.Options{MaxConnections: 1})
	half := func(i int) string { return handshake[:i%len(handshake)] }
	wiretest.HalfOpen(t, e.handler, half, func(address string) {
		c := e.dialAt("http://"+address, nil)
		assert.Contains(t, e.ask(c, pingMessage), `"result"`)
		c.CloseNow()
	})
}

// A connection that its client keeps open ends with the client's credentials.
func TestConnectionEndsWithItsCredentials(t *testing.T) {
	e := serve(t, websocket.Options{})
	e.http.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.handler.ServeHTTP(w, r.WithContext(httpguard.WithExpiry(r.Context(), time.Now().Add(50*time.Millisecond))))
	})
	_, in, status := e.raw(handshake)
	require.Equal(t, 101, status)
	_, err := io.ReadAll(in)
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}
