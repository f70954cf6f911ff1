package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	readyWithin = time.Minute // for a server to answer
	endWithin   = time.Minute // for a server to end that was told to
	logTail     = 4 << 10     // of its output, shown with a fault
	logKept     = 1 << 20     // of its output, looked through: guests flood it
)

// phase counts how often something has gone down and come up: odd is down.
type phase struct{ n atomic.Int64 }

func (p *phase) down() { p.n.Add(1) }
func (p *phase) up()   { p.n.Add(1) }

// excuses says whether what began at a phase may have failed by it.
func (p *phase) excuses(began int64) bool { return began%2 == 1 || p.n.Load() != began }

// site is a server with its file, and what is known of it.
type site struct {
	name   string
	dir    string
	ingot  string
	origin string // http://host:port, the same for each of its processes
	listen string
	state  string // the block state: of its file
	world  *world
	tally  *tally
	ledger *ledger
	leaks  int

	serving phase
	backend phase        // what its state is kept in, where that is another process
	gate    sync.RWMutex // calls hold it for reading; whoever looks at a site at rest for writing

	edited, applied atomic.Int64 // the number that the file has, and one that is known to be served
	broken          int          // broken files so far
	cmd             *exec.Cmd
	ended           chan error
	log             *tail
	served          atomic.Int64 // calls of this process
	warm            *usage       // of this process, once it was taken
}

// newSite makes the folder of a site.
func newSite(w *world, name, state string) (*site, error) {
	dir := filepath.Join(w.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &site{
		name: name, dir: dir, ingot: w.options.ingot, listen: fmt.Sprintf("127.0.0.1:%d", port), origin: fmt.Sprintf("http://127.0.0.1:%d", port),
		state: state, world: w, tally: newTally(), ledger: newLedger(),
	}
	for _, module := range []string{"guest/examples/c-sha256/sha256.wasm", "internal/sandbox/testdata/hostile.wasm"} {
		b, err := os.ReadFile(filepath.Join(w.root, module))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(module)), b, 0o600); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), []byte("a note"), 0o600); err != nil {
		return nil, err
	}
	s.serving.down() // until it is started
	s.edited.Store(1)
	s.applied.Store(1)
	return s, s.writeFile(s.file(1))
}

// freePort is a port that nothing listens on just now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// writeFile puts a forge.yaml into place, whole.
func (s *site) writeFile(text string) error {
	path := filepath.Join(s.dir, "forge.yaml")
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+"~", path)
}

// file is the forge.yaml in which the tool edited answers n.
func (s *site) file(n int64) string {
	return fmt.Sprintf(`forge: {name: soak, version: 1.0.0, transport: http}
state: %s
middleware: [{type: metrics}]
prompts: [{name: greet, template: "hello {{who}}", arguments: {who: {type: string, required: true}}}]
resources:
  - {uri: "file://./note.txt", name: note}
  - {uri: "state:///{+key}", name: entries, state: w/}
tools:
  - {type: native, name: edited, handler: {inline: '%d'}}
  - {type: native, name: put, handler: {path: "state::set"}, params: {key: {type: string, required: true}, value: {type: integer, required: true}}}
  - {type: native, name: get, handler: {path: "state::get"}, params: {key: {type: string, required: true}}}
  - {type: native, name: add, handler: {path: "state::increment"}, params: {key: {type: string, required: true}}}
  - {type: cli, name: print, command: printf, args: ["%%s", "{{text}}"], params: {text: {type: string, required: true}}}
  - {type: http, name: fetch, endpoint: "%[3]s/{{n}}", private: true, timeout: 20s, params: {n: {type: integer, required: true}}}
  - {type: http, name: guarded, endpoint: "%[3]s/{{n}}", private: true, timeout: 20s, params: {n: {type: integer, required: true}}, fallback: {value: {fallback: true}},
     middleware: [{type: recovery, circuit_breaker: {failure_threshold: 3, timeout: 200ms}}]}
  - {type: pipeline, name: flow, params: {n: {type: integer, required: true}}, steps: [{tool: print, input: {text: "n {{n}}"}, output_var: said}, {tool: edited, output_var: number}], output: {said: "{{said}}", number: "{{number}}"}}
  - {type: wasm, module: sha256.wasm}
  - {type: wasm, module: hostile.wasm, timeout: 300ms, capabilities: {limits: {memory: 8MiB, concurrency: 4}}}
`, s.state, n, s.world.peer.url())
}

// start starts a process and waits until it answers.
func (s *site) start(ctx context.Context) error {
	s.log = &tail{}
	s.cmd = exec.Command(s.ingot, "serve", "--config", "forge.yaml", "--listen", s.listen)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr, s.cmd.WaitDelay = s.dir, s.log, s.log, endWithin
	s.cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(s.world.dir, "cache"))
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.ended, s.warm = make(chan error, 1), nil
	s.served.Store(0)
	go func(cmd *exec.Cmd, ended chan<- error) { ended <- cmd.Wait() }(s.cmd, s.ended)
	late := time.After(readyWithin)
	for {
		r, err := http.Get(s.origin + "/status")
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				s.serving.up()
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("%s: the server ended with %v: %s", s.name, err, s.log)
		case <-late:
			return fmt.Errorf("%s: no answer from the server: %s", s.name, s.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stop ends the process by a signal and waits for its end.
func (s *site) stop(with syscall.Signal) error {
	s.serving.down()
	if err := s.cmd.Process.Signal(with); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		if with == syscall.SIGTERM && err != nil {
			s.tally.fault("the server that was told to end says %v: %s", err, s.log)
		}
		return nil
	case <-time.After(endWithin):
		s.tally.fault("the server did not end after %v: %s", with, s.log)
		_ = s.cmd.Process.Kill()
		return fmt.Errorf("%s: the server did not end", s.name)
	}
}

// end stops what may still run.
func (s *site) end() error {
	if s.cmd == nil || s.cmd.Process == nil || s.cmd.ProcessState != nil {
		return nil
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > 2*logKept {
		t.b = bytes.Clone(t.b[len(t.b)-logKept:])
	}
	return len(b), nil
}

// String is the last lines.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b[max(0, len(t.b)-logTail):]))
}

// contains says whether the end has a text.
func (t *tail) contains(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Contains(t.b, []byte(text))
}
