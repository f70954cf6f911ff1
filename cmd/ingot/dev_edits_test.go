package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// edited is a folder with a forge.yaml that is edited all the time.
type edited struct {
	t             *testing.T
	random        *rand.Rand
	dir, peer     string
	wasm          string
	edits         int
	broken        map[string]bool // files that are not as they should be
	value, module atomic.Int64    // what was written last
	more          atomic.Int64
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

// filesSlack is for connections and pipes of what runs just then; what versions that are
// gone leave behind would be a hundred and more.
const filesSlack = 8

// editsCount is how often the project is edited under load.
const editsCount = 200

// under is a project that is edited while two processes serve it, and clients call them.
type under struct {
	*edited
	processes []*devProcess
	session   *wire // of the last one
	clients   []*http.Transport
	calls     []atomic.Int64 // of each client, the session's the last
	stop      atomic.Bool
	load      sync.WaitGroup

	files, kib []int // of each process when it was warm
}

// begin starts the processes and the load.
func (u *under) begin(t *testing.T) {
	const clients = 3
	file := filepath.Join(u.dir, "forge.yaml")
	web := startDev(t, "dev", "--poll", "5ms", "--listen", "127.0.0.1:0", file)
	web.readAddress(t)
	piped := startDev(t, "dev", "--poll", "5ms", file)
	u.processes = []*devProcess{web, piped}
	u.session = piped.overStdio(t)
	u.calls = make([]atomic.Int64, clients+1)
	u.load.Go(func() { u.edited.load(piped, u.session.ask, &u.stop, &u.calls[clients]) })
	for i := range clients {
		transport := &http.Transport{}
		u.clients = append(u.clients, transport)
		u.load.Go(func() {
			u.edited.load(web, web.overHTTP(&http.Client{Transport: transport, Timeout: deadline}), &u.stop, &u.calls[i])
		})
	}
	web.until(t, "the first version", u.served)
}

// served says whether all that was written is answered, or a client has failed.
func (u *under) served() bool {
	for _, p := range u.processes {
		if p.value.floor.Load() < u.value.Load() || p.module.floor.Load() < u.module.Load() || p.more.floor.Load() < u.more.Load() {
			return u.t.Failed()
		}
	}
	return true
}

// edit makes one change, and sometimes waits for what it has to do.
func (u *under) edit(t *testing.T) {
	waits := u.random.IntN(2) == 0
	if u.random.IntN(3) > 0 {
		u.valid()
		if waits {
			u.processes[0].until(t, fmt.Sprintf("edit %d", u.edits), u.served)
		}
		return
	}
	before := make([]int, len(u.processes))
	for i, p := range u.processes {
		before[i] = p.problems()
	}
	u.spoil()
	for i, p := range u.processes {
		if waits {
			p.until(t, fmt.Sprintf("the problem of edit %d", u.edits), func() bool { return t.Failed() || p.problems() > before[i] })
		}
	}
}

// end ends the load, and finds what was lost or left behind.
func (u *under) end(t *testing.T) {
	u.stop.Store(true)
	u.load.Wait()
	for i := range u.calls {
		if n := u.calls[i].Load(); n < editsCount {
			t.Errorf("client %d: %d calls are no load", i, n)
		}
	}
	if text := u.session.failed.Load(); text != nil {
		t.Error(*text)
	}
	if n := u.session.changed.Load(); n == 0 || n > editsCount {
		t.Errorf("the session was told of changed lists %d times", n)
	}
	for _, transport := range u.clients {
		transport.CloseIdleConnections()
	}
	for i, p := range u.processes {
		t.Logf("%d problems; files %d -> %d, KiB %d -> %d", p.problems(), u.files[i], p.openFiles(t), u.kib[i], p.residentKiB(t))
		p.until(t, "closing files", func() bool { return p.openFiles(t) <= u.files[i]+filesSlack })
		if now := p.residentKiB(t); now > u.kib[i]+64<<10 {
			t.Errorf("%d KiB are resident, %d were after a quarter of the edits", now, u.kib[i])
		}
	}
	web, piped := u.processes[0], u.processes[1]
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

// TestDevSurvivesEdits edits a project 200 times while clients call its tools, over HTTP
// and over stdio: no call is lost, each answer is that of a version that may be, and
// nothing is left behind by the versions that are gone.
func TestDevSurvivesEdits(t *testing.T) {
	if testing.Short() {
		t.Skip("200 edits under load take half a minute")
	}
	u := &under{edited: newEdited(t)}
	defer u.load.Wait()
	defer u.stop.Store(true)
	u.begin(t)
	for u.edits = 1; u.edits <= editsCount && !t.Failed(); u.edits++ {
		u.edit(t)
		if u.edits == editsCount/4 { // warm by now
			for _, p := range u.processes {
				u.files, u.kib = append(u.files, p.openFiles(t)), append(u.kib, p.residentKiB(t))
			}
		}
	}
	if t.Failed() {
		return
	}
	u.value.Add(1)
	u.broken["forge.yaml"] = true
	u.heal()
	u.processes[0].until(t, "the last version", u.served)
	u.end(t)
}
