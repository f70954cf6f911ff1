package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
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

// proc reads a number of the process's own: open files, or resident KiB.
func (p *devProcess) openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

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

// edited is a folder with a forge.yaml that is edited all the time.
type edited struct {
	t              *testing.T
	random         *rand.Rand
	dir, peer      string
	wasm           string
	edits          int
	broken         map[string]bool // files that are not as they should be
	value, module  atomic.Int64    // what was written last
	more           atomic.Int64
	sometimesEvery int64
}

// sometimes says whether the tool of that name is there in a version.
func sometimes(version int64) bool { return version%3 == 0 }

// main is the file: a flow mapping, so that nothing shorter is valid.
func (e *edited) main() string {
	v := e.value.Load()
	extra := ""
	if sometimes(v) {
		extra = fmt.Sprintf("\n  {type: native, name: sometimes, handler: {inline: '%d'}},", v)
	}
	return fmt.Sprintf(`# edit %d
{forge: {name: edited, version: 1.0.0}, include: [more.yaml],
 middleware: [{type: metrics}, {type: recovery, error_tracking: {}}],
 prompts: [{name: greet, template: '%[2]d'}],
 tools: [
  {type: native, name: value, handler: {inline: '%[2]d'}, timeout: %[2]ds},
  {type: cli, name: print, command: printf, args: ['%[2]d']},
  {type: http, name: fetch, endpoint: '%[3]s/%[2]d', private: true},
  {type: pipeline, name: flow, steps: [{tool: value}]},%[4]s
  {type: wasm, module: tool.wasm},
 ]}
`, e.edits, v, e.peer, extra)
}

func (e *edited) included() string {
	return fmt.Sprintf("{tools: [{type: native, name: more, handler: {inline: '%d'}}]}\n", e.more.Load())
}

func (e *edited) built() string {
	return strings.ReplaceAll(e.wasm, `"sha-256"`, fmt.Sprintf(`"sha-%03d"`, e.module.Load()))
}

// put writes a file as one of several editors does.
func (e *edited) put(name, text string) {
	path := filepath.Join(e.dir, name)
	var err error
	switch e.random.IntN(4) {
	case 0: // in place
		err = os.WriteFile(path, []byte(text), 0o600)
	case 1: // in place and in parts
		var f *os.File
		if f, err = os.Create(path); err == nil {
			at := e.random.IntN(len(text))
			_, err = f.WriteString(text[:at])
			runtime.Gosched()
			if err == nil {
				_, err = f.WriteString(text[at:])
			}
			_ = f.Close()
		}
	case 2: // a file of another name is put into its place, which is empty for a moment
		_ = os.Remove(path)
		fallthrough
	default:
		if err = os.WriteFile(path+"~", []byte(text), 0o600); err == nil {
			err = os.Rename(path+"~", path)
		}
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// heal makes all files valid.
func (e *edited) heal() {
	for name, text := range map[string]func() string{"more.yaml": e.included, "tool.wasm": e.built, "forge.yaml": e.main} {
		if e.broken[name] {
			e.put(name, text())
		}
	}
	clear(e.broken)
}

// valid makes a change that can be served.
func (e *edited) valid() {
	switch e.random.IntN(4) {
	case 0:
		e.module.Add(1)
		e.put("tool.wasm", e.built())
		delete(e.broken, "tool.wasm")
	case 1:
		e.more.Add(1)
		e.put("more.yaml", e.included())
		delete(e.broken, "more.yaml")
	default:
		e.value.Add(1)
		e.put("forge.yaml", e.main())
		delete(e.broken, "forge.yaml")
	}
	e.heal()
}

// spoil makes a change that cannot be served.
func (e *edited) spoil() {
	text := e.main()
	switch e.random.IntN(6) {
	case 0:
		first := strings.IndexByte(text, '{') + 1
		text = text[:first+e.random.IntN(len(text)-first-2)]
	case 1:
		text = strings.Replace(text, "handler:", "handlr:", 1)
	case 2:
		text = strings.Replace(text, "[{tool: value}]", "[{tool: nobody}]", 1)
	case 3:
		text = strings.Replace(text, "command: printf", "command: no-such-program-here", 1)
	case 4:
		if !e.broken["more.yaml"] {
			if err := os.Remove(filepath.Join(e.dir, "more.yaml")); err != nil {
				e.t.Fatal(err)
			}
			e.broken["more.yaml"] = true
			return
		}
		text = strings.Replace(text, "more.yaml", "mroe.yaml", 1)
	default:
		e.put("tool.wasm", fmt.Sprintf("no module %d", e.edits))
		e.broken["tool.wasm"] = true
		return
	}
	e.put("forge.yaml", text)
	e.broken["forge.yaml"] = true
}

// load asks all the time until stop, and reports what was not answered as it must be.
func (e *edited) load(p *devProcess, ask asker, stop *atomic.Bool, calls *atomic.Int64) {
	text := func(tool string) func() (int64, error) {
		return func() (int64, error) {
			result, problem, err := ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":{}}`, tool))
			return version(result, problem, err, `"text":"/?(\d+)"`)
		}
	}
	kinds := []func() error{
		func() error { return p.value.check(&e.value, text("value")) },
		func() error { return p.value.check(&e.value, text("flow")) },
		func() error { return p.value.check(&e.value, text("fetch")) },
		func() error { return p.more.check(&e.more, text("more")) },
		func() error {
			return p.module.check(&e.module, func() (int64, error) {
				result, problem, err := ask("tools/call", `{"name":"sha256","arguments":{"text":"abc"}}`)
				return version(result, problem, err, `sha-(\d+)`)
			})
		},
		func() error {
			return p.value.check(&e.value, func() (int64, error) {
				result, problem, err := ask("prompts/get", `{"name":"greet"}`)
				return version(result, problem, err, `"text":"(\d+)"`)
			})
		},
		func() error { return e.askSometimes(p, ask) },
		func() error { return p.value.check(&e.value, text("print")) },
	}
	for i := 0; !stop.Load(); i++ {
		if err := kinds[i%len(kinds)](); err != nil {
			e.t.Errorf("call %d: %v", i, err)
			return
		}
		calls.Add(1)
	}
}

// askSometimes calls the tool that is not there in each version.
func (e *edited) askSometimes(p *devProcess, ask asker) error {
	least := p.value.floor.Load()
	unknown := false
	err := p.value.check(&e.value, func() (int64, error) {
		result, problem, err := ask("tools/call", `{"name":"sometimes","arguments":{}}`)
		if strings.Contains(string(problem), "Unknown tool: sometimes") {
			unknown = true
			return least, nil
		}
		return version(result, problem, err, `"text":"(\d+)"`)
	})
	if err == nil && unknown && least == e.value.Load() && sometimes(least) {
		return fmt.Errorf("the tool of version %d was not known", least)
	}
	return err
}

// version is the number in an answer.
func version(result, problem json.RawMessage, err error, pattern string) (int64, error) {
	m := regexp.MustCompile(pattern).FindSubmatch(result)
	if err != nil || problem != nil || m == nil {
		return 0, fmt.Errorf("answered %s %s: %v", result, problem, err)
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}

func newEdited(t *testing.T) *edited {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("INGOT_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("INGOT_TEST_SEED: %v", err)
		}
	}
	t.Logf("INGOT_TEST_SEED=%d", seed)
	module, err := os.ReadFile("../../guest/examples/c-sha256/sha256.wasm")
	if err != nil {
		t.Fatal(err)
	}
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, r.URL.Path)
	}))
	t.Cleanup(peer.Close)
	if err := buildBinaries(); err != nil { // with the cache that there is
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	e := &edited{t: t, random: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir(), peer: peer.URL, wasm: string(module), broken: map[string]bool{}}
	for _, n := range []*atomic.Int64{&e.value, &e.module, &e.more} {
		n.Store(100)
	}
	e.broken = map[string]bool{"forge.yaml": true, "more.yaml": true, "tool.wasm": true}
	e.heal()
	return e
}

// TestDevSurvivesEdits edits a project 200 times while clients call its tools, over HTTP
// and over stdio: no call is lost, each answer is that of a version that may be, and
// nothing is left behind by the versions that are gone.
func TestDevSurvivesEdits(t *testing.T) {
	if testing.Short() {
		t.Skip("200 edits under load take half a minute")
	}
	const edits, clients = 200, 3
	e := newEdited(t)
	file := filepath.Join(e.dir, "forge.yaml")
	web := startDev(t, "dev", "--poll", "5ms", "--listen", "127.0.0.1:0", file)
	web.readAddress(t)
	piped := startDev(t, "dev", "--poll", "5ms", file)
	both := []*devProcess{web, piped}

	var stop atomic.Bool
	var calls [clients + 1]atomic.Int64
	var load sync.WaitGroup
	session := piped.overStdio(t)
	load.Go(func() { e.load(piped, session.ask, &stop, &calls[clients]) })
	var transports []*http.Transport
	for i := range clients {
		transport := &http.Transport{}
		transports = append(transports, transport)
		load.Go(func() {
			e.load(web, web.overHTTP(&http.Client{Transport: transport, Timeout: deadline}), &stop, &calls[i])
		})
	}
	defer load.Wait()
	defer stop.Store(true)

	served := func() bool {
		for _, p := range both {
			if p.value.floor.Load() < e.value.Load() || p.module.floor.Load() < e.module.Load() || p.more.floor.Load() < e.more.Load() {
				return t.Failed()
			}
		}
		return true
	}
	web.until(t, "the first version", served)
	var files, kib [2]int
	for e.edits = 1; e.edits <= edits && !t.Failed(); e.edits++ {
		if e.random.IntN(3) == 0 {
			before := []int{web.problems(), piped.problems()}
			e.spoil()
			if e.random.IntN(2) == 0 {
				for i, p := range both {
					p.until(t, fmt.Sprintf("the problem of edit %d", e.edits), func() bool { return t.Failed() || p.problems() > before[i] })
				}
			}
			continue
		}
		e.valid()
		if e.random.IntN(2) == 0 {
			web.until(t, fmt.Sprintf("edit %d", e.edits), served)
		}
		if e.edits/50 == 1 && kib[0] == 0 { // warm by now
			for i, p := range both {
				files[i], kib[i] = p.openFiles(t), p.residentKiB(t)
			}
		}
	}
	e.value.Add(1)
	e.broken["forge.yaml"] = true
	e.heal()
	web.until(t, "the last version", served)
	stop.Store(true)
	load.Wait()
	for i := range calls {
		t.Logf("client %d: %d calls", i, calls[i].Load())
		if calls[i].Load() < edits {
			t.Errorf("client %d: %d calls are no load", i, calls[i].Load())
		}
	}
	if text := session.failed.Load(); text != nil {
		t.Error(*text)
	}
	if n := session.changed.Load(); n == 0 || n > edits {
		t.Errorf("the session was told of changed lists %d times", n)
	}
	for _, transport := range transports {
		transport.CloseIdleConnections()
	}
	for i, p := range both {
		t.Logf("%d problems; files %d -> %d, KiB %d -> %d", p.problems(), files[i], p.openFiles(t), kib[i], p.residentKiB(t))
		p.until(t, "closing files", func() bool { return p.openFiles(t) <= files[i] })
		if now := p.residentKiB(t); now > kib[i]+64<<10 {
			t.Errorf("%d KiB are resident, %d were after 50 edits", now, kib[i])
		}
	}
	if err := piped.stdin.Close(); err != nil {
		t.Error(err)
	}
	<-piped.ended
	if err := piped.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, piped.stderr)
	}
	if n := web.goroutines(t); n > 40 {
		t.Errorf("%d goroutines are left: %s", n, web.stderr)
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

// textOf is the text that a tool answers now.
func textOf(t *testing.T, w *wire, tool string) string {
	t.Helper()
	result, problem, err := w.ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":{}}`, tool))
	if err != nil {
		t.Fatal(err)
	}
	return string(result) + string(problem)
}

// replaceFile renames a file into place.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

// devProject is forgeProject for the built binary, which is built with the caches that
// there are.
func devProject(t *testing.T, text string) string {
	t.Helper()
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	return forgeProject(t, text)
}

// What changed is shown on stderr, without colours where that is no terminal, and so is
// each problem with its place.
func TestDevShowsWhatChanged(t *testing.T) {
	const text = "forge: {name: shown}\ntools:\n- {type: native, name: weather, handler: {inline: '1'}, timeout: 5s}\n- {type: native, name: old, handler: 'ingot::echo'}\n"
	file := devProject(t, text)
	p := startDev(t, "dev", "--poll", "5ms", file)
	w := p.overStdio(t)
	if got := textOf(t, w, "weather"); !strings.Contains(got, `"text":"1"`) {
		t.Fatal(got)
	}
	if log := p.stderr.String(); !strings.HasPrefix(log, "following "+file+"\n") {
		t.Errorf("at the start: %s", log)
	}
	shows := func(want string) {
		t.Helper()
		p.until(t, want, func() bool { return strings.Contains(p.stderr.String(), want) })
	}
	replaceFile(t, file, strings.NewReplacer("5s}", "10s, params: {city: {type: string}}}", "old", "new", "'1'", "'2'").Replace(text))
	shows("3 changes served\n  - tool old\n  ~ tool weather: handler.inline 1 -> 2, timeout 5s -> 10s, param city added\n  + tool new\n")
	if got := textOf(t, w, "weather"); !strings.Contains(got, `"text":"2"`) {
		t.Error(got)
	}
	replaceFile(t, file, strings.Replace(text, "timeout", "timeuot", 1))
	shows(fmt.Sprintf("1 problem; what served before goes on\n  %s:3:57: ", file))
	shows(`did you mean "timeout"?`)
	if got := textOf(t, w, "weather"); !strings.Contains(got, `"text":"2"`) {
		t.Error(got)
	}
	replaceFile(t, file, "state: {ttl: 1h}\n"+text)
	shows("  ! state.ttl takes effect at the next start\n")
	if log := p.stderr.String(); strings.Contains(log, "\x1b") {
		t.Errorf("colours on what is no terminal: %q", log)
	}
	if err := p.stdin.Close(); err != nil {
		t.Error(err)
	}
	<-p.ended
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// A file that cannot be served at the start is said to be so, and nothing starts.
func TestDevRefuses(t *testing.T) {
	bad := forgeProject(t, "forge: {name: a}\ntools: [{type: native, name: a, handlr: x}]")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{1, bad + ":2:33: ", []string{bad}},
		{1, "no such file", []string{bad + "x"}},
		{2, "--poll is at least 5ms", []string{"--poll", "1ms", forgeProject(t, forgeFile)}},
		{2, "--auth-disabled is about HTTP", []string{"--auth-disabled", forgeProject(t, forgeFile)}},
		{2, `there is no tool "nobody"`, []string{"--listen", "127.0.0.1:0", "--oauth-issuer", "https://login.example", "--oauth-audience", "https://mcp.example", "--oauth-tool-scope", "nobody=x", forgeProject(t, forgeFile)}},
	} {
		if code, stdout, stderr := runWith(t, append([]string{"dev"}, c.args...)...); code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit %d, stdout %q, stderr %q; want %d, %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
	if code, stdout, _ := runWith(t, "dev", "--help"); code != 0 || !strings.Contains(stdout, "ingot dev --listen 127.0.0.1:7070") {
		t.Errorf("--help: exit %d: %s", code, stdout)
	}
}

// SIGHUP has ingot serve read its file again; without one it does not.
func TestServeReloadsAtHangup(t *testing.T) {
	const text = "forge: {name: hup}\ntools: [{type: native, name: value, handler: {inline: '1'}}]\n"
	file := devProject(t, text)
	p := startDev(t, "serve", "--config", file)
	w := p.overStdio(t)
	replaceFile(t, file, strings.Replace(text, "'1'", "'2'", 1))
	if got := textOf(t, w, "value"); !strings.Contains(got, `"text":"1"`) {
		t.Error(got)
	}
	hangUp := func(want string) {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.until(t, want, func() bool { return strings.Contains(p.stderr.String(), want) })
	}
	hangUp("~ tool value: handler.inline 1 -> 2")
	if got := textOf(t, w, "value"); !strings.Contains(got, `"text":"2"`) {
		t.Error(got)
	}
	hangUp("the file says what it said before")
	replaceFile(t, file, text+"x: 1\n")
	hangUp(file + ":3:1: ")
	if got := textOf(t, w, "value"); !strings.Contains(got, `"text":"2"`) {
		t.Error(got)
	}
	if err := p.stdin.Close(); err != nil {
		t.Error(err)
	}
	<-p.ended
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
