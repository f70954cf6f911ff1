package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
	"github.com/ingot-run/ingot/internal/mcpclient"
)

// Bounds of what is read, and waited for.
const (
	tokenFileMax = 1 << 20
	dialTimeout  = 30 * time.Second // of a server's first words
	askTimeout   = time.Minute      // of one question to a server's state
)

// serverFlags name a running server.
type serverFlags struct {
	URL       string `name:"url" placeholder:"URL" help:"A running server, over streamable HTTP, such as http://127.0.0.1:7070; without a path it is /mcp."`
	TokenFile string `env:"INGOT_TOKEN_FILE" placeholder:"FILE" type:"path" help:"File with the bearer token that the server asks for: its first line. (or the environment variable INGOT_TOKEN, which is not sent over plain HTTP to another machine)"`
}

// check finds flags that nothing would act on.
func (f *serverFlags) check() error {
	if f.URL == "" {
		if httpserve.TokenFileGiven(f.TokenFile) {
			return command.Usage("--token-file is for a server that --url names")
		}
		return nil
	}
	if _, err := mcpclient.Endpoint(f.URL); err != nil {
		return command.Usage("--url: " + err.Error())
	}
	return nil
}

// token is what the server asks for; empty is nothing. One of the environment may be
// meant for another server: it goes nowhere where others could read it on the way.
func (f *serverFlags) token() (string, error) {
	token, err := f.readToken()
	if err == nil && token != "" && !httpserve.TokenFileGiven(f.TokenFile) && httpserve.Exposed(f.URL) {
		return "", command.Usage("the token of the environment is not sent over plain HTTP to another machine, where others may read it: use https, or a tunnel to a loopback address; or name its file with --token-file, or take it out of the environment (" + httpserve.TokenVariable + ", INGOT_TOKEN_FILE)")
	}
	return token, err
}

func (f *serverFlags) readToken() (string, error) {
	if f.TokenFile == "" {
		return strings.TrimSpace(os.Getenv(httpserve.TokenVariable)), nil
	}
	file, err := os.Open(f.TokenFile)
	if err != nil {
		return "", command.Usage("--token-file: " + err.Error())
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, tokenFileMax))
	if err != nil {
		return "", fmt.Errorf("reading --token-file: %w", err)
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return string(line), nil
		}
	}
	return "", command.Usage("--token-file: there is no token in " + f.TokenFile)
}

// dial connects to the server.
func (f *serverFlags) dial(ctx context.Context, o mcpclient.Options) (*mcpclient.Client, error) {
	token, err := f.token()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, fmt.Errorf("%s does not answer within %v", f.URL, dialTimeout))
	defer cancel()
	return mcpclient.Dial(ctx, f.URL, mcpclient.HTTPOptions{Options: o, Token: token})
}

// targetFlags name what a command speaks to: a forge.yaml, or a running server.
type targetFlags struct {
	Config string `placeholder:"FILE" type:"path" help:"The forge.yaml, opened for the time of the command. (forge.yaml or pforge.yaml in this folder)"`
	serverFlags
}

// check finds flags that exclude each other.
func (f *targetFlags) check() error {
	if f.Config != "" && f.URL != "" {
		return command.Usage("--config and --url exclude each other: name a file or a running server")
	}
	return f.serverFlags.check()
}

// open connects to the target, by the protocol in either case. close ends it.
func (f *targetFlags) open(ctx context.Context, out streams, o mcpclient.Options) (c *mcpclient.Client, close func() error, err error) {
	if err := f.check(); err != nil {
		return nil, nil, err
	}
	o.Version = command.Version()
	if f.URL != "" {
		c, err = f.dial(ctx, o)
		if err != nil {
			return nil, nil, err
		}
		return c, c.Close, nil
	}
	file, err := configFile(f.Config)
	if err != nil {
		return nil, nil, command.Usage(err.Error() + ", or a running server with --url")
	}
	logger := slog.New(slog.NewTextHandler(out.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	project, err := forge.Open(ctx, file, forge.Options{Logger: logger, Owner: true})
	if err != nil {
		return nil, nil, err
	}
	c, err = mcpclient.InProcess(ctx, project.Server(), o)
	if err != nil {
		return nil, nil, errors.Join(err, project.Close())
	}
	return c, func() error { return errors.Join(c.Close(), project.Close()) }, nil
}

// writeJSON writes v with indentation and a line end.
func writeJSON(w io.Writer, v any) error { return writeIndented(w, v, "  ") }

func writeIndented(w io.Writer, v any, indent string) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(visible(text.Bytes()))
	return err
}

// visible is a JSON text of the same meaning that steers no terminal: the control
// characters that may stand in one as they are, and those that turn a line around, are
// escaped.
func visible(text []byte) []byte {
	if !bytes.ContainsFunc(text, steers) {
		return text
	}
	var out bytes.Buffer
	for _, r := range string(text) {
		if steers(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

// steers is about what stands inside of strings: JSON has line ends and tabs outside.
func steers(r rune) bool {
	return r >= 0x7f && r <= 0x9f || unicode.Is(unicode.Bidi_Control, r)
}
