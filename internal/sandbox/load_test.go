package sandbox

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

const sha256Path = "../../guest/examples/c-sha256/sha256.wasm"

// tryLoad loads a module that is expected to fail.
func tryLoad(t testing.TB, module []byte, l Limits) error {
	t.Helper()
	host := New(Options{})
	defer func() { require.NoError(t, host.Close(context.Background())) }()
	_, err := host.Load(context.Background(), "guest.wasm", module, Policy{Limits: l})
	if err != nil {
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Less(t, len(err.Error()), 2048)
	}
	return err
}

// panickers are modules that make wazero 1.12 panic while it compiles: two that
// mutation found, and the smallest of their kind, whose second function has a
// type that does not exist.
func panickers(t *testing.T) map[string][]byte {
	files, err := filepath.Glob("testdata/malformed/panic_*.wasm")
	require.NoError(t, err)
	require.Len(t, files, 2)
	all := map[string][]byte{"smallest": []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + "\x03\x03\x02\x00\x05" + "\x0a\x09\x02\x04\x00\x10\x01\x0b\x02\x00\x0b")}
	for _, file := range files {
		module, err := os.ReadFile(file)
		require.NoError(t, err)
		all[file] = module
	}
	return all
}

func TestModulesThatPanicTheCompiler(t *testing.T) {
	for name, module := range panickers(t) {
		require.Panics(t, func() {
			r := wazero.NewRuntime(context.Background())
			defer r.Close(context.Background())
			_, _ = r.CompileModule(context.Background(), module)
		}, "%s no longer panics wazero: this test has lost its point", name)

		err := tryLoad(t, module, Limits{})
		require.ErrorIs(t, err, ErrModule, name)
		require.ErrorContains(t, err, ": there is no type ", name)

		// Our own reader finds these; past it, the guard holds.
		tool := newModule(New(Options{}), "panics.wasm", Policy{})
		err = tool.compile(context.Background(), module)
		require.ErrorIs(t, at("x", "load", err), ErrModule, name)
		require.ErrorContains(t, err, "the compiler cannot take this module (the engine panicked: runtime error: index out of range", name)
		tool.release()
	}
}

func TestFilesThatAreNoModules(t *testing.T) {
	good, err := os.ReadFile(sha256Path)
	require.NoError(t, err)
	big := func(b []byte, more ...byte) []byte { return append(bytes.Clone(b), more...) }
	for name, c := range map[string]struct {
		module []byte
		says   string
	}{
		"empty":                     {nil, "the file is empty"},
		"text":                      {[]byte("hello"), `does not start with "\0asm"`},
		"wat":                       {[]byte(" (module)"), "wat2wasm"},
		"elf":                       {[]byte("\x7fELF\x02\x01\x01"), "native executable"},
		"component":                 {[]byte("\x00asm\x0d\x00\x01\x00"), "component"},
		"version 2":                 {[]byte("\x00asm\x02\x00\x00\x00"), "version is not 1"},
		"only the magic":            {[]byte("\x00asm"), "cut short"},
		"cut in half":               {good[:len(good)/2], "goes past the end"},
		"a byte too many":           {big(good, 0), "unexpected end"},
		"section id 99":             {big(good, 99, 0), "there is no section with id 99"},
		"a section size of 2^35":    {big(good, 0, 0xff, 0xff, 0xff, 0xff, 0x7f), "longer than 32 bits"},
		"a section twice":           {big(good, 7, 1, 0), "the export section is out of order, or there a second time"},
		"a function type that is 0": {[]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x00\x00\x00"), "is not a function type"},
		"a function of no type":     {[]byte("\x00asm\x01\x00\x00\x00\x03\x02\x01\x05"), "there is no type 5"},
		"code without functions":    {[]byte("\x00asm\x01\x00\x00\x00\x0a\x04\x01\x02\x00\x0b"), "0 are declared"},
		"4 billion functions":       {[]byte("\x00asm\x01\x00\x00\x00\x03\x05\xff\xff\xff\xff\x0f"), "function section"},
		"4 billion types":           {[]byte("\x00asm\x01\x00\x00\x00\x01\x05\xff\xff\xff\xff\x0f"), "type section"},
		"4 billion tables":          {[]byte("\x00asm\x01\x00\x00\x00\x04\x05\xff\xff\xff\xff\x0f"), "table section"},
		"4 billion imports":         {[]byte("\x00asm\x01\x00\x00\x00\x02\x05\xff\xff\xff\xff\x0f"), "import section"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tryLoad(t, c.module, Limits{})
			require.ErrorIs(t, err, ErrModule)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "tool guest.wasm: load: bad module: ")
		})
	}
	err = tryLoad(t, good, Limits{ModuleBytesMax: 1000})
	require.ErrorIs(t, err, ErrModule)
	require.ErrorContains(t, err, "at most 1000 are allowed")
}

func TestGuestsThatMissTheABI(t *testing.T) {
	empty := i64Const(uint64(512)<<32 | 2)
	imports := func(module, name string, params, results []api.ValueType) *builder {
		b := new(builder)
		b.importFunction(module, name, params, results)
		return b.native(empty...)
	}
	described := func(description string) *builder {
		b := new(builder)
		b.exportMemory()
		b.function("alloc", []api.ValueType{i32}, []api.ValueType{i32}, i32Const(1024)...)
		b.function("describe", nil, []api.ValueType{i64}, i64Const(b.text(16, description))...)
		b.function("call", []api.ValueType{i32, i32}, []api.ValueType{i64}, empty...)
		return b
	}
	command := new(builder)
	command.function("_start", nil, nil)
	wrong := new(builder)
	wrong.exportMemory()
	wrong.function("alloc", nil, []api.ValueType{i32}, i32Const(0)...)
	noMemory := new(builder)
	noMemory.function("alloc", []api.ValueType{i32}, []api.ValueType{i32}, i32Const(0)...)
	importsMemory := new(builder)
	importsMemory.imports = [][]byte{append(appendName(appendName(nil, "env"), "memory"), 2, 0, 1)}

	for name, c := range map[string]struct {
		built *builder
		kind  error
		says  string
	}{
		"nothing exported":        {new(builder), ErrABI, "does not export alloc(i32) i32, describe() i64, call(i32, i32) i64, memory"},
		"a bare command":          {command, ErrABI, "or _start alone"},
		"another signature":       {wrong, ErrABI, "must be alloc(i32) i32"},
		"no memory":               {noMemory, ErrABI, "memory"},
		"an unknown host module":  {imports("env", "abort", nil, nil), ErrABI, `imports env.abort, but there is no host module "env"`},
		"an unknown function":     {imports("ingot", "fly", nil, nil), ErrABI, "imports ingot.fly, which the host does not offer"},
		"WASI of the future":      {imports("wasi_snapshot_preview1", "thread_spawn", nil, nil), ErrABI, "thread_spawn"},
		"an import's signature":   {imports("ingot", "log", []api.ValueType{i64}, nil), ErrABI, "the host's is log(i32, i32, i32)"},
		"an imported memory":      {importsMemory, ErrModule, `imports the memory "env"."memory"`},
		"a description not JSON":  {described(`name`), ErrABI, "describe returned 4 bytes that are not valid JSON"},
		"a misspelt member":       {described(`{"name":"a","description":"b","inputschema":{"type":"object"}}`), ErrABI, "inputschema"},
		"no name":                 {described(`{"description":"b","inputSchema":{"type":"object"}}`), ErrABI, `name "" is empty`},
		"a name with a space":     {described(`{"name":"a b","description":"b","inputSchema":{"type":"object"}}`), ErrABI, "characters other than"},
		"a long name":             {described(`{"name":"` + strings.Repeat("a", 65) + `","description":"b","inputSchema":{"type":"object"}}`), ErrABI, "longer than 64"},
		"a long title":            {described(`{"name":"a","title":"` + strings.Repeat("a", 257) + `","description":"b","inputSchema":{"type":"object"}}`), ErrABI, "title"},
		"no description":          {described(`{"name":"a","description":" ","inputSchema":{"type":"object"}}`), ErrABI, `no "description"`},
		"no schema":               {described(`{"name":"a","description":"b"}`), ErrABI, `no "inputSchema"`},
		"a schema of a list":      {described(`{"name":"a","description":"b","inputSchema":{"type":"array"}}`), ErrABI, "inputSchema of tool a must be"},
		"a schema that is a word": {described(`{"name":"a","description":"b","inputSchema":"object"}`), ErrABI, "inputSchema of tool a must be"},
		"an output schema":        {described(`{"name":"a","description":"b","inputSchema":{"type":"object"},"outputSchema":{}}`), ErrABI, "outputSchema of tool a must be"},
		"a number for a name":     {described(`{"name":7,"description":"b","inputSchema":{"type":"object"}}`), ErrABI, "description is not as"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tryLoad(t, c.built.bytes(), Limits{})
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestLimitsThatCannotBeEnforced(t *testing.T) {
	for _, l := range []Limits{
		{MemoryBytesMax: 5 << 30}, {MemoryBytesMax: 1}, {OutputBytesMax: 1 << 40}, {TimeMax: -1}, {LoadTimeMax: -1}, {ConcurrencyMax: -1}, {TableElementsMax: 1 << 30},
	} {
		require.ErrorIs(t, tryLoad(t, nil, l), ErrPolicy, "%+v", l)
	}
	l, err := Limits{MemoryBytesMax: pageBytes*3 + 5}.complete()
	require.NoError(t, err)
	require.Equal(t, uint64(pageBytes*3), l.MemoryBytesMax)
	require.Equal(t, DefaultLimits().OutputBytesMax, l.OutputBytesMax)
}

func TestInfoAndDescription(t *testing.T) {
	tool := loadFile(t, sha256Path, Policy{})
	info := tool.Info()
	require.Equal(t, "native/1", info.ABI)
	require.Len(t, info.SHA256, 64)
	require.Empty(t, info.Imports)
	require.Equal(t, uint64(2*pageBytes), info.MemoryBytesMin)
	d := tool.Tools()[0]
	require.Equal(t, "sha256", d.Name)
	require.True(t, *d.Annotations.ReadOnlyHint)
	require.Nil(t, d.Annotations.DestructiveHint)
	require.NotEmpty(t, d.OutputSchema)

	hostile := loadFile(t, hostilePath, Policy{})
	require.Contains(t, hostile.Info().Imports, Import{"ingot", "log"})
	require.Contains(t, hostile.Info().Imports, Import{"wasi_snapshot_preview1", "proc_exit"})
}

// The engine must see each byte of a mutated module as data: no panic gets out,
// no call hangs. The seed is printed by a failure and repeats it.
func TestMutatedModules(t *testing.T) {
	good, err := os.ReadFile(sha256Path)
	require.NoError(t, err)
	const seed = 1
	random := rand.New(rand.NewPCG(seed, seed))
	loaded := 0
	for round := range 300 {
		module := bytes.Clone(good)
		for range 1 + random.IntN(3) {
			module[8+random.IntN(len(module)-8)] = byte(random.Uint32())
		}
		host := New(Options{})
		tool, err := host.Load(context.Background(), "mutant.wasm", module, Policy{Limits: Limits{TimeMax: 50 * time.Millisecond, LoadTimeMax: 50 * time.Millisecond}})
		if err == nil {
			loaded++
			_, _ = callTool(tool, `{"text":"abc"}`)
		}
		require.NoError(t, host.Close(context.Background()), "seed %d, round %d", seed, round)
	}
	require.Positive(t, loaded, "no mutant got as far as being called")
	require.Less(t, loaded, 300, "every mutant loaded")
}

func FuzzLoad(f *testing.F) {
	for _, path := range []string{sha256Path, "testdata/malformed/panic_99.wasm", "testdata/malformed/panic_203.wasm"} {
		module, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(module)
	}
	f.Fuzz(func(t *testing.T, module []byte) {
		host := New(Options{})
		defer host.Close(context.Background())
		tool, err := host.Load(context.Background(), "fuzz.wasm", module, Policy{Limits: Limits{
			TimeMax: 50 * time.Millisecond, LoadTimeMax: 50 * time.Millisecond, CompileWorkMax: 10_000_000, MemoryBytesMax: 16 << 20,
		}})
		if err == nil {
			_, _ = callTool(tool, "")
		}
	})
}

func TestTheMeterKeepsTheTool(t *testing.T) {
	tool := loadFile(t, sha256Path, Policy{})
	// FIPS 180-4 examples and the lengths around a block, against crypto/sha256.
	for n := range 200 {
		checkSHA256(t, tool, strings.Repeat("é", n/2)+strings.Repeat("x", n%2))
	}
}
