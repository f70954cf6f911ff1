package httpguard

import (
	"net"
	"net/netip"
	"sync"
)

// Connections bounds the connections of a listener.
type Connections struct {
	Max int
	// MaxPerClient bounds those of one client, as LimitRate tells them apart;
	// loopback ones and trusted proxies count for Max only.
	MaxPerClient int
	Proxies      Proxies
}

// Limit returns a listener that closes at once what is accepted beyond o. To
// let it wait instead would let a client's idle connections keep others out.
func Limit(l net.Listener, o Connections) net.Listener {
	return &limited{Listener: l, limits: o, clients: make(map[netip.Addr]int)}
}

type limited struct {
	net.Listener
	limits Connections

	mu      sync.Mutex
	open    int
	clients map[netip.Addr]int
}

// Accept is net.Listener's.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		address := addressOf(conn.RemoteAddr().String())
		client := clientOf(address)
		if l.begin(client, address.IsLoopback() || l.limits.Proxies.trust(address)) {
			return &counted{Conn: conn, from: l, client: client}, nil
		}
		conn.Close()
	}
}

// begin counts a connection, if there is room; many says that its client may
// have any number. end is its partner.
func (l *limited) begin(client netip.Addr, many bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.limits.Max || !many && l.clients[client] >= l.limits.MaxPerClient {
		return false
	}
	l.open++
	l.clients[client]++
	return true
}

func (l *limited) end(client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.clients[client]--; l.clients[client] == 0 {
		delete(l.clients, client)
	}
}

// counted is an open connection.
type counted struct {
	net.Conn
	from   *limited
	client netip.Addr
	once   sync.Once
}

// Close is net.Conn's.
func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.from.end(c.client) })
	return err
}
