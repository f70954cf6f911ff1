package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/health"
)

// healthCommand is "ingot health", for images that have no other program.
type healthCommand struct {
	URL   string `arg:"" name:"url" optional:"" default:"http://127.0.0.1:7070" help:"The server. (${default})"`
	Alive bool   `help:"Ask whether it lives (/healthz), and not whether it is ready (/readyz)."`
}

// Help ends "ingot health --help".
func (*healthCommand) Help() string {
	return `The exit code is 0 when it is, and 1 when it is not or does not answer within five seconds. No token is sent, and the certificate of a server on this machine is not looked at.

Examples:

  ingot health http://127.0.0.1:7070
  ingot health --alive http://127.0.0.1:7070`
}

// Bounds of the answer.
const (
	healthTimeout  = 5 * time.Second
	healthBytesMax = 64 << 10
)

// Run asks, and prints what was answered.
func (c *healthCommand) Run(ctx context.Context, out streams) error {
	at, err := url.Parse(c.URL)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return command.Usage(fmt.Sprintf("%q is no URL of a server, such as http://127.0.0.1:7070", c.URL))
	}
	at.Path, at.RawQuery = health.PathReady, ""
	if c.Alive {
		at.Path = health.PathAlive
	}
	ctx, cancel := context.WithTimeoutCause(ctx, healthTimeout, fmt.Errorf("%s does not answer within %v", at, healthTimeout))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	local := strings.EqualFold(at.Hostname(), "localhost") || net.ParseIP(at.Hostname()).IsLoopback()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: local, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	answer, err := client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, healthBytesMax))
	if err == nil {
		_, err = fmt.Fprintln(out.stdout, strings.TrimSpace(command.Plain(string(text))))
	}
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", at, answer.Status)
	}
	return err
}
