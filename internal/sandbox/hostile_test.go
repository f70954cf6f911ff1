package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"
)

// loadFile loads a committed guest with a policy; its host closes with the test.
func loadFile(t testing.TB, path string, p Policy) *Module {
	t.Helper()
	module, err := os.ReadFile(path)
	require.NoError(t, err)
	return load(t, module, p, nil)
}

func load(t testing.TB, module []byte, p Policy, logger *slog.Logger) *Module {
	t.Helper()
	host := New(Options{Logger: logger})
	t.Cleanup(func() { require.NoError(t, host.Close(context.Background())) })
	tool, err := host.Load(context.Background(), "guest.wasm", module, p)
	require.NoError(t, err)
	return tool
}

// hostile calls the hostile guest in one of its modes.
func hostile(tool *Module, mode string, n int64) ([]byte, error) {
	return callTool(tool, fmt.Sprintf(`{"mode":%q,"n":%d}`, mode, n))
}

// callTool calls the one tool of a module; "" stands for no arguments at all.
func callTool(m *Module, args string) ([]byte, error) {
	r := CallRequest{}
	if args != "" {
		r.Arguments = []byte(args)
	}
	out, err := m.Call(context.Background(), r)
	return out.JSON, err
}

const hostilePath = "testdata/hostile.wasm"

// healthy shows that the host lives on: a call after the bad one answers.
func healthy(t *testing.T, tool *Module) {
	t.Helper()
	out, err := hostile(tool, "remember", 0)
	require.NoError(t, err)
	require.JSONEq(t, `{"seen":0}`, string(out))
}

func TestHostileGuestsBecomeErrors(t *testing.T) {
	limits := Limits{MemoryBytesMax: 8 << 20, OutputBytesMax: 1 << 10, TimeMax: time.Minute}
	patient := loadFile(t, hostilePath, Policy{Limits: limits})
	limits.TimeMax = 500 * time.Millisecond
	hasty := loadFile(t, hostilePath, Policy{Limits: limits})
	cases := []struct {
		mode string
		n    int64
		kind error
		says []string
	}{
		{"spin", 0, ErrDeadline, []string{"still running in call", "500ms", "raise the limit"}},
		{"host_call_storm", 0, ErrDeadline, []string{"500ms"}},
		{"wide", 0, ErrDeadline, []string{"500ms"}},
		{"sleep", 0, ErrDeadline, []string{"500ms"}},
		{"deep", 0, ErrTrap, []string{"stack overflow"}},
		{"memory_bomb", 0, ErrMemory, []string{"8388608", "raise the limit"}},
		{"memory_all", 0, ErrMemory, []string{"asking for 4294", "8388608"}},
		{"trap", 0, ErrTrap, []string{"in call", "unreachable", "ingot_export_call"}},
		{"divide", 0, ErrTrap, []string{"integer divide by zero"}},
		{"wild_write", 0, ErrTrap, []string{"out of bounds memory access"}},
		{"wild_call", 0, ErrTrap, []string{"invalid table access"}},
		{"exit", 0, ErrExit, []string{"exit code 0", "giving up"}},
		{"exit", 3, ErrExit, []string{"exit code 3", "giving up", "error object"}},
		{"exit", 0xefffffff, ErrExit, []string{"exit code 4026531839"}}, // what wazero uses for a deadline
		{"result_outside", 0, ErrABI, []string{"pointer 4294967280", "length 8", "memory ends at"}},
		{"result_wraps", 0, ErrOutput, []string{"32767 bytes", "at most 1024"}},
		{"result_long", 1025, ErrOutput, []string{"1025 bytes", "raise the output limit"}},
		{"result_long", 1 << 30, ErrOutput, []string{"1073741824 bytes"}},
		{"result_empty", 0, ErrABI, []string{"no JSON"}},
		{"result_broken", 0, ErrABI, []string{"not valid JSON", "unexpected EOF"}},
		{"result_latin1", 0, ErrABI, []string{"invalid UTF-8"}},
		{"result_repeats_key", 0, ErrABI, []string{"duplicate"}},
		{"result_list", 0, ErrABI, []string{"not a JSON object"}},
		{"error_list", 0, ErrABI, []string{"not a JSON object"}},
		{"log_outside", 0, ErrABI, []string{"log was given pointer 4294967280"}},
		{"nest", jsonDepthMax + 1, ErrABI, []string{"nest too deep"}},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s_%d", c.mode, c.n), func(t *testing.T) {
			tool := patient
			if c.kind == ErrDeadline {
				tool = hasty
			}
			before := tool.Stats().Errors[c.kind.Error()]
			out, err := hostile(tool, c.mode, c.n)
			require.Nil(t, out)
			require.Equal(t, before+1, tool.Stats().Errors[c.kind.Error()], "counted by its class")
			require.ErrorIs(t, err, c.kind)
			var e *Error
			require.True(t, errors.As(err, &e))
			require.Equal(t, "hostile", e.Tool)
			require.Equal(t, "call", e.Op)
			for _, s := range c.says {
				require.Contains(t, err.Error(), s)
			}
			require.Less(t, len(err.Error()), 4096)
			healthy(t, patient)
		})
	}
	t.Run("nest just within", func(t *testing.T) {
		out, err := hostile(patient, "nest", jsonDepthMax)
		require.NoError(t, err)
		require.True(t, json.Valid(out))
	})
}

func TestGuestErrorsPassThrough(t *testing.T) {
	tool := loadFile(t, hostilePath, Policy{})
	_, err := hostile(tool, "fail", 0)
	var g *GuestError
	require.True(t, errors.As(err, &g))
	require.Equal(t, GuestError{Message: "the moon is not in the right place: try tomorrow", Code: "bad_moon"}, *g)
}

// What a guest sees of the world without any grant.
func TestGuestSeesNothing(t *testing.T) {
	t.Setenv("INGOT_TEST_SECRET", "not for guests")
	tool := loadFile(t, hostilePath, Policy{})
	out, err := hostile(tool, "probe", 5000)
	require.NoError(t, err)
	var p map[string]uint64
	require.NoError(t, json.Unmarshal(out, &p))
	require.Zero(t, p["args"])
	require.Zero(t, p["environ"])
	require.Zero(t, p["readBytes"], "stdin is at its end")
	for _, call := range []string{"prestatErrno", "openErrno", "openStdinErrno", "socketErrno"} {
		require.NotZero(t, p[call], call)
	}
	// The virtual clock starts in 1970, and a sleep of 5 s moves it by 5 s.
	require.Less(t, p["wallNanos"], uint64(time.Second))
	require.Equal(t, uint64(5*time.Second), (p["monotonicNanosAfterSleep"]-p["monotonicNanos"])/1e6*1e6)
}

func TestRandomSource(t *testing.T) {
	draw := func(p Policy) uint64 {
		out, err := hostile(loadFile(t, hostilePath, p), "probe", 0)
		require.NoError(t, err)
		var seen map[string]uint64
		require.NoError(t, json.Unmarshal(out, &seen))
		return seen["random"]
	}
	require.NotEqual(t, draw(Policy{}), draw(Policy{}))
	require.Equal(t, draw(Policy{RandomSeed: []byte("a")}), draw(Policy{RandomSeed: []byte("a")}))
	require.NotEqual(t, draw(Policy{RandomSeed: []byte("a")}), draw(Policy{RandomSeed: []byte("b")}))
}

func TestRealClock(t *testing.T) {
	tool := loadFile(t, hostilePath, Policy{Clock: ClockReal, Limits: Limits{TimeMax: 2 * time.Second}})
	// probe sleeps for an hour of real time: the deadline wakes and stops it.
	_, err := hostile(tool, "probe", 3_600_000)
	require.ErrorIs(t, err, ErrDeadline)
	_, err = hostile(tool, "sleep", 0)
	require.ErrorIs(t, err, ErrDeadline)
	healthy(t, tool)

	patient := loadFile(t, hostilePath, Policy{Clock: ClockReal, Limits: Limits{TimeMax: time.Minute}})
	before := time.Now()
	out, err := hostile(patient, "probe", 20)
	require.NoError(t, err)
	var seen map[string]uint64
	require.NoError(t, json.Unmarshal(out, &seen))
	require.GreaterOrEqual(t, seen["wallNanos"], uint64(before.UnixNano())/1000*1000)
	require.GreaterOrEqual(t, seen["monotonicNanosAfterSleep"]-seen["monotonicNanos"], uint64(20*time.Millisecond))
}

// lineCounter is a log sink that counts.
type lineCounter struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines int
}

func (c *lineCounter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines++
	return c.text.Write(p)
}

func TestLogIsBounded(t *testing.T) {
	for _, mode := range []string{"log_flood", "print_flood", "print_unbroken"} {
		t.Run(mode, func(t *testing.T) {
			sink := &lineCounter{}
			module, err := os.ReadFile(hostilePath)
			require.NoError(t, err)
			tool := load(t, module, Policy{Limits: Limits{LogLinesMax: 10, LogBytesMax: 16 << 10, TimeMax: time.Minute}}, slog.New(slog.NewTextHandler(sink, nil)))
			out, err := hostile(tool, mode, 0)
			require.NoError(t, err, "too much log is dropped, not an error")
			require.JSONEq(t, `{"done":true}`, string(out))
			require.Equal(t, 1, strings.Count(sink.text.String(), "logs too much"))
			require.LessOrEqual(t, sink.lines, 11)
			require.Less(t, sink.text.Len(), 32<<10)
			require.Contains(t, sink.text.String(), "tool=hostile")
		})
	}
}

func TestArgumentsAreChecked(t *testing.T) {
	tool := loadFile(t, hostilePath, Policy{Limits: Limits{InputBytesMax: 1 << 10}})
	for args, says := range map[string]string{
		strings.Repeat(" ", 1<<10) + "{}": "at most 1024",
		`{"mode":`:                        "not valid JSON",
		`{} {}`:                           "more than one",
		`[]`:                              "not a JSON object",
		` `:                               "not valid JSON",
		strings.Repeat(`{"a":`, 101) + `1` + strings.Repeat(`}`, 101): "nest too deep",
	} {
		_, err := callTool(tool, args)
		require.ErrorIs(t, err, ErrInput)
		require.ErrorContains(t, err, says)
	}
	_, err := callTool(tool, "")
	var g *GuestError
	require.True(t, errors.As(err, &g), "nil arguments are an empty object")
}

// A looping guest does not hold up calls that come after it, of the same tool
// or of another.
func TestOtherCallsGoOn(t *testing.T) {
	spinning := loadFile(t, hostilePath, Policy{Limits: Limits{TimeMax: time.Hour, ConcurrencyMax: 3}})
	other := loadFile(t, hostilePath, Policy{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := spinning.Call(ctx, CallRequest{Arguments: []byte(`{"mode":"spin"}`)})
			ended <- err
		}()
	}
	for range 20 {
		healthy(t, spinning)
		healthy(t, other)
	}
	require.Empty(t, ended, "the loops are still running")
	cancel()
	for range 2 {
		err := <-ended
		require.ErrorIs(t, err, ErrCanceled)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, ErrDeadline)
	}
	healthy(t, spinning)
}

func TestConcurrencyIsBounded(t *testing.T) {
	tool := loadFile(t, hostilePath, Policy{Limits: Limits{TimeMax: time.Second, ConcurrencyMax: 1}})
	tool.pool.slots <- struct{}{} // a call that never ends
	_, err := hostile(tool, "remember", 0)
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorContains(t, err, "all 1 instances")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = tool.Call(ctx, CallRequest{Arguments: []byte(`{"mode":"remember"}`)})
	require.ErrorIs(t, err, ErrCanceled)
	<-tool.pool.slots
	healthy(t, tool)
}

func TestCloseWaitsForCalls(t *testing.T) {
	tool := loadFile(t, hostilePath, Policy{Limits: Limits{TimeMax: 300 * time.Millisecond}})
	ended := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		_, err := hostile(tool, "spin", 0)
		ended <- err
	}()
	<-started
	require.NoError(t, tool.Close(context.Background()))
	if err := <-ended; !errors.Is(err, ErrClosed) { // the call had begun
		require.ErrorIs(t, err, ErrDeadline)
	}
	_, err := hostile(tool, "remember", 0)
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, tool.Close(context.Background()), "closing twice is no harm")
}

// Modules that no compiler makes.
func TestBuiltGuests(t *testing.T) {
	loop := []byte{opLoop, opVoid, opBr, 0, opEnd}
	empty := i64Const(uint64(512)<<32 | 2)
	hasty := Limits{TimeMax: 300 * time.Millisecond, LoadTimeMax: 500 * time.Millisecond, FuelMax: 1 << 60}
	withEmpty := func(b *builder) *builder { b.text(512, "{}"); return b }
	load := func(t *testing.T, b *builder, l Limits) (*Module, error) {
		host := New(Options{})
		t.Cleanup(func() { require.NoError(t, host.Close(context.Background())) })
		if l.TimeMax == 0 {
			l.TimeMax = time.Minute
		}
		return host.Load(context.Background(), "built.wasm", b.bytes(), Policy{Limits: l})
	}

	t.Run("well-behaved", func(t *testing.T) {
		tool, err := load(t, withEmpty(new(builder)).native(empty...), Limits{})
		require.NoError(t, err)
		out, err := callTool(tool, "")
		require.NoError(t, err)
		require.Equal(t, "{}", string(out))
	})
	t.Run("a loop in the start function", func(t *testing.T) {
		b := withEmpty(new(builder)).native(empty...)
		start := b.function("", nil, nil, loop...)
		b.start = &start
		_, err := load(t, b, hasty)
		require.ErrorIs(t, err, ErrDeadline)
		require.ErrorContains(t, err, "tool built.wasm: describe: ")
		require.ErrorContains(t, err, "500ms")
	})
	t.Run("a loop in _initialize", func(t *testing.T) {
		b := withEmpty(new(builder)).native(empty...)
		b.function("_initialize", nil, nil, loop...)
		_, err := load(t, b, hasty)
		require.ErrorIs(t, err, ErrDeadline)
	})
	t.Run("a trap in _initialize", func(t *testing.T) {
		b := withEmpty(new(builder)).native(empty...)
		b.function("_initialize", nil, nil, opUnreachable)
		_, err := load(t, b, Limits{})
		require.ErrorIs(t, err, ErrTrap)
	})
	t.Run("a loop in alloc", func(t *testing.T) {
		b := new(builder)
		b.exportMemory()
		b.function("alloc", []api.ValueType{i32}, []api.ValueType{i32}, code(loop, i32Const(0))...)
		described := b.text(16, `{"name":"built","description":"A test guest.","inputSchema":{"type":"object"}}`)
		b.function("describe", nil, []api.ValueType{i64}, i64Const(described)...)
		b.function("call", []api.ValueType{i32, i32}, []api.ValueType{i64}, i64Const(0)...)
		tool, err := load(t, b, hasty)
		require.NoError(t, err)
		_, err = callTool(tool, "")
		require.ErrorIs(t, err, ErrDeadline)
		require.ErrorContains(t, err, "still running in alloc")
	})
	for name, ptr := range map[string]uint32{"alloc gives nothing": 0, "alloc gives what lies outside": 0xffffff00} {
		t.Run(name, func(t *testing.T) {
			b := new(builder)
			b.exportMemory()
			b.function("alloc", []api.ValueType{i32}, []api.ValueType{i32}, i32Const(ptr)...)
			described := b.text(16, `{"name":"built","description":"A test guest.","inputSchema":{"type":"object"}}`)
			b.function("describe", nil, []api.ValueType{i64}, i64Const(described)...)
			b.function("call", []api.ValueType{i32, i32}, []api.ValueType{i64}, i64Const(0)...)
			tool, err := load(t, b, Limits{})
			require.NoError(t, err)
			_, err = callTool(tool, "")
			if ptr == 0 {
				require.ErrorIs(t, err, ErrMemory)
			} else {
				require.ErrorIs(t, err, ErrABI)
			}
			require.ErrorContains(t, err, "alloc(2) returned")
		})
	}
	t.Run("a long row of memory.fill, no loop", func(t *testing.T) {
		fill := code(i32Const(0), i32Const(1), i32Const(32<<20), []byte{0xfc, 11, 0})
		b := withEmpty(&builder{pagesMin: 512}).native(code(bytes.Repeat(fill, 2_000), empty)...)
		tool, err := load(t, b, hasty)
		require.NoError(t, err)
		_, err = callTool(tool, "")
		require.ErrorIs(t, err, ErrDeadline)
	})
	t.Run("code that takes the compiler minutes", func(t *testing.T) {
		loops := bytes.Repeat([]byte{opLoop, opVoid, opEnd}, 40_000)
		nest := code(bytes.Repeat([]byte{opLoop, opVoid}, 40_000), bytes.Repeat([]byte{opEnd}, 40_000))
		fills := bytes.Repeat(code(i32Const(0), i32Const(0), i32Const(0), []byte{0xfc, 11, 0}), 20_000)
		for name, slow := range map[string][]byte{"loops": loops, "nest": nest, "fills": fills} {
			_, err := load(t, withEmpty(new(builder)).native(code(slow, empty)...), Limits{})
			require.ErrorIs(t, err, ErrModule, name)
			require.ErrorContains(t, err, "raise the compile limit")
		}
		// Few loops, many variables: by locals and by parameters.
		b := withEmpty(new(builder))
		b.function("", make([]api.ValueType, 0), nil, bytes.Repeat([]byte{opLoop, opVoid, opEnd}, 500)...)
		b.bodies[0] = append(append(appendU32([]byte{1}, 5000), i32), b.bodies[0][1:]...)
		_, err := load(t, b.native(empty...), Limits{})
		require.ErrorContains(t, err, "raise the compile limit")
		b = withEmpty(new(builder))
		b.function("", bytes.Repeat([]byte{i32}, 5000), nil, bytes.Repeat([]byte{opLoop, opVoid, opEnd}, 500)...)
		_, err = load(t, b.native(empty...), Limits{})
		require.ErrorContains(t, err, "raise the compile limit")
	})
	t.Run("a chain of functions that doubles, no loop and no recursion", func(t *testing.T) {
		b := new(builder)
		next := b.function("", nil, nil)
		for range 60 {
			call := appendU32([]byte{opCall}, next)
			next = b.function("", nil, nil, code(call, call)...)
		}
		b = withEmpty(b).native(code(appendU32([]byte{opCall}, next), empty)...)
		tool, err := load(t, b, hasty)
		require.NoError(t, err)
		_, err = callTool(tool, "")
		require.ErrorIs(t, err, ErrDeadline)
	})
	t.Run("a table bomb", func(t *testing.T) {
		// Grow the table until it refuses, then trap if it got past the limit.
		const elementsMax = 1000
		b := withEmpty(new(builder))
		b.tables = [][]byte{{0x70, 0, 1}, {0x6f, 1, 0, 0xff, 0xff, 0x7f}} // no maximum; a large one
		grow := func(table byte, kind byte) []byte {
			return code([]byte{opLoop, opVoid, 0xd0, kind}, i32Const(1), []byte{0xfc, 15, table}, i32Const(0xffffffff), []byte{0x47, opBrIf, 0, opEnd})
		}
		size := code([]byte{0xfc, 16, 0, 0xfc, 16, 1, 0x6a}, i32Const(elementsMax), []byte{0x4b, opIf, opVoid, opUnreachable, opEnd})
		b.native(code(grow(0, 0x70), grow(1, 0x6f), size, empty)...)
		tool, err := load(t, b, Limits{TableElementsMax: elementsMax, TimeMax: time.Minute})
		require.NoError(t, err)
		_, err = callTool(tool, "")
		require.NoError(t, err)
		b.tables[0] = []byte{0x70, 0, 0xe9, 0x07}
		_, err = load(t, b, Limits{TableElementsMax: elementsMax})
		require.ErrorIs(t, err, ErrModule)
		require.ErrorContains(t, err, "raise the table limit")
	})
	t.Run("more memory to start with than it may have", func(t *testing.T) {
		_, err := load(t, withEmpty(&builder{pagesMin: 17}).native(empty...), Limits{MemoryBytesMax: 1 << 20})
		require.ErrorIs(t, err, ErrMemory)
		require.ErrorContains(t, err, "starts with 1114112 bytes")
		_, err = load(t, withEmpty(&builder{pagesMin: 16}).native(empty...), Limits{MemoryBytesMax: 1 << 20})
		require.NoError(t, err)
	})
}
