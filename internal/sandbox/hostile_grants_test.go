package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"

	"github.com/ingot-run/ingot/state"
)

// Guests that abuse what they were granted, or the functions that serve grants.

// Blocks that lie outside memory end the call, and the next call is served.
func TestPointersOutsideMemory(t *testing.T) {
	s := stateScript(t, StateGrant{Prefix: "a/", Write: true})
	for _, l := range []string{
		line("point", int64(0xfffffff0), 8), line("point", 0, int64(0xffffffff)), line("point", int64(0xffffffff), int64(0xffffffff)),
		line("point", 64<<20, 1), line("reply", int64(0xffffffff)),
	} {
		_, err := s.try(line("get", "a/1"), l)
		require.ErrorIs(t, err, ErrABI, l)
		require.ErrorContains(t, err, "memory ends at")
		s.serves(t)
	}
	require.Equal(t, uint64(5), s.Stats().Errors[ErrABI.Error()])
	require.Equal(t, []string{"1 state: there is no such key", "0"}, []string{s.last(t, line("get", "a/none")), s.last(t, line("reply", 1024))})
}

// hostFunctionGuest calls host functions from where no well-behaved guest does:
// its start function, _initialize, alloc and describe.
func hostFunctionGuest(from string) *builder {
	b := new(builder)
	stateGet := b.importFunction("ingot", "state_get", []api.ValueType{i32, i32}, []api.ValueType{i64})
	reply := b.importFunction("ingot", "reply", []api.ValueType{i32}, nil)
	logs := b.importFunction("ingot", "log", []api.ValueType{i32, i32, i32}, nil)
	progress := b.importFunction("ingot", "progress", []api.ValueType{f64, f64, i32, i32}, nil)
	request := b.importFunction("ingot", "http_request", []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i64})
	number := append([]byte{0x44}, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f) // f64.const 1
	call := func(f uint32) []byte { return appendU32([]byte{opCall}, f) }
	calls := code(
		i32Const(8), i32Const(4), call(stateGet), []byte{opDrop}, i32Const(2048), call(reply),
		i32Const(1), i32Const(8), i32Const(4), call(logs), number, number, i32Const(8), i32Const(4), call(progress),
		i32Const(8), i32Const(4), i32Const(8), i32Const(4), call(request), []byte{opDrop},
	)
	at := func(place string) []byte {
		if place == from {
			return calls
		}
		return nil
	}
	described := b.text(16, `{"name":"built","description":"A test guest.","inputSchema":{"type":"object"}}`)
	b.text(512, "{}")
	b.exportMemory()
	b.function("alloc", []api.ValueType{i32}, []api.ValueType{i32}, code(at("alloc"), i32Const(1024))...)
	b.function("describe", nil, []api.ValueType{i64}, code(at("describe"), i64Const(described))...)
	b.function("call", []api.ValueType{i32, i32}, []api.ValueType{i64}, code(at("call"), i64Const(uint64(512)<<32|2))...)
	if from == "_initialize" {
		b.function("_initialize", nil, nil, calls...)
	}
	if from == "start" {
		start := b.function("", nil, nil, calls...)
		b.start = &start
	}
	return b
}

// Host functions that are called while the host waits for the guest's alloc, while
// it starts, or while it describes itself, find a call to belong to.
func TestHostFunctionsFromEverywhere(t *testing.T) {
	for _, from := range []string{"alloc", "describe", "call", "_initialize", "start"} {
		t.Run(from, func(t *testing.T) {
			m := load(t, hostFunctionGuest(from).bytes(), Policy{}, nil)
			for range 3 {
				out, err := callTool(m, "")
				require.NoError(t, err)
				require.Equal(t, "{}", string(out))
			}
			require.Positive(t, m.Stats().Refusals["state"])
		})
	}
}

// Two functions that call each other without end.
func TestMutualRecursion(t *testing.T) {
	b := new(builder)
	b.text(512, "{}")
	ping := b.function("", []api.ValueType{i32}, nil, code([]byte{0x20, 0}, i32Const(1), []byte{0x6a}, appendU32([]byte{opCall}, 1))...)
	pong := b.function("", []api.ValueType{i32}, nil, code([]byte{0x20, 0}, appendU32([]byte{opCall}, ping))...)
	require.Equal(t, uint32(1), pong)
	b.native(code(i32Const(0), appendU32([]byte{opCall}, ping), i64Const(uint64(512)<<32|2))...)
	m := load(t, b.bytes(), Policy{Limits: Limits{TimeMax: time.Minute}}, nil)
	for range 2 {
		_, err := callTool(m, "")
		require.ErrorIs(t, err, ErrTrap)
		require.ErrorContains(t, err, "stack overflow")
	}
	require.Equal(t, uint64(2), m.Stats().Errors[ErrTrap.Error()])
}

// All four gigabytes at once.
func TestAskForAllMemory(t *testing.T) {
	s := loadScript(t, Policy{})
	require.Equal(t, []string{"0 0", "0 0", "0 1"}, s.run(t, line("grow", 65535), line("grow", int64(0xffffffff)), line("grow", 1)))
	s.serves(t)
}

// After any end, the next call finds an instance that looks fresh.
func TestTrapThenCallAgain(t *testing.T) {
	for _, isolation := range []Isolation{IsolationCall, IsolationSession, IsolationShared} {
		s := loadScript(t, Policy{Isolation: isolation, Limits: Limits{ConcurrencyMax: 1, FuelMax: 10_000_000}})
		for _, bad := range []string{line("exit", 1), line("point", int64(0xfffffff0), 1), line("spin", int64(1)<<60)} {
			_, err := s.try("calls", "calls", bad)
			require.Error(t, err)
			s.serves(t)
			_, _ = s.try(line("exit", 0)) // so that sessions begin anew
		}
	}
}

// A storm of calls ends at the grant's bound, and costs the store nothing more.
func TestStateStorm(t *testing.T) {
	s := stateScript(t, StateGrant{Prefix: "a/", Write: true, OpsMax: 100})
	script := make([]string, 5000)
	for i := range script {
		script[i] = line("set", fmt.Sprint("a/storm", i), "x", 0, -1)
	}
	out := answers(s.run(t, script...))
	require.Equal(t, saysOK, out[99])
	require.Equal(t, saysLimit, out[100])
	require.Equal(t, saysLimit, out[4999])
	stats, err := s.store.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(6+100), stats.Keys)
	require.Equal(t, uint64(4900), s.Stats().Refusals["state"])
	require.Equal(t, 1, strings.Count(s.log.logged(), "a guest was refused"), "one line for the whole storm")
	s.serves(t)
}

// What state functions take and answer; docs/ABI.md.
func TestStateFunctions(t *testing.T) {
	s := stateScript(t, StateGrant{Prefix: "a/", Write: true}, StateGrant{Prefix: "big/", Write: true, BytesMax: 1 << 30})
	code := func(l string) string { return answers(s.run(t, l))[0] }
	require.Equal(t, saysNotFound, code(line("get", "a/none")))
	require.Equal(t, saysNotFound, code(line("del", "a/none", -1)))
	require.Equal(t, saysConflict, code(line("set", "a/1", "x", 0, 0)), "only if absent")
	require.Equal(t, saysConflict, code(line("set", "a/1", "x", 0, 99999)))
	require.Equal(t, saysConflict, code(line("del", "a/1", 99999)))
	version := strings.TrimPrefix(s.last(t, line("set", "a/1", "second", 0, -1)), "0 ")
	require.Equal(t, saysOK, code(line("set", "a/1", "third", 0, version)))
	require.Equal(t, saysConflict, code(line("set", "a/1", "fourth", 0, version)))
	require.Equal(t, "0 third", s.last(t, line("get", "a/1")))
	require.Equal(t, saysInvalid, code(line("set", "a/1", "x", 0, -2)))
	require.Equal(t, saysInvalid, code(line("set", "a/1", "x", -1, -1)))
	require.Equal(t, saysInvalid, code(line("set", "a/1", "x", int64(math.MaxInt64), -1)))
	require.Equal(t, saysInvalid, code(line("del", "a/1", 0)))
	require.Equal(t, saysInvalid, code(line("inc", "a/1", 1, 0)), "not a number")
	require.Equal(t, []string{"0 5", "0 3"}, s.run(t, line("inc", "a/n", 5, 60_000), line("inc", "a/n", -2, 0)))
	entry, err := s.store.Get(t.Context(), "a/n")
	require.NoError(t, err)
	require.NotZero(t, entry.ExpiresAt)
	require.Equal(t, saysInvalid, code(line("set", "a/"+strings.Repeat("k", 70_000), "x", 0, -1)), "a key that is too long")

	for i := range 2500 {
		_, err := s.store.Set(t.Context(), fmt.Sprintf("big/%05d", i), nil, state.SetOptions{})
		require.NoError(t, err)
	}
	var seen []string
	for after := ""; ; {
		page := strings.TrimPrefix(strings.TrimPrefix(s.last(t, line("ls", "big/", after, 1000)), "0"), " ")
		if page == "" {
			break
		}
		seen = append(seen, strings.Split(page, ",")...)
		after = seen[len(seen)-1]
	}
	require.Len(t, seen, 2500)
	require.Equal(t, "big/02499", seen[2499])
	require.Equal(t, "0 big/01801,big/01802", s.last(t, line("ls", "big/", "big/01800x", 2), line("ls", "big/", "big/01800", 2)))
	require.Len(t, strings.Split(s.last(t, line("ls", "big/", "", 0)), ","), listLimitDefault)
	require.NoError(t, s.store.Close())
	require.Equal(t, "6 the state store failed", s.last(t, line("get", "a/1")))
}

// Requests that lie about themselves, or reach for what is near.
func TestHostileRequests(t *testing.T) {
	reached := atomic.Int32{}
	near := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer near.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(near.URL, "http://"), ":")
	p, url := webServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, near.URL, http.StatusFound) })
	p.HTTP = append(p.HTTP, HTTPGrant{Host: "*"}, HTTPGrant{Host: "*:" + port}, HTTPGrant{Host: "[::1]:" + port})
	p.Limits.HTTPRequestsMax = 1000
	s := loadScript(t, p)
	for _, c := range []struct{ line, code string }{
		{asks("GET", "http://127.0.0.1:"+port), saysDenied},
		{asks("GET", "http://localhost:"+port), saysDenied},
		{asks("GET", "http://[::1]:"+port), saysDenied},
		{asks("GET", "http://[::ffff:127.0.0.1]:"+port), saysDenied},
		{asks("GET", "http://[::ffff:7f00:1]:"+port), saysDenied},
		{asks("GET", "http://[64:ff9b::7f00:1]:"+port), saysDenied},
		{asks("GET", "http://0.0.0.0:"+port), saysDenied},
		{asks("GET", "http://[::]:"+port), saysDenied},
		{asks("GET", "http://169.254.169.254/latest/meta-data/iam/security-credentials/"), saysDenied},
		{asks("GET", "http://[fd00:ec2::254]/latest/meta-data/"), saysDenied},
		{asks("GET", "http://10.0.0.1/"), saysDenied},
		{asks("GET", url), saysDenied}, // it redirects to what is near
		{asks("GET", "http://user:secret@example.org/"), saysDenied},
		{asks("GET", "file:///etc/passwd"), saysInvalid},
		{asks("GET", "ftp://example.org/"), saysDenied},
		{asks("GET", "/etc/passwd"), saysInvalid},
		{asks("GET", ""), saysInvalid},
		{asks("GET", "http://"), saysInvalid},
		{asks("GET", "http://exa mple.org/"), saysInvalid},
		{asks("GET", "http://127.0.0.1:"+port+"/\r\nHost: evil"), saysInvalid},
		{asks("GET", "http://127.0.0.1:99999/"), saysDenied},
		{asks("CONNECT", url), saysDenied},
		{asks("TRACE", url), saysDenied},
		{asks("GET / HTTP/1.1\r\nX: ", url), saysInvalid},
		{asks("GET", url, `{"Host":"inside"}`), saysDenied},
		{asks("GET", url, `{"Transfer-Encoding":"chunked"}`), saysDenied},
		{asks("GET", url, `{"Content-Length":"5"}`), saysDenied},
		{asks("GET", url, `{"Connection":"Authorization"}`), saysDenied},
		{asks("GET", url, `{"Proxy-Authorization":"x"}`), saysDenied},
		{asks("GET", url, `{"X-HTTP-Method-Override":"DELETE"}`), saysDenied},
		{asks("GET", url, `{"Accept":"a\r\nHost: evil"}`), saysDenied},
		{asks("GET", url, `{"A:b":"c"}`), saysDenied},
		{asks("GET", url, `{"Accept":7}`), saysInvalid},
		{line("http", "no JSON"), saysInvalid},
		{line("http", ""), saysInvalid},
		{line("http", `{"url":"http://example.org","extra":1}`), saysInvalid},
		{line("http", `{"url":"http://example.org/`+strings.Repeat("x", 10_000)+`"}`), saysInvalid},
		{line("http", `{"url":"`+strings.Repeat("x", 100_000)+`"}`), saysLimit},
	} {
		out := s.last(t, c.line)
		require.Equal(t, c.code, answers([]string{out})[0], "%s: %s", c.line[:min(len(c.line), 200)], out)
		require.NotContains(t, out, "lookup", "the resolver is the host's business")
	}
	require.Zero(t, reached.Load(), "something near was reached")
	require.Contains(t, s.log.logged(), "capability=http")
	s.serves(t)
}

// A server that sends a byte now and then, to a guest that waits.
func TestSlowServer(t *testing.T) {
	dripped := atomic.Int32{}
	p, url := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
			dripped.Add(1)
			select {
			case <-time.After(5 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
	})
	p.Limits = Limits{TimeMax: time.Minute, HTTPTimeMax: 100 * time.Millisecond}
	s := loadScript(t, p)
	require.Equal(t, saysTimeout, answers(s.run(t, asks("GET", url)))[0])
	require.Positive(t, dripped.Load())
	s.serves(t)

	// The call's own time ends it too, and the caller can.
	p.Limits = Limits{TimeMax: 200 * time.Millisecond, HTTPTimeMax: time.Minute, FuelMax: 1 << 60}
	s = loadScript(t, p)
	s.ends(t, ErrDeadline, asks("GET", url), line("spin", int64(1)<<60))
	p.Limits.TimeMax = time.Minute
	s = loadScript(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	before := dripped.Load()
	go func() {
		for dripped.Load() == before {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	args, err := json.Marshal(map[string]string{"script": asks("GET", url) + "\n" + line("spin", int64(1)<<60)})
	require.NoError(t, err)
	_, err = s.Call(ctx, CallRequest{Arguments: args})
	require.ErrorIs(t, err, ErrCanceled)
	s.serves(t)
}

// openDescriptors counts what this process has open.
func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not list a process's open files")
	}
	return len(entries)
}

// A guest that opens what it can and closes nothing.
func TestDescriptorExhaustion(t *testing.T) {
	p, _ := filesPolicy(t, true)
	s := loadScript(t, p)
	s.serves(t)
	before := openDescriptors(t)
	script := make([]string, 3000)
	for i := range script {
		script[i] = reads(3, "a")
	}
	for range 5 {
		out := answers(s.run(t, script...))
		require.Equal(t, wasiOK, out[31])
		require.Equal(t, wasiIO, out[32])
		require.Equal(t, wasiIO, out[2999])
	}
	require.LessOrEqual(t, openDescriptors(t), before+2, "the host holds what guests left open")
	require.Equal(t, uint64(5), s.Stats().Discarded, "an instance with open files serves nobody else")
	s.serves(t)
}

// slowStore is a store whose reads take their time and look at no context.
type slowStore struct {
	state.Manager
	reads atomic.Int32
}

func (s *slowStore) AppendGet(_ context.Context, dst []byte, _ string) ([]byte, state.Meta, error) {
	s.reads.Add(1)
	time.Sleep(20 * time.Millisecond)
	return append(dst, 'x'), state.Meta{}, nil
}

// A row of slow host calls burns next to no fuel, and ends at the deadline.
func TestSlowHostCallsEndAtTheDeadline(t *testing.T) {
	module, err := os.ReadFile(scriptPath)
	require.NoError(t, err)
	slow := &slowStore{}
	host := New(Options{State: slow})
	defer host.Close(context.Background())
	m, err := host.Load(t.Context(), "script.wasm", module, Policy{State: []StateGrant{{Prefix: ""}}, Limits: Limits{TimeMax: 100 * time.Millisecond}})
	require.NoError(t, err)
	s := &scripted{Module: m}
	_, err = s.try(strings.Split(strings.Repeat(line("get", "a")+"\n", 500), "\n")[:500]...)
	require.ErrorIs(t, err, ErrDeadline)
	require.Less(t, slow.reads.Load(), int32(50))
	s.serves(t)
}

// The same for files: when the caller gives up, the next operation is the last.
func TestFileCallsEndWithTheCaller(t *testing.T) {
	p, dir := filesPolicy(t, true)
	s := loadScript(t, p)
	for _, l := range []string{makes(3, "late"), line("read", 4, -1, 1), line("write", 4, -1, "late"), line("sync", 4), line("stat", 3, "a"), line("mkdir", 3, "late"), line("truncate", 4, 0)} {
		ctx, cancel := context.WithCancel(t.Context())
		args, err := json.Marshal(map[string]string{"script": strings.Join([]string{opens(3, "a", 0, readRight|writeRight), line("progress", 1, 0, ""), l}, "\n")})
		require.NoError(t, err)
		_, err = s.Call(ctx, CallRequest{Arguments: args, Progress: func(float64, float64, string) { cancel() }})
		require.ErrorIs(t, err, ErrCanceled, l)
	}
	require.Equal(t, "in a", mustRead(t, filepath.Join(dir, "a")))
	_, err := os.Stat(filepath.Join(dir, "late"))
	require.ErrorIs(t, err, os.ErrNotExist)
	s.serves(t)
}

// Random bytes by the megabyte, which wazero fetches in one piece.
func TestRandomStorm(t *testing.T) {
	for _, seed := range [][]byte{nil, []byte("seed")} {
		s := loadScript(t, Policy{RandomSeed: seed, Limits: Limits{TimeMax: 50 * time.Millisecond}})
		s.ends(t, ErrDeadline, line("randoms", 32<<20))
	}
}

// A guest that fills the folder with files, and one that fills it with bytes.
func TestFileBombs(t *testing.T) {
	p, dir := filesPolicy(t, true)
	p.Files[0].BytesMax = 1 << 20
	s := loadScript(t, p)
	var script []string
	for i := range 1000 {
		script = append(script, line("mkdir", 3, fmt.Sprint("bomb", i)))
	}
	out := answers(s.run(t, script...))
	require.Equal(t, wasiOK, out[255])
	require.Equal(t, wasiIO, out[256])
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3+256)

	require.Equal(t, wasiIO, s.last(t, makes(3, "large"), line("fill", 4, int64(1)<<40)))
	info, err := os.Stat(filepath.Join(dir, "large"))
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(1<<20))
	require.Positive(t, info.Size())
	require.Positive(t, s.Stats().Refusals["files"])
	s.serves(t)
}

// Progress without end, backwards, and with what could steer a terminal.
func TestProgressFlood(t *testing.T) {
	s := loadScript(t, Policy{})
	var script []string
	for i := range 5000 {
		script = append(script, line("progress", i, 5000, "step"))
	}
	var got []string
	note := CallRequest{Progress: func(progress, total float64, message string) {
		got = append(got, fmt.Sprint(progress, total, " ", message))
	}}
	_, err := s.call(note, script...)
	require.NoError(t, err)
	require.Len(t, got, progressMax)
	got = nil
	_, err = s.call(note, line("progress", 5, 0, "a\x1b[2Jb\u009b2J"), line("progress", 5, 0, "again"), line("progress", 3, 0, "back"), line("progress", 6, -9, strings.Repeat("x", 5000)))
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "5 0 a?[2Jb?2J", got[0])
	require.Less(t, len(got[1]), progressBytesMax+20)
	_, err = s.try(line("progress", 1, 2, "nobody listens"))
	require.NoError(t, err)
}

// Waiting for input that never comes.
func TestWaitForStdin(t *testing.T) {
	s := loadScript(t, Policy{Limits: Limits{TimeMax: time.Minute}})
	require.Equal(t, wasiOK, answers(s.run(t, "wait"))[0], "an hour of the virtual clock is no time")
	s = loadScript(t, Policy{Clock: ClockReal, Limits: Limits{TimeMax: 2 * time.Second, FuelMax: 1 << 60}})
	_, err := s.try("wait", line("spin", int64(1)<<60))
	require.ErrorIs(t, err, ErrDeadline)
	s.serves(t)
}

// What a guest can find out about the machine without a grant is the same each time.
func TestNoFingerprint(t *testing.T) {
	p := Policy{RandomSeed: []byte("seed")}
	script := []string{line("clock", 0), line("clock", 1), "random", "env", line("clock", 0), line("prestat", 3)}
	first := loadScript(t, p).run(t, script...)
	other := loadScript(t, p)
	for range 3 {
		require.Equal(t, first, other.run(t, script...))
	}
}

// A Go program with its own library finds the folders as they are.
func TestGoGuestUsesFiles(t *testing.T) {
	out := filepath.Join(t.TempDir(), "gofiles.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./testdata/gofiles")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	log, err := build.CombinedOutput()
	require.NoError(t, err, string(log))
	dir := t.TempDir()
	for _, name := range []string{"read/ok.txt", "work/ok.txt", "outside/secret.txt"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("fine"), 0o600))
	}
	require.NoError(t, os.Symlink("../outside/secret.txt", filepath.Join(dir, "read/link_rel")))
	p := Policy{
		Limits: Limits{TimeMax: time.Minute, LoadTimeMax: time.Minute},
		Files:  []FileGrant{{Guest: "/data", Root: filepath.Join(dir, "read")}, {Guest: "/work", Root: filepath.Join(dir, "work"), Write: true}},
	}
	m := loadFile(t, out, p)
	for range 2 {
		result, err := m.Call(t.Context(), CallRequest{})
		require.NoError(t, err)
		require.JSONEq(t, `{"read":"ok","content":"fine","make folders":"ok","write":"ok","rename":"ok","open to append":"ok","append":"ok","sync":"ok","close":"ok",
			"read again":"ok","appended":"written twice","walk":"ok","has moved":true,"remove all":"ok","stat of what is gone":"not there",
			"read through a link":"permission","read outside":"open /data/../outside/secret.txt: Bad file number","read elsewhere":"open /etc/passwd: Bad file number","write to what is read only":"open /data/new.txt: Read-only file system",
			"make a link out":"permission","a root of its own":"ok","read in it":"ok"}`, string(result.JSON))
	}
}
