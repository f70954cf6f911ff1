package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/ingot-run/ingot/internal/sandbox/meter"
	"github.com/ingot-run/ingot/state"
)

// Options configure a [Host]. The zero value works.
type Options struct {
	// Logger gets what guests log and print, with the tool's name (before it is
	// known, the module's file); nil discards.
	Logger *slog.Logger
	// State is the store that state grants are for; nil: there is none.
	State state.Manager
	// CacheDir is a folder for compiled modules, which makes loading them again
	// some 30 times faster; it is made with mode 0700 if it is not there. Empty:
	// none is kept. [DefaultCacheDir] is the one that commands use. A folder that
	// others can write to is not used, and a line in the log says so.
	CacheDir string
	// Lazy lets Load answer for a module that was loaded before, with the same
	// policy, out of the cache: with what it said of itself then. It is compiled
	// and started when it is first called, so that what goes wrong there, and what
	// it logs then, belongs to that call. Nothing is kept of modules that are
	// granted files, or that use state or HTTP while they start and describe
	// themselves.
	Lazy bool
}

// Host loads modules and closes them. It is safe for concurrent use.
type Host struct {
	logger *slog.Logger
	state  state.Manager
	cache  *cache // nil: nothing is kept
	lazy   bool

	mu      sync.Mutex
	modules map[*Module]struct{}
	closed  bool
}

// New returns a host without modules.
func New(o Options) *Host {
	primeWazero()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Host{logger: o.Logger, state: o.State, cache: openCache(o.CacheDir, o.Logger), lazy: o.Lazy, modules: map[*Module]struct{}{}}
}

// Load compiles a module, checks it, and asks it what tools it holds; see
// [Options].Lazy for when it need not. file is its name in errors and logs. The
// bytes of the module must not be changed as long as it is loaded. Errors are of
// type [*Error].
//
// It costs the compile time: about a millisecond for a small C guest, under a
// second for a Go guest.
func (h *Host) Load(ctx context.Context, file string, module []byte, p Policy) (*Module, error) {
	var err error
	if p, err = p.complete(); err != nil {
		return nil, at(file, "load", &failure{ErrPolicy, err.Error(), nil})
	}
	if h.lazy {
		m := newModule(h, file, p)
		sum, err := m.admit(module)
		if err == nil && m.grants.open(&m.policy, h.state) == nil && m.recall(module, sum) {
			return m, h.adopt(ctx, m)
		}
		m.release() // and load it, or hear from that what is wrong
	}
	m, err := h.load(ctx, file, module, p)
	if err != nil {
		return nil, err
	}
	return m, h.adopt(ctx, m)
}

// load is Load at once. The module is not adopted yet; p is complete.
func (h *Host) load(ctx context.Context, file string, module []byte, p Policy) (*Module, error) {
	m := newModule(h, file, p)
	if err := m.grants.open(&m.policy, h.state); err != nil {
		m.release()
		return nil, at(file, "load", &failure{ErrPolicy, err.Error(), err})
	}
	sum, err := m.load(ctx, module)
	if err != nil {
		m.release()
		return nil, at(file, "load", err)
	}
	if err := m.prepare(ctx); err != nil {
		m.release()
		return nil, at(file, "describe", err)
	}
	if h.lazy {
		m.remember(sum)
	}
	return m, nil
}

// adopt notes m, so that Close closes it.
func (h *Host) adopt(ctx context.Context, m *Module) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		m.release()
		return at(m.info.File, "load", failf(ErrClosed, "the host was closed while the module was loading"))
	}
	h.modules[m] = struct{}{}
	return nil
}

// Close closes every module and waits for calls that are still running.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	modules := make([]*Module, 0, len(h.modules))
	for m := range h.modules {
		modules = append(modules, m)
	}
	h.mu.Unlock()
	var errs []error
	for _, m := range modules {
		errs = append(errs, m.Close(ctx))
	}
	return errors.Join(errs...)
}

// forget removes a module that was closed.
func (h *Host) forget(m *Module) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.modules, m)
}

// admit looks at the file of a module alone.
func (m *Module) admit(module []byte) (sum [sha256.Size]byte, err error) {
	limits := &m.policy.Limits
	m.info.ModuleBytes = len(module)
	if uint64(len(module)) > limits.ModuleBytesMax {
		return sum, failf(ErrModule, "the file has %d bytes, at most %d are allowed: strip it (Go: -ldflags=\"-s -w\"), or raise the module limit", len(module), limits.ModuleBytesMax)
	}
	sum = sha256.Sum256(module)
	m.info.SHA256 = hex.EncodeToString(sum[:])
	return sum, m.policy.checkModule(module, sum)
}

// load makes the runtime and compiles the module in it. Each module has its own
// runtime, so that closing it frees all it had. It returns the module's digest.
func (m *Module) load(ctx context.Context, module []byte) (sum [sha256.Size]byte, err error) {
	limits := m.policy.Limits
	if sum, err = m.admit(module); err != nil {
		return sum, err
	}
	m.cached = m.host.cache.entry(sum, &limits)
	metered, err := m.instrument(module)
	if err != nil {
		return sum, err
	}
	if err := checkForeignImports(metered.Imports); err != nil {
		return sum, err
	}
	if metered.MemoryBytesMin > limits.MemoryBytesMax {
		return sum, failf(ErrMemory, "it starts with %d bytes of memory, and its limit is %d: build it with less, or raise the memory limit", metered.MemoryBytesMin, limits.MemoryBytesMax)
	}
	m.info.shape(metered)
	m.mutable = metered.Globals
	m.wanted = map[string]bool{meter.ImportModule: true}
	for _, i := range metered.Imports {
		m.wanted[i.Module] = true
	}
	if err := m.compile(ctx, metered.Bytes); err != nil {
		return sum, err
	}
	m.cached.commit(metered)
	return sum, nil
}

// instrument is the metered module, from the cache if it is there.
func (m *Module) instrument(module []byte) (*meter.Module, error) {
	limits := &m.policy.Limits
	if m.cached != nil && m.cached.metered != nil {
		metered := m.cached.metered
		if metered.CompileWork > limits.CompileWorkMax {
			return nil, failf(ErrModule, "compiling it would take more work than the %d units allowed: raise the compile limit", limits.CompileWorkMax)
		}
		return metered, nil
	}
	metered, err := meter.Instrument(module, meter.Options{
		ModuleBytesMax: limits.ModuleBytesMax, CompileWorkMax: limits.CompileWorkMax, TableElementsMax: limits.TableElementsMax,
	})
	if err != nil {
		return nil, &failure{ErrModule, err.Error() + "; the file is damaged or not for this host: build it again", err}
	}
	return metered, nil
}

// compile compiles the metered module and links it against the host modules.
func (m *Module) compile(ctx context.Context, module []byte) error {
	offered, err := m.build(ctx, module)
	if m.cached != nil && isCacheFault(err) {
		m.logger.Warn("the module is compiled without the cache", "error", err)
		_ = m.runtime.Close(ctx) // it holds nothing yet
		m.cached.close()
		m.cached = nil
		offered, err = m.build(ctx, module)
	}
	var crash *enginePanic
	switch {
	case errors.As(err, &crash):
		m.logger.Debug("compiling panicked", "panic", crash.value, "stack", crash.stack)
		return &failure{ErrModule, "the compiler cannot take this module (" + clip(crash.Error(), 200) + "): it is damaged; build it again", err}
	case err != nil:
		return &failure{ErrModule, clip(err.Error(), 512) + "; the module is not valid WebAssembly 2.0: build it again, without newer proposals", err}
	}
	if m.info.Imports, err = checkFunctionImports(m.compiled, offered); err != nil {
		return err
	}
	m.abi, err = detectABI(m.compiled, module)
	if err == nil {
		m.info.ABI = m.abi.name()
	}
	return err
}

// build makes the runtime with the host modules, whose functions it returns, and
// the module's code.
func (m *Module) build(ctx context.Context, module []byte) (map[string]map[string]api.FunctionDefinition, error) {
	config := wazero.NewRuntimeConfig().
		// Debug information is the guest's and need not be sound: leave it unread.
		WithDebugInfoEnabled(false)
	if m.cached != nil {
		config = config.WithCompilationCache(m.cached.code)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	offered, err := m.hostModules(ctx)
	if err != nil {
		return nil, err
	}
	return offered, guard(func() (err error) {
		m.compiled, err = m.runtime.CompileModule(ctx, module)
		return err
	})
}

// hostModuleBuilders are the modules of the host, by name. All their functions
// are Go module functions, not reflected ones: 35 ns a call instead of 1,200.
var hostModuleBuilders = map[string]func(wazero.HostModuleBuilder){
	moduleIngot:        exportIngot,
	moduleExtism:       exportExtism,
	moduleExtismUser:   exportExtismUser,
	meter.ImportModule: exportMeter,
	moduleWASI: func(b wazero.HostModuleBuilder) {
		wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
		exportCommand(b)
	},
}

// hostModules instantiates those modules of the host that the guest imports from,
// a millisecond for all, and returns their functions.
func (m *Module) hostModules(ctx context.Context) (map[string]map[string]api.FunctionDefinition, error) {
	offered := map[string]map[string]api.FunctionDefinition{}
	for name, build := range hostModuleBuilders {
		if m.wanted != nil && !m.wanted[name] {
			continue
		}
		builder := m.runtime.NewHostModuleBuilder(name)
		build(builder)
		host, err := builder.Instantiate(experimental.WithFunctionListenerFactory(ctx, fileWatch{}))
		if err != nil {
			return nil, fmt.Errorf("making the host module %s: %w", name, err)
		}
		offered[name] = host.ExportedFunctionDefinitions()
	}
	return offered, nil
}

// exportIngot adds the functions of the module "ingot".
func exportIngot(b wazero.HostModuleBuilder) {
	b.NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(hostLog), []api.ValueType{i32, i32, i32}, nil).
		WithParameterNames("level", "ptr", "len").
		Export("log")
	exportGrants(b)
}

// hostLog is ingot.log(level, ptr, len).
func hostLog(ctx context.Context, m api.Module, stack []uint64) {
	level, ptr, size := int32(stack[0]), uint32(stack[1]), uint32(stack[2])
	text, ok := m.Memory().Read(ptr, size)
	if !ok {
		panic(failf(ErrABI, "log was given pointer %d and length %d, but the guest's memory ends at %d", ptr, size, m.Memory().Size()))
	}
	callOf(ctx).log.line(level, text)
}
