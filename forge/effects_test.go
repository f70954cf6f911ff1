package forge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/yamlfile"
)

// effect is what some keys of a file do. It is seen twice: as the file says, and once
// more for each of the keys with that key read over, which then must not be seen.
type effect struct {
	// file is the YAML; forge: {name: demo} is put in front if it has none. ORIGIN is
	// the server of peer and PORT its port, DIR the file's folder.
	file string
	// see does something with the server and says what came of it.
	see func(w *world) string
	// shows has for each key (as table.key) a text that see says because of it.
	shows map[string]string
	// without replaces a piece of the file, for keys that are read before their table:
	// the kinds of tools and middleware. The piece stands in for reading the key over.
	without map[string]string
	// unopened has see called too where the file could not be opened.
	unopened bool
}

// The times that something may take. With the effect gone, nothing comes, and the wait
// is in vain: it is short, and a machine that is too slow for it makes no test fail.
const (
	patience = 20 * time.Second
	inVain   = 300 * time.Millisecond
)

// blanked are the keys that are read over, by the folder of the file.
var blanked sync.Map

func init() {
	yamlfile.Blank = func(file, object, key string) bool {
		wanted, ok := blanked.Load(filepath.Dir(file))
		return ok && wanted == object+"."+key
	}
}

// objects are the tables that another package reads, by their names there.
var objects = map[string]string{
	"wasm_tool": "a wasm tool", "capabilities": "capabilities", "limits": "limits",
	"state_grant": "a state grant", "file_grant": "a file grant", "http_grant": "an http grant",
}

// inReader is the key as its reader calls it.
func inReader(key string) string {
	table, name, _ := strings.Cut(key, ".")
	if object, ok := objects[table]; ok {
		return object + "." + name
	}
	return key
}

// schemaKeys are all keys of the generated schema, as table.key.
func schemaKeys(t *testing.T) (keys []string) {
	t.Helper()
	type object struct{ Properties map[string]any }
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(config.EditorSchema(), &schema))
	schema.Defs["file"] = schema.object
	for table, o := range schema.Defs {
		for key := range o.Properties {
			keys = append(keys, table+"."+key)
		}
	}
	require.Greater(t, len(keys), 300)
	slices.Sort(keys)
	return keys
}

// exempt are keys that have no effect of their own, with the reason.
var exempt = map[string]string{}

// effects are all of them.
func effects() []effect {
	return slices.Concat(toolEffects(), nativeEffects(), cliEffects(), httpEffects(), pipelineEffects(), wasmEffects(),
		paramEffects(), middlewareEffects(), resilienceEffects(), blockEffects(), stateEffects(), telemetryEffects(), accessEffects())
}

// Each key of the schema has a test that fails when its effect is gone.
func TestEveryKeyHasAnEffect(t *testing.T) {
	shown := map[string]bool{}
	for _, e := range effects() {
		for key := range e.shows {
			shown[key] = true
		}
	}
	for _, key := range schemaKeys(t) {
		if !shown[key] && exempt[key] == "" {
			t.Errorf("the key %s has no test of its effect", key)
		}
		delete(shown, key)
	}
	for key := range shown {
		t.Errorf("%s is tested, and is no key of the schema", key)
	}
}

// What the tests of keys say holds, and holds no longer when the key is read over.
func TestEffects(t *testing.T) {
	t.Setenv("INGOT_EFFECT", "from-outside")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var running sync.WaitGroup
	slots := make(chan struct{}, 12) // most of the time is waiting
	run := func(f func()) {
		slots <- struct{}{}
		running.Go(func() { defer func() { <-slots }(); f() })
	}
	for i, e := range effects() {
		run(func() { checkShows(t, fmt.Sprintf("e%d", i), e) })
		n := 0
		for key, shown := range e.shows {
			n++
			name := fmt.Sprintf("e%d.%d", i, n)
			run(func() { checkGone(t, name, e, key, shown) })
		}
	}
	running.Wait()
}

// checkShows looks up to three times: some effects are of timeouts of milliseconds, in
// which a busy machine may get to nothing. What is gone shows itself in no world.
func checkShows(t *testing.T, name string, e effect) {
	seen := ""
	shows := func() bool {
		for _, shown := range e.shows {
			if !strings.Contains(seen, shown) {
				return false
			}
		}
		return true
	}
	for try := 0; try < 3 && (try == 0 || !shows()); try++ {
		seen = newWorld(t, fmt.Sprintf("%s.try%d", name, try), e.file, "", patience).look(e)
	}
	for key, shown := range e.shows {
		if !strings.Contains(seen, shown) {
			t.Errorf("%s does not show %s: it shows\n%s\nof\n%s", key, shown, seen, e.file)
		}
	}
}

// checkGone looks up to three times, and longer each time: where nothing comes in time
// because the machine is busy, that may read as what was to be gone. What an effect shows
// it shows each time.
func checkGone(t *testing.T, name string, e effect, key, shown string) {
	file, blank := e.file, inReader(key)
	if piece, ok := e.without[key]; ok {
		if strings.Count(file, piece) != 1 {
			t.Errorf("%s: %q stands %d times in\n%s", key, piece, strings.Count(file, piece), file)
			return
		}
		file, blank = strings.Replace(file, piece, "", 1), ""
	}
	seen := shown
	for try := 0; try < 3 && strings.Contains(seen, shown); try++ {
		seen = newWorld(t, fmt.Sprintf("%s.try%d", name, try), file, blank, inVain<<try).look(e)
	}
	if strings.Contains(seen, shown) {
		t.Errorf("with %s read over, %s is still shown:\n%s\nof\n%s", key, shown, seen, e.file)
	}
}

// world is a server of one file.
type world struct {
	ctx      context.Context
	dir      string
	patience time.Duration
	peer     *peer
	redis    *fakeRedis // nil where the file names no REDIS
	log      lockedLog
	project  *forge.Project
	err      error // of opening the file
}

func newWorld(t *testing.T, name, file, blank string, patience time.Duration) *world {
	w := &world{ctx: t.Context(), dir: filepath.Join(t.TempDir(), name), patience: patience, peer: newPeer()}
	if !strings.Contains(file, "forge:") {
		file = "forge: {name: demo}\n" + file
	}
	_, port, _ := strings.Cut(w.peer.Listener.Addr().String(), ":")
	if strings.Contains(file, "REDIS") {
		var err error
		if w.redis, err = newFakeRedis(); err != nil {
			t.Error(err)
			w.err = err
			return w
		}
		file = strings.ReplaceAll(file, "REDIS", w.redis.listener.Addr().String())
	}
	file = strings.NewReplacer("ORIGIN", w.peer.URL, "PORT", port, "DIR", w.dir).Replace(file)
	main := w.path("forge.yaml")
	if err := errorOf(os.MkdirAll(w.path("sub"), 0o700), os.WriteFile(main, []byte(file), 0o600),
		os.WriteFile(w.path("sub/note.txt"), []byte("a note"), 0o600), os.WriteFile(w.path("sub/.hidden"), []byte("a hidden note"), 0o600),
		sign(w.dir), os.WriteFile(w.path("more.yaml"), []byte("tools: [{type: native, name: included, handler: 'ingot::echo'}]"), 0o600)); err != nil {
		t.Error(err)
	}
	if blank != "" {
		blanked.Store(w.dir, blank)
	}
	w.open()
	return w
}

func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// open opens the file. Without a key that it has to have, a reader may break: it could
// not happen otherwise.
func (w *world) open() {
	defer func() {
		if p := recover(); p != nil {
			w.err = fmt.Errorf("panic: %v", p)
		}
	}()
	logger := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var p *forge.Project
	if p, w.err = forge.Open(w.ctx, w.path("forge.yaml"), forge.Options{Logger: logger}); w.err == nil {
		w.project = p
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// look says what the effect's see says, or why there is no server, and ends the world.
func (w *world) look(e effect) (seen string) {
	defer w.peer.Close()
	if w.redis != nil {
		defer w.redis.Close()
	}
	if w.err != nil && e.unopened {
		return e.see(w)
	}
	if w.err != nil {
		return "not opened: " + strings.ReplaceAll(w.err.Error(), w.dir, "") // whose number may hold what is shown
	}
	defer func() {
		if err := w.project.Close(); err != nil {
			seen += "closing: " + err.Error()
		}
	}()
	return e.see(w)
}

// request asks the server in a connection of its own, and returns all that it says: its
// notifications, then the answer. It gives up when the world's patience ends.
func (w *world) request(method, params string) string {
	ctx, cancel := context.WithTimeout(w.ctx, w.patience)
	defer cancel()
	meta := `"_meta":{"progressToken":"p","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	if params != "" {
		meta = "," + meta
	}
	frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s%s}}`+"\n", method, params, meta)
	var out lockedLog
	if err := w.project.Server().ServeStdio(ctx, strings.NewReader(frame), &out); err != nil {
		return out.String() + "not served: " + err.Error()
	}
	return out.String()
}

// call calls a tool.
func (w *world) call(tool, arguments string) string {
	return w.request("tools/call", fmt.Sprintf(`"name":%q,"arguments":%s`, tool, arguments))
}

// until repeats f until it says the text, or patience ends, and returns the last word.
func (w *world) until(text string, f func() string) string {
	for end := time.Now().Add(w.patience); ; {
		seen := f()
		if strings.Contains(seen, text) || time.Now().After(end) || w.ctx.Err() != nil {
			return seen
		}
		time.Sleep(time.Millisecond)
	}
}

// The ways to look.

func tools(w *world) string   { return w.request("tools/list", "") }
func prompts(w *world) string { return w.request("prompts/list", "") }
func logged(w *world) string  { return w.log.String() }
func opened(*world) string    { return "opened" }

func calls(tool string, arguments ...string) func(*world) string {
	return func(w *world) string {
		var all []string
		for _, a := range arguments {
			all = append(all, w.call(tool, a))
		}
		return strings.Join(all, "")
	}
}

// lockedLog takes texts from several goroutines.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// peer is the server of http tools.
type peer struct {
	*httptest.Server
	hits atomic.Int64
}

func newPeer() *peer {
	p := &peer{}
	p.Server = httptest.NewServer(http.HandlerFunc(p.answer))
	return p
}

// answer answers by path: /slow never, /flaky 503 at first, /broken always, /big much,
// and any other with what it was asked. Credentials are turned round, so that nothing
// takes them for secrets that leaked.
func (p *peer) answer(w http.ResponseWriter, r *http.Request) {
	hit := p.hits.Add(1)
	switch r.URL.Path {
	case "/slow":
		<-r.Context().Done()
		return
	case "/flaky":
		if hit == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	case "/broken":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case "/v1/traces":
		body, _ := io.ReadAll(r.Body)
		sentTraces.Store(r.Host, r.Header.Get("X-One")+" "+string(body))
		return
	case "/big":
		fmt.Fprint(w, strings.Repeat("big ", 1000))
		return
	}
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery, "body": string(body), "x": r.Header.Get("X-One"),
		"auth": turned(r.Header.Get("Authorization")), "key": turned(r.Header.Get("X-Api-Key")), "other": turned(r.Header.Get("X-Other")), "hit": hit,
		"baggage": r.Header.Get("Baggage"),
	})
}

func turned(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return string(b)
}
