package redis_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/ingot-run/ingot/state"
	"github.com/stretchr/testify/require"
)

// isFault reports whether an error is one of a server that was away.
func isFault(err error) bool {
	return errors.Is(err, state.ErrUnavailable) || errors.Is(err, state.ErrUncertain)
}

// proxy stands before a server, and can let connections hang.
type proxy struct {
	address string

	mu    sync.Mutex
	pairs []*pair
}

// pair is a connection and its other half.
type pair struct {
	client, server net.Conn
	mu             sync.Mutex
	silent         bool
}

func newProxy(t *testing.T, target string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{address: l.Addr().String()}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			c := &pair{client: client, server: server}
			p.mu.Lock()
			p.pairs = append(p.pairs, c)
			p.mu.Unlock()
			work.Go(func() { c.pump(server, client) })
			work.Go(func() { c.pump(client, server) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		for _, c := range p.pairs {
			c.client.Close()
			c.server.Close()
		}
		p.mu.Unlock()
		work.Wait()
	})
	return p
}

// pump copies until one side ends; a silent pair swallows everything and stays.
func (c *pair) pump(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		c.mu.Lock()
		silent := c.silent
		c.mu.Unlock()
		if err != nil {
			if !silent {
				to.Close()
			}
			return
		}
		if !silent {
			if _, err := to.Write(buffer[:n]); err != nil {
				_, _ = io.Copy(io.Discard, from)
				return
			}
		}
	}
}

// silence makes the connections there are hang for ever; new ones work.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.pairs {
		c.mu.Lock()
		c.silent = true
		c.mu.Unlock()
	}
}
