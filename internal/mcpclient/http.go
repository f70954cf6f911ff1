package mcpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of HTTP.
const (
	errorBytesMax = 500 // of a body that is shown
	resumesMax    = 5   // of a stream that breaks off, in a row without an event
	retryDefault  = time.Second
	retryMax      = 10 * time.Second
)

// HTTPOptions are what [Dial] takes. The zero value works.
type HTTPOptions struct {
	Options
	// Token, unless empty, is a bearer token that each request carries.
	Token string
	// Transport makes the requests; nil is http.DefaultTransport.
	Transport http.RoundTripper
}

// Endpoint is the URL of an MCP server as a person writes it: with /mcp, where it has no
// path. The error says what is wrong with it.
func Endpoint(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return "", fmt.Errorf("%.200q is not the URL of a server, such as http://127.0.0.1:7070/mcp", text)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/mcp"
	}
	return u.String(), nil
}

// Dial connects to the server at a URL; see [Endpoint]. ctx bounds the beginning alone.
func Dial(ctx context.Context, at string, o HTTPOptions) (*Client, error) {
	endpoint, err := Endpoint(at)
	if err != nil {
		return nil, err
	}
	c := newClient(o.Options)
	life, end := context.WithCancel(context.Background())
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h := &overHTTP{client: c, url: endpoint, token: o.Token, http: &http.Client{Transport: o.Transport, CheckRedirect: refuse}, life: life, end: end}
	c.carrier = h
	if err := c.begin(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// overHTTP carries messages to a URL.
type overHTTP struct {
	client *Client
	url    string
	token  string
	http   *http.Client
	life   context.Context // of the stream that is listened to
	end    context.CancelFunc

	running sync.WaitGroup
	mu      sync.Mutex
	version string
	session string
	heard   bool // there is a stream that is listened to
}

func (h *overHTTP) agreed(version string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version = version
}

// request makes a request with what all have in common.
func (h *overHTTP) request(ctx context.Context, method string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, h.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("User-Agent", h.client.options.Name+"/"+h.client.options.Version)
	for name, value := range map[string]string{"Mcp-Protocol-Version": h.version, "Mcp-Session-Id": h.session} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if h.token != "" {
		r.Header.Set("Authorization", "Bearer "+h.token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// send posts a frame and takes what comes back, up to the answer.
func (h *overHTTP) send(ctx context.Context, id int64, head header, frame []byte) error {
	r, err := h.request(ctx, http.MethodPost, frame)
	if err != nil {
		return err
	}
	if h.client.modern {
		r.Header.Set("Mcp-Method", head.method)
		if printable(head.name) && head.name != "" {
			r.Header.Set("Mcp-Name", head.name)
		}
	}
	w, err := h.http.Do(r)
	if err != nil {
		return unreachable(err)
	}
	defer w.Body.Close()
	if s := w.Header.Get("Mcp-Session-Id"); s != "" && head.method == "initialize" {
		h.mu.Lock()
		h.session = s
		h.mu.Unlock()
	}
	kind, _, _ := mime.ParseMediaType(w.Header.Get("Content-Type"))
	switch {
	case id == 0 && w.StatusCode < 300:
		return nil
	case kind == "text/event-stream" && w.StatusCode == http.StatusOK:
		return h.follow(ctx, id, w.Body)
	case kind == "application/json":
		return h.document(ctx, id, w)
	default:
		return h.refused(w)
	}
}

// unreachable is an error of package http without the URL that it repeats.
func unreachable(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("reaching %s: %w", u.URL, u.Err)
	}
	return err
}

// printable says whether a text may be a header as it is.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// document takes an answer that is one JSON document.
func (h *overHTTP) document(ctx context.Context, id int64, w *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(w.Body, messageBytesMax+1))
	if err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	if len(body) > messageBytesMax {
		return fmt.Errorf("the server's answer has more than %d bytes", messageBytesMax)
	}
	if w.StatusCode != http.StatusOK {
		var m message
		if json.Unmarshal(body, &m) != nil || m.Error == nil {
			w.Body = io.NopCloser(bytes.NewReader(body))
			return h.refused(w)
		}
		return m.Error
	}
	answered, err := h.client.receive(ctx, bytes.TrimSpace(body))
	if err == nil && !slices.Contains(answered, id) {
		err = errors.New("the server answered something else than what it was asked")
	}
	return err
}

// refused is the error of a status that is none of the protocol's.
func (h *overHTTP) refused(w *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(w.Body, errorBytesMax))
	text := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, string(body)))
	switch {
	case w.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s asks for a token (401 Unauthorized): name its file with --token-file, or set INGOT_TOKEN. %s", h.url, text)
	case w.StatusCode/100 == 3:
		return fmt.Errorf("%s leads on to %.200q: name that URL, if you trust it", h.url, w.Header.Get("Location"))
	case w.StatusCode == http.StatusNotFound && h.sessionID() != "":
		return fmt.Errorf("%s no longer knows the session: %s", h.url, text)
	default:
		return fmt.Errorf("%s answered with %s: is MCP served there over streamable HTTP? %s", h.url, w.Status, text)
	}
}

func (h *overHTTP) sessionID() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session
}

// follow reads a stream of events until the answer to id, and comes back for the rest
// where the stream breaks off before.
func (h *overHTTP) follow(ctx context.Context, id int64, body io.ReadCloser) error {
	last, retry := "", retryDefault
	for fruitless := 0; ; fruitless++ {
		events := newEvents(body)
		some, done, err := h.until(ctx, id, events)
		body.Close()
		if err != nil || done {
			return err
		}
		if some {
			fruitless = 0
			last, retry = events.lastID, min(max(events.retry, 0), retryMax)
		}
		if last == "" || fruitless == resumesMax {
			return errors.New("the server's stream ended before the answer")
		}
		if body, err = h.resume(ctx, last, retry); err != nil {
			return err
		}
	}
}

// until reads a stream up to its end, or with done up to the answer to id. some says
// whether there was an event.
func (h *overHTTP) until(ctx context.Context, id int64, events *events) (some, done bool, err error) {
	for {
		e, err := events.next()
		switch {
		case errors.Is(err, errLongEvent):
			return some, false, err
		case err != nil:
			return some, false, nil // the end, expected or not
		}
		some = true
		if len(e) == 0 {
			continue
		}
		answered, err := h.client.receive(ctx, e)
		if err != nil || slices.Contains(answered, id) {
			return true, err == nil, err
		}
	}
}

// resume opens a stream that broke off, behind the event that came last.
func (h *overHTTP) resume(ctx context.Context, last string, retry time.Duration) (io.ReadCloser, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(retry):
	}
	r, err := h.request(ctx, http.MethodGet, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	w, err := h.http.Do(r)
	if err != nil {
		return nil, unreachable(err)
	}
	if w.StatusCode != http.StatusOK || !strings.HasPrefix(w.Header.Get("Content-Type"), "text/event-stream") {
		defer w.Body.Close()
		return nil, h.refused(w)
	}
	return w.Body, nil
}

// listen opens the session's own stream, once, and keeps it until the client is closed.
func (h *overHTTP) listen(ctx context.Context) error {
	h.mu.Lock()
	heard := h.heard
	h.heard = true
	h.mu.Unlock()
	if heard {
		return nil
	}
	life, end := context.WithCancel(h.life)
	stop := context.AfterFunc(ctx, end) // a server may take its time
	body, err := h.resume(life, "", 0)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		end()
		if body != nil {
			body.Close()
		}
		h.mu.Lock()
		h.heard = false
		h.mu.Unlock()
		return err
	}
	h.running.Go(func() { // ends with close
		defer end()
		if err := h.follow(life, -1, body); err != nil && life.Err() == nil {
			h.client.fail(fmt.Errorf("%w: listening: %w", ErrClosed, err))
		}
	})
	return nil
}

// close ends the session, which the server would otherwise keep for a while.
func (h *overHTTP) close(ctx context.Context) error {
	h.end()
	h.running.Wait()
	defer h.http.CloseIdleConnections()
	if h.sessionID() == "" {
		return nil
	}
	r, err := h.request(ctx, http.MethodDelete, nil)
	if err != nil {
		return err
	}
	w, err := h.http.Do(r)
	if err != nil {
		return unreachable(err)
	}
	return w.Body.Close() // 405 is a server that ends sessions by itself
}
