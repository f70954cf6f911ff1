package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const protocolVersion = "2026-07-28"

// callers is how many calls are under way at once.
const callers = 16

// load calls servers.
type load struct {
	http *http.Client
	urls []string
	next atomic.Int64
}

func newLoad(servers ...*process) *load {
	l := &load{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, Timeout: time.Minute}}
	for _, p := range servers {
		l.urls = append(l.urls, p.origin+"/mcp")
	}
	return l
}

// body is a call of a tool.
func body(tool string, args any) ([]byte, error) {
	return json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{
		"name": tool, "arguments": args,
		"_meta": map[string]any{"io.modelcontextprotocol/protocolVersion": protocolVersion, "io.modelcontextprotocol/clientCapabilities": struct{}{}},
	}})
}

// request is a request of the modern era.
func request(ctx context.Context, url, method, name string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for header, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"MCP-Protocol-Version": protocolVersion, "Mcp-Method": method, "Mcp-Name": name,
	} {
		if value != "" {
			r.Header.Set(header, value)
		}
	}
	return r, nil
}

// call calls a tool of the next server, and fails where the tool does.
func (l *load) call(tool string, args any) error {
	b, err := body(tool, args)
	if err != nil {
		return err
	}
	url := l.urls[int(l.next.Add(1))%len(l.urls)]
	r, err := request(context.Background(), url, "tools/call", tool, b)
	if err != nil {
		return err
	}
	w, err := l.http.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	raw, err := io.ReadAll(w.Body)
	if err != nil {
		return err
	}
	if w.StatusCode != http.StatusOK || !bytes.Contains(raw, []byte(`"result"`)) || bytes.Contains(raw, []byte(`"isError":true`)) {
		return fmt.Errorf("%s answers %d: %.400s", tool, w.StatusCode, raw)
	}
	return nil
}

// phase makes calls for a time, callers at once, and returns how many. n counts them.
func (l *load) phase(length time.Duration, one func(n int64) error) (int64, error) {
	var n atomic.Int64
	var failure atomic.Pointer[error]
	var running sync.WaitGroup
	end := time.Now().Add(length)
	for range callers {
		running.Go(func() {
			for time.Now().Before(end) && failure.Load() == nil {
				if err := one(n.Add(1)); err != nil {
					failure.Store(&err)
				}
			}
		})
	}
	running.Wait()
	if err := failure.Load(); err != nil {
		return 0, *err
	}
	return n.Load(), nil
}

// cost is what one call takes of the processor, in microseconds.
type cost struct{ server, redis, client, perSecond float64 }

// measured runs a phase and returns what its calls cost each.
func (l *load) measured(length time.Duration, servers []*process, redis *process, one func(n int64) error) (cost, error) {
	if _, err := l.phase(length/4, one); err != nil { // until it is warm
		return cost{}, err
	}
	count := func(processes ...*process) (sum float64, err error) {
		for _, p := range processes {
			s, err := p.seconds()
			if err != nil {
				return 0, err
			}
			sum += s
		}
		return sum, nil
	}
	var kept []*process
	if redis != nil {
		kept = []*process{redis}
	}
	began := time.Now()
	server, err := count(servers...)
	if err != nil {
		return cost{}, err
	}
	state, err := count(kept...)
	if err != nil {
		return cost{}, err
	}
	client := own()
	n, err := l.phase(length, one)
	if err != nil {
		return cost{}, err
	}
	client = own() - client
	took := time.Since(began).Seconds()
	serverEnd, err := count(servers...)
	if err != nil {
		return cost{}, err
	}
	stateEnd, err := count(kept...)
	per := 1e6 / float64(n)
	return cost{server: (serverEnd - server) * per, redis: (stateEnd - state) * per, client: client * per, perSecond: float64(n) / took}, err
}

// session begins a session of the legacy era, and leaves it open.
func (l *load) session() error {
	const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"scale","version":"1"}}}`
	r, err := http.NewRequest(http.MethodPost, l.urls[0], strings.NewReader(hello))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	w, err := l.http.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	if _, err := io.Copy(io.Discard, w.Body); err != nil {
		return err
	}
	if w.Header.Get("Mcp-Session-Id") == "" {
		return fmt.Errorf("status %d, and no session", w.StatusCode)
	}
	return nil
}

// listen listens to a resource until ctx ends; heard counts its events. It returns once
// the server listens.
func (l *load) listen(ctx context.Context, uri string, heard *atomic.Int64) error {
	b, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": map[string]any{
		"notifications": map[string]any{"resourceSubscriptions": []string{uri}},
		"_meta":         map[string]any{"io.modelcontextprotocol/protocolVersion": protocolVersion, "io.modelcontextprotocol/clientCapabilities": struct{}{}},
	}})
	if err != nil {
		return err
	}
	r, err := request(ctx, l.urls[0], "subscriptions/listen", "", b)
	if err != nil {
		return err
	}
	w, err := (&http.Client{Transport: l.http.Transport}).Do(r) // without a bound in time
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(w.Body)
	for lines.Scan() { // the first event says that it listens
		if strings.HasPrefix(lines.Text(), "data:") {
			if !strings.Contains(lines.Text(), "acknowledged") {
				return fmt.Errorf("listening is answered with %.300s", lines.Text())
			}
			break
		}
	}
	go func() {
		defer w.Body.Close()
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data:") {
				heard.Add(1)
			}
		}
	}()
	return nil
}
