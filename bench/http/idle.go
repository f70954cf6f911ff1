package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/ingot-run/ingot/bench/worker"
)

// idle is what a server holds for clients that do nothing, in bytes of resident
// memory above its start.
type idle struct {
	sessions float64 // all clients have a session
	streams  float64 // and an open stream each; 0: the server opens none
	again    float64 // all have left, and as many came with sessions
}

const (
	idleWorkers = 8 // connections over which sessions begin and end
	streamWait  = 10 * time.Second
)

// measureIdle has n clients begin sessions, open streams, leave, and come again.
func (r *row) measureIdle(ctx context.Context, n int) error {
	cmd := exec.CommandContext(ctx, r.command[0], r.command[1:]...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = r.driveIdle(cmd.Process.Pid, bufio.NewReader(stdout), n)
	killed := cmd.Process.Kill()
	cmd.Wait() // ends by the signal
	return errors.Join(err, killed)
}

func (r *row) driveIdle(pid int, stdout *bufio.Reader, n int) error {
	address, err := stdout.ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the server's address: %w", err)
	}
	address = strings.TrimSpace(address)
	warm, err := dial(address, false)
	if err != nil {
		return err
	}
	defer warm.conn.Close()
	start := worker.ResidentBytes(pid)
	above := func() float64 { return float64(worker.ResidentBytes(pid) - start) }
	ids, err := begin(address, n)
	if err != nil {
		return err
	}
	r.idle.sessions = above()
	streams, err := openStreams(address, ids)
	if err == nil {
		r.idle.streams = above()
	} else {
		r.problem = fmt.Sprintf("%s: %v", r.label, err)
	}
	for _, c := range streams {
		c.Close()
	}
	if err := end(address, ids); err != nil {
		return err
	}
	if _, err = begin(address, n); err != nil {
		return err
	}
	r.idle.again = above()
	return nil
}

// share has workers act for each i below n over a connection of their own.
func share(address string, n int, act func(c *client, i int) error) error {
	var all sync.WaitGroup
	failures := make([]error, idleWorkers)
	for worker := range idleWorkers {
		all.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				failures[worker] = err
				return
			}
			defer conn.Close()
			c := &client{conn: conn, in: bufio.NewReader(conn)}
			for i := worker; i < n && failures[worker] == nil; i += idleWorkers {
				failures[worker] = act(c, i)
			}
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

// begin begins n sessions and returns their ids.
func begin(address string, n int) ([]string, error) {
	ids := make([]string, n)
	err := share(address, n, func(c *client, i int) (err error) {
		ids[i], err = c.begin(address)
		return err
	})
	return ids, err
}

// end ends sessions.
func end(address string, ids []string) error {
	return share(address, len(ids), func(c *client, i int) error {
		_, err := fmt.Fprintf(c.conn, "DELETE /mcp HTTP/1.1\r\nHost: %s\r\nMcp-Session-Id: %s\r\nMcp-Protocol-Version: 2025-11-25\r\n\r\n", address, ids[i])
		if err != nil {
			return err
		}
		_, _, err = c.answer()
		return err
	})
}

// openStreams opens the stream of each session over a connection of its own.
func openStreams(address string, ids []string) (open []net.Conn, err error) {
	for _, id := range ids {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return open, err
		}
		open = append(open, conn)
		if err := conn.SetDeadline(time.Now().Add(streamWait)); err != nil {
			return open, err
		}
		_, err = fmt.Fprintf(conn, "GET /mcp HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nMcp-Session-Id: %s\r\nMcp-Protocol-Version: 2025-11-25\r\n\r\n", address, id)
		if err != nil {
			return open, err
		}
		response, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
		if err != nil {
			return open, fmt.Errorf("opening a stream: %w", err)
		}
		if response.StatusCode != http.StatusOK {
			return open, fmt.Errorf("opening a stream: %s", response.Status)
		}
	}
	return open, nil
}
