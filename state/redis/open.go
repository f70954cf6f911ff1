package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/state"
	"github.com/redis/rueidis"
)

// closePatience is how long Close lets servers answer what is under way.
const closePatience = time.Second

// Backend is the name of this backend in Stats.
const Backend = "redis"

// Manager is a state.Manager on redis servers. Open makes one.
type Manager struct {
	o       Options
	target  target
	client  rueidis.Client // writes, and what waits
	reader  rueidis.Client // reads: client, or one whose reads the server remembers
	buckets []*bucket
	cache   *cache // nil without
	hub     hub

	conns conns // open connections of the clients

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup
	closed atomic.Bool
	seen   atomic.Uint64 // the largest version that this Manager heard of
	skew   atomic.Int64  // the server's clock minus this one, in milliseconds
	usage  usage
}

var (
	_ state.Manager  = (*Manager)(nil)
	_ state.Budgeter = (*Manager)(nil)
)

// Open connects to the servers that o names, and checks that they are what it says.
// It starts a goroutine that removes what has ended, until Close. Errors:
// state.ErrOptions, state.ErrTTL, state.ErrForeign (the store was made with another
// number of buckets or by a newer ingot), state.ErrUnavailable.
func Open(ctx context.Context, o Options) (*Manager, error) {
	t, err := o.resolve()
	if err != nil {
		return nil, err
	}
	m := &Manager{o: o, target: t, buckets: makeBuckets(o.Name, o.Buckets)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.hub.init(m)
	m.usage.init()
	if err := m.connect(ctx); err != nil {
		m.Close()
		return nil, err
	}
	m.work.Go(m.background)
	return m, nil
}

// connect makes the clients and looks at the servers.
func (m *Manager) connect(ctx context.Context) error {
	var err error
	if m.client, err = m.dial(nil); err != nil {
		return err
	}
	m.reader = m.client
	if m.o.CacheEntries > 0 {
		m.cache = newCache(m.o.CacheEntries, m.o.CacheBytes)
		if m.reader, err = m.dial(m.cache.invalidated); err != nil {
			m.reader = m.client
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	if err := m.inspect(ctx); err != nil {
		return err
	}
	if err := m.claim(ctx); err != nil {
		return err
	}
	m.readClock(ctx)
	return nil
}

// dial makes a client. A function that is to hear of changed keys makes it one whose
// reads the servers remember.
func (m *Manager) dial(invalidated func([]rueidis.RedisMessage)) (rueidis.Client, error) {
	const bufferBytes = 64 << 10
	options := rueidis.ClientOption{
		InitAddress: m.target.addresses, Username: m.target.username, Password: m.target.password,
		SelectDB: m.target.database, TLSConfig: m.target.tls, ClientName: "ingot",
		Dialer:           net.Dialer{Timeout: m.o.Timeout, KeepAlive: time.Second},
		DialCtxFn:        m.conns.dial,
		ConnWriteTimeout: m.o.Timeout,
		DisableRetry:     true, // attempt knows what is safe to try again
		DisableCache:     invalidated == nil,
		OnInvalidations:  invalidated, ClientTrackingOptions: []string{},
		ReadBufferEachConn: bufferBytes, WriteBufferEachConn: bufferBytes,
		ForceSingleClient: !m.target.cluster && m.target.master == "",
		ClusterOption:     rueidis.ClusterOption{ShardsRefreshInterval: 5 * time.Second},
	}
	if m.target.master != "" {
		options.Sentinel = rueidis.SentinelOption{
			MasterSet: m.target.master, Username: m.o.SentinelUsername, Password: m.o.SentinelPassword,
			Dialer: options.Dialer, TLSConfig: m.target.tls, TopologyRefreshInterval: 5 * time.Second,
		}
	}
	client, err := rueidis.NewClient(options)
	if err != nil {
		if client != nil {
			client.Close()
		}
		return nil, m.unreached(err)
	}
	if m.target.cluster && client.Mode() != rueidis.ClientModeCluster {
		client.Close()
		return nil, optionsError("%s is one server and no cluster: leave out what says cluster", m.target.shown)
	}
	return client, nil
}

// unreached is the error of servers that could not be reached or refused.
func (m *Manager) unreached(err error) error {
	if _, ok := rueidis.IsRedisErr(err); ok {
		return m.meaning(err)
	}
	hint := "see whether it runs, and whether its name and port are right"
	if m.target.tls == nil && (strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "reset")) {
		hint = "it may want TLS: say rediss://"
	}
	return fmt.Errorf("%w: %s: %w: %s", state.ErrUnavailable, m.target.shown, err, hint)
}

// inspect checks the version of the server and whether it is one of a cluster.
func (m *Manager) inspect(ctx context.Context) error {
	info, err := m.client.Do(ctx, m.client.B().Info().Build()).ToString()
	if err != nil {
		if reply, ok := rueidis.IsRedisErr(err); ok && strings.HasPrefix(reply.Error(), "NOPERM") {
			return nil // the ACL user may not ask; what is wrong shows later
		}
		return m.unreached(err)
	}
	facts := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			facts[name] = value
		}
	}
	major, _, _ := strings.Cut(facts["redis_version"], ".")
	if n, err := strconv.Atoi(major); err == nil && n < 7 {
		return optionsError("%s is Redis %s: it must be Redis 7 or Valkey, or newer", m.target.shown, facts["redis_version"])
	}
	if facts["cluster_enabled"] == "1" && !m.target.cluster {
		return optionsError("%s is a node of a cluster: say redis+cluster:// or ?cluster=true", m.target.shown)
	}
	if policy := facts["maxmemory_policy"]; policy != "" && policy != "noeviction" && facts["maxmemory"] != "0" {
		m.log("%s may throw entries away when its memory is full: its maxmemory-policy is %s, and noeviction would refuse writes instead", m.target.shown, policy)
	}
	return nil
}

// claim notes the layout of the store, or checks the one that is there.
func (m *Manager) claim(ctx context.Context) error {
	key := m.o.Name + ":layout"
	want := fmt.Sprintf("%d %d", layoutVersion, m.o.Buckets)
	err := m.client.Do(ctx, m.client.B().Set().Key(key).Value(want).Nx().Build()).Error()
	if err == nil {
		return nil
	}
	if !rueidis.IsRedisNil(err) {
		return m.unreached(err)
	}
	got, err := m.client.Do(ctx, m.client.B().Get().Key(key).Build()).ToString()
	if err != nil {
		return m.unreached(err)
	}
	if got == want {
		return nil
	}
	version, buckets, _ := strings.Cut(got, " ")
	if version == strconv.Itoa(layoutVersion) && buckets != "" {
		return fmt.Errorf("%w: the store %q at %s was made with %s buckets, not %d: give Options.Buckets, or another Name", state.ErrForeign, m.o.Name, m.target.shown, buckets, m.o.Buckets)
	}
	return fmt.Errorf("%w: the key %q at %s is %.40q, not %q: a newer ingot made the store, or it is another program's; give another name", state.ErrForeign, key, m.target.shown, got, want)
}

// readClock compares the server's clock with this one, half a round trip exact.
func (m *Manager) readClock(ctx context.Context) {
	before := time.Now()
	parts, err := m.client.Do(ctx, m.client.B().Time().Build()).AsStrSlice()
	if err != nil || len(parts) != 2 {
		return
	}
	middle := before.Add(time.Since(before) / 2)
	seconds, err1 := strconv.ParseInt(parts[0], 10, 64)
	micros, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err1 == nil && err2 == nil {
		m.skew.Store(seconds*1000 + micros/1000 - middle.UnixMilli())
	}
}

// Now implements state.Manager: the server's time, as it was last compared with this
// machine's. Every node of a cluster has a clock of its own; this is one of them.
func (m *Manager) Now() int64 {
	if m.o.now != nil {
		return m.o.now()
	}
	return time.Now().UnixMilli() + m.skew.Load()
}

// Close implements state.Manager. What is under way ends with state.ErrClosed.
func (m *Manager) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	m.cancel()
	m.hub.close()
	m.work.Wait()
	// A client waits for what is under way, which a server that is silent never ends.
	defer time.AfterFunc(closePatience, m.conns.close).Stop()
	if m.reader != nil && m.reader != m.client {
		m.reader.Close()
	}
	if m.client != nil {
		m.client.Close()
	}
	return nil
}

// Health returns nil while the servers answer and serve every part of the store,
// else an error that says since when they do not. It waits for them at most the
// Timeout of the Options.
func (m *Manager) Health(ctx context.Context) error {
	begun := time.Now()
	bounded, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	if _, err := m.positions(bounded); err != nil {
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return m.unavailable(begun, err)
		}
		return err
	}
	for _, b := range m.buckets {
		if since, cause := b.breaker.problem(); cause != nil {
			return m.unavailable(since, cause)
		}
	}
	return nil
}

func (m *Manager) log(format string, args ...any) {
	if m.o.Log != nil {
		m.o.Log(fmt.Sprintf(format, args...))
	}
}
