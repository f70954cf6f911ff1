package forge_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/fault"
)

// flaky is what effect::flaky takes.
type flaky struct {
	ID    string `json:"id"`    // by which its calls are counted
	Fails int64  `json:"fails"` // how many of them fail
	Class string `json:"class"` // how; slow waits for the end of its context
}

var flakyCalls sync.Map // of *atomic.Int64 by ID

func attempts(id string) *atomic.Int64 {
	n, _ := flakyCalls.LoadOrStore(id, new(atomic.Int64))
	return n.(*atomic.Int64)
}

func init() {
	forge.Handle("effect::flaky", func(ctx context.Context, in flaky) (map[string]int64, error) {
		n := attempts(in.ID).Add(1)
		switch {
		case n > in.Fails:
			return map[string]int64{"attempts": n}, nil
		case in.Class == "slow":
			<-ctx.Done()
			return nil, ctx.Err()
		case in.Class == "panic":
			panic("it broke")
		}
		return nil, fault.New(fault.Class(in.Class), "attempt %d failed", n)
	})
}

// flakyTool is a tool a that is effect::flaky, with more keys; its calls are made by fails.
func flakyTool(more string) string {
	return `{type: native, name: a, handler: "effect::flaky", params: {id: string, fails: integer, class: string}` + more + `}`
}

// fails calls the tool of flakyTool so often.
func fails(class string, n, times int) func(*world) string {
	return func(w *world) string {
		var all []string
		for range times {
			all = append(all, w.call("a", fmt.Sprintf(`{"id":%q,"fails":%d,"class":%q}`, w.dir, n, class)))
		}
		return strings.Join(all, "")
	}
}

// kinds are the keys that make a tool of each kind, one that answers and one that does
// not.
var kinds = []struct{ table, kind, answers, hangs string }{
	{"native_tool", "native", `handler: "ingot::echo"`, `handler: "effect::flaky"`},
	{"cli_tool", "cli", `command: echo`, `command: sleep, args: ["60"]`},
	{"http_tool", "http", `endpoint: ORIGIN/x, private: true`, `endpoint: ORIGIN/slow, private: true`},
	{"pipeline_tool", "pipeline", `steps: [{tool: helper}]`, `steps: [{tool: slow, input: {id: DIR, fails: 9, class: slow}}]`},
}

// toolEffects are those of the keys that each kind of tool has.
func toolEffects() (all []effect) {
	const helpers = `, {type: native, name: helper, handler: "ingot::echo"}, {type: native, name: slow, handler: "effect::flaky", params: {id: string, fails: integer, class: string}}]`
	for _, k := range kinds {
		tool := func(keys string) string { return "tools: [{" + keys + "}" + helpers }
		typed := "type: " + k.kind + ", name: a, "
		all = append(all,
			effect{
				file: tool(typed + k.answers + `, title: The title, description: What it does, params: {p: string},
					annotations: {read_only: true}, icons: [{src: "https://x.example/i.png"}], output_schema: {type: object, properties: {n: {type: integer}}}`),
				see: tools,
				shows: map[string]string{
					k.table + ".name": `"name":"a"`, k.table + ".title": `"title":"The title"`, k.table + ".description": `"description":"What it does"`,
					k.table + ".params": `"p":{"type":"string"}`, k.table + ".annotations": `"annotations":{"readOnlyHint":true}`,
					k.table + ".icons": `"icons":[{"src":"https://x.example/i.png"}]`, k.table + ".output_schema": `"outputSchema":{"type":"object","properties":{"n":{"type":"integer"}}}`,
				},
			},
			effect{
				file: tool(typed + k.answers + `, outputSchema: {type: object, properties: {n: {type: integer}}}`), see: tools,
				shows: map[string]string{k.table + ".outputSchema": `"n":{"type":"integer"}`},
			},
			effect{ // without what its kind needs
				file: "tools: [{type: " + k.kind + ", name: a}]", see: opened,
				shows:   map[string]string{k.table + ".type": k.kind + ` tool lacks the key`},
				without: map[string]string{k.table + ".type": "type: " + k.kind + ", "},
			},
			effect{
				file: tool(typed + k.answers + `, middleware: [{type: validation, required_fields: [missing]}]`), see: calls("a", `{}`),
				shows: map[string]string{k.table + ".middleware": `argument \"missing\": is missing`},
			},
		)
		arguments, params := `{}`, ""
		if k.kind == "native" {
			arguments, params = `{"id":"x","fails":1000000,"class":"slow"}`, `, params: {id: string, fails: integer, class: string}`
		}
		for key, value := range map[string]string{"timeout": "30ms", "timeout_ms": "31"} {
			all = append(all, effect{
				file: tool(typed + k.hangs + params + ", " + key + ": " + value), see: calls("a", arguments),
				shows: map[string]string{k.table + "." + key: "took longer than " + strings.TrimSuffix(value, "ms") + "ms"},
			})
		}
	}
	return append(all, annotationEffects()...)
}

func annotationEffects() []effect {
	const file = `tools: [{name: a, handler: "ingot::echo", annotations: {%s}, icons: [{src: "https://x.example/i.png", mime_type: image/png, sizes: [48x48], theme: dark}]}]`
	return []effect{
		{
			file: fmt.Sprintf(file, "title: Hinted, read_only: true, destructive: false, idempotent: true, open_world: false"), see: tools,
			shows: map[string]string{
				"annotations.title": `"title":"Hinted"`, "annotations.read_only": `"readOnlyHint":true`, "annotations.destructive": `"destructiveHint":false`,
				"annotations.idempotent": `"idempotentHint":true`, "annotations.open_world": `"openWorldHint":false`,
				"icon.src": `"src":"https://x.example/i.png"`, "icon.mime_type": `"mimeType":"image/png"`, "icon.sizes": `"sizes":["48x48"]`, "icon.theme": `"theme":"dark"`,
			},
		},
		{
			file: fmt.Sprintf(file, "readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false"), see: tools,
			shows: map[string]string{
				"annotations.readOnlyHint": `"readOnlyHint":true`, "annotations.destructiveHint": `"destructiveHint":false`,
				"annotations.idempotentHint": `"idempotentHint":true`, "annotations.openWorldHint": `"openWorldHint":false`,
			},
		},
	}
}

func nativeEffects() []effect {
	return []effect{
		{
			file: `tools: [{type: native, name: a, params: {x: integer}, handler: {path: "ingot::echo"}}]`, see: calls("a", `{"x":7}`),
			shows: map[string]string{"native_tool.handler": `"structuredContent":{"x":7}`, "handler.path": `"structuredContent":{"x":7}`},
		},
		{
			file: `tools: [{type: native, name: a, params: {x: integer}, handler: {function: "ingot::echo"}}]`, see: calls("a", `{"x":7}`),
			shows: map[string]string{"handler.function": `"structuredContent":{"x":7}`},
		},
		{
			file: `tools: [{type: native, name: a, params: {x: integer}, handler: {inline: x * 6}}]`, see: calls("a", `{"x":7}`),
			shows: map[string]string{"handler.inline": `42`},
		},
		{ // it has one value: what it does is refuse others
			file: `tools: [{type: native, name: a, handler: {type: rust, path: "ingot::echo"}}]`, see: opened,
			shows: map[string]string{"handler.type": `"rust"`},
		},
	}
}

func cliEffects() []effect {
	return []effect{
		{
			file:  `tools: [{type: cli, name: a, command: printf, args: ["<%s>", "{{x}}"], params: {x: string}}]`,
			see:   calls("a", `{"x":"y"}`),
			shows: map[string]string{"cli_tool.command": `"stdout":"<y>"`, "cli_tool.args": `"stdout":"<y>"`},
		},
		{file: `tools: [{type: cli, name: a, command: pwd, cwd: ./sub}]`, see: calls("a", `{}`), shows: map[string]string{"cli_tool.cwd": `/sub\n`}},
		{file: `tools: [{type: cli, name: a, command: printenv, args: [ONE], env: {ONE: "1{{x}}"}}]`, see: calls("a", `{"x":"2"}`), shows: map[string]string{"cli_tool.env": `12\n`}},
		{file: `tools: [{type: cli, name: a, command: printenv, args: [INGOT_EFFECT], pass_env: [INGOT_EFFECT]}]`, see: calls("a", `{}`), shows: map[string]string{"cli_tool.pass_env": `from-outside`}},
		{file: `tools: [{type: cli, name: a, command: echo, args: [hello], stream: true}]`, see: calls("a", `{}`), shows: map[string]string{"cli_tool.stream": `notifications/progress`}},
		{file: `tools: [{type: cli, name: a, command: echo, args: [more than ten bytes], output_max: 10B}]`, see: calls("a", `{}`), shows: map[string]string{"cli_tool.output_max": `"isError":true`}},
		{file: `tools: [{type: cli, name: a, command: sh, args: [-c, exit 3], success_codes: [3]}]`, see: calls("a", `{}`), shows: map[string]string{"cli_tool.success_codes": `"exit_code":3`}},
	}
}

func httpEffects() []effect {
	const tool = `tools: [{type: http, name: a, private: true, `
	flaky := tool + `endpoint: ORIGIN/flaky, `
	return append([]effect{
		{
			file: tool + `endpoint: "ORIGIN/to/{{id}}", method: PUT, headers: {X-One: "1{{id}}"}, query: {q: "{{id}}"}, body: {b: "{{id}}"}, params: {id: string}}]`,
			see:  calls("a", `{"id":"7"}`),
			shows: map[string]string{
				"http_tool.endpoint": `"path":"/to/7"`, "http_tool.method": `"method":"PUT"`, "http_tool.headers": `"x":"17"`, "http_tool.query": `"query":"q=7"`,
				"http_tool.body": `"body":"{\"b\":\"7\"}"`, "http_tool.private": `"path":"/to/7"`,
			},
		},
		{file: tool + `endpoint: ORIGIN/, method: POST, body_template: "b={{id}}"}]`, see: calls("a", `{"id":"7"}`), shows: map[string]string{"http_tool.body_template": `"body":"b=7"`}},
		{file: tool + `endpoint: ORIGIN/big, response_max: 100B}]`, see: calls("a", `{}`), shows: map[string]string{"http_tool.response_max": `more than 100 bytes`}},
		{file: flaky + `retry: {initial_delay: 1ms, max_delay: 1ms}}]`, see: calls("a", `{}`), shows: map[string]string{"http_tool.retry": `"hit":2`}},
		{file: tool + `endpoint: ORIGIN/broken, fallback: {value: {from: the fallback}}}]`, see: calls("a", `{}`), shows: map[string]string{"http_tool.fallback": `"from":"the fallback"`}},
		{
			file: tool + `endpoint: ORIGIN/slow, bulkhead: {max_concurrent: 1}}]`, see: busy(1, func(w *world) int64 { return w.peer.hits.Load() }, `{}`, `{}`),
			shows: map[string]string{"http_tool.bulkhead": `a is busy with 1 calls`},
		},
	}, authEffects()...)
}

func authEffects() []effect {
	const tool = `tools: [{type: http, name: a, private: true, endpoint: ORIGIN/, auth: {%s}}]`
	one := func(auth string, shows map[string]string) effect {
		return effect{file: fmt.Sprintf(tool, auth), see: calls("a", `{}`), shows: shows}
	}
	return []effect{
		one(`type: bearer, token: let-me-in`, map[string]string{"http_tool.auth": turned("Bearer let-me-in"), "auth.type": turned("Bearer let-me-in"), "auth.token": turned("Bearer let-me-in")}),
		one(`type: bearer, token_env: INGOT_EFFECT`, map[string]string{"auth.token_env": turned("Bearer from-outside")}),
		one(`type: basic, username: ada, password: let-me-in`, map[string]string{
			"auth.username": turned("Basic YWRhOmxldC1tZS1pbg=="), "auth.password": turned("Basic YWRhOmxldC1tZS1pbg=="),
		}),
		one(`type: apikey, key: let-me-in, header: X-Other`, map[string]string{"auth.key": `"other":"` + turned("let-me-in"), "auth.header": `"other":"` + turned("let-me-in")}),
	}
}

// busy calls the tool a with calls that do not end, until as many run as can be seen,
// and then once more. It says what that call was answered, or nothing.
func busy(calls int, running func(*world) int64, hanging, last string) func(*world) string {
	return func(w *world) string {
		ctx, cancel := context.WithCancel(w.ctx)
		behind := &world{ctx: ctx, dir: w.dir, patience: w.patience, project: w.project}
		var ended sync.WaitGroup
		defer ended.Wait()
		defer cancel()
		for range calls {
			ended.Go(func() {
				for ctx.Err() == nil && running(w) < int64(calls) { // a breaker may refuse it a little longer
					behind.call("a", strings.ReplaceAll(hanging, "DIR", w.dir))
				}
			})
		}
		w.until("enough", func() string {
			if running(w) >= int64(calls) {
				return "enough"
			}
			return ""
		})
		return w.call("a", strings.ReplaceAll(last, "DIR", w.dir))
	}
}

func pipelineEffects() []effect {
	const helpers = `tools: [{type: native, name: echo, handler: "ingot::echo", params: {x: {type: string}}},
		{type: native, name: slow, handler: "effect::flaky", params: {id: string, fails: integer, class: string}},
		{type: pipeline, name: a, params: {x: string, o: {type: object}}, `
	one := func(steps, want string, keys ...string) effect {
		e := effect{file: helpers + steps + `}]`, see: calls("a", `{"x":"7","o":{"x":"8"}}`), shows: map[string]string{}}
		for _, k := range keys {
			e.shows[k] = want
		}
		return e
	}
	const slow = `{tool: slow, input: {id: DIR, fails: 9, class: slow}`
	const broken = `{tool: slow, input: {id: DIR, fails: 9, class: failed}`
	return []effect{
		one(`steps: [{tool: echo, input: {x: "<{{x}}>"}, output_var: v}], output: {out: "{{v.x}}"}`, `{"out":"<7>"}`,
			"pipeline_tool.steps", "pipeline_tool.output", "step.tool", "step.input", "step.output_var"),
		one(`steps: [{tool: echo, params: {x: "<{{x}}>"}, output_key: v}], output: {out: "{{v.x}}"}`, `{"out":"<7>"}`, "step.params", "step.output_key"),
		one(`steps: [{tool: echo, input_from: o}]`, `"structuredContent":{"x":"8"}`, "step.input_from"),
		one(`steps: [{tool: echo, input: {x: first}}, {tool: echo, input: {x: second}, condition: x == "0"}]`, `"structuredContent":{"x":"first"}`, "step.condition"),
		one(`steps: [{parallel: [{tool: echo, input: {x: p}, output_var: v}]}], output: {out: "{{v.x}}"}`, `{"out":"p"}`, "step.parallel"),
		one(`steps: [`+broken+`, error_policy: continue}, {tool: echo, input: {x: went on}}]`, `"structuredContent":{"x":"went on"}`, "step.error_policy"),
		one(`steps: [`+broken+`, on_error: continue}, {tool: echo, input: {x: went on}}]`, `"structuredContent":{"x":"went on"}`, "step.on_error"),
		one(`steps: [`+slow+`, timeout: 30ms}]`, `took longer than 30ms`, "step.timeout"),
		one(`steps: [`+slow+`, timeout_ms: 31}]`, `took longer than 31ms`, "step.timeout_ms"),
	}
}
