package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const message = "0123456789abcdef0123456789abcdef" // 32 bytes

const (
	meta       = `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`
)

// measure starts the server, drives it for phase, and stops it.
func (r *row) measure(ctx context.Context, phase time.Duration) error {
	cmd := exec.CommandContext(ctx, r.command[0], r.command[1:]...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	calls, samples, elapsed, err := drive(stdout, r.modern, phase)
	killed := cmd.Process.Kill()
	cmd.Wait() // ends by the signal; its CPU time is known now
	if err = errors.Join(err, killed); err != nil {
		return err
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	slices.Sort(samples)
	r.rates = append(r.rates, float64(calls)/elapsed.Seconds())
	r.cpu = append(r.cpu, float64(cpu.Microseconds())/float64(calls))
	r.p50 = append(r.p50, float64(samples[len(samples)/2].Nanoseconds())/1e3)
	return nil
}

// drive reads the server's address and has all clients call it.
func drive(stdout io.Reader, modern bool, phase time.Duration) (calls int, samples []time.Duration, elapsed time.Duration, err error) {
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return 0, nil, 0, fmt.Errorf("reading the server's address: %w", err)
	}
	clients := make([]*client, connections)
	for i := range clients {
		if clients[i], err = dial(strings.TrimSpace(address), modern); err != nil {
			return 0, nil, 0, err
		}
		defer clients[i].conn.Close()
	}
	var all sync.WaitGroup
	failures := make([]error, connections)
	start := time.Now()
	for i, c := range clients {
		all.Go(func() { failures[i] = c.callFor(phase) })
	}
	all.Wait()
	elapsed = time.Since(start)
	for _, c := range clients {
		calls += len(c.took)
		samples = append(samples, c.took...)
	}
	if calls == 0 {
		failures = append(failures, errors.New("no call was answered"))
	}
	return calls, samples, elapsed, errors.Join(failures...)
}

// client is one connection. It writes whole requests and reads answers with
// net/http's parser, which costs the same for every server.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	head string // of each request, up to its length
	tail string // of each message, behind its id
	out  []byte
	took []time.Duration
}

func dial(address string, modern bool) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, in: bufio.NewReader(conn)}
	c.tail = `,"method":"tools/call","params":{"name":"echo","arguments":{"message":"` + message + `"}`
	if modern {
		c.head = head(address) + "Mcp-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"
		c.tail += meta + `}}`
		return c, nil
	}
	c.tail += `}}`
	_, err = c.begin(address)
	return c, err
}

// begin begins a session, in which all further messages are, and returns its id.
func (c *client) begin(address string) (id string, err error) {
	base := head(address)
	c.head = base
	response, _, err := c.send([]byte(initialize))
	if err != nil {
		return "", fmt.Errorf("initialize: %w", err)
	}
	c.head = base + "Mcp-Protocol-Version: 2025-11-25\r\n"
	if id = response.Header.Get("Mcp-Session-Id"); id != "" {
		c.head += "Mcp-Session-Id: " + id + "\r\n"
	}
	if _, _, err := c.send([]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)); err != nil {
		return "", fmt.Errorf("initialized: %w", err)
	}
	return id, nil
}

// head begins each request.
func head(address string) string {
	return "POST /mcp HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
}

// send sends one message and returns the answer.
func (c *client) send(body []byte) (*http.Response, []byte, error) {
	c.out = fmt.Appendf(append(c.out[:0], c.head...), "Content-Length: %d\r\n\r\n%s", len(body), body)
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, nil, err
	}
	return c.answer()
}

// answer reads one.
func (c *client) answer() (*http.Response, []byte, error) {
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, nil, err
	}
	answer, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return response, answer, err
}

// callFor calls echo until phase is over.
func (c *client) callFor(phase time.Duration) error {
	var body []byte
	for id, end := 1, time.Now().Add(phase); ; id++ {
		start := time.Now()
		if start.After(end) {
			return nil
		}
		body = fmt.Appendf(body[:0], `{"jsonrpc":"2.0","id":%d%s`, id, c.tail)
		_, answer, err := c.send(body)
		if err != nil {
			return err
		}
		if !bytes.Contains(answer, fmt.Appendf(nil, `"id":%d`, id)) || !bytes.Contains(answer, []byte(`"text":"`+message+`"`)) {
			return fmt.Errorf("call %d was answered with %s", id, answer)
		}
		c.took = append(c.took, time.Since(start))
	}
}
