package examples

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/conformance/clients/harness"
)

// made are the programs that the tests use, each built once, in a folder that TestMain
// removes.
var made struct {
	dir   string
	paths map[string]string
}

func TestMain(m *testing.M) {
	var err error
	if made.dir, err = os.MkdirTemp("", "ingot-examples-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	made.paths = map[string]string{}
	code := m.Run()
	if err := os.RemoveAll(made.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// once returns the path of a program that make writes there the first time.
func once(t *testing.T, name string, make func(path string)) string {
	t.Helper()
	if made.paths[name] == "" {
		path := filepath.Join(made.dir, name)
		make(path)
		made.paths[name] = path
	}
	return made.paths[name]
}

// ingot is the shipped binary.
func ingot(t *testing.T) string {
	return once(t, "ingot", func(path string) {
		shipped, err := filepath.Abs(harness.Build(t, "INGOT_BINARY", "./cmd/ingot"))
		require.NoError(t, err)
		content, err := os.ReadFile(shipped)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, content, 0o700))
	})
}

// folder is an example's.
func folder(t *testing.T, name string) string {
	return filepath.Join(harness.Root(t), "examples", name)
}

// peer stands in for the APIs that examples ask: it answers with what it was asked.
func peer(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/down") {
			http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
			return
		}
		answer := map[string]any{"asked": r.Method + " " + r.URL.RequestURI(), "agent": r.UserAgent()}
		if token := r.Header.Get("Authorization"); token != "" {
			answer["known"] = token == "Bearer the-token"
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// command is the server of an example, ready to be started: ingot serve, or the program
// that ingot build makes of it, in either case away from the example's folder.
func command(t *testing.T, name string, e example) *exec.Cmd {
	t.Helper()
	var cmd *exec.Cmd
	if e.Built {
		cmd = exec.Command(once(t, name, func(path string) {
			touchModules(t, name)
			out, err := exec.Command(ingot(t), "build", folder(t, name), "--out", path).CombinedOutput()
			require.NoError(t, err, string(out))
		}))
	} else {
		cmd = exec.Command(ingot(t), "serve", "--config", filepath.Join(folder(t, name), "forge.yaml"))
	}
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "API_URL="+peer(t), "API_PRIVATE=true", "API_TOKEN=the-token", "PORT="+freePort(t),
		"DATA_DIR="+filepath.Join(t.TempDir(), "data"), "XDG_DATA_HOME="+t.TempDir())
	if e.Redis {
		cmd.Env = append(cmd.Env, "REDIS_URL="+redis(t))
	}
	return cmd
}

// redis starts a redis-server with a password, for the time of the test. Where there is
// none the test is skipped, or fails where INGOT_REDIS_REQUIRE is 1.
func redis(t *testing.T) (url string) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("INGOT_REDIS_REQUIRE") == "1" {
			t.Fatalf("INGOT_REDIS_REQUIRE asks for redis-server: %v", err)
		}
		t.Skipf("redis-server is not installed: %v", err)
	}
	for range 10 {
		port := freePort(t)
		cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(), "--requirepass", "the-token")
		cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
		require.NoError(t, cmd.Start())
		exited := make(chan struct{})
		go func() { _ = cmd.Wait(); close(exited) }() // ends with the process
		t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
		if listens(port, exited) {
			return "redis://:the-token@127.0.0.1:" + port + "/0"
		}
	}
	t.Fatal("redis-server finds no free port")
	return ""
}

// listens waits until somebody takes connections on a port; false when exited is closed
// first: another program was faster.
func listens(port string, exited chan struct{}) bool {
	for {
		select {
		case <-exited:
			return false
		case <-time.After(10 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			return conn.Close() == nil
		}
	}
}

// touchModules makes the committed modules newer than their source: a checkout gives both
// any time, and TestPolyglotSource is where they are compiled.
func touchModules(t *testing.T, name string) {
	t.Helper()
	modules, err := filepath.Glob(filepath.Join(folder(t, name), "guests", "*", "*.wasm"))
	require.NoError(t, err)
	for _, module := range modules {
		now := time.Now()
		require.NoError(t, os.Chtimes(module, now, now))
	}
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// logs is what a server says on stderr; every line goes to the test's log too.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
	to   io.Writer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	return l.to.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// connect starts a server and a session with it. At the end the server must have ended
// well, and said nothing that is secret.
func connect(t *testing.T, name string, e example, version string) *mcp.ClientSession {
	t.Helper()
	cmd := command(t, name, e)
	said := &logs{to: t.Output()}
	cmd.Stderr = said
	var transport mcp.Transport = &mcp.CommandTransport{Command: cmd}
	end := func() {}
	if e.HTTP {
		transport, end = listen(t, cmd)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk-test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, session.Close())
		end()
		require.True(t, cmd.ProcessState.Success(), "the server's exit: %v", cmd.ProcessState)
		require.NotContains(t, said.String(), "the-token")
	})
	return session
}

// listen starts a server over HTTP; end asks it to end and waits.
func listen(t *testing.T, cmd *exec.Cmd) (transport mcp.Transport, end func()) {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var address string
	for text, part := "", make([]byte, 512); address == ""; {
		n, err := stdout.Read(part)
		require.NoError(t, err, "the server ended: %s", text)
		text += string(part[:n])
		if _, after, ok := strings.Cut(text, "MCP   "); ok && strings.Contains(after, "\n") {
			address, _, _ = strings.Cut(after, "\n")
		}
	}
	drained := make(chan struct{})
	go func() { defer close(drained); _, _ = io.Copy(io.Discard, stdout) }()
	return &mcp.StreamableClientTransport{Endpoint: address}, func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		<-drained
		require.NoError(t, cmd.Wait())
	}
}

// Each example, in both eras of the protocol.
func TestExamples(t *testing.T) {
	for name, e := range table(t) {
		for _, version := range []string{"2025-11-25", "2026-07-28"} {
			t.Run(name+"/"+version, func(t *testing.T) {
				session := connect(t, name, e, version)
				tryTools(t, session, e)
				tryResources(t, session, e)
				tryPrompts(t, session, e)
			})
		}
	}
}

// tryTools calls every tool that is listed, and no other.
func tryTools(t *testing.T, session *mcp.ClientSession, e example) {
	var listed, called []string
	for tool, err := range session.Tools(t.Context(), nil) {
		require.NoError(t, err)
		require.NotEmpty(t, tool.Description, tool.Name)
		listed = append(listed, tool.Name)
	}
	for _, c := range e.Tools {
		called = append(called, c.Tool)
		result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: c.Tool, Arguments: c.Arguments})
		require.NoError(t, err, c.Tool)
		var text strings.Builder
		for _, content := range result.Content {
			part, ok := content.(*mcp.TextContent)
			require.True(t, ok, "%s answers with a %T", c.Tool, content)
			text.WriteString(part.Text)
		}
		require.Equal(t, c.Error != "", result.IsError, "%s %v: %s", c.Tool, c.Arguments, text.String())
		c.compare(t, text.String(), result.StructuredContent)
	}
	require.ElementsMatch(t, listed, distinct(called), "left: listed by the server; right: called by calls.json")
}

// compare holds an answer to what calls.json says of it.
func (c *call) compare(t *testing.T, text string, structured any) {
	t.Helper()
	switch {
	case c.Error != "":
		require.Contains(t, text, c.Error, c.Tool)
	case c.Text != nil:
		require.Equal(t, *c.Text, text, c.Tool)
	case c.Contains != "":
		require.Contains(t, text, c.Contains, c.Tool)
	case c.Matches != "":
		require.Regexp(t, c.Matches, text, c.Tool)
	case c.Structured != nil:
		got, ok := structured.(map[string]any)
		require.True(t, ok, "%s answers with %v, and no object", c.Tool, structured)
		require.Equal(t, c.Structured, got, c.Tool)
	default:
		t.Fatalf("calls.json does not say what %s answers", c.Tool)
	}
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// tryResources reads one of each resource and template that is listed.
func tryResources(t *testing.T, session *mcp.ClientSession, e example) {
	var listed, known []string
	if session.InitializeResult().Capabilities.Resources != nil {
		for r, err := range session.Resources(t.Context(), nil) {
			require.NoError(t, err)
			listed = append(listed, r.URI)
		}
		for r, err := range session.ResourceTemplates(t.Context(), nil) {
			require.NoError(t, err)
			listed = append(listed, r.URITemplate)
		}
	}
	for _, r := range e.Resources {
		known = append(known, r.Listed, r.URI)
		result, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: r.URI})
		require.NoError(t, err, r.URI)
		require.Len(t, result.Contents, 1)
		require.Contains(t, result.Contents[0].Text, r.Contains)
		require.Contains(t, listed, r.Listed)
	}
	for _, uri := range listed {
		if !slices.Contains(known, uri) { // an instance of a template, as state:///visits
			readable, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
			require.NoError(t, err, "%s is listed and in no line of calls.json", uri)
			require.NotEmpty(t, readable.Contents)
		}
	}
}

// tryPrompts gets every prompt that is listed, and no other.
func tryPrompts(t *testing.T, session *mcp.ClientSession, e example) {
	var listed, got []string
	if session.InitializeResult().Capabilities.Prompts != nil {
		for p, err := range session.Prompts(t.Context(), nil) {
			require.NoError(t, err)
			listed = append(listed, p.Name)
		}
	}
	for _, p := range e.Prompts {
		got = append(got, p.Prompt)
		result, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: p.Prompt, Arguments: p.Arguments})
		require.NoError(t, err, p.Prompt)
		var texts []string
		for _, m := range result.Messages {
			texts = append(texts, m.Content.(*mcp.TextContent).Text)
		}
		require.Equal(t, p.Texts, texts, p.Prompt)
	}
	require.ElementsMatch(t, listed, distinct(got), "left: listed by the server; right: in calls.json")
}

// The tests that each example has of itself pass, as its README says, and its README says
// what the examples answer.
func TestOwnTests(t *testing.T) {
	for name, e := range table(t) {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, name, e)
			if e.Built {
				cmd.Args = append(cmd.Args, "test")
			} else {
				cmd.Args = []string{cmd.Path, "test", filepath.Join(folder(t, name), "forge.yaml")}
			}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Regexp(t, `\d+ (tests passed|passed, 0 failed)`, string(out))
			require.NotContains(t, string(out), "FAIL")

			readme, err := os.ReadFile(filepath.Join(folder(t, name), "README.md"))
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(readme), "# "+name+"\n"))
			require.Contains(t, string(readme), readmeAnswer[name], "the README shows what the table has")
		})
	}
}

// readmeAnswer is an answer that the README of an example shows; calls.json has it too.
var readmeAnswer = map[string]string{
	"hello-world":      "    Hello, Ada!\n",
	"calculator":       "    {\"result\":8}\n",
	"rest-api-proxy":   "`GET /search/repositories?per_page=10&q=a%26b%3Dc`",
	"code-metrics-cli": "    4 push\n    1 pop\n",
	"polyglot":         "    {\"hex\":\"11e60398\"}\n",
	"production":       "    {\"value\":1}\n",
	"telemetry":        "`exit code 1`",
	"shared-state":     "    {\"value\":1}\n",
	"team-access":      "    local may not write the key \"own/ada/list\"\n",
}

// The modules' source, compiled here, answers as the committed modules do.
func TestPolyglotSource(t *testing.T) {
	e := table(t)["polyglot"]
	for guest, language := range map[string]string{"rust-fibonacci": "rust", "as-sentiment": "as", "c-adler": "c"} {
		t.Run(guest, func(t *testing.T) {
			requireLanguage(t, language)
			dir := t.TempDir()
			build := exec.Command(ingot(t), "build", filepath.Join(folder(t, "polyglot"), "guests", guest), "--out", filepath.Join(dir, "fresh.wasm"))
			build.Env = append(os.Environ(), "CARGO_TARGET_DIR="+t.TempDir())
			out, err := build.CombinedOutput()
			require.NoError(t, err, string(out))
			file := filepath.Join(dir, "forge.yaml")
			require.NoError(t, os.WriteFile(file, []byte("forge: {name: fresh}\ntools: [{type: wasm, module: fresh.wasm, timeout: 60s}]\n"), 0o600))
			cmd := exec.Command(ingot(t), "serve", "--config", file)
			cmd.Stderr = t.Output()
			client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk-test", Version: "1"}, nil)
			session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
			require.NoError(t, err)
			defer session.Close()
			own := example{}
			for _, c := range e.Tools {
				if strings.HasPrefix(c.Tool, language+"_") {
					own.Tools = append(own.Tools, c)
				}
			}
			require.NotEmpty(t, own.Tools)
			tryTools(t, session, own)
		})
	}
}

// compilers are the programs of a language.
var compilers = map[string][]string{"c": {"clang", "wasm-ld"}, "rust": {"cargo", "rustc"}, "as": {"asc"}}

// requireLanguage skips the test where a compiler is missing, or fails it where
// INGOT_GUESTS_REQUIRE asks for the language.
func requireLanguage(t *testing.T, language string) {
	t.Helper()
	if cache, err := os.UserCacheDir(); err == nil && language == "as" {
		t.Setenv("PATH", fmt.Sprintf("%s%c%s", os.Getenv("PATH"), filepath.ListSeparator, filepath.Join(cache, "ingot-guests", "node_modules", ".bin")))
	}
	for _, program := range compilers[language] {
		if err := harness.Compiler(program); err != nil {
			if slices.Contains(strings.Split(os.Getenv("INGOT_GUESTS_REQUIRE"), ","), language) {
				t.Fatalf("INGOT_GUESTS_REQUIRE asks for %s, but %v", language, err)
			}
			t.Skipf("%v: source in %s is not compiled", err, language)
		}
	}
}
