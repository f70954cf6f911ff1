package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// devProcess is a running ingot dev, or ingot serve.
type devProcess struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr *lockedBuffer
	origin string // of HTTP
	ended  chan struct{}

	// value and module are the versions that were answered, more those of the
	// included file.
	value, module, more track
}

// track is which versions of something may be answered: none that is older than one
// that was answered before, and none that was not written.
type track struct{ floor atomic.Int64 }

// check makes a call and holds the version that it answers against what may be.
func (k *track) check(written *atomic.Int64, call func() (int64, error)) error {
	least := k.floor.Load()
	got, err := call()
	most := written.Load()
	switch {
	case err != nil:
		return err
	case got < least || got > most:
		return fmt.Errorf("version %d was answered, while %d to %d may be", got, least, most)
	}
	for was := k.floor.Load(); was < got && !k.floor.CompareAndSwap(was, got); was = k.floor.Load() {
	}
	return nil
}

// startDev starts the built binary.
func startDev(t *testing.T, args ...string) *devProcess {
	t.Helper()
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	p := &devProcess{cmd: exec.Command(filepath.Join(binariesDir, "ingot"), args...), stderr: new(lockedBuffer), ended: make(chan struct{})}
	p.cmd.Stderr = p.stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.stdin, p.stdout = stdin, bufio.NewReader(stdout)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	return p
}

var addressLine = regexp.MustCompile(`MCP +(https?://\S+:\d+)/`)

// readAddress reads up to the address that it serves at.
func (p *devProcess) readAddress(t *testing.T) {
	t.Helper()
	for p.origin == "" {
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			t.Fatalf("stdout ended with %v: %s", err, p.stderr)
		}
		if m := addressLine.FindStringSubmatch(line); m != nil {
			p.origin = m[1]
		}
	}
}

// problems is how often it said that what served before goes on.
func (p *devProcess) problems() int {
	return strings.Count(p.stderr.String(), "what served before goes on")
}

// until waits until done.
func (p *devProcess) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			log := p.stderr.String()
			t.Fatalf("%s: it did not happen; stderr ends with %s", what, log[max(0, len(log)-3000):])
		}
	}
}

// openFiles is how many files the process has open.
func (p *devProcess) openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// residentKiB is the memory that it has.
func (p *devProcess) residentKiB(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	kib, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

// asker sends a request and returns the members result and error of its one answer.
type asker func(method, params string) (result, problem json.RawMessage, err error)

// overHTTP asks by requests of their own.
func (p *devProcess) overHTTP(client *http.Client) asker {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	return func(method, params string) (json.RawMessage, json.RawMessage, error) {
		var named struct{ Name string }
		if err := json.Unmarshal([]byte(params), &named); err != nil {
			return nil, nil, err
		}
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s,%s}}`, method, strings.TrimSuffix(params, "}"), meta)
		r, err := http.NewRequest("POST", p.origin+"/mcp", strings.NewReader(body))
		if err != nil {
			return nil, nil, err
		}
		for name, value := range map[string]string{
			"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
			"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, "Mcp-Name": named.Name,
		} {
			r.Header.Set(name, value)
		}
		w, err := client.Do(r)
		if err != nil {
			return nil, nil, err
		}
		defer w.Body.Close()
		var answer struct{ Result, Error json.RawMessage }
		if err := json.NewDecoder(w.Body).Decode(&answer); err != nil {
			return nil, nil, fmt.Errorf("status %d: %w", w.StatusCode, err)
		}
		return answer.Result, answer.Error, nil
	}
}

// wire is a session over stdio: each request has to be answered once.
type wire struct {
	process *devProcess
	mu      sync.Mutex
	next    int
	waiting map[int]chan [2]json.RawMessage
	changed atomic.Int64 // how often it was told of a changed list
	failed  atomic.Pointer[string]
}

func (p *devProcess) overStdio(t *testing.T) *wire {
	t.Helper()
	w := &wire{process: p, waiting: map[int]chan [2]json.RawMessage{}}
	go func() {
		defer close(p.ended)
		for {
			line, err := p.stdout.ReadBytes('\n')
			if err != nil {
				return
			}
			w.read(line)
		}
	}()
	if _, problem, err := w.ask("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`); err != nil || problem != nil {
		t.Fatalf("initialize: %s %v", problem, err)
	}
	fmt.Fprintln(p.stdin, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return w
}

func (w *wire) read(line []byte) {
	var m struct {
		ID            *int
		Method        string
		Result, Error json.RawMessage
	}
	if err := json.Unmarshal(line, &m); err != nil {
		text := fmt.Sprintf("%v: %s", err, line)
		w.failed.Store(&text)
		return
	}
	if m.ID == nil {
		if strings.HasSuffix(m.Method, "/list_changed") {
			w.changed.Add(1)
		}
		return
	}
	w.mu.Lock()
	answer := w.waiting[*m.ID]
	delete(w.waiting, *m.ID)
	w.mu.Unlock()
	if answer == nil {
		text := fmt.Sprintf("nobody waits for %s", line)
		w.failed.Store(&text)
		return
	}
	answer <- [2]json.RawMessage{m.Result, m.Error}
}

func (w *wire) ask(method, params string) (json.RawMessage, json.RawMessage, error) {
	answer := make(chan [2]json.RawMessage, 1)
	w.mu.Lock()
	w.next++
	w.waiting[w.next] = answer
	_, err := fmt.Fprintf(w.process.stdin, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", w.next, method, params)
	w.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	select {
	case a := <-answer:
		return a[0], a[1], nil
	case <-w.process.ended:
		return nil, nil, fmt.Errorf("the process ended")
	case <-time.After(deadline):
		return nil, nil, fmt.Errorf("%s %s was not answered", method, params)
	}
}

// goroutines ends a process and returns how many goroutines it had.
func (p *devProcess) goroutines(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, p.stdout)
	_ = p.cmd.Wait() // it says that it was quit
	return strings.Count("\n"+p.stderr.String(), "\ngoroutine ")
}
