package forge_test

import (
	"fmt"
	"strings"
)

// stands is a file with a tool of effect::flaky that a middleware of a type stands around.
func stands(kind, keys string) string {
	return "tools: [" + flakyTool(", annotations: {idempotent: true}, middleware: [{type: "+kind+", "+keys+"}]") + "]"
}

// states is what the middleware knows, at the end.
func states(w *world) string {
	var all strings.Builder
	for _, s := range w.project.State() {
		fmt.Fprintf(&all, "%s %s %s %v %d errors\n", s.Tool, s.Type, s.Status, s.Counts, len(s.Errors))
	}
	return all.String()
}

// then does one thing after another and says what came of the last.
func then(all ...func(*world) string) func(*world) string {
	return func(w *world) (seen string) {
		for _, f := range all {
			seen = f(w)
		}
		return seen
	}
}

// again repeats until something is seen.
func again(shown string, f func(*world) string) func(*world) string {
	return func(w *world) string { return w.until(shown, func() string { return f(w) }) }
}

// middlewareEffects are those of middleware that has keys of its own.
func middlewareEffects() []effect {
	typed := func(kind, keys string, see func(*world) string, shown string, names ...string) effect {
		table := "middleware_" + kind
		e := effect{file: stands(kind, keys), see: see, shows: map[string]string{}}
		for _, name := range names {
			e.shows[table+"."+name] = shown
			if name == "type" {
				e.without = map[string]string{table + ".type": "type: " + kind + ", "}
			}
		}
		return e
	}
	ok, failed := fails("failed", 0, 1), fails("failed", 9, 1)
	all := []effect{
		typed("timeout", "timeout: 30ms", fails("slow", 9, 1), "took longer than 30ms", "timeout", "type"),
		typed("timeout", "timeout_ms: 31", fails("slow", 9, 1), "took longer than 31ms", "timeout_ms"),
		typed("metrics", "", then(ok, states), "metrics  map[calls:1", "type"),
		typed("recovery", "circuit_breaker: {failure_threshold: 1}", fails("failed", 9, 2), "failed too often", "circuit_breaker", "type"),
		typed("recovery", "retry: {initial_delay: 1ms, max_delay: 1ms}", fails("unavailable", 9, 1), "attempt 3 failed", "retry"),
		typed("recovery", "error_tracking: {}", then(failed, states), "1 errors", "error_tracking"),
		typed("validation", "required_fields: [other]", ok, `argument \"other\": is missing`, "required_fields", "type"),
		typed("validation", "schema: {type: object, properties: {class: {const: x}}}", ok, `"isError":true`, "schema"),
		{
			file: `tools: [{type: native, name: a, handler: {inline: '{"n": "x"}'}, output_schema: {type: object, properties: {n: {type: integer}}}, middleware: [{type: validation, output: true}]}]`,
			see:  then(calls("a", `{}`), states), shows: map[string]string{"middleware_validation.output": "refused:1"},
		},
		typed("ratelimit", "requests: 1, per: 1h, by: tool", fails("failed", 0, 2), "at most 1 times in 1h0m0s", "requests", "per", "by", "type"),
		typed("ratelimit", "requests: 1, per: 1h, by: tool, burst: 2", fails("failed", 0, 2), `"attempts":2`, "burst"),
		typed("fallback", "fallback: {value: {from: below}}", failed, `"from":"below"`, "fallback", "type"),
		typed("fallback", "fallbacks: [{value: {from: below}}]", failed, `"from":"below"`, "fallbacks"),
		typed("fallback", "fallback: {value: {from: below}}, on: [denied]", fails("denied", 9, 1), `"from":"below"`, "on"),
		{
			file:  "tools: [" + flakyTool(`, middleware: [{type: fallback, fallback: {tool: b}}]`) + `, {type: native, name: b, handler: {inline: '{"from": "b"}'}, params: {id: string, fails: integer, class: string}}]`,
			see:   failed,
			shows: map[string]string{"alternative.tool": `"from":"b"`},
		},
		{file: stands("fallback", "fallback: {value: {from: below}}"), see: failed, shows: map[string]string{"alternative.value": `"from":"below"`}},
	}
	return append(append(all, loggingEffects()...), transformEffects()...)
}

func loggingEffects() []effect {
	one := func(keys, shown string, names ...string) effect {
		e := effect{
			file: `tools: [{type: native, name: a, handler: "ingot::echo", params: {x: string, y: string}, middleware: [{type: logging, ` + keys + `}]}]`,
			see:  then(calls("a", `{"x":"hello","y":"open"}`), logged), shows: map[string]string{},
		}
		for _, name := range names {
			e.shows["middleware_logging."+name] = shown
		}
		e.without = map[string]string{"middleware_logging.type": "type: logging, "}
		return e
	}
	return []effect{
		one("tag: marked", "tag=marked", "tag", "type"),
		one("level: debug", "level=DEBUG msg=call", "level"),
		one("include_request: true, redact: [y]", `arguments="{\"x\":\"hello\",\"y\":\"[redacted]\"}"`, "include_request", "redact"),
		one("include_response: true", `answer="{\"x\":\"hello\"`, "include_response"),
	}
}

func transformEffects() []effect {
	one := func(keys, shown string, names ...string) effect {
		e := effect{
			file: `tools: [{type: native, name: a, handler: "ingot::echo", params: {x: string, y: string}, middleware: [{type: transform, ` + keys + `}]}]`,
			see:  calls("a", `{"x":"1","y":"2"}`), shows: map[string]string{}, without: map[string]string{"middleware_transform.type": "type: transform, "},
		}
		for _, name := range names {
			e.shows[name] = shown
		}
		return e
	}
	return []effect{
		one(`request: {remove: [y], set: {z: 3}}`, `"structuredContent":{"x":"1","z":3}`, "middleware_transform.request", "middleware_transform.type", "change.remove", "change.set"),
		one(`response: {remove_fields: [x]}`, `"structuredContent":{"y":"2"}`, "middleware_transform.response", "change.remove_fields"),
	}
}
