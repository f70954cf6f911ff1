package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"

	"github.com/ingot-run/ingot/state"
)

// lazyHost is a host that is lazy, and what it logs.
func lazyHost(t *testing.T, dir string) (*Host, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	host := New(Options{CacheDir: dir, Lazy: true, Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	t.Cleanup(func() { require.NoError(t, host.Close(context.Background())) })
	return host, log
}

// lazyLoad loads a module on a host of its own.
func lazyLoad(t *testing.T, dir string, module []byte, p Policy) (*Module, *bytes.Buffer) {
	t.Helper()
	host, log := lazyHost(t, dir)
	m, err := host.Load(t.Context(), "lazy.wasm", module, p)
	require.NoError(t, err)
	return m, log
}

// knownModule is a module that a cache knows.
func knownModule(t *testing.T) (module []byte, dir string) {
	t.Helper()
	module, dir = mustReadFile(t, sha256Path), filepath.Join(t.TempDir(), "cache")
	m, _ := lazyLoad(t, dir, module, Policy{})
	require.Nil(t, m.asleep)
	return module, dir
}

func mustReadFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func descriptions(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"+describedSuffix))
	require.NoError(t, err)
	return all
}

func TestLazyModules(t *testing.T) {
	module, dir := knownModule(t)
	loaded, _ := loadWith(t, module)
	m, log := lazyLoad(t, dir, module, Policy{})
	require.NotNil(t, m.asleep)
	require.True(t, sameTools(loaded.Tools(), m.Tools()))
	want := loaded.Info()
	want.File = "lazy.wasm"
	got := m.Info()
	require.Empty(t, got.Imports)
	got.Imports = want.Imports // none, in another way
	require.Equal(t, want, got)
	require.Empty(t, m.Methods())
	require.Equal(t, DefaultLimits(), m.Policy().Limits)
	require.Zero(t, m.Stats().Started, "nothing is started before the first call")

	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			_, err := callTool(m, `{"text":"a"}`)
			if err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	s := m.Stats()
	require.EqualValues(t, 20, s.Calls)
	require.Positive(t, s.Started)
	require.EqualValues(t, 20, m.host.Stats()["lazy.wasm"].Calls)
	require.Nil(t, m.asleep.module, "the file is let go of")
	_, err := m.Call(t.Context(), CallRequest{Tool: "other"})
	require.ErrorIs(t, err, ErrInput)
	_, err = m.Ask(t.Context(), AskRequest{Method: "prompts/list"})
	require.ErrorIs(t, err, ErrInput)
	require.NoError(t, m.Close(t.Context()))
	_, err = callTool(m, `{"text":"a"}`)
	require.ErrorIs(t, err, ErrClosed)
	require.Empty(t, log.String())
}

// loadWith loads a module as a host does that is not lazy.
func loadWith(t *testing.T, module []byte) (*Module, *Host) {
	t.Helper()
	host := New(Options{})
	t.Cleanup(func() { require.NoError(t, host.Close(context.Background())) })
	m, err := host.Load(t.Context(), "loaded.wasm", module, Policy{})
	require.NoError(t, err)
	return m, host
}

func TestDamagedDescriptions(t *testing.T) {
	module, dir := knownModule(t)
	path := descriptions(t, dir)[0]
	whole := mustReadFile(t, path)
	for name, damaged := range map[string][]byte{
		"cut":     whole[:len(whole)/2],
		"empty":   {},
		"changed": bytes.Replace(whole, []byte("sha256"), []byte("sha255"), 1),
		"longer":  append(bytes.Clone(whole), ' '),
	} {
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		m, log := lazyLoad(t, dir, module, Policy{})
		require.Nil(t, m.asleep, name)
		require.Contains(t, log.String(), "is made again", name)
		require.Equal(t, whole, mustReadFile(t, path), name)
	}
	require.NoError(t, os.Remove(path))
	m, log := lazyLoad(t, dir, module, Policy{})
	require.Nil(t, m.asleep)
	require.Empty(t, log.String())
}

// A description without code means a slow first call: the module is loaded at once.
func TestDescriptionWithoutCode(t *testing.T) {
	module, dir := knownModule(t)
	for _, entry := range entries(t, dir) {
		if filepath.Ext(entry) != describedSuffix {
			require.NoError(t, os.RemoveAll(entry))
		}
	}
	m, _ := lazyLoad(t, dir, module, Policy{})
	require.Nil(t, m.asleep)
}

// What goes wrong with the code after Load is an error of the call or mended.
func TestCodeThatIsDamagedAfterLoad(t *testing.T) {
	module, dir := knownModule(t)
	m, log := lazyLoad(t, dir, module, Policy{})
	for _, f := range files(t, dir) {
		if filepath.Ext(f) != describedSuffix {
			require.NoError(t, os.Truncate(f, 1))
		}
	}
	_, err := callTool(m, `{"text":"a"}`)
	require.NoError(t, err)
	require.Contains(t, log.String(), "is made again")
}

func TestDescriptionsBelongToOnePolicy(t *testing.T) {
	module, dir := knownModule(t)
	first, _ := lazyLoad(t, dir, module, Policy{})
	require.NotNil(t, first.asleep)
	for n, p := range []Policy{
		{Env: map[string]string{"A": "1"}}, {Env: map[string]string{"A": "2"}}, {Config: map[string]string{"A": "1"}},
		{Limits: Limits{FuelMax: 1e9}}, {Isolation: IsolationShared}, {Clock: ClockReal}, {RandomSeed: []byte("1")},
	} {
		before := len(descriptions(t, dir))
		m, _ := lazyLoad(t, dir, module, p)
		require.Nil(t, m.asleep, n)
		require.Len(t, descriptions(t, dir), before+1, n)
		m, _ = lazyLoad(t, dir, module, p)
		require.NotNil(t, m.asleep, n)
	}
	_, err := New(Options{CacheDir: dir, Lazy: true}).Load(t.Context(), "pinned", module, Policy{SHA256: fmt.Sprintf("%064x", 1)})
	require.Error(t, err, "a pin is looked at each time")
}

// TestThePolicyIsInTheKey walks the policy: a change of any field is another key.
func TestThePolicyIsInTheKey(t *testing.T) {
	c := &cache{dir: "x"}
	seen := map[string]string{c.describedPath([32]byte{}, &Policy{}): "none"}
	var walk func(v reflect.Value, p *Policy, name string)
	walk = func(v reflect.Value, p *Policy, name string) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), p, name+"."+v.Type().Field(i).Name)
			}
			return
		case reflect.Uint64, reflect.Uint32:
			v.SetUint(7)
		case reflect.Int, reflect.Int64:
			v.SetInt(7)
		case reflect.String:
			v.SetString("7")
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Map:
			v.Set(reflect.ValueOf(map[string]string{"a": "7"}))
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		default:
			t.Fatalf("%s is of kind %s, which this test does not know", name, v.Kind())
		}
		path := c.describedPath([32]byte{}, p)
		if name == ".Files" {
			require.Empty(t, path)
		} else {
			require.NotEmpty(t, path, name)
			require.Empty(t, seen[path], "%s changes nothing", name)
			seen[path] = name
		}
		v.SetZero()
	}
	p := &Policy{}
	walk(reflect.ValueOf(p).Elem(), p, "")
	require.Greater(t, len(seen), 20)
	for _, value := range []string{"\xfe", "\xff", "\ufffd"} { // which JSON makes one and the same
		p := &Policy{Env: map[string]string{"A": value}}
		require.Empty(t, seen[c.describedPath([32]byte{}, p)])
		seen[c.describedPath([32]byte{}, p)] = value
	}
}

// What a guest may have read while it described itself may be another thing next
// time.
func TestWhatLooksOutsideIsNotKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	module := mustReadFile(t, sha256Path)
	files := Policy{Files: []FileGrant{{Guest: "/data", Root: t.TempDir()}}}
	lazyLoad(t, dir, module, files)
	require.Empty(t, descriptions(t, dir))

	// One whose _initialize reads a key of the state.
	b := &builder{}
	get := b.importFunction(moduleIngot, "state_get", []api.ValueType{i32, i32}, []api.ValueType{i64})
	b.native(i64Const(b.text(64, "{}"))...)
	b.function(initializeExport, nil, nil, code(i32Const(64), i32Const(1), []byte{opCall, byte(get), opDrop})...)
	store, err := state.Open(state.Options{})
	require.NoError(t, err)
	defer store.Close()
	host := New(Options{CacheDir: dir, Lazy: true, State: store})
	defer host.Close(t.Context())
	p := Policy{State: []StateGrant{{Prefix: ""}}}
	for range 2 {
		m, err := host.Load(t.Context(), "reads.wasm", b.bytes(), p)
		require.NoError(t, err)
		require.Nil(t, m.asleep)
	}
	require.Empty(t, descriptions(t, dir))
	m, err := host.Load(t.Context(), "other.wasm", module, p)
	require.NoError(t, err)
	require.Nil(t, m.asleep)
	require.Len(t, descriptions(t, dir), 1, "a grant that is not used is no matter")
}

// A module that is closed at once, or while its first call loads it, frees all.
func TestCloseBeforeTheLoad(t *testing.T) {
	module, dir := knownModule(t)
	for round := range 20 {
		m, _ := lazyLoad(t, dir, module, Policy{})
		called := make(chan error, 1)
		if round > 0 {
			go func() { _, err := callTool(m, `{"text":"a"}`); called <- err }()
		}
		for range round * 20 { // any moment will do
			runtime.Gosched()
		}
		require.NoError(t, m.Close(t.Context()))
		if round > 0 {
			if err := <-called; err != nil {
				var e *Error
				require.ErrorAs(t, err, &e)
				require.True(t, e.Kind == ErrClosed || e.Kind == ErrCanceled, err)
			}
		}
		_, err := callTool(m, `{"text":"a"}`)
		require.ErrorIs(t, err, ErrClosed)
		require.Positive(t, m.Stats().Errors[ErrClosed.Error()])
	}
}

func TestCallersWhoGiveUpOnTheLoad(t *testing.T) {
	module, dir := knownModule(t)
	m, _ := lazyLoad(t, dir, module, Policy{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := &waking{done: make(chan struct{})}
	m.asleep.waking = w // a load that does not end
	_, err := m.Call(ctx, CallRequest{})
	require.ErrorIs(t, err, ErrCanceled)
	limits := m.Policy().Limits
	m.asleep.waiting = limits.ConcurrencyMax + limits.CallsQueuedMax
	_, err = m.Call(ctx, CallRequest{})
	require.ErrorIs(t, err, ErrBusy)
	require.EqualValues(t, 2, m.Stats().Calls)
	m.asleep.waking, m.asleep.waiting = nil, 0
	_, err = callTool(m, `{"text":"a"}`)
	require.NoError(t, err)
	require.EqualValues(t, 3, m.Stats().Calls)
}

// A description that is no longer true is told, and not used again.
func TestDescriptionsThatAreNotTrue(t *testing.T) {
	module, dir := knownModule(t)
	m, log := lazyLoad(t, dir, module, Policy{})
	m.tools[0].Title = "another"
	_, err := callTool(m, `{"text":"a"}`)
	require.NoError(t, err)
	require.Contains(t, log.String(), "something else of itself")
	require.Empty(t, descriptions(t, dir))
}

func TestInfoSurvivesJSON(t *testing.T) {
	raw, err := json.Marshal(Info{})
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(raw, &fields))
	require.Len(t, fields, reflect.TypeFor[Info]().NumField())
}
