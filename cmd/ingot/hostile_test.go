//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const hostilePrograms = `
forge: {name: hostile, version: 1.0.0, description: "${INGOT_TEST_TOKEN}"}
middleware: [{type: logging, include_request: true, include_response: true}]
tools:
  - {type: cli, name: fine, command: echo, args: [fine]}
  - {type: cli, name: stubborn, command: sh, args: [-c, "trap '' TERM; echo $$ > DIR/stubborn; while :; do sleep 100; done"], timeout: 300ms}
  - {type: cli, name: stopped, command: sh, args: [-c, "kill -STOP $$; echo never"], timeout: 300ms}
  - {type: cli, name: floods, command: "yes", output_max: 10kB}
  - {type: cli, name: floods_stderr, command: sh, args: [-c, "yes >&2"], output_max: 10kB}
  - {type: cli, name: forks, command: sh, args: [-c, "trap '' TERM; (trap '' TERM; while :; do sleep 100; done) & echo $!"]}
  - {type: cli, name: leaves, command: sh, args: [-c, "setsid sleep 1000 & sleep 0.1; echo left"]}
  - {type: cli, name: closes, command: sh, args: [-c, "exec <&- >&- 2>&-; exit 0"]}
  - {type: cli, name: signals, command: sh, args: [-c, "kill -SEGV $$"]}
  - {type: cli, name: reads, command: cat}
  - {type: cli, name: tells, command: sh, args: [-c, "echo bad token $TOKEN >&2; exit 1"], env: {TOKEN: "${INGOT_TEST_TOKEN}"}}
  - {type: cli, name: says, command: printf, args: ["%s|", "{{a}}", "{{b}}", "x{{a}}", "{{list}}"], env: {A: "{{a}}"}, params: {a: string, b: {type: string, default: B}, list: {type: array, items: string}}}
`

// Programs that will not end, or not alone, or not in order: each call has an answer,
// and the next one too.
func TestHostilePrograms(t *testing.T) {
	p := serveFile(t, hostilePrograms, "INGOT_TEST_TOKEN=s3cret-token")
	p.succeeds("fine", `{}`, "fine\n")
	files := p.files()
	for tool, says := range map[string]string{
		"stubborn":      "sh was still running at the end of its time and was ended: raise the tool's timeout",
		"stopped":       "sh was still running at the end of its time",
		"floods":        "yes printed more than 10000 bytes and was ended: have it print less, or raise the output limit",
		"floods_stderr": "sh printed more than 10000 bytes",
		"signals":       "signal: segmentation fault",
		"tells":         "sh ended with exit code 1: bad token [secret]",
	} {
		p.fails(tool, `{}`, says)
		p.succeeds("fine", `{}`, "fine\n")
	}
	pid, err := os.ReadFile(filepath.Join(p.dir, "stubborn"))
	if err != nil || alive(string(pid)) {
		t.Errorf("the stubborn program %q lives on, %v", pid, err)
	}
	p.succeeds("closes", `{}`, "")
	p.succeeds("reads", `{}`, "")
	p.succeeds("leaves", `{}`, "left\n")
	r := p.call("forks", `{}`)
	if r.isError || strings.TrimSpace(r.text) == "" {
		t.Errorf("forks: %+v", r)
	}
	eventually(t, "the end of what a program left behind", func() bool { return !alive(r.text) })
	p.succeeds("fine", `{}`, "fine\n")
	if strings.Contains(p.stderr.String(), "s3cret") {
		t.Errorf("a secret in the log: %s", p.stderr)
	}
	p.leavesNothing(files)
}

// Whatever stands in a value, it is one argument, and no template.
func TestHostileArguments(t *testing.T) {
	p := serveFile(t, hostilePrograms, "INGOT_TEST_TOKEN=x")
	for _, value := range []string{
		"$(id); `id` && rm -rf / | x > y", "{{b}} ${INGOT_TEST_TOKEN}", "a\nb\r\n\tc", "\u2212rf \u2010\u2010all \u202egpj.exe \U0001f600", "%s%n", `'"\`, "",
	} {
		quoted, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		p.succeeds("says", fmt.Sprintf(`{"a":%s,"b":"{{a}}","list":["{{a}}",%[1]s]}`, quoted), fmt.Sprintf("%s|{{a}}|x%[1]s|{{a}}|%[1]s|", value))
	}
	p.fails("says", `{"a":"-rf"}`, `the value of "a" begins with "-", which printf would take for an option`)
	p.fails("says", `{"a":"x","list":["ok","--help"]}`, `the value of "list" begins with "-"`)
	p.fails("says", `{"a":"x\u0000y"}`, "has a zero byte in it")
	p.refuses("says", `{"a":"\ud800"}`, "-32700")
	p.refuses("says", `{"a":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}`, "-32700")
	p.fails("says", `{"a":"`+strings.Repeat("x", 200<<10)+`"}`, "at most 131072 are possible")
	p.fails("says", `{"a":"x","c":1}`, `"c"`)
	p.succeeds("says", `{"a":"x"}`, "x|B|xx|")
}

const hostileValues = `
forge: {name: values, version: 1.0.0}
tools:
  - {type: native, name: echo, handler: "ingot::echo", params: {text: string, secret: {type: string, default: hidden}}}
  - {type: http, name: fetch, endpoint: "ORIGIN/echo/{{path}}?q={{q}}", method: POST, private: true, headers: {X-Name: "{{header}}"},
     body: {text: "{{text}}", "{{q}}": "{{list}}"}, params: {path: {type: string, default: p}, q: {type: string, default: q}, header: {type: string, default: h}, text: {type: string, default: t}, list: {type: array, default: []}}}
  - type: pipeline
    name: flow
    params: {who: string, secret: {type: string, default: hidden}}
    steps:
      - {tool: echo, input: {text: "{{who}}"}, output_var: said}
      - {tool: echo, condition: 'said.text == "x" or said.text == "\" or true or \""', input: {text: matched}, output_var: matched}
      - {tool: echo, input: {text: "{{said.text}} {{who}}"}, output_var: again}
    output: "{{again.text}}{{matched.text}}"
prompts:
  - {name: ask, template: "{{a}} {{b}}", arguments: {a: string, b: string}}
`

// A value that looks like a template, a header, a path or an expression is a value.
func TestHostileValues(t *testing.T) {
	peer := hostilePeer(t)
	p := serveFile(t, strings.ReplaceAll(hostileValues, "ORIGIN", peer.origin))
	for _, value := range []string{"{{secret}}", "{{who}}", "{{said}}", `\\{{secret}}`, "${HOME}", `\" or true or \"x`, "1 == 1"} {
		plain := strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(value)
		p.succeeds("flow", `{"who":"`+value+`"}`, plain+" "+plain)
	}
	for arguments, want := range map[string]string{
		`{"path":"../../admin"}`:              `POST /echo/..%2F..%2Fadmin?q=q h {"text":"t","{{q}}":[]}`,
		`{"path":"a/b?c#d%2e"}`:               `POST /echo/a%2Fb%3Fc%23d%252e?q=q h {"text":"t","{{q}}":[]}`,
		`{"q":"x&admin=1#y"}`:                 `POST /echo/p?q=x%26admin%3D1%23y h {"text":"t","{{q}}":[]}`,
		`{"header":"{{text}}: \u00e9"}`:       `POST /echo/p?q=q {{text}}: é {"text":"t","{{q}}":[]}`,
		`{"text":"{{q}}\",\"admin\":true}"}`:  `POST /echo/p?q=q h {"text":"{{q}}\",\"admin\":true}","{{q}}":[]}`,
		`{"list":["{{q}}",{"a":"{{text}}"}]}`: `POST /echo/p?q=q h {"text":"t","{{q}}":["{{q}}",{"a":"{{text}}"}]}`,
	} {
		p.succeeds("fetch", arguments, want)
	}
	long := strings.Repeat("a", 9<<10)
	for arguments, says := range map[string]string{
		`{"path":".."}`:                `a path with "." or ".."`,
		`{"header":"x\r\nX-Admin: 1"}`: "the header X-Name cannot have this value: it has a line break",
		`{"header":"x\nX-Admin: 1"}`:   "the header X-Name cannot have this value",
		`{"header":"x\u0000y"}`:        "the header X-Name cannot have this value",
		`{"path":"` + long + `"}`:      "at most 8192 are allowed",
		`{"header":"` + long + `"}`:    "more than 8192 bytes",
	} {
		p.fails("fetch", arguments, says)
	}
	if got := p.wait(p.send(`"method":"prompts/get","params":{"name":"ask","arguments":{"a":"{{b}}","b":"{{a}}"}}`)); !strings.Contains(got, `"{{b}} {{a}}"`) {
		t.Errorf("the prompt: %s", got)
	}
}

const hostilePaths = `
forge: {name: paths, version: 1.0.0}
resources:
  - {uri: "data:///{+path}", root: DIR/data, supports: [read, write]}
  - {uri: "one:///{name}", root: DIR/data}
  - {uri: "keys:///{+key}", state: "public/", supports: [read, write]}
tools:
  - {type: native, name: hide, handler: "state::set", params: {key: string, value: string}}
`

// A path stays in its folder, and a key behind its prefix, however they are written;
// links lead nowhere.
func TestHostilePaths(t *testing.T) {
	p := serveFile(t, hostilePaths)
	for name, text := range map[string]string{"secret.txt": "s3cret", "data/open.txt": "open", "data/sub/deep.txt": "deep"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(p.dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out": "../secret.txt", "folder": "..", "absolute": filepath.Join(p.dir, "secret.txt")} {
		if err := os.Symlink(to, filepath.Join(p.dir, "data", link)); err != nil {
			t.Fatal(err)
		}
	}
	p.call("hide", `{"key":"private","value":"s3cret"}`)
	read := func(uri string) string {
		return p.wait(p.send(fmt.Sprintf(`"method":"resources/read","params":{"uri":%q}`, uri)))
	}
	for uri, want := range map[string]string{"data:///open.txt": `"open"`, "data:///sub/deep.txt": `"deep"`, "one:///open.txt": `"open"`} {
		if got := read(uri); !strings.Contains(got, want) {
			t.Errorf("%s: %s", uri, got)
		}
	}
	for _, path := range []string{
		"../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "%2e%2e%2fsecret.txt", "sub/../../secret.txt", "sub/..%2f..%2fsecret.txt", "./../secret.txt", "..\\secret.txt", "..%5csecret.txt",
		"out", "folder/secret.txt", "absolute", p.dir + "/secret.txt", "/" + p.dir + "/secret.txt", "%2f" + p.dir + "/secret.txt", "open.txt%00", "open.txt/../../secret.txt", "%252e%252e/secret.txt", "", ".", "..", "sub", "\u002e\u002e/secret.txt",
		"/proc/self/environ", "....//secret.txt", strings.Repeat("a/", 5000),
	} {
		for _, scheme := range []string{"data:///", "one:///"} {
			if got := read(scheme + path); strings.Contains(got, "s3cret") || !strings.Contains(got, `"error"`) {
				t.Errorf("%s%s: %.300s", scheme, path, got)
			}
		}
	}
	for _, key := range []string{"../private", "%2e%2e/private", "..%2fprivate", "/../private", "%00private", ""} {
		if got := read("keys:///" + key); strings.Contains(got, "s3cret") || !strings.Contains(got, `"error"`) {
			t.Errorf("keys:///%s: %.300s", key, got)
		}
	}
	if got := read("data:///open.txt"); !strings.Contains(got, `"open"`) {
		t.Errorf("afterwards: %s", got)
	}
}
