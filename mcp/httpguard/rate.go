package httpguard

import (
	"context"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Rate bounds the requests of one client: Burst at once, and PerSecond in the
// long run.
type Rate struct {
	PerSecond float64
	Burst     int
	Proxies   Proxies // who are believed about where a request comes from
	Shared    Buckets // nil: this server counts alone
}

// Buckets are token buckets that servers behind one balancer share, so that together
// they let in what one of them would. They are safe for concurrent use.
type Buckets interface {
	// Take takes a token off the bucket of key, into which one comes each interval, up
	// to as many as there are intervals in depth; or it says how long it is until there
	// is one. After an error the server counts alone.
	Take(ctx context.Context, key string, interval, depth time.Duration) (wait time.Duration, err error)
}

// clientsMax bounds the clients that a limiter knows. Beyond it, those that
// have been quiet are forgotten, which gives them a full burst again.
const clientsMax = 10_000

// LimitRate answers with 429 what a client sends beyond its rate. A client is
// an IPv4 address, or the /64 network of an IPv6 address.
func LimitRate(next http.Handler, rate Rate) http.Handler {
	l := &limiter{rate: rate, clients: make(map[netip.Addr]*bucket)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := l.wait(r.Context(), clientOf(rate.Proxies.origin(r))); wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			http.Error(w, "too many requests; slow down", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// wait takes a request of client off its bucket, the shared one where there is one that
// answers; or returns how long it is until there is room for it.
func (l *limiter) wait(ctx context.Context, client netip.Addr) time.Duration {
	if l.rate.Shared != nil {
		interval := max(time.Duration(float64(time.Second)/l.rate.PerSecond), 1)
		wait, err := l.rate.Shared.Take(ctx, client.String(), interval, time.Duration(l.rate.Burst)*interval)
		if err == nil {
			return wait
		}
	}
	return l.take(client, time.Now())
}

type limiter struct {
	rate Rate

	mu      sync.Mutex
	clients map[netip.Addr]*bucket
}

// bucket holds what a client may send at once; it fills with time.
type bucket struct {
	tokens float64
	at     time.Time
}

// take takes a request of client off its bucket; if there is none left it
// returns how long that lasts.
func (l *limiter) take(client netip.Addr, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.clients[client]
	if b == nil {
		if len(l.clients) >= clientsMax {
			l.forget(now)
		}
		b = &bucket{tokens: float64(l.rate.Burst), at: now}
		l.clients[client] = b
	}
	b.tokens = min(float64(l.rate.Burst), b.tokens+now.Sub(b.at).Seconds()*l.rate.PerSecond)
	b.at = now
	if b.tokens < 1 {
		return time.Duration((1 - b.tokens) / l.rate.PerSecond * float64(time.Second))
	}
	b.tokens--
	return 0
}

// forget makes room: clients whose buckets are full again go, and if there are
// none, some at random.
func (l *limiter) forget(now time.Time) {
	for client, b := range l.clients {
		if b.tokens+now.Sub(b.at).Seconds()*l.rate.PerSecond >= float64(l.rate.Burst) {
			delete(l.clients, client)
		}
	}
	for client := range l.clients { // in random order
		if len(l.clients) < clientsMax*3/4 { // room for many: a pass is long
			return
		}
		delete(l.clients, client)
	}
}

// addressOf returns the address of a RemoteAddr or of a header, with or without
// port; the zero Addr for one that cannot be read.
func addressOf(text string) netip.Addr {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

// clientOf returns the client that an address counts for.
func clientOf(address netip.Addr) netip.Addr {
	if !address.Is6() || address.IsLoopback() {
		return address
	}
	network, err := address.Prefix(64)
	if err != nil {
		return netip.Addr{} // cannot happen: 64 fits
	}
	return network.Addr()
}
