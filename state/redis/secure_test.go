package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ingot-run/ingot/internal/redistest"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/redis"
	"github.com/stretchr/testify/require"
)

// certificate makes a certificate for 127.0.0.1 that signs itself, and its key, in
// files.
func certificate(t *testing.T) (certFile, keyFile string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return certFile, keyFile
}

// aclKeys are what the documentation tells to allow an ACL user.
var aclRules = []string{
	"on", ">s3cret", "~shop:*", "resetchannels", "-@all", "+@read", "+@write", "+@connection", "+evalsha", "+eval", "+evalsha_ro", "+eval_ro",
	"+time", "+wait", "+info", "+cluster|slots", "+cluster|shards",
}

func TestSecure(t *testing.T) {
	certFile, keyFile := certificate(t)
	tlsPort := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}()
	server := redistest.Single(t, "--appendonly", "no", "--tls-port", tlsPort, "--tls-cert-file", certFile,
		"--tls-key-file", keyFile, "--tls-ca-cert-file", certFile, "--tls-auth-clients", "no")
	server.Text(append([]string{"ACL", "SETUSER", "shop"}, aclRules...)...)
	server.Text("CONFIG", "SET", "requirepass", "0ther")
	secure := "127.0.0.1:" + tlsPort

	t.Run("a user over TLS", func(t *testing.T) {
		m := opened(t, redis.Options{URL: "rediss://shop:s3cret@" + secure + "?ca=" + certFile, Name: "shop", CacheEntries: 10})
		_, err := m.Set(background, "k", []byte("v"), state.SetOptions{TTL: time.Hour})
		require.NoError(t, err)
		for range 2 {
			e, err := m.Get(background, "k")
			require.NoError(t, err)
			require.Equal(t, "v", string(e.Value))
		}
		_, _, err = m.Increment(background, "n", state.IncrementOptions{Delta: 1})
		require.NoError(t, err)
		_, err = m.List(background, state.ListOptions{})
		require.NoError(t, err)
		w, err := m.Watch(background, state.WatchOptions{})
		require.NoError(t, err)
		defer w.Close()
		n, err := m.Clear(background, "")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		_, err = w.Next(background)
		require.NoError(t, err)
		_, err = m.Stats(background)
		require.NoError(t, err)
		require.NoError(t, m.SetBudget("a/", 1000))
		require.NoError(t, m.Health(background))
	})
	t.Run("a configuration of TLS", func(t *testing.T) {
		pool := x509.NewCertPool()
		text, err := os.ReadFile(certFile)
		require.NoError(t, err)
		pool.AppendCertsFromPEM(text)
		opened(t, redis.Options{URL: "redis://" + secure, Username: "shop", Password: "s3cret", Name: "shop", TLS: &tls.Config{RootCAs: pool}})
	})
	for name, refused := range map[string]struct {
		o     redis.Options
		is    error
		tells string
	}{
		"wrong password":      {redis.Options{URL: "redis://shop:wr0ng@" + server.Address}, state.ErrUnavailable, "the user or the password is not right"},
		"no password":         {redis.Options{URL: "redis://" + server.Address}, state.ErrUnavailable, "give a user and a password"},
		"keys not allowed":    {redis.Options{URL: "redis://shop:s3cret@" + server.Address, Name: "bank"}, state.ErrUnavailable, "allow the ACL user"},
		"an unknown signer":   {redis.Options{URL: "rediss://shop:s3cret@" + secure}, state.ErrUnavailable, "certificate"},
		"TLS to a plain port": {redis.Options{URL: "rediss://shop:s3cret@" + server.Address, Timeout: time.Second}, state.ErrUnavailable, ""},
		"plain to a TLS port": {redis.Options{URL: "redis://shop:s3cret@" + secure}, state.ErrUnavailable, "rediss://"},
		"no such file":        {redis.Options{URL: "rediss://h?ca=/nowhere/ca.pem"}, state.ErrOptions, "/nowhere/ca.pem"},
		"no certificate":      {redis.Options{URL: "rediss://h?ca=" + keyFile}, state.ErrOptions, "BEGIN CERTIFICATE"},
		"nobody listens":      {redis.Options{URL: "redis://shop:s3cret@127.0.0.1:1"}, state.ErrUnavailable, "whether it runs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := redis.Open(background, refused.o)
			require.ErrorIs(t, err, refused.is)
			require.ErrorContains(t, err, refused.tells)
			require.NotContains(t, err.Error(), "s3cret")
			require.NotContains(t, err.Error(), "wr0ng")
		})
	}
}

// What is not a cluster is not taken for one, nor the other way round, and a store
// keeps its number of buckets.
func TestKinds(t *testing.T) {
	server := redistest.Single(t, "--appendonly", "no")
	_, err := redis.Open(background, redis.Options{URL: server.URL(), Cluster: true})
	require.ErrorIs(t, err, state.ErrOptions)
	require.ErrorContains(t, err, "no cluster")
	nodes := redistest.Cluster(t, 3, 0, "--appendonly", "no")
	_, err = redis.Open(background, redis.Options{URL: nodes.Servers[0].URL()})
	require.ErrorIs(t, err, state.ErrOptions)
	require.ErrorContains(t, err, "redis+cluster://")
	opened(t, redis.Options{URL: nodes.URL(), Name: "sized", Buckets: 5})
	_, err = redis.Open(background, redis.Options{URL: nodes.URL(), Name: "sized"})
	require.ErrorIs(t, err, state.ErrForeign)
	require.ErrorContains(t, err, "5 buckets, not 16")
	m := opened(t, redis.Options{URL: nodes.URL()})
	_, err = m.Batch(background, []state.Op{{Kind: state.OpSet, Key: "one"}, {Kind: state.OpSet, Key: "two"}})
	require.ErrorIs(t, err, state.ErrBatch)
	require.ErrorContains(t, err, "hash tag")
}
