package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// How keys are fetched and kept.
const (
	documentBytesMax = 512 << 10        // of metadata, or of a set of keys
	keysMax          = 100              // in a set
	keysTried        = 4                // for one token: those of one id, or without any
	fetchTimeout     = 10 * time.Second // of all documents together
	keysFresh        = time.Hour        // then they are fetched again
	keysStaleMax     = 24 * time.Hour   // for which old ones serve when that fails
	fetchPause       = 10 * time.Second // at least, between two fetches
	rsaBitsMin       = 2048
	rsaBitsMax       = 8192
)

// keyCache holds the issuer's keys. Who needs a newer set fetches it, and others
// wait meanwhile: at most one fetch is under way, and no goroutine.
type keyCache struct {
	issuer     *url.URL
	name       string // the issuer as configured
	algorithms []jose.SignatureAlgorithm
	client     *http.Client
	logger     *slog.Logger

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time     // when keys came; zero before the first
	tried   time.Time     // when the last fetch ended
	failure error         // of the last fetch; nil when it was good
	busy    chan struct{} // closed when the fetch under way has ended; nil: there is none
}

func newKeyCache(issuer *url.URL, o Options, algorithms []jose.SignatureAlgorithm) *keyCache {
	client := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: fetchTimeout,
		DisableKeepAlives: true, // a connection an hour
	}}
	if o.Client != nil {
		client = new(*o.Client)
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar = nil
	return &keyCache{issuer: issuer, name: o.Issuer, algorithms: algorithms, client: client, logger: o.Logger}
}

// find returns the keys that a token with this key id ("" is none) and algorithm
// may be signed with. The error is an *invalidError, or says why there are no keys.
func (c *keyCache) find(ctx context.Context, id, algorithm string) ([]jose.JSONWebKey, error) {
	for {
		c.mu.Lock()
		now := time.Now()
		found := c.match(id, algorithm)
		known := !c.fetched.IsZero() && now.Sub(c.fetched) < keysStaleMax
		wanted := !known || now.Sub(c.fetched) > keysFresh || len(found) == 0
		// While others fetch, or not long after somebody did, what is known is used.
		waiting := known && (now.Sub(c.tried) < fetchPause || c.busy != nil && len(found) > 0)
		if !wanted || waiting {
			c.mu.Unlock()
			if len(found) == 0 {
				return nil, invalid("the token is signed with a key that is not one of its issuer's")
			}
			return found, nil
		}
		if !known && c.failure != nil && now.Sub(c.tried) < fetchPause {
			defer c.mu.Unlock()
			return nil, c.failure
		}
		if busy := c.busy; busy != nil {
			c.mu.Unlock()
			if err := wait(ctx, busy); err != nil {
				return nil, err
			}
			continue
		}
		c.busy = make(chan struct{})
		c.mu.Unlock()
		c.renew(context.WithoutCancel(ctx)) // others wait for it too
	}
}

func wait(ctx context.Context, until <-chan struct{}) error {
	select {
	case <-until:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// match returns the keys of an id and algorithm. c.mu is held.
func (c *keyCache) match(id, algorithm string) (found []jose.JSONWebKey) {
	for _, key := range c.keys {
		if (id == "" || key.KeyID == id) && (key.Algorithm == "" || key.Algorithm == algorithm) && fits(key.Key, algorithm) {
			if found = append(found, key); len(found) == keysTried {
				break
			}
		}
	}
	return found
}

// fits reports whether a key is one of an algorithm.
func fits(key any, algorithm string) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		return (strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")) && bits >= rsaBitsMin && bits <= rsaBitsMax
	case *ecdsa.PublicKey:
		return strings.HasPrefix(algorithm, "ES") // which curve, the library checks
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA)
	}
	return false
}

// renew fetches the keys. Old ones stay when that fails.
func (c *keyCache) renew(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, fetchTimeout)
	defer stop()
	keys, err := c.fetch(ctx)
	if err != nil {
		c.logger.Warn("the keys of the issuer of access tokens could not be fetched", slog.Any("error", err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried, c.failure = time.Now(), err
	if err == nil {
		c.keys, c.fetched = keys, c.tried
	}
	close(c.busy)
	c.busy = nil
}

// fetch reads the issuer's metadata, and the keys that it names.
func (c *keyCache) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	at, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := c.get(ctx, at.String(), &set); err != nil {
		return nil, fmt.Errorf("reading the keys of %s: %w", c.name, err)
	}
	if len(set.Keys) > keysMax {
		return nil, fmt.Errorf("reading the keys of %s: %d keys are more than %d", c.name, len(set.Keys), keysMax)
	}
	keys := make([]jose.JSONWebKey, 0, len(set.Keys))
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		// A key of a kind that is not known here is none of those that are needed
		// (RFC 7517 section 5), and one that is broken must not take the others along.
		if key.UnmarshalJSON(raw) == nil && key.IsPublic() && key.Valid() && (key.Use == "" || key.Use == "sig") {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("reading the keys of %s: none of its %d can be used", c.name, len(set.Keys))
	}
	return keys, nil
}

// metadata is what is read of an issuer's.
type metadata struct {
	Issuer string `json:"issuer"`
	Keys   string `json:"jwks_uri"`
}

// discover returns where the issuer's keys are. It tries the well-known places
// in the order of MCP's basic/authorization, "Authorization Server Metadata
// Discovery".
func (c *keyCache) discover(ctx context.Context) (*url.URL, error) {
	path := strings.TrimSuffix(c.issuer.EscapedPath(), "/")
	origin := c.issuer.Scheme + "://" + c.issuer.Host
	places := slices.Compact([]string{
		origin + "/.well-known/oauth-authorization-server" + path,
		origin + "/.well-known/openid-configuration" + path,
		origin + path + "/.well-known/openid-configuration",
	})
	var problems []error
	for _, place := range places {
		var m metadata
		if err := c.get(ctx, place, &m); err != nil {
			problems = append(problems, err)
			continue
		}
		if m.Issuer != c.name { // RFC 8414 section 3.3
			return nil, fmt.Errorf("%s says that the issuer is %.200q, not %q: configure it as it calls itself", place, m.Issuer, c.name)
		}
		at, err := url.Parse(m.Keys)
		if err == nil {
			err = secure(at)
		}
		if err == nil && c.issuer.Scheme == "https" && at.Scheme != "https" {
			err = fmt.Errorf("%s is not https, as the issuer is", at)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: the jwks_uri: %w", place, err)
		}
		return at, nil
	}
	return nil, fmt.Errorf("finding the metadata of %s: %w", c.name, errors.Join(problems...))
}

// get fetches a JSON document.
func (c *keyCache) get(ctx context.Context, at string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	response, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", at, response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, documentBytesMax+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading %s: %w", at, err)
	case len(text) > documentBytesMax:
		return fmt.Errorf("%s is longer than %d bytes", at, documentBytesMax)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s is not JSON of the kind that is expected: %w", at, err)
	}
	return nil
}
