package redis

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// conns are the open connections of a Manager, so that Close can end them where a
// server does not.
type conns struct {
	mu     sync.Mutex
	open   map[*conn]struct{}
	closed bool
}

// conn is a connection that leaves the set when it is closed, and that ends with an
// error where the server sends what makes no sense.
type conn struct {
	net.Conn
	set   *conns
	guard guard
}

// dial makes connections for the clients.
func (s *conns) dial(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	var plain net.Conn
	var err error
	if config != nil {
		plain, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
	} else {
		plain, err = dialer.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: plain, set: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		plain.Close()
		return nil, net.ErrClosed
	}
	if s.open == nil {
		s.open = map[*conn]struct{}{}
	}
	s.open[c] = struct{}{}
	return c, nil
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if wrong := c.guard.check(p[:n]); wrong != nil {
		return 0, wrong
	}
	return n, err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.set.mu.Lock()
	delete(c.set.open, c)
	c.set.mu.Unlock()
	return c.Conn.Close()
}

// close ends all connections, and lets no more be made.
func (s *conns) close() {
	s.mu.Lock()
	s.closed = true
	open := s.open
	s.open = nil
	s.mu.Unlock()
	for c := range open {
		c.Conn.Close()
	}
}
