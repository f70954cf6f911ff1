package forge_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/ingot-run/ingot/forge/check"
	"github.com/ingot-run/ingot/forge/program"
	"github.com/ingot-run/ingot/internal/httpserve"
)

// effectOf is an effect of several keys that is seen by the same text.
func effectOf(file string, see func(*world) string, shown string, keys ...string) effect {
	e := effect{file: file, see: see, shows: map[string]string{}}
	for _, k := range keys {
		e.shows[k] = shown
	}
	return e
}

func asks(method, params string) func(*world) string {
	return func(w *world) string { return w.request(method, params) }
}

// blockEffects are those of the file's blocks.
func blockEffects() []effect {
	const echo = `{type: native, name: a, handler: "ingot::echo"}`
	fetch := asks("prompts/get", `"name":"p","arguments":{"x":"1"}`)
	all := []effect{
		effectOf("forge: {name: called}\ntools: ["+echo+"]", tools, `serverInfo":{"name":"called"`, "file.forge", "forge.name"),
		effectOf("forge: {name: n, version: 4.5.6}\ntools: ["+echo+"]", tools, `"version":"4.5.6"`, "forge.version"),
		effectOf("forge: {name: n, description: What it is for}\ntools: ["+echo+"]", asks("server/discover", ""), `"instructions":"What it is for"`, "forge.description"),
		// A port that is taken, and an address that is another machine's, are told of.
		effectOf("forge: {name: n, transport: http, port: PORT}\ntools: ["+echo+"]", serves(""), "refused at the port", "forge.port", "forge.transport"),
		effectOf("forge: {name: n, transport: websocket}\ntools: ["+echo+"]", serves("127.0.0.1:0"), "/ws\n", "forge.transport"),
		effectOf("forge: {name: n, transport: http, host: 203.0.113.1, port: PORT}\ntools: ["+echo+"]", serves(""), "203.0.113.1", "forge.host"),
		// It changes nothing, as its description says, but that other words are refused.
		effectOf("forge: {name: n, optimization: most}", opened, `"most"`, "forge.optimization"),
		effectOf("tools: ["+echo+"]", tools, `"name":"a"`, "file.tools"),
		effectOf("include: more.yaml\ntools: ["+echo+"]", tools, `"name":"included"`, "file.include"),
		effectOf("middleware: [{type: validation, required_fields: [other]}]\ntools: ["+echo+"]", calls("a", `{}`), `argument \"other\": is missing`, "file.middleware"),
		{
			file: `prompts: [{name: p, title: T, description: D, template: "<{{x}}>", arguments: {x: string}}]`, see: prompts,
			shows: map[string]string{"file.prompts": `"name":"p"`, "prompt.name": `"name":"p"`, "prompt.title": `"title":"T"`, "prompt.description": `"description":"D"`, "prompt.arguments": `"arguments":[{"name":"x","required":true}]`},
		},
		effectOf(`prompts: [{name: p, template: "<{{x}}>", params: {x: string}}]`, fetch, `"text":"<1>"`, "prompt.template", "prompt.params"),
		effectOf(`prompts: [{name: p, messages: [{role: assistant, template: "<{{x}}>"}], arguments: {x: string}}]`, fetch, `{"role":"assistant","content":{"type":"text","text":"<1>"}}`, "prompt.messages", "message.role", "message.template"),
		effectOf(`prompts: [{name: p, messages: [{content: "<{{x}}>"}], arguments: {x: string}}]`, fetch, `"text":"<1>"`, "message.content"),
		effectOf("resources: [{uri: \"note:x\", file: sub/note.txt}]\nprompts: [{name: p, messages: [{resource: \"note:x\"}], arguments: {x: string}}]", fetch, `"text":"a note"`, "message.resource"),
	}
	return append(append(all, resourceEffects()...), testEffects()...)
}

// serves says what a program prints that serves the file, or why it does not.
func serves(listen string) func(*world) string {
	return func(w *world) string {
		ctx, cancel := context.WithCancel(w.ctx)
		defer cancel()
		var out lockedLog
		ended := make(chan string, 1)
		go func() {
			err := program.Serve(ctx, w.path("forge.yaml"), program.Serving{
				Listen: listen, Access: &httpserve.Flags{Rate: 1, MaxConnections: 10}, Stdin: strings.NewReader(""), Stdout: &out, Logger: slog.New(slog.DiscardHandler),
			})
			ended <- fmt.Sprint(err)
		}()
		over := ""
		w.until("over", func() string {
			select {
			case over = <-ended:
				return "over"
			default:
			}
			if strings.Contains(out.String(), "Stop with") {
				return "over"
			}
			return ""
		})
		cancel()
		if over == "" {
			over = <-ended
		}
		_, port, _ := strings.Cut(w.peer.Listener.Addr().String(), ":")
		if strings.Contains(over, ":"+port+" ") {
			over += " refused at the port"
		}
		return out.String() + over
	}
}

func resourceEffects() []effect {
	one := func(resource string, see func(*world) string, shown string, keys ...string) effect {
		return effectOf("resources: [{"+resource+"}]\n"+`tools: [{type: native, name: set, handler: "state::set", params: {key: string, value: string}}]`, see, shown, keys...)
	}
	read := func(uri string) func(*world) string { return asks("resources/read", fmt.Sprintf(`"uri":%q`, uri)) }
	listed := asks("resources/list", "")
	const request = `uri: "web:///{id}", http: {endpoint: "ORIGIN/{{id}}", private: true, `
	return []effect{
		{
			file: `resources: [{uri: "note:x", name: N, title: T, description: D, mime_type: text/x-note, file: sub/note.txt}]`, see: listed,
			shows: map[string]string{
				"file.resources": `"uri":"note:x"`, "resource.uri": `"uri":"note:x"`, "resource.name": `"name":"N"`, "resource.title": `"title":"T"`,
				"resource.description": `"description":"D"`, "resource.mime_type": `"mimeType":"text/x-note"`,
			},
		},
		one(`uri: "note:x", file: sub/note.txt`, read("note:x"), `"text":"a note"`, "resource.file"),
		one(`uri_template: "notes:///{+path}", root: ./sub`, read("notes:///note.txt"), `"text":"a note"`, "resource.uri_template", "resource.root"),
		one(`uri: "notes:///{+path}", root: ./sub, hidden: true`, read("notes:///.hidden"), `"text":"a hidden note"`, "resource.hidden"),
		one(`uri: "note:x", file: sub/note.txt, content_max: 3B`, read("note:x"), `at most 3 are read`, "resource.content_max"),
		one(`uri: "on:///{x}", handler: {inline: '"it is " + x'}`, read("on:///y"), `"text":"it is y"`, "resource.handler"),
		one(`uri: "kept:///{+key}", state: notes/`, then(calls("set", `{"key":"notes/a","value":"kept"}`), read("kept:///a")), `"text":"kept"`, "resource.state"),
		one(`uri: "kept:///{+key}", state: notes/, supports: [read, write]`, tools, `"name":"resource_write"`, "resource.supports"),
		one(request+`}, cache: {}`, then(read("web:///x"), read("web:///x")), `\"hit\":1,`, "resource.cache"),
		one(request+`}`, read("web:///x"), `\"path\":\"/x\"`, "resource.http", "http_source.endpoint", "http_source.private"),
		one(request+`headers: {X-One: "1"}}`, read("web:///x"), `\"x\":\"1\"`, "http_source.headers"),
		one(request+`query: {q: "{{id}}"}}`, read("web:///x"), `\"query\":\"q=x\"`, "http_source.query"),
		one(request+`auth: {type: bearer, token: let-me-in}}`, read("web:///x"), turned("Bearer let-me-in"), "http_source.auth"),
		one(request+`response_max: 10B}`, read("web:///x"), `more than 10 bytes`, "http_source.response_max"),
	}
}

// tested says how the tests of the file ended.
func tested(w *world) string {
	_, tests, err := check.Load(w.path("forge.yaml"))
	if err != nil {
		return err.Error()
	}
	results, err := check.Run(w.ctx, w.path("forge.yaml"), tests, check.Options{Timeout: w.patience})
	if err != nil {
		return err.Error()
	}
	seen := ""
	for _, r := range results {
		seen += fmt.Sprintf("%s of %s: %v %s\n", r.Name, r.Tool, r.Passed, strings.Join(r.Faults, "; "))
	}
	return seen
}

func testEffects() (all []effect) {
	one := func(tests, shown string, keys ...string) {
		all = append(all, effectOf(`tools:
  - {type: native, name: add, handler: {inline: a + b}, params: {a: float, b: float}}
  - {type: native, name: count, handler: "state::increment", params: {key: string}}
  - {type: cli, name: sleep, command: sleep, args: ["60"]}
  - {type: cli, name: fail, command: "false"}
tests: [`+tests+"]", tested, shown, keys...))
	}
	one(`{name: adds, tool: add, input: {a: 1, b: 2}}`, "adds of add: true", "file.tests", "test.name", "test.tool", "test.input")
	one(`{tool: add, args: {a: 1, b: 2}}`, "add of add: true", "test.args")
	one(`{tool: add, params: {a: 1, b: 2}}`, "add of add: true", "test.params")
	one(`{tool: sleep, timeout: 30ms}`, "no answer after 30ms", "test.timeout")
	one(`{tool: count, input: {key: n}, state: shared}, {tool: count, input: {key: n}, state: shared, expect: {json: {value: 2}}}`, "count of count: true \ncount of count: true", "test.state")
	one(`{tool: fail, expect: {error: true}}`, "fail of fail: true", "test.expect", "expect.error")
	one(`{tool: add, input: {a: 1, b: 2}, expect: {text: "4"}}`, "add of add: false", "expect.text")
	one(`{tool: add, input: {a: 1, b: 2}, expect: {contains: ["4"]}}`, "add of add: false", "expect.contains")
	one(`{tool: add, input: {a: 1, b: 2}, expect: {matches: "4"}}`, "add of add: false", "expect.matches")
	one(`{tool: add, input: {a: 1, b: 2}, expect: {json: 4}}`, "add of add: false", "expect.json")
	one(`{tool: add, input: {a: 1, b: 2}, expect: {output: 4}}`, "add of add: false", "expect.output")
	return all
}
