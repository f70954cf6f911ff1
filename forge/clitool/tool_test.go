package clitool

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// The tests' programs are this binary, told by its first argument what to do.
const helper = "-helper"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == helper {
		os.Exit(helpers[os.Args[2]](os.Args[3:]))
	}
	goleak.VerifyTestMain(m)
}

var helpers = map[string]func(args []string) int{
	"args": func(args []string) int { return printJSON(args) },
	"env":  func([]string) int { return printJSON(os.Environ()) },
	"cwd": func([]string) int {
		dir, _ := os.Getwd()
		fmt.Print(dir)
		return 0
	},
	"fail": func(args []string) int {
		fmt.Println("before")
		fmt.Fprintln(os.Stderr, strings.Join(args, " "))
		return 3
	},
	"stdin": func([]string) int {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		fmt.Printf("%q %v", line, err)
		return 0
	},
	"flood": func([]string) int {
		for {
			if _, err := fmt.Println(strings.Repeat("x", 1000)); err != nil {
				return 1
			}
		}
	},
	"binary": func([]string) int { os.Stdout.Write([]byte{'a', 0xff, 'b'}); return 0 },
	"object": func([]string) int { fmt.Println(`{"a":1}`); return 0 },
	"stubborn": func(args []string) int {
		signal.Ignore(syscall.SIGTERM)
		os.WriteFile(args[0], []byte("started"), 0o600)
		select {}
	},
	"polite": func(args []string) int {
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		os.WriteFile(args[0], []byte("started"), 0o600)
		<-term
		fmt.Fprint(os.Stderr, "I tidied up")
		return 0
	},
	// forks leaves a child behind that holds the pipes open.
	"forks": func(args []string) int {
		child := exec.Command(os.Args[0], helper, "stubborn", args[0])
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if child.Start() != nil {
			return 1
		}
		for {
			if text, _ := os.ReadFile(args[0]); string(text) == "started" { // all of it: it would write over what comes below
				break
			}
			time.Sleep(time.Millisecond)
		}
		os.WriteFile(args[0], []byte(fmt.Sprint(child.Process.Pid)), 0o600)
		fmt.Print("parent is done")
		return 0
	},
	"chunks": func([]string) int {
		in := "один two"
		for _, b := range []byte(in) { // characters come in pieces
			os.Stdout.Write([]byte{b})
		}
		return 0
	},
}

func printJSON(v any) int {
	raw, _ := json.Marshal(v)
	os.Stdout.Write(raw)
	return 0
}

// cli is a tool that runs a helper.
func cli(mode string, args ...string) *config.Tool {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return &config.Tool{Name: "t", Kind: config.KindCLI, CLI: &config.CLI{
		Command: self, Args: append([]string{helper, mode}, args...), OutputBytesMax: 1 << 20, SuccessCodes: []int{0},
	}}
}

// served is a server with the one tool.
func served(t *testing.T, tool *config.Tool) *mcp.Server {
	t.Helper()
	h, err := New(tool, config.Secrets{})
	require.NoError(t, err)
	s := mcp.NewServer(mcp.Options{})
	s.AddTool(mcp.Tool{Name: "t", InputSchema: []byte(`{"type":"object"}`)}, h)
	t.Cleanup(s.Close)
	return s
}

type reply struct {
	Result struct {
		Content           []struct{ Text string }
		StructuredContent json.RawMessage
		IsError           bool
	}
}

func (r *reply) text() string { return r.Result.Content[0].Text }

// call calls the tool through the protocol.
func call(t *testing.T, ctx context.Context, tool *config.Tool, arguments string) *reply {
	t.Helper()
	frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":%s}}`, arguments)
	raw := served(t, tool).NewExchange([]byte(frame)).Answer(ctx, mcp.VersionLegacy, nil)
	var r reply
	require.NoError(t, json.Unmarshal(raw, &r), "%s", raw)
	require.NotEmpty(t, r.Result.Content, "%s", raw)
	return &r
}

func TestArguments(t *testing.T) {
	tool := cli("args", "--name={{name}}", "{{name}}", "{{files}}", "{{gone}}", "{{n}}", "x{{gone}}y", "--", "{{dash}}", "$HOME `id` ; {{name}}")
	tool.CLI.Args = append([]string{helper, "args"}, tool.CLI.Args[2:]...)
	tool.Params = []config.Param{{Name: "n", Type: "integer"}}
	r := call(t, t.Context(), tool, `{"name":"a b; $(id) \"'{{n}}\n","files":["one","two words",3],"n":-5,"dash":"--help"}`)
	require.False(t, r.Result.IsError, r.text())
	var got []string
	require.NoError(t, json.Unmarshal([]byte(r.text()), &got))
	name := "a b; $(id) \"'{{n}}\n"
	require.Equal(t, []string{"--name=" + name, name, "one", "two words", "3", "-5", "xy", "--", "--help", "$HOME `id` ; " + name}, got)
}

func TestArgumentsThatAreRefused(t *testing.T) {
	for arguments, want := range map[string]string{
		`{"a":"-rf"}`:          `the value of "a" begins with "-"`,
		`{"a":["ok","--all"]}`: `begins with "-"`,
		`{"a":"x\u0000y"}`:     "zero byte",
		`{"a":"` + strings.Repeat("x", 128<<10+1) + `"}`: "131073 bytes",
		`{"a":[` + strings.Repeat("1,", 10_000) + `1]}`:  "more than 10000 arguments",
	} {
		r := call(t, t.Context(), cli("args", "{{a}}"), arguments)
		require.True(t, r.Result.IsError)
		require.Contains(t, r.text(), want)
	}
	h, err := New(cli("args", "{{a}}"), config.Secrets{})
	require.NoError(t, err)
	_, err = h(t.Context(), &mcp.CallRequest{Arguments: []byte(`{"a":"-x"}`)})
	require.Equal(t, fault.InvalidInput, fault.ClassOf(err))

	// A number may be absent, and what stands behind it then begins the argument.
	number := cli("args", "{{n}}{{unit}}")
	number.Params = []config.Param{{Name: "n", Type: "number"}}
	require.Equal(t, `["-5px"]`, call(t, t.Context(), number, `{"n":-5,"unit":"px"}`).text())
	require.Contains(t, call(t, t.Context(), number, `{"unit":"-rf"}`).text(), `begins with "-"`)
}

func TestEnvironmentIsClean(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SERVER", "x")
	t.Setenv("PASSED", "on")
	tool := cli("env")
	tool.CLI.Env = map[string]string{"GREETING": "hello {{name}}"}
	tool.CLI.PassEnv = []string{"PASSED", "NOT_SET"}
	var env []string
	require.NoError(t, json.Unmarshal([]byte(call(t, t.Context(), tool, `{"name":"Ada"}`).text()), &env))
	require.ElementsMatch(t, []string{"PATH=" + os.Getenv("PATH"), "PASSED=on", "GREETING=hello Ada"}, env)
	r := call(t, t.Context(), tool, `{"name":"\u0000"}`)
	require.True(t, r.Result.IsError)
	require.Contains(t, r.text(), "GREETING would have a zero byte")
}

func TestAnswers(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	tool := cli("cwd")
	tool.CLI.Cwd = dir
	r := call(t, t.Context(), tool, `{}`)
	require.Equal(t, dir, r.text())
	require.JSONEq(t, fmt.Sprintf(`{"stdout":%q,"stderr":"","exit_code":0}`, dir), string(r.Result.StructuredContent))

	require.Equal(t, `"" EOF`, call(t, t.Context(), cli("stdin"), `{}`).text())
	require.Equal(t, "a\ufffdb", call(t, t.Context(), cli("binary"), `{}`).text())

	failed := call(t, t.Context(), cli("fail", "{{why}}"), `{"why":"no such thing"}`)
	require.True(t, failed.Result.IsError)
	require.Contains(t, failed.text(), "ended with exit code 3: no such thing")
	tolerant := cli("fail", "x")
	tolerant.CLI.SuccessCodes = []int{0, 3}
	require.JSONEq(t, `{"stdout":"before\n","stderr":"x\n","exit_code":3}`, string(call(t, t.Context(), tolerant, `{}`).Result.StructuredContent))

	object := cli("object")
	object.OutputSchema = []byte(`{"type":"object"}`)
	require.JSONEq(t, `{"a":1}`, string(call(t, t.Context(), object, `{}`).Result.StructuredContent))
	object.CLI.Args[1] = "args"
	bad := call(t, t.Context(), object, `{}`)
	require.True(t, bad.Result.IsError)
	require.Contains(t, bad.text(), "did not print the JSON object")
}

func TestOutputIsBounded(t *testing.T) {
	tool := cli("flood")
	tool.CLI.OutputBytesMax = 10_000
	r := call(t, t.Context(), tool, `{}`)
	require.True(t, r.Result.IsError)
	require.Contains(t, r.text(), "printed more than 10000 bytes and was ended")
}

func TestStubbornProgramIsKilled(t *testing.T) {
	for mode, says := range map[string]string{"stubborn": "was ended", "polite": "I tidied up"} {
		t.Run(mode, func(t *testing.T) {
			started := filepath.Join(t.TempDir(), "started")
			h, err := New(cli(mode, started), config.Secrets{})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error, 1)
			go func() {
				_, err := h(ctx, &mcp.CallRequest{Arguments: []byte(`{}`)})
				failed <- err
			}()
			require.Eventually(t, func() bool { _, err := os.Stat(started); return err == nil }, time.Minute, time.Millisecond)
			cancel()
			err = <-failed
			require.Equal(t, fault.Canceled, fault.ClassOf(err))
			require.ErrorContains(t, err, says)
		})
	}
}

func TestTimeoutHasItsClass(t *testing.T) {
	h, err := New(cli("stubborn", filepath.Join(t.TempDir(), "x")), config.Secrets{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = h(ctx, &mcp.CallRequest{Arguments: []byte(`{}`)})
	require.Equal(t, fault.Timeout, fault.ClassOf(err))
	require.ErrorContains(t, err, "raise the tool's timeout")

	// A call without a deadline has one all the same.
	h, err = newTool(cli("stubborn", filepath.Join(t.TempDir(), "x")), config.Secrets{}, 100*time.Millisecond)
	require.NoError(t, err)
	_, err = h(t.Context(), &mcp.CallRequest{Arguments: []byte(`{}`)})
	require.Equal(t, fault.Timeout, fault.ClassOf(err))
}

// What a program leaves behind is ended with the call, though it ignores SIGTERM
// and holds the pipes open.
func TestWhatIsLeftBehindIsEnded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	r := call(t, t.Context(), cli("forks", file), `{}`)
	require.Equal(t, "parent is done", r.text())
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var pid int
	_, err = fmt.Sscan(string(raw), &pid)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z ") // nobody waits for an orphan in a container
	}, time.Minute, time.Millisecond)
}

func TestStreamSendsProgress(t *testing.T) {
	var out output
	var said []string
	out = output{bytesMax: 1 << 10, overflow: func() {}, report: func(sent int, text string) { said = append(said, fmt.Sprint(sent, " ", text)) }}
	for _, b := range []byte("дa") {
		_, err := out.Write([]byte{b})
		require.NoError(t, err)
	}
	require.Equal(t, []string{"1 ", "2 д", "3 a"}, said)
	require.Equal(t, "дa", out.text())

	tool := cli("chunks")
	tool.CLI.Stream = true
	require.Equal(t, "один two", call(t, t.Context(), tool, `{}`).text())
}

func TestNewRefuses(t *testing.T) {
	tool := cli("args")
	tool.CLI.Command = "no-such-program-anywhere"
	_, err := New(tool, config.Secrets{})
	require.ErrorContains(t, err, `the program "no-such-program-anywhere" is not there`)
	_, err = New(cli("args", "{{"), config.Secrets{})
	require.ErrorContains(t, err, "args[2]")
	tool = cli("args")
	tool.CLI.Cwd = filepath.Join(t.TempDir(), "none")
	_, err = New(tool, config.Secrets{})
	require.ErrorContains(t, err, "cwd: there is no folder")
	tool = cli("args")
	tool.CLI.Env = map[string]string{"A": "{{}}"}
	_, err = New(tool, config.Secrets{})
	require.ErrorContains(t, err, "env.A")
}

func TestAProgramThatGoes(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
	tool := cli("args")
	tool.CLI.Command, tool.CLI.Cwd = program, dir
	h, err := New(tool, config.Secrets{})
	require.NoError(t, err)
	require.NoError(t, os.Remove(program))
	_, err = h(t.Context(), &mcp.CallRequest{Arguments: []byte(`{}`)})
	require.Equal(t, fault.Unavailable, fault.ClassOf(err))
	require.ErrorContains(t, err, "is not there any more")
}

// No error shows a secret, nor the half of one that a bound leaves.
func TestSecretsStayOutOfErrors(t *testing.T) {
	const secret = "correct-horse-battery"
	c, err := config.Parse("a.yaml", []byte(`forge: {name: "${S}"}`), config.Options{LookupEnv: func(string) (string, bool) { return secret, true }})
	require.NoError(t, err)
	for _, behind := range []int{0, 10, reportBytesMax - 10} {
		h, err := New(cli("fail", strings.Repeat("x", reportBytesMax)+secret+strings.Repeat("x", behind)), c.Secrets)
		require.NoError(t, err)
		_, err = h(t.Context(), &mcp.CallRequest{Arguments: []byte("{}")})
		require.ErrorContains(t, err, "secret]")
		require.NotContains(t, err.Error(), "battery")
		require.Less(t, len(err.Error()), reportBytesMax+200)
	}
}
