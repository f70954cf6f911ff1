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
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// Options configure a [Host]. The zero value works.
type Options struct {
	// Logger gets what guests log and print, with the tool's name; nil discards.
	Logger *slog.Logger
}

// Host loads tools and closes them. It is safe for concurrent use.
type Host struct {
	logger *slog.Logger

	mu     sync.Mutex
	tools  map[*Tool]struct{}
	closed bool
}

// New returns a host without tools.
func New(o Options) *Host {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Host{logger: o.Logger, tools: map[*Tool]struct{}{}}
}

// Load compiles a module, checks it, and asks it what it is. file is its name
// in errors and logs. The module is copied. Errors are of type [*Error].
//
// It costs the compile time: about a millisecond for a small C guest, under a
// second for a Go guest.
func (h *Host) Load(ctx context.Context, file string, module []byte, p Policy) (*Tool, error) {
	var err error
	if p.Limits, err = p.Limits.complete(); err != nil {
		return nil, at(file, "load", &failure{ErrPolicy, err.Error(), nil})
	}
	t := &Tool{host: h, policy: p, logger: h.logger.With("tool", file)}
	t.slots = make(chan struct{}, p.Limits.ConcurrencyMax)
	t.done = make(chan struct{})
	t.info = Info{File: file, ModuleBytes: len(module)}
	if err := t.load(ctx, module); err != nil {
		t.release(ctx)
		return nil, at(file, "load", err)
	}
	if err := t.readDescription(ctx); err != nil {
		t.release(ctx)
		return nil, at(file, "describe", err)
	}
	t.logger = h.logger.With("tool", t.description.Name)
	return t, h.adopt(ctx, t)
}

// adopt notes t, so that Close closes it.
func (h *Host) adopt(ctx context.Context, t *Tool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		t.release(ctx)
		return at(t.info.File, "load", failf(ErrClosed, "the host was closed while the tool was loading"))
	}
	h.tools[t] = struct{}{}
	return nil
}

// Close closes every tool and waits for calls that are still running.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	tools := make([]*Tool, 0, len(h.tools))
	for t := range h.tools {
		tools = append(tools, t)
	}
	h.mu.Unlock()
	var errs []error
	for _, t := range tools {
		errs = append(errs, t.Close(ctx))
	}
	return errors.Join(errs...)
}

// load makes the runtime and compiles the module in it. Each tool has its own
// runtime, so that closing a tool frees all it had.
func (t *Tool) load(ctx context.Context, module []byte) error {
	limits := t.policy.Limits
	if uint64(len(module)) > limits.ModuleBytesMax {
		return failf(ErrModule, "the file has %d bytes, at most %d are allowed: strip it (Go: -ldflags=\"-s -w\"), or raise the module limit", len(module), limits.ModuleBytesMax)
	}
	sum := sha256.Sum256(module)
	t.info.SHA256 = hex.EncodeToString(sum[:])
	safe, shape, err := rewrite(module, limits)
	if err != nil {
		return &failure{ErrModule, err.Error() + "; the file is damaged or not for this host: build it again", err}
	}
	if shape.memoryBytesMin > limits.MemoryBytesMax {
		return failf(ErrMemory, "it starts with %d bytes of memory, and its limit is %d: build it with less, or raise the memory limit", shape.memoryBytesMin, limits.MemoryBytesMax)
	}
	t.info.shape(shape)
	return t.compile(ctx, safe)
}

// compile compiles the rewritten module and links it against the host modules.
func (t *Tool) compile(ctx context.Context, module []byte) error {
	t.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCloseOnContextDone(true).
		// Debug information is the guest's and need not be sound: leave it unread.
		WithDebugInfoEnabled(false))
	offered, err := t.hostModules(ctx)
	if err != nil {
		return err
	}
	err = guard(func() (err error) {
		t.compiled, err = t.runtime.CompileModule(ctx, module)
		return err
	})
	var crash *enginePanic
	switch {
	case errors.As(err, &crash):
		t.logger.Debug("compiling panicked", "panic", crash.value, "stack", crash.stack)
		return &failure{ErrModule, "the compiler cannot take this module (" + clip(crash.Error(), 200) + "): it is damaged; build it again", err}
	case err != nil:
		return &failure{ErrModule, clip(err.Error(), 512) + "; the module is not valid WebAssembly 2.0: build it again, without newer proposals", err}
	}
	if t.info.Imports, err = checkFunctionImports(t.compiled, offered); err != nil {
		return err
	}
	t.abi, err = detectABI(t.compiled)
	if err == nil {
		t.info.ABI = t.abi.name()
	}
	return err
}

// hostModules instantiates what a guest may import and returns its functions.
func (t *Tool) hostModules(ctx context.Context) (map[string]map[string]api.FunctionDefinition, error) {
	offered := map[string]map[string]api.FunctionDefinition{}
	for name, build := range map[string]func(wazero.HostModuleBuilder){
		moduleIngot: exportIngot,
		moduleWASI: func(b wazero.HostModuleBuilder) {
			wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
		},
	} {
		builder := t.runtime.NewHostModuleBuilder(name)
		build(builder)
		m, err := builder.Instantiate(ctx)
		if err != nil {
			return nil, fmt.Errorf("making the host module %s: %w", name, err)
		}
		offered[name] = m.ExportedFunctionDefinitions()
	}
	return offered, nil
}

// exportIngot adds the functions of the module "ingot". They are Go module
// functions, not reflected ones: 35 ns a call instead of 1,200.
func exportIngot(b wazero.HostModuleBuilder) {
	b.NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(hostLog), []api.ValueType{i32, i32, i32}, nil).
		WithParameterNames("level", "ptr", "len").
		Export("log")
}

// hostLog is ingot.log(level, ptr, len).
func hostLog(ctx context.Context, m api.Module, stack []uint64) {
	level, ptr, size := int32(stack[0]), uint32(stack[1]), uint32(stack[2])
	i := ctx.Value(instanceKey{}).(*instance)
	text, ok := m.Memory().Read(ptr, size)
	if !ok {
		panic(failf(ErrABI, "log was given pointer %d and length %d, but the guest's memory ends at %d", ptr, size, m.Memory().Size()))
	}
	i.log.line(level, text)
}
