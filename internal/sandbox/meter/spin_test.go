package meter

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// spinners are guests whose "run" does not end, or not before the sun does: each
// in another shape.
func spinners() map[string]*builder {
	all := map[string]*builder{}
	void := []byte{blockVoid}
	// body makes a guest of one function with two i32 locals.
	body := func(name string, pieces ...[]byte) {
		b := new(builder)
		b.memory(1)
		b.function("run", nil, nil, []byte{2, i32}, code(pieces...)...)
		all[name] = b
	}
	block, loop, end, br0 := append([]byte{opBlock}, void...), append([]byte{opLoop}, void...), []byte{opEnd}, do(opBr, 0)
	one := i32Const(1)
	body("loop", loop, br0, end)
	body("loop with a condition", loop, one, do(opBrIf, 0), end)
	body("loop with two branches", loop, do(opLocalGet, 0), do(opBrIf, 0), br0, end)
	body("loop with many branches", loop, block, one, do(opBrIf, 0), do(opBr, 1), end, block, one, do(opBrIf, 0), do(opBr, 1), end,
		block, one, do(opBrIf, 0), do(opBr, 1), end, block, one, do(opBrIf, 0), do(opBr, 1), end, block, one, do(opBrIf, 0), do(opBr, 1), end, br0, end)
	body("loop by table", loop, do(opLocalGet, 0), do(opBrTable, 1, 0, 0), end)
	body("loop out of blocks", loop, block, block, do(opBr, 2), end, end, end)
	body("loop out of an if", loop, one, []byte{opIf, blockVoid}, do(opBr, 1), end, end)
	body("loop out of an else", loop, do(opLocalGet, 0), []byte{opIf, blockVoid, opElse}, do(opBr, 1), end, end)
	body("loop in a loop", loop, loop, do(opBr, 1), end, end)
	body("loop in a loop that ends", loop, i32Const(3), do(opLocalSet, 0),
		loop, do(opLocalGet, 0), one, []byte{opI32Sub}, do(opLocalTee, 0), do(opBrIf, 0), end, br0, end)
	body("loop after what never ends", block, br0, end, loop, br0, end)
	body("loop with a value", []byte{opI32Const, 0}, []byte{opLoop, 0x01}, br0, end, []byte{opDrop})
	all["loop with a value"].typeOf([]api.ValueType{i32}, []api.ValueType{i32}) // type 1
	body("loop without memory of fuel", loop, do(opLocalGet, 0), []byte{opMemorySize, 0}, []byte{opI32Add}, do(opLocalSet, 0), br0, end)

	// dispatch makes a dispatch loop of two blocks around some code for each.
	dispatch := func(name string, first, second []byte) {
		body(name, loop, block, block, do(opLocalGet, 0), do(opBrTable, 1, 0, 1), end, first, end, second, end)
	}
	set := func(v int32) []byte { return append(i32Const(v), do(opLocalSet, 0)...) }
	dispatch("dispatch backward", nil, code(set(0), br0))
	dispatch("dispatch forward and backward", code(set(1), do(opBr, 1)), code(set(0), br0))
	dispatch("dispatch forward past the end of its table, and backward", code(set(77), do(opBr, 1)), code(set(0), br0))
	dispatch("dispatch to the same place", code(set(0), do(opBr, 1)), nil)
	dispatch("dispatch by another variable", code(i32Const(1), do(opLocalSet, 1), do(opBr, 1)), nil)
	dispatch("dispatch by what is not known", code(do(opLocalGet, 1), do(opLocalSet, 0), do(opBr, 1)), nil)
	dispatch("dispatch under a condition", code(set(0), one, do(opBrIf, 1)), nil)
	body("dispatch back to its own header", loop, block, do(opLocalGet, 0), do(opBrTable, 1, 1, 1), end, end)
	body("dispatch with a second block in the place of the first", loop, block, block, do(opLocalGet, 0), do(opBrTable, 1, 0, 1), end, end,
		block, set(1), do(opBr, 1), end, end)

	calls(all)
	bulk(all)
	return all
}

// calls are the spinners that call functions.
func calls(all map[string]*builder) {
	funcTable := func(b *builder, functions ...uint32) {
		b.tables = [][]byte{appendU32([]byte{0x70, 0}, uint32(len(functions)))}
		segment := append([]byte{0}, append(i32Const(0), opEnd)...)
		segment = appendU32(segment, uint32(len(functions)))
		for _, f := range functions {
			segment = appendU32(segment, f)
		}
		b.elements = [][]byte{segment}
	}
	chain := func(leaf []byte) *builder { // each function calls the one before it twice
		b := new(builder)
		f := b.function("", nil, nil, nil, leaf...)
		for range 60 {
			f = b.function("", nil, nil, nil, code(do(opCall, f), do(opCall, f))...)
		}
		b.export("run", KindFunction, f)
		return b
	}
	all["chain of calls"] = chain(nil)
	all["chain of calls of a leaf that does something"] = chain(code(i32Const(1), []byte{opDrop}))

	indirect := new(builder)
	f := indirect.function("", nil, nil, nil)
	functions := []uint32{f}
	for i := range uint32(60) {
		functions = append(functions, indirect.function("", nil, nil, nil,
			code(i32Const(int32(i)), do(opCallIndirect, 0, 0), i32Const(int32(i)), do(opCallIndirect, 0, 0))...))
	}
	funcTable(indirect, functions...)
	indirect.export("run", KindFunction, functions[60])
	all["chain of indirect calls"] = indirect

	tail := new(builder)
	tail.function("run", nil, nil, nil, do(opReturnCall, 0)...)
	all["tail call of itself"] = tail
	tails := new(builder)
	tails.function("run", nil, nil, nil, do(opReturnCall, 1)...)
	tails.function("", nil, nil, nil, do(opReturnCall, 0)...)
	all["tail calls of each other"] = tails
	tailIndirect := new(builder)
	tailIndirect.function("run", nil, nil, nil, code(i32Const(0), do(opReturnCallIndirect, 0, 0))...)
	funcTable(tailIndirect, 0)
	all["indirect tail call of itself"] = tailIndirect
	tailRef := new(builder)
	tailRef.function("run", nil, nil, nil, code(do(opRefFunc, 0), do(opReturnCallRef, 0))...)
	all["tail call of a reference"] = tailRef

	start := new(builder)
	start.function("run", nil, nil, nil)
	s := start.function("", nil, nil, nil, opLoop, blockVoid, opBr, 0, opEnd)
	start.start = &s
	all["start function"] = start

	leaf := new(builder)
	small := leaf.function("", nil, nil, nil, code(i32Const(1), []byte{opDrop})...)
	leaf.function("run", nil, nil, nil, code([]byte{opLoop, blockVoid}, do(opCall, small), do(opBr, 0), []byte{opEnd})...)
	all["loop that calls a small function"] = leaf

	exception := new(builder) // throws and catches for ever
	exception.function("run", nil, nil, nil, code([]byte{opLoop, blockVoid}, []byte{opTryTable, blockVoid, 1, 2, 0}, []byte{opThrow, 0}, []byte{opEnd, opEnd})...)
	exception.tags = [][]byte{{0, 0}}
	all["exception caught by a loop"] = exception
	null := new(builder)
	null.function("run", nil, nil, nil, code([]byte{opLoop, blockVoid}, []byte{opRefNull, 0x70}, do(opBrOnNull, 0), []byte{opDrop, opEnd})...)
	all["branch on null"] = null
}

// bulk are the spinners that are one long row of slow instructions.
func bulk(all map[string]*builder) {
	row := func(name string, instruction ...byte) {
		b := new(builder)
		b.memory(200)
		b.tables = [][]byte{{0x70, 0, 0xa0, 0x8d, 0x06}} // 100,000
		b.data, b.dataCount = [][]byte{append([]byte{1, 0x80, 0x80, 0x04}, make([]byte, 64<<10)...)}, true
		b.elements = [][]byte{append([]byte{1, 0, 0xa0, 0x8d, 0x06}, make([]byte, 100_000)...)}
		var body []byte
		for range 100 {
			body = append(body, instruction...)
		}
		b.function("run", nil, nil, []byte{1, i32}, code(i32Const(0), do(opLocalSet, 0), body)...)
		all["row of "+name] = b
	}
	// length is an operand that the meter does not see through.
	length := func(n int32) []byte { return code(do(opLocalGet, 0), i32Const(n), []byte{opI32Add}) }
	zero := i32Const(0)
	row("memory.fill", code(zero, zero, length(13_000_000), []byte{0xfc, 11, 0})...)
	row("memory.fill of a constant length", code(zero, zero, i32Const(13_000_000), []byte{0xfc, 11, 0})...)
	row("memory.copy", code(zero, zero, length(13_000_000), []byte{0xfc, 10, 0, 0})...)
	row("memory.init", code(zero, zero, length(64<<10), []byte{0xfc, 8, 0, 0})...)
	row("table.fill", code(zero, []byte{opRefNull, 0x70}, length(100_000), []byte{0xfc, 17, 0})...)
	row("table.copy", code(zero, zero, length(100_000), []byte{0xfc, 14, 0, 0})...)
	row("table.init", code(zero, zero, length(100_000), []byte{0xfc, 12, 0, 0})...)
	row("table.init of a constant length", code(zero, zero, i32Const(100_000), []byte{0xfc, 12, 0, 0})...)
	row("table.grow", code([]byte{opRefNull, 0x70}, length(400), []byte{0xfc, 15, 0, opDrop})...)
	row("memory.grow", code(length(4), []byte{opMemoryGrow, 0, opDrop})...)
}

// Every guest that would not end runs out of fuel.
func TestSpinnersYield(t *testing.T) {
	for name, b := range spinners() {
		t.Run(name, func(t *testing.T) {
			err := runMetered(t, b.bytes(), &meterHost{slice: 1000, budget: 20_000})
			require.ErrorIs(t, err, errNoFuel{})
		})
	}
}

// What is thrown to a loop is paid for whole, also what comes between the start of
// the try and the throw.
func TestThrownIterationsAreCharged(t *testing.T) {
	work := bytes.Repeat([]byte{opI32Const, 1, opDrop}, 1000)
	b := new(builder)
	b.function("run", nil, nil, nil, code([]byte{opLoop, blockVoid}, []byte{opTryTable, blockVoid, 1, 2, 0}, work, []byte{opThrow, 0}, []byte{opEnd, opEnd})...)
	b.tags = [][]byte{{0, 0}}
	host := &meterHost{slice: 500, budget: 10_000}
	require.ErrorIs(t, runMetered(t, b.bytes(), host), errNoFuel{})
	require.Less(t, host.yields, 15, "each iteration takes more than a slice")
}

// runMetered instantiates a module and calls its "run".
func runMetered(t *testing.T, module []byte, host *meterHost) error {
	t.Helper()
	ctx := context.Background()
	made, err := Instrument(module, Options{})
	require.NoError(t, err)
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(allFeatures))
	defer func() { require.NoError(t, r.Close(ctx)) }()
	host.install(t, r)
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	m, err := r.Instantiate(ctx, made.Bytes)
	if err != nil {
		return err
	}
	_, err = m.ExportedFunction("run").Call(ctx)
	return err
}

// Recursion ends in the engine's own trap, but every call of it is charged.
func TestRecursionIsCharged(t *testing.T) {
	self := new(builder)
	self.function("run", nil, nil, nil, do(opCall, 0)...)
	mutual := new(builder)
	mutual.function("run", nil, nil, nil, do(opCall, 1)...)
	mutual.function("", nil, nil, nil, do(opCall, 0)...)
	for name, b := range map[string]*builder{"self": self, "mutual": mutual} {
		host := &meterHost{slice: 1, budget: -1}
		err := runMetered(t, b.bytes(), host)
		require.ErrorContains(t, err, "stack overflow", name)
		require.Greater(t, host.yields, 1000, name)
		require.ErrorIs(t, runMetered(t, b.bytes(), &meterHost{slice: 10, budget: 1000}), errNoFuel{}, name)
	}
}

// A guest that calls a host function which calls the guest again is charged too.
func TestReentryIsCharged(t *testing.T) {
	ctx := context.Background()
	b := new(builder)
	again := b.importFunction("env", "again", nil, nil)
	b.function("run", nil, nil, nil, do(opCall, again)...)
	made, err := Instrument(b.bytes(), Options{})
	require.NoError(t, err)
	r := wazero.NewRuntime(ctx)
	defer func() { require.NoError(t, r.Close(ctx)) }()
	host := &meterHost{slice: 10, budget: 500}
	host.install(t, r)
	_, err = r.NewHostModuleBuilder("env").NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, _ []uint64) {
		if _, err := m.ExportedFunction("run").Call(ctx); err != nil {
			panic(err)
		}
	}), nil, nil).Export("again").Instantiate(ctx)
	require.NoError(t, err)
	m, err := r.Instantiate(ctx, made.Bytes)
	require.NoError(t, err)
	_, err = m.ExportedFunction("run").Call(ctx)
	require.ErrorIs(t, err, errNoFuel{})
}
