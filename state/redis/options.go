package redis

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ingot-run/ingot/state"
)

// Options say which servers Open connects to, and how. The zero value but for URL
// works.
type Options struct {
	// URL names the servers:
	//
	//	redis://user:password@host:6379/0        one server, and the number of its database
	//	rediss://host                            the same over TLS
	//	redis+cluster://h1:7000,h2:7000          a cluster (or redis://…/?cluster=true)
	//	redis+sentinel://h1,h2,h3/mymaster/0     a master that Sentinels name
	//
	// valkey may stand for redis. After a ? there may be cluster=true, name=, ca=,
	// timeout= (a duration) and wait= (a number), which stand for Cluster, Name,
	// CAFile, Timeout and WaitReplicas where those are not given.
	URL string
	// Username and Password are those of an ACL user, where URL has none. A Password
	// alone is that of the user default.
	Username, Password string
	// SentinelUsername and SentinelPassword are for the Sentinels themselves.
	SentinelUsername, SentinelPassword string
	// Cluster says that the servers of URL are nodes of a cluster.
	Cluster bool
	// CAFile is a PEM file of the authorities that may have signed the servers'
	// certificates; empty is the system's. TLS, where it is not nil, is used as it is,
	// but for ServerName. Both make the connection one over TLS.
	CAFile string
	TLS    *tls.Config
	// Name is what all keys in redis begin with, so that several stores may use one
	// server; empty is ingot. It has at most 64 bytes and no braces.
	Name string
	// Buckets is how many parts a cluster's store has, at most 1024; 0 means 16. It is
	// fixed when the store is first opened; see the package's Caveats.
	Buckets int
	// BytesMax is the byte budget of the store; 0 is none. Every process that writes
	// gives the same one.
	BytesMax int64
	// ValueBytesMax lowers the longest value; 0 means the constant of package state.
	ValueBytesMax int
	// TTL is how long an entry lives that is written without a time to live of its
	// own; 0 means for ever.
	TTL time.Duration
	// CacheEntries is how many entries are kept in this process; 0 is none. The
	// servers say when one of them has changed. CacheBytes bounds them; 0 means
	// 64 MiB.
	CacheEntries int
	CacheBytes   int64
	// Timeout bounds one exchange with a server, and how long a call tries again what
	// is safe to try again; 0 means 5 seconds.
	Timeout time.Duration
	// WaitReplicas is how many replicas must have a write before it is acknowledged;
	// 0 is none. When they have not within WaitTimeout (0 means Timeout), the write
	// fails with state.ErrUncertain.
	WaitReplicas int
	WaitTimeout  time.Duration
	// StreamEvents is how many events each bucket keeps for watchers that resume; 0
	// means 10 000. Values of at most StreamValueBytes stand in them; 0 means 1024.
	StreamEvents, StreamValueBytes int
	// Log is told, in a line of text, what a person who runs the store should know.
	// Nil means nobody.
	Log func(text string)

	now      func() int64  // the time in Unix milliseconds, for tests; nil means the servers'
	retryFor time.Duration // how long a call tries again, for tests; 0 means Timeout
}

// target is what Options mean, checked.
type target struct {
	addresses          []string
	username, password string
	database           int
	master             string // of the Sentinels
	cluster            bool
	tls                *tls.Config
	shown              string // the URL without its password
}

const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"
	nameBytesMax        = 64
)

// resolve checks o, fills what it leaves open, and finds what it points to.
func (o *Options) resolve() (target, error) {
	var t target
	scheme, rest, ok := strings.Cut(o.URL, "://")
	if !ok {
		return t, optionsError("the URL of redis has no scheme: it is like redis://host:6379/0")
	}
	base, kind, _ := strings.Cut(scheme, "+")
	overTLS := base == "rediss" || base == "valkeys"
	if !overTLS && base != "redis" && base != "valkey" || kind != "" && kind != "cluster" && kind != "sentinel" {
		return t, optionsError("the scheme of the URL of redis is %.40q: it is redis or rediss, and +cluster or +sentinel may follow", scheme)
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if err := t.authority(authority, scheme, kind == "sentinel"); err != nil {
		return t, err
	}
	if err := o.query(query); err != nil {
		return t, err
	}
	t.cluster = o.Cluster || kind == "cluster"
	if t.cluster && kind == "sentinel" {
		return t, optionsError("%s: Sentinels name the master of one server, not of a cluster", t.shown)
	}
	if err := t.path(path, kind == "sentinel"); err != nil {
		return t, err
	}
	if len(t.addresses) > 1 && !t.cluster && kind != "sentinel" {
		return t, optionsError("%s names %d servers: say redis+cluster:// or ?cluster=true for a cluster, or redis+sentinel:// for Sentinels", t.shown, len(t.addresses))
	}
	if t.username == "" && t.password == "" {
		t.username, t.password = o.Username, o.Password
	}
	if err := o.defaults(t.cluster); err != nil {
		return t, err
	}
	return t, t.secure(o, overTLS)
}

// authority reads user:password@host:port,host:port.
func (t *target) authority(text, scheme string, sentinel bool) error {
	hosts := text
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		hosts = text[at+1:]
		user, password, _ := strings.Cut(text[:at], ":")
		var err1, err2 error
		t.username, err1 = url.PathUnescape(user)
		t.password, err2 = url.PathUnescape(password)
		if err1 != nil || err2 != nil {
			return optionsError("the user or the password in the URL of redis has a %% that begins no escape: write %%25")
		}
	}
	port := defaultPort
	if sentinel {
		port = defaultSentinelPort
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" && hosts != "" {
			return optionsError("the URL of redis names a server without a name: see its commas")
		}
		address, err := withPort(host, port)
		if err != nil {
			return optionsError("the server %.80q in the URL of redis: %v", host, err)
		}
		t.addresses = append(t.addresses, address)
	}
	t.shown = scheme + "://" + strings.Join(t.addresses, ",")
	return nil
}

// withPort is host with a port, and localhost for none.
func withPort(host, port string) (string, error) {
	if name, given, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.Atoi(given); err != nil || n < 1 || n > 65535 {
			return "", fmt.Errorf("%.20q is no port: it is 1 to 65535", given)
		}
		host, port = name, given
	} else if strings.Contains(host, ":") && net.ParseIP(strings.Trim(host, "[]")) == nil {
		return "", err
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}

// path reads the master of the Sentinels and the number of the database.
func (t *target) path(path string, sentinel bool) error {
	database := path
	if sentinel {
		t.master, database, _ = strings.Cut(path, "/")
		if t.master == "" {
			return optionsError("%s: the path names the master that the Sentinels watch, like /mymaster", t.shown)
		}
	}
	if database == "" {
		return nil
	}
	n, err := strconv.Atoi(database)
	if err != nil || n < 0 {
		return optionsError("%s: %.40q is no number of a database", t.shown, database)
	}
	if n != 0 && t.cluster {
		return optionsError("%s: a cluster has database 0 only", t.shown)
	}
	t.database = n
	return nil
}

// query takes what the URL says after its ?, where o does not say it.
func (o *Options) query(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return optionsError("what follows the ? in the URL of redis cannot be read: write special characters as %% escapes")
	}
	for name, all := range values {
		value := all[len(all)-1]
		var err error
		switch name {
		case "cluster":
			var cluster bool
			cluster, err = strconv.ParseBool(value)
			o.Cluster = o.Cluster || cluster
		case "name":
			o.Name = first(o.Name, value)
		case "ca":
			o.CAFile = first(o.CAFile, value)
		case "timeout":
			var d time.Duration
			d, err = time.ParseDuration(value)
			o.Timeout = first(o.Timeout, d)
		case "wait":
			var n int
			n, err = strconv.Atoi(value)
			o.WaitReplicas = first(o.WaitReplicas, n)
		default:
			return optionsError("the URL of redis has the parameter %.40q: there are cluster, name, ca, timeout and wait", name)
		}
		if err != nil {
			return optionsError("%.40q is no value of the parameter %s in the URL of redis", value, name)
		}
	}
	return nil
}

// first is a, or b where a is zero.
func first[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

// defaults fills and checks what is no address.
func (o *Options) defaults(cluster bool) error {
	o.Name = first(o.Name, "ingot")
	if len(o.Name) > nameBytesMax || strings.ContainsAny(o.Name, "{}") {
		return optionsError("Options.Name is %.80q: it has at most %d bytes and no braces", o.Name, nameBytesMax)
	}
	if !cluster {
		if o.Buckets > 1 {
			return optionsError("Options.Buckets is %d: only a cluster has buckets", o.Buckets)
		}
		o.Buckets = 1
	}
	o.Buckets = first(o.Buckets, 16)
	o.Timeout = first(o.Timeout, 5*time.Second)
	o.WaitTimeout = first(o.WaitTimeout, o.Timeout)
	o.retryFor = first(o.retryFor, o.Timeout)
	o.StreamEvents = first(o.StreamEvents, 10_000)
	o.StreamValueBytes = first(o.StreamValueBytes, 1024)
	o.CacheBytes = first(o.CacheBytes, 64<<20)
	if o.ValueBytesMax <= 0 || o.ValueBytesMax > state.ValueBytesMax {
		o.ValueBytesMax = state.ValueBytesMax
	}
	if o.TTL < 0 || o.TTL > state.TTLMax {
		return fmt.Errorf("%w: Options.TTL is %v", state.ErrTTL, o.TTL)
	}
	for _, check := range []struct {
		name         string
		is, min, max int64
	}{
		{"Buckets", int64(o.Buckets), 1, bucketsMax},
		{"BytesMax", o.BytesMax, 0, 1 << 52},
		{"CacheEntries", int64(o.CacheEntries), 0, 1 << 31},
		{"CacheBytes", o.CacheBytes, 1, 1 << 52},
		{"Timeout", int64(o.Timeout), int64(time.Millisecond), int64(time.Hour)},
		{"WaitTimeout", int64(o.WaitTimeout), int64(time.Millisecond), int64(time.Hour)},
		{"WaitReplicas", int64(o.WaitReplicas), 0, 1000},
		{"StreamEvents", int64(o.StreamEvents), 1, 1 << 30},
		{"StreamValueBytes", int64(o.StreamValueBytes), 1, 1 << 30},
	} {
		if check.is < check.min || check.is > check.max {
			return optionsError("Options.%s is %d: it is %d to %d", check.name, check.is, check.min, check.max)
		}
	}
	return nil
}

// secure makes the configuration of TLS, where it is asked for.
func (t *target) secure(o *Options, overTLS bool) error {
	if o.TLS != nil {
		t.tls = o.TLS.Clone()
	} else if overTLS || o.CAFile != "" {
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if t.tls == nil || o.CAFile == "" {
		return nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return fmt.Errorf("%w: reading the authorities of redis: %w", state.ErrOptions, err)
	}
	t.tls.RootCAs = x509.NewCertPool()
	if !t.tls.RootCAs.AppendCertsFromPEM(pem) {
		return optionsError("%s has no certificate in PEM: it begins with -----BEGIN CERTIFICATE-----", o.CAFile)
	}
	return nil
}

func optionsError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{state.ErrOptions}, args...)...)
}
