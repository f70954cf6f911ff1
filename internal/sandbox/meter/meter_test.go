package meter

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// Modules that Instrument refuses, and what it says.
func TestRefused(t *testing.T) {
	good := tightLoop()
	again, err := Instrument(good, Options{})
	require.NoError(t, err)
	imports := new(builder)
	imports.importFunction(ImportModule, "anything", nil, nil)
	exports := new(builder)
	exports.export("ingot:x", KindFunction, exports.function("", nil, nil, nil))
	function := func(code ...byte) []byte {
		b := new(builder)
		b.function("", nil, nil, nil, code...)
		return b.bytes()
	}
	with := func(id byte, content ...byte) []byte { return appendSection(bytes.Clone(wasmHeader), id, content) }
	many := new(builder)
	many.function("", nil, nil, []byte{100, i32, 100, i64})
	tables := new(builder)
	tables.tables = [][]byte{{0x70, 0, 60}, {0x6f, 0, 60}}
	nested := function(append(bytes.Repeat([]byte{opBlock, blockVoid}, 200), bytes.Repeat([]byte{opEnd}, 200)...)...)
	table := function(code([]byte{opI32Const, 0}, do(opBrTable, 500), make([]byte, 501))...)
	wide := new(builder)
	values := bytes.Repeat([]byte{i32}, 100)
	wide.function("", nil, values, nil, code(bytes.Repeat([]byte{opI32Const, 0}, 100), bytes.Repeat(code(do(opBlock, uint32(wide.typeOf(values, values))), []byte{opEnd}), 2))...)
	small := Options{LocalsMax: 150, TableElementsMax: 100, CompileWorkMax: 10_000, FunctionsMax: 3, ModuleBytesMax: 1000}

	for name, c := range map[string]struct {
		module []byte
		says   string
	}{
		"empty":                        {nil, "the file is empty"},
		"text":                         {[]byte("(module)"), "wat2wasm"},
		"component":                    {[]byte("\x00asm\x0d\x00\x01\x00"), "component"},
		"instrumented before":          {again.Bytes, "was it instrumented before?"},
		"imports from the meter":       {imports.bytes(), `it imports "anything" from "ingot:meter", a name that is reserved`},
		"exports a reserved name":      {exports.bytes(), `it exports "ingot:x", but names that start with "ingot:" are reserved`},
		"too large":                    {bytes.Repeat(good, 20), "at most 1000 are allowed: raise the module limit"},
		"too many functions":           {append(with(sectionType, 1, 0x60, 0, 0), with(sectionFunction, 4, 0, 0, 0, 0)[8:]...), "more than the 3 functions allowed"},
		"too many locals":              {many.bytes(), "function 0: 200 parameters and local variables, at most 150 are allowed"},
		"too many table elements":      {tables.bytes(), "its tables start with 120 elements or more, at most 100 are allowed"},
		"too slow to compile":          {nested, "more work than the 10000 units allowed"},
		"a br_table slow to compile":   {table, "more work than the 10000 units allowed (this function itself 15"},
		"wide blocks slow to compile":  {wide.bytes(), "more work than the 10000 units allowed (this function itself "},
		"cut":                          {good[:len(good)-3], "goes past the end"},
		"unknown section":              {with(99), "no section with id 99"},
		"section twice":                {append(bytes.Clone(good), with(sectionType, 0)[8:]...), "out of order, or there a second time"},
		"bytes left over":              {with(sectionMemory, 0, 0), "memory section: at byte 1: 1 bytes are left over"},
		"unknown instruction":          {function(0x27), "code section: function 0: at byte 1: unknown instruction 0x27"},
		"no such function":             {function(opCall, 1), "there is no function 1"},
		"the fuel":                     {function(opGlobalGet, 0, opDrop), "there is no global 0"},
		"the meter's local":            {function(opLocalGet, 0, opDrop), "there is no local variable 0"},
		"no such type":                 {function(opBlock, 1, opEnd), "there is no type 1"},
		"more ends than blocks":        {function(opEnd), "bytes are left over"},
		"branch out of all blocks":     {function(opBr, 1), "a branch out of 2 blocks, but it is in 1"},
		"a count that lies":            {with(sectionData, 0xff, 0xff, 0xff, 0xff, 0x0f), "data section: at byte 5: unexpected end"},
		"names with a count that lies": {with(sectionCustom, append([]byte("\x04name\x01\x05"), 0xff, 0xff, 0xff, 0xff, 0x0f)...), "custom section: names: at byte 5: unexpected end"},
		"a shared table":               {with(sectionTable, 1, 0x70, 2, 0), "a table that is shared"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Instrument(c.module, small)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// What is learnt about a module.
func TestModule(t *testing.T) {
	b := new(builder)
	b.importFunction("env", "a", nil, nil)
	b.importFunction("env", "b", []api.ValueType{i32}, nil)
	b.importOther("env", "g", KindGlobal, i32, 0)
	b.memories = [][]byte{{1, 2, 5}}
	b.tables = [][]byte{{0x70, 1, 3, 200, 1}, {0x6f, 0, 4}}
	b.globals = [][]byte{
		{i32, 1, opI32Const, 1, opEnd},
		{i64, 0, opI64Const, 2, opEnd},
		{i64, 1, opI64Const, 3, opEnd},
		append(append([]byte{typeF64, 1, opF64Const}, make([]byte, 8)...), opEnd),
	}
	b.export("named", KindGlobal, 3)
	b.export("named too", KindGlobal, 3)
	b.function("f", nil, nil, nil)
	m, err := Instrument(b.bytes(), Options{TableElementsMax: 107})
	require.NoError(t, err)
	require.Equal(t, []Import{{"env", "a", KindFunction}, {"env", "b", KindFunction}, {"env", "g", KindGlobal}}, m.Imports)
	require.Equal(t, "global", m.Imports[2].Kind.String())
	require.EqualValues(t, 2, m.ImportedFunctions)
	require.EqualValues(t, 1, m.Functions)
	require.EqualValues(t, 2*65536, m.MemoryBytesMin)
	require.EqualValues(t, 5*65536, m.MemoryBytesMax)
	require.EqualValues(t, 7, m.TableElements)
	require.Equal(t, []Global{{1, i32, "ingot:global:1"}, {3, i64, "named"}, {4, typeF64, "ingot:global:4"}}, m.Globals)
	require.True(t, m.Resettable, m.NotResettable)
	require.Contains(t, string(m.Bytes), "\x70\x01\x03\x35", "the first table may grow by half of the spare elements")
	require.Contains(t, string(m.Bytes), "\x6f\x01\x04\x36", "and so may the second")
}

// The host reaches the globals under the names that Globals gives.
func TestGlobalsAreReached(t *testing.T) {
	b := new(builder)
	var read []byte
	for i, kind := range []byte{typeI32, typeI64, typeF32, typeF64} {
		constant := [][]byte{{opI32Const, 0}, {opI64Const, 0}, append([]byte{opF32Const}, 0, 0, 0, 0), append([]byte{opF64Const}, 0, 0, 0, 0, 0, 0, 0, 0)}[i]
		b.globals = append(b.globals, append(append([]byte{kind, 1}, constant...), opEnd))
		read = append(read, do(opGlobalGet, uint32(i))...)
	}
	b.function("read", nil, []api.ValueType{typeI32, typeI64, typeF32, typeF64}, nil, read...)
	made, err := Instrument(b.bytes(), Options{})
	require.NoError(t, err)
	require.Len(t, made.Globals, 4)
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer func() { require.NoError(t, r.Close(ctx)) }()
	(&meterHost{slice: 100, budget: -1}).install(t, r)
	m, err := r.Instantiate(ctx, made.Bytes)
	require.NoError(t, err)
	for i, g := range made.Globals {
		require.Equal(t, g.Type, m.ExportedGlobal(g.Export).Type())
		m.ExportedGlobal(g.Export).(api.MutableGlobal).Set(uint64(100 + i))
	}
	got, err := m.ExportedFunction("read").Call(ctx)
	require.NoError(t, err)
	require.Equal(t, []uint64{100, 101, 102, 103}, got)
}

// What keeps an instance from being reset.
func TestNotResettable(t *testing.T) {
	withTable := func(code ...byte) *builder {
		b := new(builder)
		b.tables = [][]byte{{0x70, 0, 4}}
		b.elements = [][]byte{{1, 0, 0}}
		b.data, b.dataCount = [][]byte{{1, 0}}, true
		b.function("", nil, nil, nil, code...)
		return b
	}
	importing := func(kind Kind, description ...byte) *builder {
		b := new(builder)
		b.importOther("env", "x", kind, description...)
		return b
	}
	global := func(definition ...byte) *builder {
		b := new(builder)
		b.globals = [][]byte{definition}
		return b
	}
	zeros := code(i32Const(0), i32Const(0), i32Const(0))
	const changes, drops = "its code changes a table", "its code drops a data or element segment"
	for name, c := range map[string]struct {
		b      *builder
		reason string // "": it is
	}{
		"nothing":                {new(builder), ""},
		"a table":                {withTable(), ""},
		"memory.grow":            {func() *builder { b := withTable(i32Const(1)...); b.memory(1); return b }(), ""},
		"table.get":              {withTable(opI32Const, 0, opTableGet, 0, opDrop), ""},
		"table.set":              {withTable(opI32Const, 0, opRefNull, 0x70, opTableSet, 0), changes},
		"table.grow":             {withTable(opRefNull, 0x70, opI32Const, 0, 0xfc, 15, 0, opDrop), changes},
		"table.fill":             {withTable(opI32Const, 0, opRefNull, 0x70, opI32Const, 0, 0xfc, 17, 0), changes},
		"table.copy":             {withTable(append(zeros, 0xfc, 14, 0, 0)...), changes},
		"table.init":             {withTable(append(zeros, 0xfc, 12, 0, 0)...), changes},
		"elem.drop":              {withTable(0xfc, 13, 0), drops},
		"data.drop":              {withTable(0xfc, 9, 0), drops},
		"several":                {withTable(0xfc, 13, 0, 0xfc, 9, 0, opI32Const, 0, opRefNull, 0x70, opTableSet, 0), drops + "; " + changes},
		"imported function":      {func() *builder { b := new(builder); b.importFunction("env", "x", nil, nil); return b }(), ""},
		"imported table":         {importing(KindTable, 0x70, 0, 1), `it imports the table "env"."x", which others may change`},
		"imported memory":        {importing(KindMemory, 0, 1), `it imports the memory "env"."x", which others may change`},
		"imported constant":      {importing(KindGlobal, i32, 0), ""},
		"imported variable":      {importing(KindGlobal, i32, 1), `it imports the mutable global "env"."x", which others may change`},
		"constant of references": {global(0x70, 0, opRefNull, 0x70, opEnd), ""},
		"variable of references": {global(0x6f, 1, opRefNull, 0x6f, opEnd), "its mutable global 0 is of a reference or vector type, which the host cannot write"},
		"variable of vectors":    {global(append(append([]byte{0x7b, 1, 0xfd, 12}, make([]byte, 16)...), opEnd)...), "its mutable global 0 is of a reference or vector type, which the host cannot write"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Instrument(c.b.bytes(), Options{})
			require.NoError(t, err)
			require.Equal(t, c.reason, m.NotResettable)
			require.Equal(t, c.reason == "", m.Resettable)
		})
	}
}

// The count is that of the code, whenever the guest yields.
func TestFuelDoesNotDependOnYields(t *testing.T) {
	ctx := context.Background()
	input := orderJSON()
	made, err := Instrument(goJSON(t), Options{})
	require.NoError(t, err)
	cache := wazero.NewCompilationCache()
	defer func() { require.NoError(t, cache.Close(ctx)) }()
	var first int64
	for _, slice := range []int64{1_000_000_000, 100_000, 1000, 7, 1} {
		r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(cache))
		host := &meterHost{slice: slice, budget: -1}
		host.install(t, r)
		wasi_snapshot_preview1.MustInstantiate(ctx, r)
		m, err := r.InstantiateWithConfig(ctx, made.Bytes, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
		require.NoError(t, err)
		at, err := m.ExportedFunction("alloc").Call(ctx, uint64(len(input)))
		require.NoError(t, err)
		m.Memory().Write(uint32(at[0]), input)
		_, err = m.ExportedFunction("call").Call(ctx)
		require.NoError(t, err)
		burnt := host.burnt(m)
		t.Logf("slices of %d: %d burnt in %d yields", slice, burnt, host.yields)
		if first == 0 {
			first = burnt
		}
		require.Equal(t, first, burnt, "slices of %d", slice)
		require.NoError(t, r.Close(ctx))
	}
}

// What a few small guests cost, to the unit: costs change on purpose only, since
// people write limits in them.
func TestCosts(t *testing.T) {
	loop := func(n int32) []byte { // 5 an iteration: get, const, sub, tee, br_if
		return code(i32Const(n), do(opLocalSet, 0), []byte{opLoop, blockVoid}, do(opLocalGet, 0), i32Const(1), []byte{opI32Sub},
			do(opLocalTee, 0), do(opBrIf, 0), []byte{opEnd})
	}
	dynamic := func(n int32) []byte { return code(do(opLocalGet, 0), i32Const(n), []byte{opI32Add}) }
	zeros := code(i32Const(0), i32Const(0))
	for name, c := range map[string]struct {
		code []byte
		cost int64
	}{
		"nothing":                          {nil, 1},
		"straight line":                    {code(i32Const(1), []byte{opDrop}, i32Const(1), []byte{opDrop}), 2},
		"the longer of two":                {code(do(opLocalGet, 0), []byte{opIf, blockVoid}, bytes.Repeat([]byte{opI32Const, 1, opDrop}, 9), []byte{opElse, opEnd}), 11},
		"loop of 1 iteration":              {loop(1), 7 + 5},
		"loop of 1000 iterations":          {loop(1000), 7 + 5000},
		"memory.fill of 512":               {code(zeros, dynamic(512), []byte{0xfc, 11, 0}), 5 + 8},
		"memory.fill of 8192":              {code(zeros, dynamic(8192), []byte{0xfc, 11, 0}), 5 + 8 + 1024},
		"memory.fill of a constant 8192":   {code(zeros, i32Const(8192), []byte{0xfc, 11, 0}), 3 + 8 + 1024},
		"memory.grow by 2":                 {code(i32Const(2), []byte{opMemoryGrow, 0, opDrop}), 1 + 8 + 2*8192},
		"memory.grow that fails":           {code(i32Const(-1), []byte{opMemoryGrow, 0, opDrop}), 1 + 8},
		"what comes after an early return": {code([]byte{opReturn}, i32Const(1), []byte{opDrop}), 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := new(builder)
			b.memory(1)
			b.function("run", nil, nil, []byte{1, i32}, append(c.code, opNop)...)
			host := &meterHost{slice: 1_000_000, budget: -1}
			require.Equal(t, c.cost, runAndMeasure(t, b.bytes(), host))
		})
	}
}

// runAndMeasure calls "run" and returns the fuel it burnt.
func runAndMeasure(t *testing.T, module []byte, host *meterHost) int64 {
	t.Helper()
	ctx := context.Background()
	made, err := Instrument(module, Options{})
	require.NoError(t, err)
	r := wazero.NewRuntime(ctx)
	defer func() { require.NoError(t, r.Close(ctx)) }()
	host.install(t, r)
	m, err := r.Instantiate(ctx, made.Bytes)
	require.NoError(t, err)
	_, err = m.ExportedFunction("run").Call(ctx)
	require.NoError(t, err)
	return host.burnt(m)
}

// A function that is charged where it is called costs the same as its code there.
func TestSmallFunctionsAreChargedWhereTheyAreCalled(t *testing.T) {
	b := new(builder)
	inner := b.function("", nil, nil, nil, code(i32Const(1), []byte{opDrop}, i32Const(1), []byte{opDrop})...) // 2
	outer := b.function("", nil, nil, nil, do(opCall, inner)...)                                              // 1 + 2
	b.function("run", nil, nil, nil, code(do(opCall, outer), do(opCall, inner))...)                           // 1 + 3 + 1 + 2
	require.EqualValues(t, 7, runAndMeasure(t, b.bytes(), &meterHost{slice: 100, budget: -1}))
	m, err := Instrument(b.bytes(), Options{})
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(m.Bytes), string([]byte{opI64Sub})), "one function takes fuel")
}

// names is a name section for functions.
func names(functions map[uint32]string) []byte {
	var list []byte
	for i := range uint32(16) {
		if name, ok := functions[i]; ok {
			list = appendName(appendU32(list, i), name)
		}
	}
	locals := append(appendU32([]byte{1}, 1), appendName([]byte{1, 0}, "x")...)
	content := appendSection(appendName(nil, "name"), namesOfFunctions, append(appendU32(nil, uint32(len(functions))), list...))
	return appendSection(content, namesOfLocals, locals)
}

// A stack trace has the functions' own names.
func TestNamesInStackTraces(t *testing.T) {
	ctx := context.Background()
	b := new(builder)
	b.importFunction("env", "nothing", nil, nil)
	deep := b.function("", nil, nil, []byte{1, i32}, opUnreachable)
	middle := b.function("", nil, nil, nil, code(do(opCall, 0), do(opCall, deep))...)
	b.function("run", nil, nil, nil, do(opCall, middle)...)
	b.customs = [][]byte{names(map[uint32]string{0: "nothing", deep: "the deepest", middle: "the middle one", 3: "runner"})}
	made, err := Instrument(b.bytes(), Options{})
	require.NoError(t, err)
	var traces []string
	for _, module := range [][]byte{b.bytes(), made.Bytes} {
		r := wazero.NewRuntime(ctx)
		(&meterHost{slice: 100, budget: -1}).install(t, r)
		_, err = r.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() {}).Export("nothing").Instantiate(ctx)
		require.NoError(t, err)
		m, err := r.Instantiate(ctx, module)
		require.NoError(t, err)
		_, err = m.ExportedFunction("run").Call(ctx)
		traces = append(traces, err.Error())
		require.NoError(t, r.Close(ctx))
	}
	require.Equal(t, traces[0], traces[1])
	require.Regexp(t, `(?s)unreachable.*\.the deepest\(\).*\.the middle one\(\).*\.runner\(\)`, traces[1])
}

// Custom sections stay, apart from those that speak of places in the code.
func TestCustomSections(t *testing.T) {
	b := new(builder)
	b.function("run", nil, nil, nil)
	kept := []string{"producers", "target_features", "anything", "dylink.0"}
	dropped := []string{".debug_info", ".debug_line", "sourceMappingURL", "external_debug_info", "reloc.CODE", "linking", "metadata.code.branch_hint"}
	for _, name := range append(kept, dropped...) {
		b.customs = append(b.customs, append(appendName(nil, name), "content of "+name...))
	}
	b.customs = append(b.customs, appendName(nil, "empty"))
	made, err := Instrument(b.bytes(), Options{})
	require.NoError(t, err)
	for _, name := range kept {
		require.Contains(t, string(made.Bytes), "content of "+name)
	}
	for _, name := range dropped {
		require.NotContains(t, string(made.Bytes), name)
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCustomSections(true))
	defer func() { require.NoError(t, r.Close(ctx)) }()
	c, err := r.CompileModule(ctx, made.Bytes)
	require.NoError(t, err)
	require.Len(t, c.CustomSections(), len(kept))
}

// Modules at the edge of what a module can be.
func TestUnusualModules(t *testing.T) {
	v := newVerdicts(t, wazero.NewRuntimeConfigInterpreter())
	locals := new(builder)
	locals.function("run", nil, nil, nil)
	locals.bodies[0] = []byte{1, 0xd0, 0x86, 3, i32, opEnd} // 50,000 of them
	nested := new(builder)
	nested.function("run", nil, nil, nil, append(bytes.Repeat([]byte{opLoop, blockVoid}, 5000), bytes.Repeat([]byte{opBr, 0, opEnd}, 5000)...)...)
	for name, module := range map[string][]byte{
		"nothing":           wasmHeader,
		"only types":        appendSection(bytes.Clone(wasmHeader), sectionType, []byte{1, 0x60, 1, i32, 0}),
		"empty sections":    appendSection(appendSection(bytes.Clone(wasmHeader), sectionFunction, []byte{0}), sectionCode, []byte{0}),
		"only a data count": appendSection(bytes.Clone(wasmHeader), sectionDataCount, []byte{0}),
		"only a custom":     appendSection(bytes.Clone(wasmHeader), sectionCustom, append(appendName(nil, "x"), 1)),
		"max locals":        locals.bytes(),
		"deep nesting":      nested.bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			made, err := Instrument(module, Options{})
			require.NoError(t, err)
			require.NoError(t, v.compiles(module))
			require.NoError(t, v.compiles(made.Bytes))
		})
	}
}
