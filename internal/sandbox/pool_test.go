package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// typeName is the dynamic type of v.
func typeName(v any) string { return fmt.Sprintf("%T", v) }

// remember calls the hostile guest, which counts the calls that its memory saw.
func remember(t testing.TB, m *Module, session string) string {
	t.Helper()
	out, err := m.Call(context.Background(), CallRequest{Session: session, Arguments: []byte(`{"mode":"remember"}`)})
	require.NoError(t, err)
	return string(out.JSON)
}

const patience = 30 * time.Second // for a condition; nothing waits that long

func TestIsolationCall(t *testing.T) {
	m := loadFile(t, hostilePath, Policy{})
	require.Empty(t, m.Info().NotResettable)
	for range 5 {
		require.JSONEq(t, `{"seen":0}`, remember(t, m, "a"))
	}
	s := m.Stats()
	require.Equal(t, uint64(1), s.Started, "one instance serves all calls, and described the tool before")
	require.Equal(t, uint64(5), s.Reset)
	require.Equal(t, uint64(5), s.Calls)
	require.Empty(t, s.Errors)
	require.Equal(t, [2]int{1, 0}, [2]int{s.InstancesIdle, s.InstancesBusy})
	require.Positive(t, s.BytesReset)
	require.Zero(t, s.Discarded)
	require.Zero(t, s.Sessions)
}

// Clock, random source and log budget start anew in each call on one instance.
func TestEachCallIsFresh(t *testing.T) {
	module, err := os.ReadFile(hostilePath)
	require.NoError(t, err)
	sink := &lineCounter{}
	m := load(t, module, Policy{RandomSeed: []byte("seed"), Limits: Limits{LogLinesMax: 10, TimeMax: time.Minute}}, slog.New(slog.NewTextHandler(sink, nil)))
	first, err := hostile(m, "probe", 5)
	require.NoError(t, err)
	for range 3 {
		again, err := hostile(m, "probe", 5)
		require.NoError(t, err)
		require.JSONEq(t, string(first), string(again))
		_, err = hostile(m, "log_flood", 0)
		require.NoError(t, err)
	}
	require.Equal(t, 3, strings.Count(sink.text.String(), "logs too much"))
	require.Equal(t, uint64(1), m.Stats().Started)
}

// A module that counts its calls in a global, grows its memory and writes to the
// new page, and traps when it finds a trace of an earlier call.
func traceFinder() *builder {
	const pages = 2
	b := &builder{pagesMin: pages}
	b.text(512, "{}")
	counter := b.counter()
	trap := func(condition ...byte) []byte { return code(condition, []byte{opIf, opVoid, opUnreachable, opEnd}) }
	address := i32Const(pages*pageBytes + 4096)
	return b.native(code(
		trap(0x23, counter),                                    // the global is not 0
		[]byte{0x23, counter}, i32Const(1), []byte{0x6a, 0x24}, // add 1 to it
		[]byte{counter},
		trap(code([]byte{0x3f, 0}, i32Const(pages), []byte{0x47})...), // the memory's size differs
		i32Const(3), []byte{0x40, 0, opDrop}, // grow by 3 pages
		trap(code(address, []byte{0x28, 2, 0})...), // a word in them is not 0
		address, i32Const(7), []byte{0x36, 2, 0},
		trap(code(i32Const(4096), []byte{0x28, 2, 0})...), // the same within the first pages
		i32Const(4096), i32Const(7), []byte{0x36, 2, 0},
		i64Const(uint64(512)<<32|2),
	)...)
}

func TestResetPutsBackGlobalsAndSize(t *testing.T) {
	m := load(t, traceFinder().bytes(), Policy{}, nil)
	for range 5 {
		_, err := callTool(m, "")
		require.NoError(t, err)
	}
	require.Equal(t, uint64(1), m.Stats().Started)

	// At the module's own maximum wazero cannot be made to shrink: a new instance.
	b := traceFinder()
	b.pagesMax = 5
	m = load(t, b.bytes(), Policy{}, nil)
	for range 5 {
		_, err := callTool(m, "")
		require.NoError(t, err)
	}
	require.Equal(t, uint64(5), m.Stats().Discarded)

	shared := load(t, traceFinder().bytes(), Policy{Isolation: IsolationShared}, nil)
	_, err := callTool(shared, "")
	require.NoError(t, err)
	_, err = callTool(shared, "")
	require.ErrorIs(t, err, ErrTrap, "a shared instance keeps its traces")
}

// A guest that grew by far more than a reset clears page by page.
func TestResetAfterMuchGrowth(t *testing.T) {
	b := &builder{pagesMin: 1}
	b.text(512, "{}")
	top := i32Const(400*pageBytes - 4)
	b.native(code(
		[]byte{0x3f, 0}, i32Const(1), []byte{0x47, opIf, opVoid, opUnreachable, opEnd},
		i32Const(399), []byte{0x40, 0, opDrop},
		top, []byte{0x28, 2, 0, opIf, opVoid, opUnreachable, opEnd},
		i32Const(pageBytes), i32Const(1), i32Const(399*pageBytes), []byte{0xfc, 11, 0}, // fill
		i64Const(uint64(512)<<32|2),
	)...)
	m := load(t, b.bytes(), Policy{}, nil)
	for range 3 {
		_, err := callTool(m, "")
		require.NoError(t, err)
	}
	require.Equal(t, uint64(1), m.Stats().Started)
	m.pool.mu.Lock()
	defer m.pool.mu.Unlock()
	require.Len(t, m.pool.idle[0].memory.buffer, pageBytes)
}

// A module that changes its table gets a new instance for each call.
func TestModulesThatCannotBeReset(t *testing.T) {
	b := &builder{}
	b.tables = [][]byte{{0x6f, 0, 1}}
	b.text(512, "{}")
	b.native(code(
		i32Const(0), []byte{0xd0, 0x6f, 0x26, 0}, // table.set 0 null
		i32Const(4096), []byte{0x28, 2, 0, opIf, opVoid, opUnreachable, opEnd},
		i32Const(4096), i32Const(7), []byte{0x36, 2, 0},
		i64Const(uint64(512)<<32|2),
	)...)
	m := load(t, b.bytes(), Policy{}, nil)
	require.Contains(t, m.Info().NotResettable, "table")
	for n := range 4 {
		_, err := callTool(m, "")
		require.NoError(t, err)
		require.Eventually(t, func() bool { return m.Stats().InstancesIdle == 1 }, patience, time.Millisecond, "one is made ahead of the next call")
		require.Equal(t, uint64(n+2), m.Stats().Started-1, "the first one described the tool")
	}
	s := m.Stats()
	require.Equal(t, uint64(5), s.Discarded)
	require.Zero(t, s.Reset)
}

func TestUnfitInstancesAreDiscarded(t *testing.T) {
	m := loadFile(t, hostilePath, Policy{Limits: Limits{TimeMax: 3 * time.Second, MemoryBytesMax: 8 << 20}})
	for n, mode := range []string{"trap", "exit", "spin", "memory_bomb", "log_outside"} {
		_, err := hostile(m, mode, 0)
		require.Error(t, err)
		require.Equal(t, uint64(n+1), m.Stats().Discarded, mode)
		healthy(t, m)
	}
	_, err := hostile(m, "fail", 0)
	require.Error(t, err)
	_, err = hostile(m, "result_broken", 0)
	require.Error(t, err)
	s := m.Stats()
	require.Equal(t, uint64(5), s.Discarded, "a guest that came back is fit")
	require.Equal(t, map[string]uint64{
		classGuest: 1, "trap": 1, "guest exited": 1, "deadline exceeded": 1, "memory limit reached": 1, "ABI violation": 2,
	}, s.Errors)
	require.Equal(t, uint64(12), s.Calls)
}

func TestIsolationSession(t *testing.T) {
	m := loadFile(t, hostilePath, Policy{Isolation: IsolationSession, Limits: Limits{InstancesIdleMax: 2, IdleTimeMax: time.Hour, TimeMax: time.Minute}})
	for n := range 3 {
		require.JSONEq(t, fmt.Sprintf(`{"seen":%d}`, n), remember(t, m, "a"))
	}
	require.JSONEq(t, `{"seen":0}`, remember(t, m, "b"))
	require.Equal(t, 2, m.Stats().Sessions)

	// A third session takes the place of the one used longest ago.
	require.JSONEq(t, `{"seen":3}`, remember(t, m, "a"))
	require.JSONEq(t, `{"seen":0}`, remember(t, m, "c"))
	require.JSONEq(t, `{"seen":4}`, remember(t, m, "a"))
	require.Equal(t, uint64(1), m.Stats().Evicted)
	require.JSONEq(t, `{"seen":0}`, remember(t, m, "b"))

	// A trap ends the session's memory, not the session.
	_, err := m.Call(context.Background(), CallRequest{Session: "b", Arguments: []byte(`{"mode":"trap"}`)})
	require.ErrorIs(t, err, ErrTrap)
	require.JSONEq(t, `{"seen":0}`, remember(t, m, "b"))

	// Sessions that idle for a while rest and go on; for long, they end.
	m.pool.sweep(time.Now().Add(restAfter))
	require.JSONEq(t, `{"seen":1}`, remember(t, m, "b"))
	m.pool.sweep(time.Now().Add(time.Hour))
	require.Zero(t, m.Stats().Sessions)
	require.JSONEq(t, `{"seen":0}`, remember(t, m, "b"))
}

// What was used a little later than the others rests a little later, not when the
// pool next looks for what idled for minutes.
func TestAllThatIdleRest(t *testing.T) {
	for _, isolation := range []Isolation{IsolationCall, IsolationSession} {
		m := loadFile(t, hostilePath, Policy{Isolation: isolation, Limits: Limits{TimeMax: time.Minute}})
		remember(t, m, "a")
		remember(t, m, "b")
		settled := func() bool {
			s := m.Stats()
			return s.InstancesIdle > 0 && s.InstancesResting == s.InstancesIdle
		}
		require.Eventually(t, settled, patience, 10*time.Millisecond, "%v", isolation)
	}
}

// Calls of one session run one after the other, and when all sessions are in
// use there is no place for another.
func TestSessionsAreSerialAndBounded(t *testing.T) {
	m := loadFile(t, hostilePath, Policy{Isolation: IsolationSession, Limits: Limits{InstancesIdleMax: 1, TimeMax: time.Hour}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := m.Call(ctx, CallRequest{Session: "a", Arguments: []byte(`{"mode":"spin"}`)})
		ended <- err
	}()
	require.Eventually(t, func() bool { return m.Stats().Running == 1 }, patience, time.Millisecond)
	_, err := m.Call(context.Background(), CallRequest{Session: "b", Arguments: []byte(`{"mode":"remember"}`)})
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorContains(t, err, "all 1 sessions are in use")
	second := make(chan string, 1)
	go func() { second <- remember(t, m, "a") }()
	require.Eventually(t, func() bool { return m.Stats().Queued == 1 }, patience, time.Millisecond)
	require.Equal(t, 1, m.Stats().Running)
	cancel()
	require.ErrorIs(t, <-ended, ErrCanceled)
	require.JSONEq(t, `{"seen":0}`, <-second)
}

func TestIsolationShared(t *testing.T) {
	m := loadFile(t, hostilePath, Policy{Isolation: IsolationShared, Limits: Limits{InstancesIdleMax: 1}})
	for n := range 5 {
		require.JSONEq(t, fmt.Sprintf(`{"seen":%d}`, n), remember(t, m, fmt.Sprint(n)))
	}
	require.Equal(t, 1, cap(m.pool.slots), "as many run as are kept")
	_, err := hostile(m, "trap", 0)
	require.ErrorIs(t, err, ErrTrap)
	require.JSONEq(t, `{"seen":0}`, remember(t, m, ""))
}

func TestQueueIsBounded(t *testing.T) {
	m := loadFile(t, hostilePath, Policy{Limits: Limits{ConcurrencyMax: 1, CallsQueuedMax: 1, TimeMax: time.Hour}})
	m.pool.slots <- struct{}{} // a call that runs
	waiting := make(chan string, 1)
	go func() { waiting <- remember(t, m, "") }()
	require.Eventually(t, func() bool { return m.Stats().Queued == 1 }, patience, time.Millisecond)
	_, err := hostile(m, "remember", 0)
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorContains(t, err, "1 calls wait already")
	<-m.pool.slots
	require.JSONEq(t, `{"seen":0}`, <-waiting)
	s := m.Stats()
	require.Equal(t, uint64(1), s.Waits)
	require.Positive(t, s.WaitTime)
	require.Equal(t, map[string]uint64{"busy": 1}, s.Errors)
	require.Zero(t, s.Queued)
}

func TestIdleInstancesAreEvicted(t *testing.T) {
	const n = 4
	m := loadFile(t, hostilePath, Policy{Limits: Limits{ConcurrencyMax: n, TimeMax: time.Minute}})
	var leases []lease
	for range n {
		l, err := m.pool.take(context.Background(), "")
		require.NoError(t, err)
		leases = append(leases, l)
	}
	require.Equal(t, n, m.Stats().InstancesBusy)
	for _, l := range leases {
		m.pool.give(l, true)
	}
	require.Equal(t, n, m.Stats().InstancesIdle)
	m.pool.sweep(time.Now().Add(restAfter))
	require.Equal(t, n, m.Stats().InstancesIdle, "they rest")
	healthy(t, m)
	m.pool.sweep(time.Now().Add(24 * time.Hour))
	require.Equal(t, 1, m.Stats().InstancesIdle, "one stays, for the next call")
	require.Equal(t, uint64(n-1), m.Stats().Evicted)
	healthy(t, m)
}

func tripReadyInstances(t *testing.T) {
	for _, ready := range []int{1, 3} {
		m := loadFile(t, hostilePath, Policy{Limits: Limits{InstancesReadyMin: ready, TimeMax: time.Minute}})
		idle := func() bool { return m.Stats().InstancesIdle == ready }
		require.Eventually(t, idle, patience, time.Millisecond)
		require.Equal(t, uint64(ready), m.Stats().Started)
		_, err := hostile(m, "trap", 0)
		require.ErrorIs(t, err, ErrTrap)
		require.Eventually(t, idle, patience, time.Millisecond, "one takes the place of the one that trapped")
	}
}

func TestIdleInstancesAreBounded(t *testing.T) {
	m := loadFile(t, hostilePath, Policy{Limits: Limits{ConcurrencyMax: 3, InstancesIdleMax: 2}})
	var leases []lease
	for range 3 {
		l, err := m.pool.take(context.Background(), "")
		require.NoError(t, err)
		leases = append(leases, l)
	}
	for _, l := range leases {
		m.pool.give(l, true)
	}
	require.Equal(t, 2, m.Stats().InstancesIdle)
	require.Equal(t, uint64(1), m.Stats().Evicted)
}

// Many callers at once, of each isolation; nothing is left behind by the host.
func TestManyCallers(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	host := New(Options{})
	module, err := os.ReadFile(hostilePath)
	require.NoError(t, err)
	for _, isolation := range []Isolation{IsolationCall, IsolationSession, IsolationShared} {
		m, err := host.Load(context.Background(), isolation.String(), module, Policy{Isolation: isolation, Limits: Limits{TimeMax: time.Minute, InstancesIdleMax: 8}})
		require.NoError(t, err)
		var callers sync.WaitGroup
		for caller := range 8 {
			callers.Go(func() {
				for n := range 50 {
					mode := `{"mode":"remember"}`
					if n%10 == 9 {
						mode = `{"mode":"trap"}`
					}
					out, err := m.Call(context.Background(), CallRequest{Session: fmt.Sprint(caller), Arguments: []byte(mode)})
					switch {
					case n%10 == 9:
						if !errors.Is(err, ErrTrap) {
							t.Error(err)
						}
					case err != nil:
						t.Error(err)
					case isolation == IsolationCall && string(out.JSON) != `{"seen":0}`,
						isolation == IsolationSession && string(out.JSON) != fmt.Sprintf(`{"seen":%d}`, n%10):
						t.Errorf("%s: call %d got %s", isolation, n, out.JSON)
					}
				}
			})
		}
		callers.Wait()
	}
	require.Len(t, host.Stats(), 3)
	require.Equal(t, uint64(400), host.Stats()["call"].Calls)
	require.NoError(t, host.Close(context.Background()))
	require.Empty(t, host.Stats())
}

// A server puts a new module in the place of the old one while callers go on:
// a call that meets the closed one has not begun, and goes to the new one.
func TestSwapLosesNoCall(t *testing.T) {
	host := New(Options{})
	defer host.Close(context.Background())
	module, err := os.ReadFile(hostilePath)
	require.NoError(t, err)
	next := func() *Module {
		m, err := host.Load(context.Background(), "hostile.wasm", module, Policy{Limits: Limits{TimeMax: time.Minute}})
		require.NoError(t, err)
		return m
	}
	var current atomic.Pointer[Module]
	current.Store(next())
	stop := make(chan struct{})
	var answered atomic.Int64
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := current.Load().Call(context.Background(), CallRequest{Arguments: []byte(`{"mode":"remember"}`)})
				switch {
				case errors.Is(err, ErrClosed): // to the new one
				case err != nil:
					t.Error(err)
				default:
					answered.Add(1)
				}
			}
		})
	}
	for range 10 {
		before := answered.Load()
		old := current.Swap(next())
		require.NoError(t, old.Close(context.Background()))
		require.Eventually(t, func() bool { return answered.Load() > before }, patience, time.Millisecond)
	}
	close(stop)
	callers.Wait()
}

// Close with a context that ends gives up waiting, and the module ends later.
func TestCloseThatGivesUp(t *testing.T) {
	m := loadFile(t, hostilePath, Policy{Limits: Limits{TimeMax: time.Hour}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := m.Call(ctx, CallRequest{Arguments: []byte(`{"mode":"spin"}`)})
		ended <- err
	}()
	require.Eventually(t, func() bool { return m.Stats().Running == 1 }, patience, time.Millisecond)
	gone, giveUp := context.WithCancel(context.Background())
	giveUp()
	require.ErrorIs(t, m.Close(gone), ErrCanceled)
	cancel()
	require.ErrorIs(t, <-ended, ErrCanceled)
	require.NoError(t, m.Close(context.Background()))
}

func TestFuel(t *testing.T) {
	m := loadFile(t, hostilePath, Policy{})
	burn := func() uint64 {
		before := m.Stats().Fuel
		healthy(t, m)
		return m.Stats().Fuel - before
	}
	burnt := burn()
	require.Positive(t, burnt)
	for range 3 {
		require.Equal(t, burnt, burn(), "the same call burns the same")
	}
	// To the unit.
	enough := loadFile(t, hostilePath, Policy{Limits: Limits{FuelMax: burnt}})
	healthy(t, enough)
	tooLittle := loadFile(t, hostilePath, Policy{Limits: Limits{FuelMax: burnt - 1}})
	_, err := hostile(tooLittle, "remember", 0)
	require.ErrorIs(t, err, ErrFuel)
	require.ErrorContains(t, err, fmt.Sprintf("burnt its %d units", burnt-1))

	// It needs no clock.
	spinning := loadFile(t, hostilePath, Policy{Limits: Limits{FuelMax: 50_000_000, TimeMax: time.Hour}})
	for range 2 {
		before := spinning.Stats().Fuel
		_, err = hostile(spinning, "spin", 0)
		require.ErrorIs(t, err, ErrFuel)
		require.InDelta(t, 50_000_000, spinning.Stats().Fuel-before, 1000)
	}
	require.Equal(t, map[string]uint64{"fuel used up": 2}, spinning.Stats().Errors)
}

// While guests loop on every processor, the garbage collector gets through, and
// so do other callers.
func TestLoopingGuestsHoldUpNobody(t *testing.T) {
	spinning := loadFile(t, hostilePath, Policy{Limits: Limits{TimeMax: time.Hour, FuelMax: 1 << 62, ConcurrencyMax: 4}})
	other := loadFile(t, hostilePath, Policy{Limits: Limits{TimeMax: time.Minute}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 4)
	for range 4 {
		go func() {
			_, err := spinning.Call(ctx, CallRequest{Arguments: []byte(`{"mode":"spin"}`)})
			ended <- err
		}()
	}
	require.Eventually(t, func() bool { return spinning.Stats().Running == 4 }, patience, time.Millisecond)
	for range 3 {
		runtime.GC()
		healthy(t, other)
	}
	require.Empty(t, ended, "they loop still")
	cancel()
	for range 4 {
		require.ErrorIs(t, <-ended, ErrCanceled)
	}
}

// A start function runs within the time and fuel of loading, before there is an
// instance to ask for its fuel.
func TestStartFunctionIsMetered(t *testing.T) {
	b := &builder{}
	b.text(512, "{}")
	counter := b.counter()
	start := b.function("", nil, nil, code(
		i32Const(1_000_000), []byte{0x24, counter},
		[]byte{opLoop, opVoid, 0x23, counter}, i32Const(1), []byte{0x6b, 0x24, counter, 0x23, counter, opBrIf, 0, opEnd},
	)...)
	b.start = &start
	m := load(t, b.native(i64Const(uint64(512)<<32|2)...).bytes(), Policy{}, nil)
	require.Greater(t, m.Stats().Fuel, uint64(1_000_000))
	_, err := callTool(m, "")
	require.NoError(t, err)
}
