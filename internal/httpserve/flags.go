package httpserve

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/ingot-run/ingot/internal/access"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/mcp/httpguard"
)

// TokenVariable is an environment variable, not a flag: a command line is seen
// by everybody on the machine.
const TokenVariable = "INGOT_TOKEN"

// Flags are what a command asks about who may come in, and how.
type Flags struct {
	TokenFile    string   `env:"INGOT_TOKEN_FILE" placeholder:"FILE" type:"path" help:"File of bearer tokens, one a line, or NAME: TOKEN; clients send one of them. (or a single token in the environment variable INGOT_TOKEN)"`
	AuthDisabled bool     `name:"auth-disabled" help:"Let everybody in who can reach an address that is not loopback. They can read and change everything."`
	AllowHost    []string `placeholder:"NAME" help:"Further name under which clients reach the server, as in the Host header without port; * is any. (loopback names always)"`
	AllowOrigin  []string `placeholder:"ORIGIN" help:"Further origin of pages that may call the server, such as https://app.example; * is any. (loopback ones always)"`

	oauthFlags `embed:""`

	// Keeper, when not nil, holds the callers of tools to their quotas.
	Keeper *access.Keeper `kong:"-"`

	TLSCert       string `name:"tls-cert" placeholder:"FILE" type:"path" help:"Serve TLS with this certificate (PEM, with its chain)."`
	TLSKey        string `name:"tls-key" placeholder:"FILE" type:"path" help:"The certificate's key (PEM)."`
	TLSClientCA   string `name:"tls-client-ca" placeholder:"FILE" type:"path" help:"Let in who has a client certificate that one of these (PEM) signs. With a token or OAuth both are needed."`
	TLSSelfSigned bool   `name:"tls-self-signed" help:"Serve TLS with a certificate made for this start, for development; its fingerprint is printed."`

	MetricsDisabled bool `name:"metrics-disabled" help:"Serve neither /metrics (for Prometheus) nor /status (JSON), which are for the same clients as /mcp."`

	Drain        time.Duration `default:"0s" placeholder:"DURATION" help:"How long to go on taking requests after SIGTERM, while /readyz says 503 so that a load balancer sends no more. (${default})"`
	DrainTimeout time.Duration `default:"10s" placeholder:"DURATION" help:"How long calls in flight may take once no new ones are taken; then they are cut off. (${default})"`

	Rate           float64 `default:"200" placeholder:"N" help:"Requests a second of one client, where the address is not loopback; it may send five seconds' worth at once. (${default})"`
	MaxConnections int     `default:"20000" placeholder:"N" help:"Connections at once; a client that is not on this machine has 256 of them at most. (${default})"`

	TrustedProxy []string `placeholder:"CIDR" help:"Address or network of a proxy in front, which is believed about whom requests come from; --rate then counts those clients."`
	ProxyHeader  string   `default:"X-Forwarded-For" enum:"X-Forwarded-For,Forwarded" help:"The header that the proxy writes: X-Forwarded-For or Forwarded. (${default})"`
}

// TokenFileGiven says whether it is the command line that names a token's file, and not
// the environment's INGOT_TOKEN_FILE.
func TokenFileGiven(file string) bool {
	inherited := os.Getenv("INGOT_TOKEN_FILE")
	return file != inherited && (inherited == "" || file != kong.ExpandPath(inherited))
}

// Exposed says whether what is sent to a URL can be read on its way: it is plain HTTP to
// another machine.
func Exposed(at string) bool {
	u, err := url.Parse(at)
	return err == nil && u.Scheme == "http" && !httpguard.IsLoopback(strings.ToLower(u.Hostname()))
}

// Unused returns an error when the command line says who may come in over HTTP, and
// nothing is served over HTTP: somebody relies on what would not be done. instead says
// what makes the flags matter. The environment may say what it likes.
func (f *Flags) Unused(instead string) error {
	for _, given := range []struct {
		flag string
		set  bool
	}{
		{"--token-file", TokenFileGiven(f.TokenFile)},
		{"--auth-disabled", f.AuthDisabled},
		{"--allow-host", len(f.AllowHost) > 0},
		{"--allow-origin", len(f.AllowOrigin) > 0},
		{"--oauth-issuer", f.Issuer != ""},
		{"--oauth-audience", f.Audience != ""},
		{"--oauth-scope", len(f.Scopes) > 0},
		{"--oauth-tool-scope", len(f.ToolScopes) > 0},
		{"--tls-cert", f.TLSCert != ""},
		{"--tls-key", f.TLSKey != ""},
		{"--tls-self-signed", f.TLSSelfSigned},
		{"--tls-client-ca", f.TLSClientCA != ""},
		{"--metrics-disabled", f.MetricsDisabled},
		{"--drain", f.Drain != 0},
		{"--drain-timeout", f.DrainTimeout != 0 && f.DrainTimeout != drainTimeoutDefault},
		{"--trusted-proxy", len(f.TrustedProxy) > 0},
	} {
		if given.set {
			return command.Usage(given.flag + " is about HTTP, and " + instead)
		}
	}
	return nil
}

// drainTimeoutDefault is the tag's, which cannot name a constant.
const drainTimeoutDefault = 10 * time.Second

const (
	connectionsPerClient = 256
	burstSeconds         = 5
)

// authenticator returns who decides who comes in; nil for nobody.
func (a *Flags) authenticator(logger *slog.Logger) (httpguard.Authenticator, error) {
	named, err := a.byToken(logger)
	switch {
	case err != nil || a.TLSClientCA == "":
		return named, err
	case a.TLSCert == "" && !a.TLSSelfSigned:
		return nil, command.Usage("--tls-client-ca is about TLS: give --tls-cert and --tls-key, or --tls-self-signed")
	case a.AuthDisabled:
		return nil, command.Usage("--auth-disabled does not go with --tls-client-ca")
	case named == nil:
		return httpguard.Certificates{}, nil
	}
	return both{named, httpguard.Certificates{}}, nil
}

// both asks for a certificate, and then for what names the caller.
type both struct{ named, certificate httpguard.Authenticator }

// Wrap implements httpguard.Authenticator.
func (b both) Wrap(next http.Handler) http.Handler { return b.certificate.Wrap(b.named.Wrap(next)) }

// named is the part of a guard that names callers.
func named(a httpguard.Authenticator) httpguard.Authenticator {
	if b, ok := a.(both); ok {
		return b.named
	}
	return a
}

// byToken returns who decides who comes in by a token; nil for nobody.
func (a *Flags) byToken(logger *slog.Logger) (httpguard.Authenticator, error) {
	token, fromEnvironment := os.LookupEnv(TokenVariable)
	access, err := a.resourceServer(logger)
	switch {
	case err != nil:
		return nil, err
	case access != nil && (fromEnvironment || a.TokenFile != "" || a.AuthDisabled):
		return nil, command.Usage("--oauth-issuer goes with neither --token-file nor " + TokenVariable + " nor --auth-disabled")
	case access != nil:
		a.AllowHost = append(a.AllowHost, a.oauthFlags.host())
		return access, nil
	case fromEnvironment && a.TokenFile != "":
		return nil, command.Usage("there are both a --token-file and an " + TokenVariable + ": take one away")
	case a.AuthDisabled && (fromEnvironment || a.TokenFile != ""):
		return nil, command.Usage("--auth-disabled goes with neither --token-file nor " + TokenVariable)
	case fromEnvironment:
		tokens, err := httpguard.NewTokens(token)
		if err != nil {
			return nil, command.Usage(TokenVariable + ": " + err.Error())
		}
		return tokens, nil
	case a.TokenFile != "":
		tokens, err := httpguard.ReadTokens(a.TokenFile)
		if err != nil {
			return nil, command.Usage("--token-file: " + err.Error())
		}
		return tokens, nil
	}
	return nil, nil
}

// proxies returns the trusted ones.
func (a *Flags) proxies() (httpguard.Proxies, error) {
	p, err := httpguard.NewProxies(a.TrustedProxy, a.ProxyHeader)
	if err != nil {
		return p, command.Usage("--trusted-proxy: " + err.Error())
	}
	return p, nil
}

// check returns what is wrong with the numbers.
func (a *Flags) check() error {
	if a.Rate <= 0 || a.MaxConnections <= 0 {
		return command.Usage("--rate and --max-connections are above 0")
	}
	if a.Drain < 0 || a.DrainTimeout < 0 {
		return command.Usage("--drain and --drain-timeout are not below 0")
	}
	return nil
}

// secure returns l with TLS, if that is asked for, and the fingerprint of a
// self-made certificate.
func (a *Flags) secure(l net.Listener) (_ net.Listener, scheme, fingerprint string, err error) {
	var certificate tls.Certificate
	switch {
	case a.TLSSelfSigned && (a.TLSCert != "" || a.TLSKey != ""):
		return nil, "", "", command.Usage("--tls-self-signed goes with neither --tls-cert nor --tls-key")
	case a.TLSSelfSigned:
		hosts := append([]string{"localhost", "127.0.0.1", "::1"}, a.AllowHost...)
		if host, _, err := net.SplitHostPort(l.Addr().String()); err == nil {
			hosts = append(hosts, host)
		}
		certificate, fingerprint, err = httpguard.SelfSigned(hosts)
	case (a.TLSCert == "") != (a.TLSKey == ""):
		return nil, "", "", command.Usage("--tls-cert and --tls-key go together")
	case a.TLSCert != "":
		certificate, err = tls.LoadX509KeyPair(a.TLSCert, a.TLSKey)
	default:
		return l, "http", "", nil
	}
	if err != nil {
		return nil, "", "", fmt.Errorf("preparing TLS: %w", err)
	}
	config, err := a.clients(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		return nil, "", "", err
	}
	return tls.NewListener(l, config), "https", fingerprint, nil
}

// clients has TLS verify the certificates that clients show. Who shows none is turned away
// by the guard, so that the page and the checks of health stay for everybody.
func (a *Flags) clients(c *tls.Config) (*tls.Config, error) {
	if a.TLSClientCA == "" {
		return c, nil
	}
	pool, err := httpguard.ReadClientCAs(a.TLSClientCA)
	if err != nil {
		return nil, command.Usage("--tls-client-ca: " + err.Error())
	}
	c.ClientCAs, c.ClientAuth = pool, tls.VerifyClientCertIfGiven
	return c, nil
}

// admit returns an error for an address that others can reach, unless it is
// said who may come in.
func (a *Flags) admit(flag, address string, loopback bool, guard httpguard.Authenticator) error {
	if guard != nil || a.AuthDisabled {
		return nil
	}
	if loopback && len(a.TrustedProxy) > 0 {
		return command.Usage("--trusted-proxy says that others reach this server through a proxy, and whoever does could read and change everything. " +
			"Ask for a token (openssl rand -hex 32 > token; --token-file token), or let everybody in with --auth-disabled.")
	}
	if loopback {
		return nil
	}
	return command.Usage(fmt.Sprintf("%s %s can be reached from other machines, and whoever connects could read and change everything. "+
		"Ask for a token (openssl rand -hex 32 > token; --token-file token), use a loopback address such as 127.0.0.1:7070 "+
		"and an SSH tunnel to come from elsewhere, or let everybody in with --auth-disabled.", flag, address))
}

// errNotLoopback says that localhost is not what it is everywhere.
var errNotLoopback = errors.New("localhost is not a loopback address on this machine")
