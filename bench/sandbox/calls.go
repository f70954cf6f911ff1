package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/meter"
)

// Rows of the table of calls.
const (
	rowC          = "C echo, pool"
	rowCFresh     = "C echo, plain wazero, instance per call"
	rowExtism     = "C echo, Extism, warm"
	rowExtismEach = "C echo, Extism, instance per call"
	rowGo         = "Go echo, pool"
	rowGoFresh    = "Go echo, plain wazero, instance per call"
	rowGoJSON     = "Go JSON, metered wazero"
	rowGoPlain    = "Go JSON, plain wazero"
	rowLoop       = "tight loop, metered wazero"
	rowLoopPlain  = "tight loop, plain wazero"
)

// subject is something that is called over and over.
type subject struct {
	name  string
	call  func() error
	close func()
}

// payload is 1 KB of JSON.
var payload = []byte(`{"text":"` + strings.Repeat("x", 1000) + `"}`)

// heavy makes the Go guest decode and encode the payload 20 times.
var heavy = []byte(`{"text":"` + strings.Repeat("x", 1000) + `","times":20}`)

// subjects makes all of them ready; each has answered once, and rightly.
func subjects(ctx context.Context, p programs) (all []subject, err error) {
	makers := []func() (subject, error){
		func() (subject, error) { return pooled(ctx, rowC, echoC, payload) },
		func() (subject, error) { return freshInstances(ctx, rowCFresh, echoC, payload) },
		func() (subject, error) { return extismWarm(ctx) },
		func() (subject, error) { return extismEach(ctx) },
		func() (subject, error) { return pooled(ctx, rowGo, p.goGuest, payload) },
		func() (subject, error) { return freshInstances(ctx, rowGoFresh, p.goGuest, payload) },
		func() (subject, error) { return oneInstance(ctx, rowGoJSON, p.goGuest, heavy, true) },
		func() (subject, error) { return oneInstance(ctx, rowGoPlain, p.goGuest, heavy, false) },
		func() (subject, error) { return tightLoop(ctx, rowLoop, true) },
		func() (subject, error) { return tightLoop(ctx, rowLoopPlain, false) },
	}
	for _, make := range makers {
		s, err := make()
		if err == nil {
			err = s.call()
		}
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func closeAll(all []subject) {
	for _, s := range all {
		s.close()
	}
}

// pooled calls a module through the sandbox, at the isolation "call".
func pooled(ctx context.Context, name string, module, args []byte) (subject, error) {
	host := sandbox.New(sandbox.Options{Logger: slog.New(slog.DiscardHandler)})
	s := subject{name: name, close: func() { _ = host.Close(ctx) }}
	m, err := host.Load(ctx, name, module, sandbox.Policy{Limits: sandbox.Limits{TimeMax: time.Minute}})
	s.call = func() error {
		out, err := m.Call(ctx, sandbox.CallRequest{Arguments: args})
		return same(out.JSON, args, err)
	}
	return s, err
}

// same is an error unless the answer is the question.
func same(got, want []byte, err error) error {
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("it answered %.40q", got)
	}
	return err
}

// plainRuntime is wazero as it comes, with WASI and the host's functions that the
// guests import.
func plainRuntime(ctx context.Context) (wazero.Runtime, error) {
	r := wazero.NewRuntime(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		return r, err
	}
	quiet := api.GoModuleFunc(func(context.Context, api.Module, []uint64) {})
	const i32, i64, f64 = api.ValueTypeI32, api.ValueTypeI64, api.ValueTypeF64
	b := r.NewHostModuleBuilder("ingot")
	for name, params := range map[string][]api.ValueType{
		"log": {i32, i32, i32}, "progress": {f64, f64, i32, i32}, "reply": {i32},
	} {
		b.NewFunctionBuilder().WithGoModuleFunction(quiet, params, nil).Export(name)
	}
	for name, params := range map[string][]api.ValueType{
		"state_get": {i32, i32}, "state_set": {i32, i32, i32, i32, i64, i64}, "state_delete": {i32, i32, i64},
		"state_increment": {i32, i32, i64, i64}, "state_list": {i32, i32, i32, i32, i32}, "http_request": {i32, i32, i32, i32},
	} {
		b.NewFunctionBuilder().WithGoModuleFunction(quiet, params, []api.ValueType{i64}).Export(name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return r, err
	}
	_, err := r.NewHostModuleBuilder(meter.ImportModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) {
			m.ExportedGlobal(meter.ExportFuel).(api.MutableGlobal).Set(100_000)
		}), nil, nil).Export(meter.ImportYield).Instantiate(ctx)
	return r, err
}

// start makes an instance as a tool without the sandbox would.
func start(ctx context.Context, r wazero.Runtime, c wazero.CompiledModule) (api.Module, error) {
	return r.InstantiateModule(ctx, c, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
}

// callNative makes one call of the native ABI.
func callNative(ctx context.Context, m api.Module, alloc, call api.Function, args []byte) ([]byte, error) {
	stack := []uint64{uint64(len(args)), 0}
	if err := alloc.CallWithStack(ctx, stack); err != nil {
		return nil, err
	}
	at := stack[0]
	if !m.Memory().Write(uint32(at), args) {
		return nil, fmt.Errorf("alloc gave %d", at)
	}
	stack[0], stack[1] = at, uint64(len(args))
	if err := call.CallWithStack(ctx, stack); err != nil {
		return nil, err
	}
	out, _ := m.Memory().Read(uint32(stack[0]>>32), uint32(stack[0]))
	return bytes.Clone(out), nil
}

// freshInstances starts an instance for each call.
func freshInstances(ctx context.Context, name string, module, args []byte) (subject, error) {
	s := subject{name: name, close: func() {}}
	r, err := plainRuntime(ctx)
	if err != nil {
		return s, err
	}
	s.close = func() { _ = r.Close(ctx) }
	c, err := r.CompileModule(ctx, module)
	s.call = func() error {
		m, err := start(ctx, r, c)
		if err != nil {
			return err
		}
		defer m.Close(ctx)
		out, err := callNative(ctx, m, m.ExportedFunction("alloc"), m.ExportedFunction("call"), args)
		return same(out, args, err)
	}
	return s, err
}

// oneInstance calls one instance over and over, metered or not: what the meter
// costs, and nothing else.
func oneInstance(ctx context.Context, name string, module, args []byte, metered bool) (subject, error) {
	s := subject{name: name, close: func() {}}
	r, err := plainRuntime(ctx)
	if err != nil {
		return s, err
	}
	s.close = func() { _ = r.Close(ctx) }
	if metered {
		m, err := meter.Instrument(module, meter.Options{})
		if err != nil {
			return s, err
		}
		module = m.Bytes
	}
	c, err := r.CompileModule(ctx, module)
	if err != nil {
		return s, err
	}
	m, err := start(ctx, r, c)
	if err != nil {
		return s, err
	}
	alloc, call := m.ExportedFunction("alloc"), m.ExportedFunction("call")
	s.call = func() error {
		out, err := callNative(ctx, m, alloc, call, args)
		return same(out, args, err)
	}
	return s, nil
}

// loopModule exports loop(n i32), which counts down to 0:
//
//	(func (export "loop") (param i32)
//	  loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end)
var loopModule = []byte("\x00asm\x01\x00\x00\x00" + "\x01\x05\x01\x60\x01\x7f\x00" + "\x03\x02\x01\x00" +
	"\x07\x08\x01\x04loop\x00\x00" + "\x0a\x10\x01\x0e\x00\x03\x40\x20\x00\x41\x01\x6b\x22\x00\x0d\x00\x0b\x0b")

// loopTurns is how often a call of the tight loop goes round.
const loopTurns = 100_000

func tightLoop(ctx context.Context, name string, metered bool) (subject, error) {
	s := subject{name: name, close: func() {}}
	r, err := plainRuntime(ctx)
	if err != nil {
		return s, err
	}
	s.close = func() { _ = r.Close(ctx) }
	module := loopModule
	if metered {
		m, err := meter.Instrument(module, meter.Options{})
		if err != nil {
			return s, err
		}
		module = m.Bytes
	}
	m, err := r.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return s, err
	}
	loop := m.ExportedFunction("loop")
	stack := make([]uint64, 1)
	s.call = func() error {
		stack[0] = loopTurns
		return loop.CallWithStack(ctx, stack)
	}
	return s, nil
}

// compileExtism is the plug-in, with a limit of time as a host would set one:
// Extism then stops guests as wazero does.
func compileExtism(ctx context.Context) (*extism.CompiledPlugin, error) {
	manifest := extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: echoExtism}}, Timeout: 60_000}
	return extism.NewCompiledPlugin(ctx, manifest, extism.PluginConfig{}, nil)
}

func extismWarm(ctx context.Context) (subject, error) {
	s := subject{name: rowExtism, close: func() {}}
	compiled, err := compileExtism(ctx)
	if err != nil {
		return s, err
	}
	plugin, err := compiled.Instance(ctx, extism.PluginInstanceConfig{})
	if err != nil {
		return s, err
	}
	s.close = func() { _ = plugin.Close(ctx); _ = compiled.Close(ctx) }
	s.call = func() error {
		_, out, err := plugin.CallWithContext(ctx, "echo", payload)
		return same(out, payload, err)
	}
	return s, nil
}

func extismEach(ctx context.Context) (subject, error) {
	s := subject{name: rowExtismEach, close: func() {}}
	compiled, err := compileExtism(ctx)
	if err != nil {
		return s, err
	}
	s.close = func() { _ = compiled.Close(ctx) }
	s.call = func() error {
		plugin, err := compiled.Instance(ctx, extism.PluginInstanceConfig{})
		if err != nil {
			return err
		}
		defer plugin.Close(ctx)
		_, out, err := plugin.CallWithContext(ctx, "echo", payload)
		return same(out, payload, err)
	}
	return s, nil
}

// timeCalls calls s for about a phase and returns the nanoseconds of a call.
func timeCalls(s subject, phase time.Duration) (float64, error) {
	calls, begin := 0, time.Now()
	for batch := 1; ; batch = min(batch*2, 1024) {
		for range batch {
			if err := s.call(); err != nil {
				return 0, fmt.Errorf("%s: %w", s.name, err)
			}
		}
		calls += batch
		if spent := time.Since(begin); spent >= phase {
			return float64(spent.Nanoseconds()) / float64(calls), nil
		}
	}
}
