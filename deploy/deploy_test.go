// Package deploy_test looks at the files of this folder: that they are well-formed, that
// what they start is a command line of the ingot that is built here, and that what they ask
// is served by it.
package deploy_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// deadline bounds each wait; only a hang meets it.
const deadline = time.Minute

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// folder holds what build made; TestMain removes it.
var folder string

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// build builds ingot, once.
var build = sync.OnceValues(func() (path string, err error) {
	if folder, err = os.MkdirTemp("", "ingot-deploy-"); err != nil {
		return "", err
	}
	path = filepath.Join(folder, "ingot")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/ingot").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// instruction is a line of a Dockerfile.
type instruction struct{ name, rest string }

func dockerfile(t *testing.T) (all []instruction) {
	t.Helper()
	known := strings.Fields("ARG FROM WORKDIR COPY RUN ENV USER EXPOSE VOLUME STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD")
	for line := range strings.Lines(read(t, "Dockerfile")) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		require.Contains(t, known, name, "%q is no instruction, or goes on from the line before", line)
		all = append(all, instruction{name, rest})
	}
	return all
}

// words reads an instruction's JSON array.
func words(t *testing.T, text string) (all []string) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text[strings.IndexByte(text, '['):]), &all))
	return all
}

func TestDockerfile(t *testing.T) {
	all := dockerfile(t)
	last := map[string]string{} // of the final stage
	stages := 0
	for _, in := range all {
		if in.name == "FROM" {
			stages++
			last = map[string]string{}
		}
		last[in.name] = in.rest
		if in.name == "COPY" && !strings.Contains(in.rest, "--from") {
			sources := strings.Fields(in.rest)
			for _, source := range sources[:len(sources)-1] {
				_, err := os.Stat(filepath.Join("..", source))
				require.NoError(t, err)
			}
		}
		require.NotContains(t, in.rest, "latest")
	}
	require.Equal(t, 2, stages)
	require.Regexp(t, `^[1-9]\d*:[1-9]\d*$`, last["USER"], "not root, and a number, which Kubernetes can judge")
	require.Contains(t, last["FROM"], "BASE")
	program := words(t, last["ENTRYPOINT"])
	require.Equal(t, []string{"/usr/local/bin/ingot"}, program)
	require.True(t, slices.ContainsFunc(all, func(in instruction) bool {
		return in.name == "RUN" && strings.Contains(in.rest, "-o /out"+program[0]+" ./cmd/ingot")
	}))
	require.Equal(t, program[0], words(t, last["HEALTHCHECK"])[0])

	s := start(t, words(t, last["CMD"]))
	args := words(t, last["HEALTHCHECK"])[1:]
	args[len(args)-1] = s.origin
	out, err := exec.Command(s.program, args...).CombinedOutput()
	require.NoError(t, err, string(out))
	s.stop(t)
	out, err = exec.Command(s.program, args...).CombinedOutput()
	require.Error(t, err, "a server that is gone is not well: %s", out)
}

// running is a server.
type running struct {
	program, origin string
	cmd             *exec.Cmd
}

func (s *running) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(os.Interrupt))
	require.NoError(t, s.cmd.Wait())
}

// start runs ingot with the arguments of a file, but for its paths and its port.
func start(t *testing.T, args []string) *running {
	t.Helper()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(token, []byte(strings.Repeat("5a", 32)), 0o600))
	args = slices.Clone(args)
	for i := 1; i < len(args); i++ {
		switch args[i-1] {
		case "--listen":
			host, _, err := net.SplitHostPort(args[i])
			require.NoError(t, err)
			args[i] = host + ":0"
		case "--token-file":
			args[i] = token
		case "--data":
			args[i] = filepath.Join(dir, "state")
		case "--drain":
			args[i] = "0s"
		}
	}
	program, err := build()
	require.NoError(t, err)
	s := &running{program: program}
	s.cmd = exec.Command(s.program, args...)
	s.cmd.Env = append(os.Environ(), "INGOT_DATA=", "HOME="+dir, "XDG_DATA_HOME="+dir)
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	s.cmd.Stderr = os.Stderr
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { s.cmd.Process.Kill() })
	kill := time.AfterFunc(deadline, func() { s.cmd.Process.Kill() })
	defer kill.Stop()
	address := regexp.MustCompile(`MCP +http://\S+:(\d+)/mcp`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			s.origin = "http://127.0.0.1:" + m[1]
			go io.Copy(io.Discard, out) // ends with the process
			return s
		}
	}
	t.Fatalf("%v: it does not say where it serves", args)
	return nil
}

// documents are those of a YAML file.
func documents(t *testing.T, name string) (all []map[string]any) {
	t.Helper()
	for d := yaml.NewDecoder(strings.NewReader(read(t, name))); ; {
		var doc map[string]any
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, doc)
	}
}

// at is the value at a path of keys and indexes.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			require.True(t, ok, "%v is no object, at %v", v, path)
			v, ok = m[step]
			require.True(t, ok, "there is no %q of %v", step, path)
		case int:
			list, ok := v.([]any)
			require.True(t, ok && step < len(list), "%v has no %d", v, step)
			v = list[step]
		}
	}
	return v
}

func texts(t *testing.T, v any) (all []string) {
	t.Helper()
	for _, x := range v.([]any) {
		all = append(all, x.(string))
	}
	return all
}

func TestKubernetes(t *testing.T) {
	kinds := map[string]map[string]any{}
	for _, d := range documents(t, "kubernetes.yaml") {
		kinds[d["kind"].(string)] = d
		require.NotEmpty(t, at(t, d, "apiVersion"))
		require.Equal(t, "ingot", at(t, d, "metadata", "name"))
	}
	require.Len(t, kinds, 4)
	set := kinds["StatefulSet"]
	require.Equal(t, 1, at(t, set, "spec", "replicas"), "one process has a directory at a time")
	pod := at(t, set, "spec", "template", "spec")
	require.Equal(t, true, at(t, pod, "securityContext", "runAsNonRoot"))
	require.Equal(t, false, at(t, pod, "automountServiceAccountToken"))
	c := at(t, pod, "containers", 0)
	require.Equal(t, false, at(t, c, "securityContext", "allowPrivilegeEscalation"))
	require.Equal(t, true, at(t, c, "securityContext", "readOnlyRootFilesystem"))
	require.Equal(t, []any{"ALL"}, at(t, c, "securityContext", "capabilities", "drop"))
	args := texts(t, at(t, c, "args"))
	require.Contains(t, args, "0.0.0.0:7070")
	require.Equal(t, 7070, at(t, c, "ports", 0, "containerPort"))
	labels := at(t, set, "spec", "template", "metadata", "labels")
	for _, selector := range []any{at(t, set, "spec", "selector", "matchLabels"), at(t, kinds["Service"], "spec", "selector"),
		at(t, kinds["PodDisruptionBudget"], "spec", "selector", "matchLabels"), at(t, kinds["NetworkPolicy"], "spec", "podSelector", "matchLabels")} {
		require.Equal(t, labels, selector)
	}
	mounts := map[string]bool{"state": true} // by a claim
	for _, v := range at(t, pod, "volumes").([]any) {
		mounts[at(t, v, "name").(string)] = true
	}
	for _, m := range at(t, c, "volumeMounts").([]any) {
		require.True(t, mounts[at(t, m, "name").(string)], "%v", m)
	}

	s := start(t, args)
	for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
		path := at(t, c, probe, "httpGet", "path").(string)
		require.Equal(t, "mcp", at(t, c, probe, "httpGet", "port"))
		flags := []string{"health", s.origin}
		if path == "/healthz" {
			flags = append(flags, "--alive")
		} else {
			require.Equal(t, "/readyz", path)
		}
		out, err := exec.Command(s.program, flags...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	s.stop(t)
}

func TestCompose(t *testing.T) {
	all := documents(t, "compose.yaml")
	require.Len(t, all, 1)
	for _, name := range []string{"first", "second"} {
		service := at(t, all[0], "services", name)
		require.Equal(t, "deploy/Dockerfile", at(t, service, "build", "dockerfile"))
		require.Equal(t, true, at(t, service, "read_only"))
		require.Equal(t, "redis://valkey:6379", at(t, service, "environment", "INGOT_DATA"))
		s := start(t, texts(t, at(t, service, "command"))) // without its environment: on a directory
		s.stop(t)
	}
	require.Equal(t, texts(t, at(t, all[0], "services", "valkey", "command"))[0], "valkey-server")
}

// The entry for the MCP registry keeps to its schema (registry/internal/validators/schemas/
// 2025-12-11.json, of which these are the rules that the entry meets), has the version of
// the npm package, and says how to start and reach the server that there is.
func TestServerJSON(t *testing.T) {
	type named struct{ Type, Name, Value string }
	var entry, npm struct {
		Schema                            string `json:"$schema"`
		Name, Title, Description, Version string
		Packages                          []struct {
			RegistryType, Identifier, RuntimeHint string
			RuntimeArguments, PackageArguments    []named
			EnvironmentVariables                  []struct {
				Name                 string
				IsRequired, IsSecret bool
			}
			Transport struct {
				Type, URL string
				Headers   []named
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "server.json")), &entry))
	require.NoError(t, json.Unmarshal([]byte(read(t, "../js/package.json")), &npm))
	require.Contains(t, entry.Schema, "/2025-12-11/")
	require.Regexp(t, `^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$`, entry.Name)
	require.Equal(t, npm.Version, entry.Version)
	for _, text := range []string{entry.Description, entry.Title} {
		require.True(t, text != "" && len(text) <= 100, text)
	}
	require.Len(t, entry.Packages, 1)
	p := entry.Packages[0]
	require.Equal(t, "oci", p.RegistryType)
	require.True(t, strings.HasSuffix(p.Identifier, "/ingot:"+entry.Version), p.Identifier)
	require.Equal(t, "--publish", p.RuntimeArguments[0].Name)
	require.True(t, strings.HasSuffix(p.RuntimeArguments[0].Value, ":7070"), "which the image listens on")
	require.Contains(t, read(t, "Dockerfile"), "EXPOSE 7070")
	volume, folder, _ := strings.Cut(p.RuntimeArguments[1].Value, ":")
	require.NotEmpty(t, volume)
	require.Contains(t, read(t, "Dockerfile"), "VOLUME "+folder)

	const token = "an example of a token, of 32 characters and more"
	require.Equal(t, "INGOT_TOKEN", p.EnvironmentVariables[0].Name)
	require.True(t, p.EnvironmentVariables[0].IsRequired && p.EnvironmentVariables[0].IsSecret)
	t.Setenv(p.EnvironmentVariables[0].Name, strings.ReplaceAll(token, " ", "-"))
	var args []string
	for _, a := range p.PackageArguments {
		require.Equal(t, "positional", a.Type)
		args = append(args, a.Value)
	}
	s := start(t, args)
	defer s.stop(t)
	require.Equal(t, "streamable-http", p.Transport.Type)
	_, path, ok := strings.Cut(p.Transport.URL, "{port}")
	require.True(t, ok)
	ask := func(authorization string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.origin+path, strings.NewReader(
			`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set(p.Transport.Headers[0].Name, authorization)
		w, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer w.Body.Close()
		return w.StatusCode
	}
	require.Equal(t, http.StatusOK, ask(strings.Replace(p.Transport.Headers[0].Value, "{INGOT_TOKEN}", os.Getenv("INGOT_TOKEN"), 1)))
	require.Equal(t, http.StatusUnauthorized, ask("Bearer another"))
}

func TestUnit(t *testing.T) {
	unit := read(t, "ingot.service")
	section := ""
	values := map[string]string{}
	for line := range strings.Lines(unit) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
			require.Contains(t, []string{"Unit", "Service", "Install"}, section)
		default:
			name, value, ok := strings.Cut(line, "=")
			require.True(t, ok, line)
			values[section+"."+name] = value
		}
	}
	for name, want := range map[string]string{"DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "StateDirectory": "ingot", "CapabilityBoundingSet": ""} {
		got, ok := values["Service."+name]
		require.True(t, ok, name)
		require.Equal(t, want, got, name)
	}
	command := strings.Fields(values["Service.ExecStart"])
	require.Equal(t, "/usr/local/bin/ingot", command[0])
	require.Contains(t, command, "/var/lib/"+values["Service.StateDirectory"]+"/state")
	s := start(t, command[1:])
	s.stop(t)
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed: systemd's own check of the unit is left out")
		return
	}
	// It looks for the program at its path.
	path := filepath.Join(t.TempDir(), "ingot.service")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(unit, command[0], s.program)), 0o600))
	out, err := exec.Command(analyze, "verify", path).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "Unknown key")
}

// What an image is built of is not ignored.
func TestDockerignore(t *testing.T) {
	ignored := read(t, "../.dockerignore")
	for _, needed := range []string{"cmd", "engine", "forge", "guest", "internal", "js", "mcp", "state", "wasm", "web", "go.mod", "Makefile", "deploy"} {
		require.NotContains(t, strings.Split(ignored, "\n"), needed)
	}
}
