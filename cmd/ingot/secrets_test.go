package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const planted = "pl4nted-s3cret-0123456789"

// A secret that a file or the environment holds stands in nothing that the commands, the
// server, its log or its record say.
func TestSecretsAreNotShown(t *testing.T) {
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	file := forgeProject(t, `forge: {name: demo, transport: http}
audit: {path: audit.log, arguments: redact}
access: {roles: {all: {principals: [anonymous], tools: ["**"], resources: ["**"], prompts: ["**"]}}}
tools:
  - {type: http, name: fetch, endpoint: "ORIGIN/x", private: true, auth: {type: bearer, token: "${file:secret}"}}
  - {type: cli, name: leak, command: sh, args: ["-c", "echo $V >&2; exit 3"], env: {V: "${PLANTED}"}}
  - {type: http, name: away, endpoint: "http://127.0.0.1:1/${file:secret}", private: true}
resources: [{uri: "x:///${PLANTED}", name: x, file: note.txt}]
prompts: [{name: p, template: "no secret"}]
`)
	dir := filepath.Dir(file)
	for name, text := range map[string]string{"secret": planted + "\n", "note.txt": "note"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PLANTED_FILE", filepath.Join(dir, "secret"))
	var said strings.Builder
	for _, args := range [][]string{
		{"validate", file}, {"validate", file, "--json"}, {"inspect", file}, {"inspect", file, "--json"},
		{"call", "leak", "--config", file}, {"call", "away", "--config", file}, {"test", file},
	} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(binariesDir, "ingot"), args...)
		out, err := cmd.CombinedOutput()
		fmt.Fprintf(&said, "\n== %v %v\n%s", args, err, out)
	}
	s := serve(t, "--config", file)
	for _, c := range [][2]string{
		{"tools/list", ""}, {"resources/templates/list", ""}, {"tools/call", calling("fetch", "{}")}, {"tools/call", calling("leak", "{}")},
		{"tools/call", calling("away", "{}")}, {"resources/read", `"uri":"x:///` + planted + `"`},
	} {
		_, got := s.ask(t, http.DefaultClient, "", c[0], c[1])
		if c[0] != "resources/read" { // which the caller knew
			fmt.Fprintf(&said, "\n== %v\n%s", c, got)
		}
		if strings.Contains(c[1], `"fetch"`) && !strings.Contains(got, `\"known\":false`) && !strings.Contains(got, `"known":false`) {
			t.Errorf("the request was not made: %s", got)
		}
	}
	for _, path := range []string{"/status", "/metrics"} {
		w, err := http.Get(s.origin + path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&said, "\n== %s %d\n", path, w.StatusCode)
		buffer := make([]byte, 1<<20)
		n, _ := w.Body.Read(buffer)
		said.Write(buffer[:n])
		w.Body.Close()
	}
	stop(t, s)
	log, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	if err != nil || !strings.Contains(string(log), `"resource":"x:///[secret]"`) {
		t.Errorf("the record names the resource without the secret: %v %s", err, log)
	}
	said.WriteString(s.stderr.String() + s.welcome + string(log))
	if text := said.String(); strings.Contains(text, planted) {
		at := strings.Index(text, planted)
		t.Errorf("the secret stands in: …%s", text[max(0, at-600):at])
	}
	for _, bad := range []string{"${file:none}", "${file:}", "${file:.}"} {
		broken := forgeProject(t, "forge: {name: demo}\ntools: [{type: http, name: a, endpoint: \""+bad+"\"}]")
		if code, stdout, stderr := runWith(t, "validate", broken); code == 0 || !strings.Contains(stdout+stderr, "the secret "+bad+" cannot be read") {
			t.Errorf("%s: %d %s", bad, code, stderr)
		}
	}
}
