package sandbox

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	modsig "github.com/ingot-run/ingot/internal/sandbox/signature"
	"github.com/ingot-run/ingot/state"
)

// trips has, for each field of the policy, a test in which a guest runs into what
// the field says, and which sees that the guest gets further without.
var trips = map[string]func(t *testing.T){
	"Limits.ModuleBytesMax":       tripModuleBytes,
	"Limits.CompileWorkMax":       tripCompileWork,
	"Limits.MemoryBytesMax":       tripMemory,
	"Limits.TableElementsMax":     tripTable,
	"Limits.FuelMax":              tripFuel,
	"Limits.InputBytesMax":        tripInput,
	"Limits.StdinBytesMax":        tripStdin,
	"Limits.OutputBytesMax":       tripOutput,
	"Limits.LogBytesMax":          tripLogBytes,
	"Limits.LogLinesMax":          tripLogLines,
	"Limits.TimeMax":              tripTime,
	"Limits.LoadTimeMax":          tripLoadTime,
	"Limits.ConcurrencyMax":       tripConcurrency,
	"Limits.CallsQueuedMax":       tripQueue,
	"Limits.InstancesReadyMin":    tripReadyInstances,
	"Limits.InstancesIdleMax":     tripIdleInstances,
	"Limits.IdleTimeMax":          tripIdleTime,
	"Limits.OpenFilesMax":         tripOpenFiles,
	"Limits.HTTPRequestsMax":      tripHTTPRequests,
	"Limits.HTTPRequestBytesMax":  tripHTTPRequestBytes,
	"Limits.HTTPResponseBytesMax": tripHTTPResponseBytes,
	"Limits.HTTPTimeMax":          tripHTTPTime,
	"Isolation":                   tripIsolation,
	"Clock":                       tripClock,
	"RandomSeed":                  tripRandomSeed,
	"State.Prefix":                tripStatePrefix,
	"State.Write":                 tripStateWrite,
	"State.BytesMax":              tripStateBytes,
	"State.OpsMax":                tripStateOps,
	"Files.Guest":                 tripFilesGuest,
	"Files.Root":                  tripFilesRoot,
	"Files.Write":                 tripFilesWrite,
	"Files.BytesMax":              tripFilesBytes,
	"HTTP.Host":                   tripHTTPHost,
	"HTTP.Methods":                tripHTTPMethods,
	"HTTP.Private":                tripHTTPPrivate,
	"HTTP.Headers":                tripHTTPHeaders,
	"Env":                         tripEnv,
	"Config":                      tripConfig,
	"SHA256":                      TestPins,
	"PublicKey":                   tripPublicKey,
	"Signature":                   tripSignature,
}

// Nothing in the policy is written down and not enforced.
func TestEveryPolicyFieldTrips(t *testing.T) {
	fields := policyFields("", reflect.TypeFor[Policy]())
	require.Greater(t, len(fields), 35)
	for _, f := range fields {
		trip := trips[f]
		if trip == nil {
			t.Errorf("the policy's field %s has no test that runs into it: write one and enter it in trips", f)
			continue
		}
		t.Run(f, trip)
	}
	for f := range trips {
		require.Contains(t, fields, f, "a test for a field that is no more")
	}
}

// policyFields are the paths of the fields below a type: structs, and lists of
// structs, are gone into.
func policyFields(path string, typ reflect.Type) (out []string) {
	for f := range typ.Fields() {
		below := f.Type
		if below.Kind() == reflect.Slice {
			below = below.Elem()
		}
		if below.Kind() == reflect.Struct {
			out = append(out, policyFields(path+f.Name+".", below)...)
		} else {
			out = append(out, path+f.Name)
		}
	}
	return out
}

func TestPolicyFieldsAreFound(t *testing.T) {
	type inner struct{ A, B int }
	type outer struct {
		One  inner
		Many []inner
		Text []byte
		Map  map[string]string
	}
	require.Equal(t, []string{"One.A", "One.B", "Many.A", "Many.B", "Text", "Map"}, policyFields("", reflect.TypeFor[outer]()))
}

// serves sees that the host goes on: the same module answers a fresh call.
func (s *scripted) serves(t *testing.T) {
	t.Helper()
	require.Equal(t, "0 0", s.last(t, "calls"))
}

// ends runs a script that must end in an error of a kind, and the next in an answer.
func (s *scripted) ends(t *testing.T, kind error, lines ...string) {
	t.Helper()
	_, err := s.try(lines...)
	require.ErrorIs(t, err, kind)
	require.Equal(t, uint64(1), s.Stats().Errors[kind.Error()], "counted by its class")
	s.serves(t)
}

func tripModuleBytes(t *testing.T) {
	module, err := os.ReadFile(scriptPath)
	require.NoError(t, err)
	size := uint64(len(module))
	require.ErrorIs(t, tryLoad(t, module, Limits{ModuleBytesMax: size - 1}), ErrModule)
	require.NoError(t, tryLoad(t, module, Limits{ModuleBytesMax: size}))
}

func tripCompileWork(t *testing.T) {
	module, err := os.ReadFile(scriptPath)
	require.NoError(t, err)
	work := loadScript(t, Policy{}).Info().CompileWork
	require.ErrorIs(t, tryLoad(t, module, Limits{CompileWorkMax: work - 1}), ErrModule)
	require.NoError(t, tryLoad(t, module, Limits{CompileWorkMax: work}))
}

func tripMemory(t *testing.T) {
	s := loadScript(t, Policy{Limits: Limits{MemoryBytesMax: 4 << 20}})
	require.Equal(t, "0 0", s.last(t, line("grow", 64)), "64 pages more are too many")
	require.Equal(t, "0 1", s.last(t, line("grow", 16)))
	require.Equal(t, "0 1", loadScript(t, Policy{}).last(t, line("grow", 64)))
	tool := loadFile(t, hostilePath, Policy{Limits: Limits{MemoryBytesMax: 2 << 20}})
	_, err := hostile(tool, "memory_bomb", 0)
	require.ErrorIs(t, err, ErrMemory)
	healthy(t, tool)
}

func tripTable(t *testing.T) {
	// The guest grows its table by one until it is refused, and traps when it got
	// beyond 1,000.
	grow := code([]byte{opLoop, opVoid, 0xd0, 0x70}, i32Const(1), []byte{0xfc, 15, 0}, i32Const(0xffffffff), []byte{0x47, opBrIf, 0, opEnd})
	check := code([]byte{0xfc, 16, 0}, i32Const(1000), []byte{0x4b, opIf, opVoid, opUnreachable, opEnd})
	b := new(builder)
	b.text(512, "{}")
	b.tables = [][]byte{{0x70, 0, 1}}
	module := b.native(code(grow, check, i64Const(uint64(512)<<32|2))...).bytes()
	for elements, kind := range map[uint64]error{1000: nil, 1001: ErrTrap} {
		m := load(t, module, Policy{Limits: Limits{TableElementsMax: elements}}, nil)
		_, err := callTool(m, "")
		require.ErrorIs(t, err, kind)
	}
}

func tripFuel(t *testing.T) {
	s := loadScript(t, Policy{Limits: Limits{FuelMax: 1_000_000, TimeMax: time.Hour}})
	s.ends(t, ErrFuel, line("spin", 100_000_000))
	require.Equal(t, "0", s.last(t, line("spin", 10_000)))
	require.Equal(t, "0", loadScript(t, Policy{}).last(t, line("spin", 1_000_000)), "the default is larger")
}

func tripInput(t *testing.T) {
	s := loadScript(t, Policy{Limits: Limits{InputBytesMax: 100}})
	s.ends(t, ErrInput, "calls", strings.Repeat("x", 100))
}

func tripStdin(t *testing.T) {
	m := loadFile(t, commandPath, Policy{Limits: Limits{StdinBytesMax: 100}})
	_, err := m.Call(t.Context(), CallRequest{Arguments: []byte(`{"a":"` + strings.Repeat("x", 100) + `"}`)})
	require.ErrorIs(t, err, ErrInput)
	require.ErrorContains(t, err, "at most 100 go to stdin")
	_, err = m.Call(t.Context(), CallRequest{Arguments: []byte(`{"a":"x"}`)})
	require.NotErrorIs(t, err, ErrInput, "what the command makes of it is its own")
}

func tripOutput(t *testing.T) {
	tool := loadFile(t, hostilePath, Policy{Limits: Limits{OutputBytesMax: 1000}})
	_, err := hostile(tool, "result_long", 1001)
	require.ErrorIs(t, err, ErrOutput)
	_, err = hostile(tool, "result_long", 1000)
	require.NotErrorIs(t, err, ErrOutput)
	healthy(t, tool)
}

func tripLogBytes(t *testing.T) {
	s := loadScript(t, Policy{Limits: Limits{LogBytesMax: 10}})
	s.run(t, line("log", 3, "aaaaaaaa"), line("log", 3, "bbbbbbbb"))
	require.Contains(t, s.log.logged(), "aaaaaaaa")
	require.NotContains(t, s.log.logged(), "bbbbbbbb")
	require.Contains(t, s.log.logged(), "logs too much")
	s.serves(t)
}

func tripLogLines(t *testing.T) {
	s := loadScript(t, Policy{Limits: Limits{LogLinesMax: 2}})
	s.run(t, line("log", 3, "first"), line("log", 3, "second"), line("log", 3, "third"))
	require.Contains(t, s.log.logged(), "second")
	require.NotContains(t, s.log.logged(), "third")
	s.serves(t)
}

func tripTime(t *testing.T) {
	s := loadScript(t, Policy{Limits: Limits{TimeMax: 100 * time.Millisecond, FuelMax: 1 << 60}})
	s.ends(t, ErrDeadline, line("spin", int64(1)<<60))
}

func tripLoadTime(t *testing.T) {
	b := new(builder)
	b.text(512, "{}")
	b.native(i64Const(uint64(512)<<32 | 2)...)
	b.function("_initialize", nil, nil, opLoop, opVoid, opBr, 0, opEnd)
	err := tryLoad(t, b.bytes(), Limits{LoadTimeMax: 100 * time.Millisecond})
	require.ErrorIs(t, err, ErrDeadline)
	require.ErrorContains(t, err, "100ms")
}

// holding starts a call that stays in the host until it is let go.
func (s *scripted) holding(t *testing.T, session string) (letGo func()) {
	t.Helper()
	inside, free, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := s.call(CallRequest{Session: session, Progress: func(float64, float64, string) {
			close(inside)
			<-free
		}}, line("progress", 1, 0, "here"))
		ended <- err
	}()
	<-inside
	return func() {
		close(free)
		if err := <-ended; !errors.Is(err, ErrDeadline) { // by its time, if that was short
			require.NoError(t, err)
		}
	}
}

func tripConcurrency(t *testing.T) {
	s := loadScript(t, Policy{Limits: Limits{ConcurrencyMax: 1, TimeMax: time.Second}})
	letGo := s.holding(t, "")
	_, err := s.try("calls")
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorContains(t, err, "all 1 instances")
	letGo()
	s.serves(t)
	two := loadScript(t, Policy{Limits: Limits{ConcurrencyMax: 2}})
	defer two.holding(t, "")()
	two.serves(t)
}

func tripQueue(t *testing.T) {
	s := loadScript(t, Policy{Limits: Limits{ConcurrencyMax: 1, CallsQueuedMax: 1, TimeMax: time.Minute}})
	letGo := s.holding(t, "")
	waiting := make(chan error, 1)
	go func() {
		_, err := s.try("calls")
		waiting <- err
	}()
	require.Eventually(t, func() bool { return s.Stats().Queued == 1 }, patience, time.Millisecond)
	_, err := s.try("calls")
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorContains(t, err, "1 calls wait already")
	letGo()
	require.NoError(t, <-waiting)
	s.serves(t)
}

func tripIdleInstances(t *testing.T) {
	for most, want := range map[int]int{1: 1, 3: 3} {
		s := loadScript(t, Policy{Limits: Limits{ConcurrencyMax: 3, InstancesIdleMax: most}})
		var letGo []func()
		for range 3 {
			letGo = append(letGo, s.holding(t, ""))
		}
		for _, f := range letGo {
			f()
		}
		require.Eventually(t, func() bool { return s.Stats().InstancesIdle == want && s.Stats().InstancesBusy == 0 }, patience, time.Millisecond)
		s.serves(t)
	}
}

func tripIdleTime(t *testing.T) {
	s := loadScript(t, Policy{Limits: Limits{IdleTimeMax: 20 * time.Millisecond, ConcurrencyMax: 3, InstancesIdleMax: 3}})
	var letGo []func()
	for range 3 {
		letGo = append(letGo, s.holding(t, ""))
	}
	for _, f := range letGo {
		f()
	}
	// One stays for the next call.
	require.Eventually(t, func() bool { return s.Stats().InstancesIdle == 1 && s.Stats().Evicted == 2 }, patience, time.Millisecond)
	s.serves(t)

	s = loadScript(t, Policy{Isolation: IsolationSession, Limits: Limits{IdleTimeMax: 20 * time.Millisecond}})
	_, err := s.call(CallRequest{Session: "a"}, "calls")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.Stats().Sessions == 0 }, patience, time.Millisecond)
	out, err := s.call(CallRequest{Session: "a"}, "calls")
	require.NoError(t, err)
	require.Equal(t, "0 0", out[0], "the session's memory has gone")
}

// filesPolicy grants a folder of its own.
func filesPolicy(t *testing.T, write bool) (Policy, string) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("in "+name), 0o600))
	}
	return Policy{Files: []FileGrant{{Guest: "/data", Root: dir, Write: write}}}, dir
}

func tripOpenFiles(t *testing.T) {
	p, _ := filesPolicy(t, false)
	p.Limits.OpenFilesMax = 2
	s := loadScript(t, p)
	require.Equal(t, []string{"0 4", "0 5", wasiIO, "0", "0 4"}, s.run(t, reads(3, "a"), reads(3, "b"), reads(3, "c"), line("close", 4), reads(3, "c")))
	require.Contains(t, s.log.logged(), "limits.open_files")
	require.Equal(t, []string{"0 4", "0 5"}, s.run(t, reads(3, "a"), reads(3, "b")), "what a call left open is not the next one's")
	s.serves(t)
}

func tripIsolation(t *testing.T) {
	count := func(s *scripted, session string) string {
		out, err := s.call(CallRequest{Session: session}, "calls")
		require.NoError(t, err)
		return out[0]
	}
	call := loadScript(t, Policy{})
	require.Equal(t, "0 0 0 0", count(call, "a")+" "+count(call, "a"))
	session := loadScript(t, Policy{Isolation: IsolationSession})
	require.Equal(t, []string{"0 0", "0 0", "0 1", "0 2", "0 1"}, []string{count(session, "a"), count(session, "b"), count(session, "a"), count(session, "a"), count(session, "b")})
	shared := loadScript(t, Policy{Isolation: IsolationShared, Limits: Limits{ConcurrencyMax: 1}})
	require.Equal(t, []string{"0 0", "0 1", "0 2"}, []string{count(shared, "a"), count(shared, "b"), count(shared, "")})
	require.ErrorContains(t, Policy{Isolation: 7}.Validate(), "call, session, shared")
}

func tripClock(t *testing.T) {
	reading := func(c Clock) int64 {
		_, text, _ := strings.Cut(loadScript(t, Policy{Clock: c}).last(t, line("clock", 0)), " ")
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		return n
	}
	before := time.Now().UnixNano()
	require.Less(t, reading(ClockVirtual), int64(time.Second))
	require.GreaterOrEqual(t, reading(ClockReal), before/1000*1000)
	require.ErrorContains(t, Policy{Clock: 7}.Validate(), "neither virtual nor real")
}

func tripRandomSeed(t *testing.T) {
	draw := func(seed []byte) string { return loadScript(t, Policy{RandomSeed: seed}).last(t, "random") }
	require.Equal(t, draw([]byte("a")), draw([]byte("a")))
	require.NotEqual(t, draw([]byte("a")), draw([]byte("b")))
	require.NotEqual(t, draw(nil), draw(nil))
}

// stateScript is the script guest with state grants over a store with some keys.
func stateScript(t *testing.T, grants ...StateGrant) *scripted {
	t.Helper()
	s := loadScript(t, Policy{State: grants})
	for _, key := range []string{"a/1", "a/2", "a/3", "b/1", "a", "ab"} {
		_, err := s.store.Set(t.Context(), key, []byte("value of "+key), state.SetOptions{})
		require.NoError(t, err)
	}
	return s
}

func tripStatePrefix(t *testing.T) {
	s := stateScript(t, StateGrant{Prefix: "a/", Write: true})
	require.Equal(t, "0 value of a/1", s.last(t, line("get", "a/1")))
	for _, l := range []string{
		line("get", "b/1"), line("get", "a"), line("get", "ab"), line("get", ""), line("get", "A/1"), line("get", "a\x00/1"),
		line("set", "b/1", "x", 0, -1), line("set", "ab", "x", 0, -1), line("del", "b/1", -1), line("inc", "b/n", 1, 0),
		line("ls", "", "", 10), line("ls", "a", "", 10), line("ls", "b/", "", 10),
	} {
		require.Equal(t, saysDenied, answers(s.run(t, l))[0], l)
	}
	require.Equal(t, "2 state key \"b/1\" is outside what the tool may read: grant capabilities.state: [{prefix: \"b/\", access: read}]", s.last(t, line("get", "b/1")))
	require.Contains(t, s.last(t, line("set", "b/1", "x", 0, -1)), `{prefix: "b/", access: read-write}`)
	require.Equal(t, "0 a/1,a/2,a/3", s.last(t, line("ls", "a/", "", 10)))
	require.Equal(t, "0 a/3", s.last(t, line("ls", "a/", "a/2", 10)))
	require.Equal(t, "0 a/2", s.last(t, line("ls", "a/", "", 1), line("ls", "a/", "a/1", 1)))
	require.Equal(t, "0", s.last(t, line("ls", "a/", "z", 10)))
	require.Contains(t, s.log.logged(), "capability=state")
	require.Greater(t, s.Stats().Refusals["state"], uint64(10))
	entry, err := s.store.Get(t.Context(), "b/1")
	require.NoError(t, err)
	require.Equal(t, "value of b/1", string(entry.Value))
	require.Equal(t, saysDenied, answers(stateScript(t).run(t, line("get", "a/1")))[0], "without any grant")
	s.serves(t)
}

func tripStateWrite(t *testing.T) {
	s := stateScript(t, StateGrant{Prefix: "a/"}, StateGrant{Prefix: "a/own/", Write: true})
	for _, l := range []string{line("set", "a/1", "x", 0, -1), line("del", "a/1", -1), line("inc", "a/n", 1, 0), line("set", "a/own", "x", 0, -1)} {
		out := s.last(t, l)
		require.Equal(t, saysDenied, answers([]string{out})[0], l)
		require.Contains(t, out, `may only be read: grant capabilities.state: [{prefix: "a/", access: read-write}]`)
	}
	require.Equal(t, []string{saysOK, saysOK, saysOK, saysOK, saysNotFound}, answers(s.run(t,
		line("set", "a/own/k", "x", 0, 0), line("get", "a/own/k"), line("inc", "a/own/n", 5, 0), line("del", "a/own/k", -1), line("get", "a/own/k"))))
	// The longest prefix decides, also when it allows less.
	s = stateScript(t, StateGrant{Prefix: "a", Write: true}, StateGrant{Prefix: "a/"})
	require.Equal(t, []string{saysOK, saysDenied}, answers(s.run(t, line("set", "ab", "x", 0, -1), line("set", "a/1", "x", 0, -1))))
	s.serves(t)
}

func tripStateBytes(t *testing.T) {
	s := stateScript(t, StateGrant{Prefix: "a/", Write: true, BytesMax: 40})
	// "a/1" and "value of a/1" are 15 bytes.
	out := s.run(t, line("get", "a/1"), line("get", "a/1"), line("get", "a/1"))
	require.Equal(t, []string{saysOK, saysOK, saysLimit}, answers(out))
	require.Contains(t, out[2], "its 40 bytes of state")
	require.Equal(t, []string{saysOK, saysLimit}, answers(s.run(t, line("set", "a/4", strings.Repeat("x", 37), 0, -1), line("set", "a/5", "", 0, -1))))
	require.Equal(t, saysLimit, answers(s.run(t, line("set", "a/6", strings.Repeat("x", 38), 0, -1)))[0])
	_, err := s.store.Get(t.Context(), "a/6")
	require.ErrorIs(t, err, state.ErrNotFound)
	s.serves(t)
}

func tripStateOps(t *testing.T) {
	s := stateScript(t, StateGrant{Prefix: "a/", Write: true, OpsMax: 3}, StateGrant{Prefix: "b/"})
	out := s.run(t, line("get", "a/1"), line("inc", "a/n", 1, 0), line("ls", "a/", "", 1), line("get", "a/1"), line("get", "b/1"))
	require.Equal(t, []string{saysOK, saysOK, saysOK, saysLimit, saysOK}, answers(out))
	require.Contains(t, out[3], "its 3 operations on state")
	require.Equal(t, saysOK, answers(s.run(t, line("get", "a/1")))[0], "each call has its own")
	s.serves(t)
}

func tripFilesGuest(t *testing.T) {
	p, _ := filesPolicy(t, false)
	s := loadScript(t, p)
	require.Equal(t, []string{"0 /data", wasiBadf}, s.run(t, line("prestat", 3), line("prestat", 4)))
	require.Equal(t, []string{wasiBadf, wasiBadf}, loadScript(t, Policy{}).run(t, line("prestat", 3), reads(3, "a")), "without a grant there is no folder")
}

func tripFilesRoot(t *testing.T) {
	p, dir := filesPolicy(t, false)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(dir), "above"), nil, 0o600))
	s := loadScript(t, p)
	require.Equal(t, []string{"0 4", "0 in a", wasiPerm}, s.run(t, reads(3, "a"), line("read", 4, -1, 100), reads(3, "../above")))
	s.serves(t)
}

func tripFilesWrite(t *testing.T) {
	p, dir := filesPolicy(t, false)
	s := loadScript(t, p)
	require.Equal(t, []string{wasiRofs, wasiRofs}, s.run(t, makes(3, "new"), line("unlink", 3, "a")))
	require.Contains(t, s.log.logged(), "access: read-write")
	s.serves(t)
	p.Files[0].Write = true
	require.Equal(t, []string{"0 4", "0"}, loadScript(t, p).run(t, makes(3, "new"), line("unlink", 3, "a")))
	_, err := os.Stat(filepath.Join(dir, "new"))
	require.NoError(t, err)
}

func tripFilesBytes(t *testing.T) {
	p, dir := filesPolicy(t, true)
	p.Files[0].BytesMax = 100
	s := loadScript(t, p)
	write := func(n int) string { return line("write", 4, -1, strings.Repeat("x", n)) }
	rw := opens(3, "a", 0, readRight|writeRight)
	require.Equal(t, []string{"0 4", "0 60", wasiIO, "0 40", wasiIO}, s.run(t, rw, write(60), write(41), write(40), write(1)))
	require.Equal(t, []string{"0 4", wasiIO, "0", wasiIO}, s.run(t, rw, line("truncate", 4, 1000), line("truncate", 4, 10), line("allocate", 4, 0, 111)))
	require.Equal(t, []string{wasiIO, wasiIO, wasiIO}, s.run(t, makes(3, "new"), line("mkdir", 3, "new"), line("symlink", 3, "a", "new")), "an entry costs more")
	_, err := os.Stat(filepath.Join(dir, "new"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Contains(t, s.log.logged(), "has written what it may")
	s.serves(t)
}

func tripEnv(t *testing.T) {
	t.Setenv("INGOT_TEST_SECRET", "not for guests")
	require.Equal(t, "0", loadScript(t, Policy{}).last(t, "env"))
	require.Equal(t, "0 A=1,B=two", loadScript(t, Policy{Env: map[string]string{"B": "two", "A": "1"}}).last(t, "env"))
	require.ErrorContains(t, Policy{Env: map[string]string{"A=": ""}}.Validate(), "no =")
	require.ErrorContains(t, Policy{Env: map[string]string{"A": "\x00"}}.Validate(), "zero byte")
	require.ErrorContains(t, Policy{Env: map[string]string{"A": strings.Repeat("x", 1<<20)}}.Validate(), "at most")
}

func tripConfig(t *testing.T) {
	for config, want := range map[string]string{"value": `"config":"value"`, "": `"config":null`} {
		p := Policy{Config: map[string]string{}}
		if config != "" {
			p.Config["k"] = config
		}
		m := loadFile(t, extismV2Path, p)
		out, err := m.Call(t.Context(), CallRequest{Tool: "host", Arguments: []byte(`{"key":"k"}`)})
		require.NoError(t, err)
		require.Contains(t, string(out.JSON)+strings.ReplaceAll(string(out.MCP), `\"`, `"`), want)
	}
	require.ErrorContains(t, Policy{Config: map[string]string{"": ""}}.Validate(), "at least one character")
}

func tripPublicKey(t *testing.T) {
	tripKey(t, func(p *Policy, other ed25519.PublicKey) { p.PublicKey = other })
}

func tripSignature(t *testing.T) {
	tripKey(t, func(p *Policy, _ ed25519.PublicKey) {
		p.Signature = bytes.Replace(p.Signature, []byte("signature "), []byte("signature A"), 1)
	})
}

// tripKey loads a signed module, and again with something changed.
func tripKey(t *testing.T, change func(*Policy, ed25519.PublicKey)) {
	module, err := os.ReadFile(scriptPath)
	require.NoError(t, err)
	author := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	p := Policy{PublicKey: author.Public().(ed25519.PublicKey), Signature: modsig.Sign(module, author)}
	host := New(Options{})
	defer host.Close(context.Background())
	_, err = host.Load(t.Context(), "script.wasm", module, p)
	require.NoError(t, err)
	change(&p, other.Public().(ed25519.PublicKey))
	_, err = host.Load(t.Context(), "script.wasm", module, p)
	require.ErrorIs(t, err, ErrPin)
}

// What spans fields, or is beyond what can be enforced.
func TestPoliciesThatAreRefused(t *testing.T) {
	for says, p := range map[string]Policy{
		"granted twice":                   {State: []StateGrant{{Prefix: "a"}, {Prefix: "a", Write: true}}},
		"a state prefix has":              {State: []StateGrant{{Prefix: strings.Repeat("x", 2000)}}},
		"1000 state grants":               {State: make([]StateGrant, 1000)},
		"1000 file grants":                {Files: make([]FileGrant, 1000)},
		"1000 http grants":                {HTTP: make([]HTTPGrant, 1000)},
		"without scheme and path":         {HTTP: []HTTPGrant{{Host: "https://example.org"}}},
		"none that can be granted":        {HTTP: []HTTPGrant{{Host: "example.org", Methods: []string{"CONNECT"}}}},
		"connection's own":                {HTTP: []HTTPGrant{{Host: "example.org", Headers: []string{"Host"}}}},
		"at most 4611686018427387904":     {Limits: Limits{FuelMax: 1 << 63}},
		"limit OpenFilesMax is -1":        {Limits: Limits{OpenFilesMax: -1}},
		"limit HTTPTimeMax is 48h0m0s":    {Limits: Limits{HTTPTimeMax: 48 * time.Hour}},
		"limit CallsQueuedMax is 2000000": {Limits: Limits{CallsQueuedMax: 2_000_000}},
	} {
		require.ErrorContains(t, p.Validate(), says)
	}
	module, err := os.ReadFile(scriptPath)
	require.NoError(t, err)
	host := New(Options{})
	defer host.Close(context.Background())
	_, err = host.Load(t.Context(), "script.wasm", module, Policy{State: []StateGrant{{Prefix: "a"}}})
	require.ErrorIs(t, err, ErrPolicy)
	require.ErrorContains(t, err, "without a state store")
}

// A policy belongs to the module: what its maker changes later changes nothing.
func TestPolicyIsCopied(t *testing.T) {
	p := Policy{State: []StateGrant{{Prefix: "a/"}}, Env: map[string]string{"A": "1"}, HTTP: []HTTPGrant{{Host: "a.example", Methods: []string{"GET"}}}}
	s := loadScript(t, p)
	p.State[0].Prefix, p.Env["A"], p.HTTP[0].Methods[0] = "", "2", "POST"
	require.Equal(t, "0 A=1", s.last(t, "env"))
	require.Equal(t, saysDenied, answers(s.run(t, line("get", "b")))[0])
	require.Equal(t, []string{"GET"}, s.Policy().HTTP[0].Methods)
}
