package grants

import (
	"crypto/ed25519"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/signature"
	"github.com/ingot-run/ingot/internal/yamlfile"
)

var update = flag.Bool("update", false, "rewrite the expected errors")

// environment is what the test files see.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"INGOT_TEST_SECRET": "hunter2", "INGOT_TEST_EMPTY": ""}[name]
	return v, ok
}

// Each bad file has the exact text of its errors beside it. go test -update
// rewrites them, for a person to read.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.Greater(t, len(files), 40)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			_, err = Parse(filepath.Base(file), text, Options{LookupEnv: environment})
			var p *Problems
			require.ErrorAs(t, err, &p)
			require.NotContains(t, err.Error(), "hunter2", "a secret in an error")
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644))
			}
			want, readErr := os.ReadFile(golden)
			require.NoError(t, readErr)
			require.Equal(t, string(want), err.Error()+"\n")
		})
	}
}

func TestGoodFile(t *testing.T) {
	file, err := Read("testdata/good.yaml", Options{LookupEnv: environment})
	require.NoError(t, err)
	require.Equal(t, []string{"list"}, file.Others)
	require.Len(t, file.Tools, 2)
	notes := file.Tools[0]
	key, err := signature.ParsePublicKey([]byte("ed25519:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="))
	require.NoError(t, err)
	require.Equal(t, Tool{
		Name: "notes", Module: filepath.Join("testdata", "notes.wasm"), Signature: filepath.Join("testdata", "notes.wasm.sig"), Line: notes.Line, Column: notes.Column,
		Policy: sandbox.Policy{
			SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", PublicKey: key, Isolation: sandbox.IsolationSession,
			Config: map[string]string{"units": "metric", "token": "hunter2"},
			State:  []sandbox.StateGrant{{Prefix: "notes/", Write: true, BytesMax: 3 << 19, OpsMax: 1000}, {Prefix: "shared/"}},
			Files: []sandbox.FileGrant{
				{Guest: "/data", Root: filepath.Join("testdata", "data")}, {Guest: "/work", Root: "/tmp/work", Write: true, BytesMax: 2_000_000},
			},
			HTTP: []sandbox.HTTPGrant{
				{Host: "*.example.org:8443", Methods: []string{"GET", "POST"}, Private: true, Headers: []string{"Api-Key"}}, {Host: "api.example.org"},
			},
			Env: map[string]string{"INGOT_TEST_SECRET": "hunter2"}, Clock: sandbox.ClockReal, RandomSeed: []byte("the same"),
			Limits: sandbox.Limits{
				TimeMax: 90 * time.Second, ModuleBytesMax: 1 << 20, CompileWorkMax: 100_000, MemoryBytesMax: 8 << 20, TableElementsMax: 1000, FuelMax: 1_000_000,
				InputBytesMax: 1000, StdinBytesMax: 2000, OutputBytesMax: 3000, LogBytesMax: 4000, LogLinesMax: 5, LoadTimeMax: 6 * time.Second,
				ConcurrencyMax: 7, CallsQueuedMax: 8, InstancesReadyMin: 16, InstancesIdleMax: 9, IdleTimeMax: 10 * time.Minute, OpenFilesMax: 11,
				HTTPRequestsMax: 12, HTTPRequestBytesMax: 13, HTTPResponseBytesMax: 14, HTTPTimeMax: 15 * time.Millisecond,
			},
		},
	}, notes)
	require.Equal(t, 7, notes.Line)
	other := file.Tools[1]
	require.Equal(t, "/absolute/other.wasm", other.Module)
	require.Empty(t, other.Signature)
	require.Equal(t, 250*time.Millisecond, other.Policy.Limits.TimeMax)
	require.Equal(t, map[string]string{"LANG": "C.UTF-8", "PRICE": "${5}", "DEFAULTED": "x", "NUMBER": "7"}, other.Policy.Env)
}

// Every field of the policy can be written in a file: the good file sets them all,
// but for the signature's content, which Open reads.
func TestEveryFieldHasAKey(t *testing.T) {
	file, err := Read("testdata/good.yaml", Options{LookupEnv: environment})
	require.NoError(t, err)
	policy := reflect.ValueOf(file.Tools[0].Policy)
	for i := range policy.NumField() {
		name := policy.Type().Field(i).Name
		require.Equal(t, name == "Signature", policy.Field(i).IsZero(), name)
	}
	for _, v := range []any{policy.FieldByName("Limits").Interface(), file.Tools[0].Policy.State[0], file.Tools[0].Policy.Files[1], file.Tools[0].Policy.HTTP[0]} {
		for i := range reflect.ValueOf(v).NumField() {
			require.False(t, reflect.ValueOf(v).Field(i).IsZero(), "%T.%s", v, reflect.TypeOf(v).Field(i).Name)
		}
	}
}

// A variable's value is a text, whatever it looks like: it cannot add a grant.
func TestVariablesAddNoStructure(t *testing.T) {
	const text = "tools:\n  - type: wasm\n    module: a.wasm\n    capabilities:\n      state: [{prefix: '${EVIL}'}]\n"
	file, err := Parse("forge.yaml", []byte(text), Options{LookupEnv: func(string) (string, bool) { return "a'}, {prefix: '', access: read-write}]\n#${X}", true }})
	require.NoError(t, err)
	require.Equal(t, []sandbox.StateGrant{{Prefix: "a'}, {prefix: '', access: read-write}]\n#${X}"}}, file.Tools[0].Policy.State)
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	module := []byte("\x00asm\x01\x00\x00\x00")
	pem, err := signature.MarshalPublicKey(public)
	require.NoError(t, err)
	write("author.pub", pem)
	write("forge.yaml", []byte("tools: [{type: wasm, module: a.wasm, public_key: author.pub}, {type: wasm, module: a.wasm}]"))
	file, err := Read(filepath.Join(dir, "forge.yaml"), Options{})
	require.NoError(t, err)
	signed, plain := file.Tools[0], file.Tools[1]
	require.Equal(t, public, signed.Policy.PublicKey)

	_, _, err = plain.Open()
	require.ErrorIs(t, err, os.ErrNotExist)
	write("a.wasm", module)
	got, p, err := plain.Open()
	require.NoError(t, err)
	require.Equal(t, module, got)
	require.Empty(t, p.Signature)
	_, _, err = signed.Open()
	require.ErrorContains(t, err, "must be signed")
	write("a.wasm.sig", signature.Sign(module, private))
	_, p, err = signed.Open()
	require.NoError(t, err)
	require.NoError(t, signature.Verify(module, p.Signature, p.PublicKey))
}

func TestRead(t *testing.T) {
	_, err := Read("testdata/none.yaml", Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	large := filepath.Join(t.TempDir(), "large.yaml")
	require.NoError(t, os.WriteFile(large, make([]byte, yamlfile.FileBytesMax+1), 0o600))
	_, err = Read(large, Options{})
	require.ErrorContains(t, err, "at most")
	_, err = Parse("large.yaml", make([]byte, yamlfile.FileBytesMax+1), Options{})
	require.ErrorContains(t, err, "at most")
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "testdata/good.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := Parse("fuzz.yaml", text, Options{LookupEnv: environment})
		var p *Problems
		if err != nil && !errors.As(err, &p) {
			t.Errorf("%T: %v", err, err)
		}
		if p != nil && (len(p.List) == 0 || len(p.List) > yamlfile.ProblemsMax) {
			t.Errorf("%d problems", len(p.List))
		}
	})
}

func ExampleParse() {
	_, err := Parse("forge.yaml", []byte("tools:\n  - type: wasm\n    module: a.wasm\n    capabilities: {limits: {memroy: 8MiB}}\n"), Options{})
	os.Stdout.WriteString(err.Error())
	// Output: forge.yaml:4:29: limits has no key "memroy": did you mean "memory"?
}
