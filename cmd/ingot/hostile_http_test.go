//go:build linux

package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// peer is a server that does what HTTP does not allow, or nobody should. Its paths say
// what.
type peer struct {
	origin string
	seen   atomic.Int32           // requests to where a test looks
	mood   atomic.Pointer[string] // of /moody: fail, hang, or anything else
	hangs  atomic.Int32           // requests that hang

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func hostilePeer(t *testing.T) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{origin: "http://" + l.Addr().String(), conns: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns[c] = true
			p.mu.Unlock()
			serving.Go(func() { defer c.Close(); p.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); p.hangUp(); serving.Wait() })
	return p
}

// hangUp closes all connections.
func (p *peer) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// serve answers the requests of a connection.
func (p *peer) serve(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || !p.answer(c, r, string(body)) {
			return
		}
	}
}

// wrong are whole answers, after which the connection ends.
var wrong = map[string]string{
	"/short":     "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes!",
	"/drop":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhe",
	"/chunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
	"/lengths":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
	"/negative":  "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
	"/no_http":   "SSH-2.0-OpenSSH_9.9\r\n",
	"/nothing":   "",
	"/binary":    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n\xff\x00\xfe\x01",
	"/too_large": "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + strings.Repeat("x", 128<<10),
}

// answer answers one request; false: the connection is of no further use.
func (p *peer) answer(c net.Conn, r *http.Request, body string) bool {
	if text, ok := wrong[r.URL.Path]; ok {
		io.WriteString(c, text)
		return false
	}
	say := func(status, headers, text string) bool {
		_, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, headers, len(text), text)
		return err == nil
	}
	repeat := func(head, part string, pause time.Duration) bool { // until nobody listens
		_, err := io.WriteString(c, head)
		for ; err == nil; time.Sleep(pause) {
			_, err = io.WriteString(c, part)
		}
		return false
	}
	switch path := r.URL.EscapedPath(); path {
	case "/fine":
		return say("200 OK", "", "fine")
	case "/silent":
		return p.hang(c)
	case "/drip":
		return repeat("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", ".", 20*time.Millisecond)
	case "/drip_head":
		return repeat("HTTP/1.1 200 OK\r\n", "X", 20*time.Millisecond)
	case "/headers":
		return repeat("HTTP/1.1 200 OK\r\n", "X-More: "+strings.Repeat("x", 1000)+"\r\n", 0)
	case "/status":
		return repeat("HTTP/1.1 200 ", strings.Repeat("x", 1000), 0)
	case "/informs":
		return repeat("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 0)
	case "/endless":
		return repeat("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nmore\r\n", 0)
	case "/bomb":
		return say("200 OK", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", string(zeros()))
	case "/smuggles":
		return say("200 OK", "", "hello") && say("200 OK", "", "poison")
	case "/loop", "/metadata", "/home", "/file", "/up":
		to := map[string]string{"/loop": "/loop", "/metadata": "http://169.254.169.254/latest/meta-data/", "/home": "http://localhost:1/", "/file": "file:///etc/passwd", "/up": "//user@" + r.Host + "@other.example/"}[path]
		p.seen.Add(1)
		return say("302 Found", "Location: "+to+"\r\n", "")
	case "/busy":
		p.seen.Add(1)
		return say("503 Service Unavailable", "", "not now: "+r.Header.Get("Authorization"))
	case "/moody":
		return p.moody(c, say)
	default:
		return say("200 OK", "Content-Type: text/plain\r\n", fmt.Sprintf("%s %s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("X-Name"), body))
	}
}

// hang answers nothing until the other side has gone.
func (p *peer) hang(c net.Conn) bool {
	p.hangs.Add(1)
	defer p.hangs.Add(-1)
	_, _ = c.Read(make([]byte, 1))
	return false
}

func (p *peer) moody(c net.Conn, say func(status, headers, text string) bool) bool {
	switch *p.mood.Load() {
	case "fail":
		return say("500 Internal Server Error", "", "no")
	case "hang":
		return p.hang(c)
	}
	return say("200 OK", "", "well")
}

// zeros is 16 MiB of zeros, packed.
func zeros() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(make([]byte, 16<<20))
	_ = w.Close()
	return b.Bytes()
}

// hostileEndpoints says what a call of each path has to say; "=" in front: the answer,
// not an error.
var hostileEndpoints = map[string]string{
	"silent":    "ORIGIN did not answer in time",
	"drip":      "ORIGIN did not answer in time",
	"drip_head": "ORIGIN did not answer in time",
	"headers":   "ORIGIN did not answer as HTTP asks: ",
	"status":    "ORIGIN did not answer as HTTP asks: ",
	"informs":   "ORIGIN did not answer as HTTP asks: ",
	"endless":   "ORIGIN answered with more than 65536 bytes: ask for less, or raise the response limit",
	"too_large": "ORIGIN answered with more than 65536 bytes",
	"bomb":      "ORIGIN answered in the encoding gzip, which it was asked not to use",
	"short":     "ORIGIN broke off in the middle of its answer: unexpected EOF",
	"drop":      "ORIGIN broke off in the middle of its answer: ",
	"chunk":     "ORIGIN broke off in the middle of its answer: ",
	"lengths":   "ORIGIN did not answer as HTTP asks: ",
	"negative":  "ORIGIN did not answer as HTTP asks: ",
	"no_http":   "ORIGIN did not answer as HTTP asks: ",
	"nothing":   "ORIGIN hung up before it answered: EOF",
	"loop":      "ORIGIN leads from one place to the next: more than 5 redirects",
	"metadata":  "ORIGIN leads elsewhere, where this tool may not go: 169.254.169.254:80 is not granted",
	"home":      "ORIGIN leads elsewhere, where this tool may not go: localhost:1 is not granted",
	"file":      "only http",
	"up":        "the URL holds a user name or password",
	"busy":      "ORIGIN answered 503 Service Unavailable: not now: Bearer [secret]",
	"binary":    "=\ufffd\x00\ufffd\x01",
	"smuggles":  "=hello",
	"fine":      "=fine",
}

// A peer that answers slowly, never, too much, wrongly or with the way to somewhere
// else: an error that says so, in bounded time and memory, and the next call is as ever.
func TestHostilePeers(t *testing.T) {
	peer := hostilePeer(t)
	file := "forge: {name: peers, version: 1.0.0}\nmiddleware: [{type: logging, include_response: true}]\ntools:\n"
	for name, says := range hostileEndpoints {
		limit := "30s"
		if strings.Contains(says, "in time") {
			limit = "300ms"
		}
		file += fmt.Sprintf("  - {type: http, name: %s, endpoint: '%s/%[1]s', private: true, response_max: 64KiB, timeout: %[3]s, auth: {type: bearer, token: '${INGOT_TEST_TOKEN}'}}\n", name, peer.origin, limit)
	}
	p := serveFile(t, file, "INGOT_TEST_TOKEN=s3cret-token")
	p.succeeds("fine", `{}`, "fine")
	files := p.files()
	for range 2 {
		for name, says := range hostileEndpoints {
			if want, ok := strings.CutPrefix(says, "="); ok {
				p.succeeds(name, `{}`, want)
			} else {
				p.fails(name, `{}`, strings.ReplaceAll(says, "ORIGIN", peer.origin))
			}
		}
		p.succeeds("fine", `{}`, "fine")
	}
	if strings.Contains(p.stderr.String(), "s3cret") {
		t.Errorf("a secret in the log: %s", p.stderr)
	}
	peer.hangUp()
	p.leavesNothing(files)
}

// Addresses that lead home, however they are written: no tool without private: true
// reaches them.
func TestForbiddenAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var reached atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	resolve(t, map[string]string{
		"home.example": "127.0.0.1", "private.example": "10.0.0.1", "metadata.example": "169.254.169.254", "alibaba.example": "100.100.100.200", "six.example": "::1",
		"mapped.example": "::ffff:127.0.0.1", "nat64.example": "64:ff9b::7f00:1", "sixtofour.example": "2002:7f00:1::", "aws.example": "fd00:ec2::254", "unspecified.example": "0.0.0.0",
		"local.example": "fe80::1", "broadcast.example": "255.255.255.255",
		// A system's resolver may read these as numbers; so does this one.
		"2130706433": "127.0.0.1", "0x7f.1": "127.0.0.1", "0177.0.0.1": "127.0.0.1", "127.1": "127.0.0.1", "0x7f000001": "127.0.0.1",
	})
	hosts := []string{
		"home.example", "private.example", "metadata.example", "alibaba.example", "six.example", "mapped.example", "nat64.example", "sixtofour.example", "aws.example", "unspecified.example", "local.example", "broadcast.example",
		"localhost", "127.0.0.1", "0.0.0.0", "169.254.169.254", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[fe80::1]", "[fd00:ec2::254]",
		"2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0x7f000001", "HOME.example.",
	}
	file := "forge: {name: ssrf, version: 1.0.0}\nfault_tolerance: {retry: {max_attempts: 3}}\ntools:\n"
	var names []string
	for i, host := range hosts {
		names = append(names, fmt.Sprintf("t%d", i))
		file += fmt.Sprintf("  - {type: http, name: t%d, endpoint: 'http://%s:%s/', timeout: 20s}\n", i, host, port)
	}
	c := serveHere(t, file)
	for i, name := range names {
		if r := c.call(name, `{}`); !r.isError || !strings.Contains(r.text, "which is not granted; the tool's owner can say private: true") && !strings.Contains(r.text, "address") && !strings.HasSuffix(r.text, "no such host") {
			t.Errorf("%s: %+v", hosts[i], r)
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("the server at home was reached %d times", n)
	}
	// What cannot be granted at all is refused where the file is read.
	for _, host := range []string{"[fe80::1%25eth0]", "[fe80::1%eth0]", "127.0.0.1:99999", "home.example\\@127.0.0.1", "user@127.0.0.1"} {
		code, stdout, _ := runWith(t, "validate", forgeProject(t, fmt.Sprintf("forge: {name: x}\ntools: [{type: http, name: a, endpoint: 'http://%s/'}]\n", host)))
		if code != 1 || !strings.Contains(stdout, "forge.yaml:2:") {
			t.Errorf("%s: exit %d: %s", host, code, stdout)
		}
	}
}

// serveHere serves a file by run itself, in this process.
func serveHere(t *testing.T, text string) *client {
	t.Helper()
	file := filepath.Join(t.TempDir(), "forge.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inReader, in := io.Pipe()
	out, outWriter := io.Pipe()
	stderr := new(lockedBuffer)
	done := make(chan int, 1)
	go func() {
		code := run(context.Background(), []string{"serve", "--config", file}, inReader, outWriter, stderr)
		outWriter.CloseWithError(io.EOF)
		done <- code
	}()
	t.Cleanup(func() {
		in.Close()
		if code := <-done; code != 0 {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	})
	return newClient(t, in, out, stderr)
}

// resolve has this process find names in a table and nowhere else, until the test ends.
func resolve(t *testing.T, names map[string]string) {
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go answerNames(far, names)
		return near, nil
	}}
}

// answerNames is a DNS server in few lines (RFC 1035, section 4): Go's resolver takes a
// pipe for TCP.
func answerNames(c net.Conn, names map[string]string) {
	defer c.Close()
	var size [2]byte
	for {
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		end, labels := 12, []string{}
		for query[end] != 0 {
			labels = append(labels, string(query[end+1:end+1+int(query[end])]))
			end += 1 + int(query[end])
		}
		reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end+5]...)
		kind, a := query[end+2], net.ParseIP(names[strings.ToLower(strings.Join(labels, "."))])
		switch {
		case kind == 1 && a.To4() != nil:
			reply[7] = 1
			reply = append(append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), a.To4()...)
		case kind == 28 && a != nil && (a.To4() == nil || strings.Contains(names[strings.ToLower(strings.Join(labels, "."))], ":")):
			reply[7] = 1
			reply = append(append(reply, 0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 0, 0, 16), a.To16()...)
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}
