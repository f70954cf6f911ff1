package sandbox

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const commandPath = "testdata/command/command.wasm"

// command runs the tool of a command and returns whatever it answers.
func runCommand(m *Module, args string) (Result, error) {
	return m.Call(context.Background(), CallRequest{Arguments: []byte(args)})
}

func TestCommand(t *testing.T) {
	m := loadFile(t, commandPath, Policy{})
	require.Equal(t, "command/1", m.Info().ABI)
	require.Equal(t, "command", m.Tools()[0].Name)
	for range 3 { // each run finds memory as the first did
		out, err := runCommand(m, `{"mode":"json"}`)
		require.NoError(t, err)
		require.JSONEq(t, `{"runs":0,"bytes":15}`, string(out.JSON))
		require.Nil(t, out.MCP)
	}
	out, err := runCommand(m, `{"mode":"json","pad":"`+strings.Repeat("x", 1000)+`"}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"runs":0,"bytes":1024}`, string(out.JSON))
	out, err = runCommand(m, `{"mode":"text"}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"content":[{"type":"text","text":"plain \"text\"\nin two writes"}]}`, string(out.MCP))
	require.Nil(t, out.JSON)
	out, err = runCommand(m, `{}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"content":[{"type":"text","text":""}]}`, string(out.MCP))
	require.Zero(t, m.Stats().Discarded, "an exit leaves the instance whole")
}

func TestCommandFailures(t *testing.T) {
	m := loadFile(t, commandPath, Policy{Limits: Limits{OutputBytesMax: 1000, StdinBytesMax: 500, FuelMax: 50_000_000, TimeMax: time.Minute}})
	for args, want := range map[string]GuestError{
		`{"mode":"exit","n":1}`:  {Message: "it ended with exit code 1 and said nothing on stderr", Code: "exit_1"},
		`{"mode":"exit","n":77}`: {Message: "the moon is new", Code: "exit_77"},
	} {
		_, err := runCommand(m, args)
		var g *GuestError
		require.ErrorAs(t, err, &g, args)
		require.Equal(t, want, *g)
	}
	for args, want := range map[string]struct {
		kind error
		says string
	}{
		`{"mode":"flood","n":101}`: {ErrOutput, "printed 1010 bytes, at most 1000"},
		// 1,000 bytes of text, and the JSON around it.
		`{"mode":"flood","n":100}`: {ErrOutput, "raise the output limit"},
		`{"mode":"binary"}`:        {ErrABI, "neither a JSON object nor text in UTF-8"},
		`{"mode":"trap"}`:          {ErrTrap, "in _start"},
		`{"mode":"spin"}`:          {ErrFuel, "units of fuel"},
		`{"mode":"json","pad":"` + strings.Repeat("x", 500) + `"}`: {ErrInput, "raise the stdin limit"},
	} {
		_, err := runCommand(m, args)
		require.ErrorIs(t, err, want.kind, args)
		require.ErrorContains(t, err, want.says)
		out, err := runCommand(m, `{"mode":"json"}`)
		require.NoError(t, err, "after %s", args)
		require.JSONEq(t, `{"runs":0,"bytes":15}`, string(out.JSON))
	}
}

func TestCommandDescriptions(t *testing.T) {
	module, err := os.ReadFile(commandPath)
	require.NoError(t, err)
	description := appendName(nil, commandSection)
	description = append(description, `{"name":"sectioned","description":"Describes itself in a section.","inputSchema":{"type":"object"}}`...)
	m := load(t, append(appendU32(append(bytes.Clone(module), 0), uint32(len(description))), description...), Policy{}, nil)
	require.Equal(t, "sectioned", m.Tools()[0].Name)
	out, err := runCommand(m, `{"mode":"json"}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"runs":0,"bytes":15}`, string(out.JSON))

	silent := new(builder)
	silent.exportMemory()
	silent.function(commandExport, nil, nil)
	err = tryLoad(t, silent.bytes(), Limits{})
	require.ErrorIs(t, err, ErrABI)
	require.ErrorContains(t, err, "what it printed when it was run with --describe is no description")

	for _, isolation := range []Isolation{IsolationSession, IsolationShared} {
		host := New(Options{})
		_, err = host.Load(context.Background(), "guest.wasm", module, Policy{Isolation: isolation})
		require.ErrorIs(t, err, ErrPolicy)
		require.ErrorContains(t, err, "its isolation must be")
		require.NoError(t, host.Close(context.Background()))
	}
}

func TestCustomSection(t *testing.T) {
	section := func(name, content string) []byte {
		body := append(appendName(nil, name), content...)
		return append(appendU32([]byte{0}, uint32(len(body))), body...)
	}
	module := append(append(append([]byte{}, wasmHeader...), section("a", "one")...), section("b", strings.Repeat("two", 100))...)
	require.Equal(t, "one", string(customSection(module, "a")))
	require.Equal(t, strings.Repeat("two", 100), string(customSection(module, "b")))
	require.Nil(t, customSection(module, "c"))
	for n := len(wasmHeader); n < len(module); n++ { // cut anywhere, it stays within
		customSection(module[:n], "b")
	}
	require.Nil(t, customSection(append(append([]byte{}, wasmHeader...), 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "a"))
}

// Any Go program is a command.
func TestGoCommand(t *testing.T) {
	out := filepath.Join(t.TempDir(), "gocommand.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./testdata/gocommand")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	log, err := build.CombinedOutput()
	require.NoError(t, err, string(log))
	m := loadFile(t, out, Policy{Limits: Limits{TimeMax: time.Minute, LoadTimeMax: time.Minute}})
	for range 3 {
		got, err := runCommand(m, `{"text":"hello"}`)
		require.NoError(t, err)
		require.JSONEq(t, `{"upper":"HELLO"}`, string(got.JSON))
	}
	for args, code := range map[string]string{`{"text":7}`: "exit_3", `{}`: "exit_1", `{"text":"panic"}`: "exit_2"} {
		_, err = runCommand(m, args)
		var g *GuestError
		require.ErrorAs(t, err, &g)
		require.Equal(t, code, g.Code)
	}
	_, err = runCommand(m, `{"text":"plainly"}`)
	require.ErrorIs(t, err, ErrABI)
	require.ErrorContains(t, err, "its outputSchema promises one")
	t.Logf("%+v", m.Stats())
}
