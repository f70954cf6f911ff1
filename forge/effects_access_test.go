package forge_test

import (
	"os"
	"sync"
)

// accessEffects are those of the blocks access and audit. The caller is anonymous.
func accessEffects() []effect {
	const things = `
tools:
  - {type: native, name: a, handler: "ingot::echo", params: {x: string}}
  - {type: native, name: b, handler: "ingot::echo"}
  - {type: native, name: set, handler: "state::set", params: {key: string, value: string}, state: {rights: caller}}
  - {type: cli, name: slow, command: sleep, args: ["0.2"]}
resources: [{uri: "x:///{key}", name: x, state: "{{key}}"}, {uri: "y:///note", name: y, file: sub/note.txt}]
prompts: [{name: p, template: its text}]`
	one := func(blocks string, see func(*world) string, shown string, keys ...string) effect {
		return effectOf(blocks+things, see, shown, keys...)
	}
	role := func(keys string) string { return `access: {roles: {r: {principals: ["**"], ` + keys + `}}}` }
	seen := calls("a", `{"x":"seen"}`)
	set := calls("set", `{"key":"u/anonymous/k","value":"`+wide+`"}`)
	all := []effect{
		one(role("tools: [a]"), calls("b", `{}`), "may not use the tool b", "file.access", "access.roles"),
		one(`access: {roles: {r: {principals: [anonymous], tools: [a]}}}`, seen, `seen`, "role.principals", "role.tools"),
		one(`access: {default_role: r, roles: {r: {tools: [a]}}}`, seen, `seen`, "access.default_role"),
		// What a scope does, package access tests: nobody has one here.
		one(`access: {roles: {r: {scopes: [""], tools: [a]}}}`, opened, "is no pattern of names", "role.scopes"),
		one(role("prompts: [p]"), asks("prompts/get", `"name":"p"`), "its text", "role.prompts"),
		one(role(`resources: ["y:///**"]`), asks("resources/read", `"uri":"y:///note"`), "a note", "role.resources"),
		one(role(`tools: [set], state: {"u/": write}`), set, `"version"`, "role.state"),
		one(role(`tools: [set]`), set, "may not write the key", "tool_state.rights"),
		one(role(`tools: [a], quotas: {calls_per_minute: 1}`), calls("a", `{"x":"1"}`, `{"x":"2"}`), "its quota calls_per_minute of 1", "role.quotas", "quotas.calls_per_minute"),
		one(role(`tools: [slow], quotas: {concurrent_calls: 1}`), again("concurrent_calls is 1", atOnce), "concurrent_calls is 1", "quotas.concurrent_calls"),
		one(role(`tools: [set], state: {"u/${principal}/": write}, quotas: {state_bytes: 300}`), set, `"isError":true`, "quotas.state_bytes"),
	}
	audited := func(do func(*world) string) func(*world) string {
		return func(w *world) string {
			do(w)
			text, err := os.ReadFile(w.path("kept.log"))
			if err != nil {
				return "there is no record"
			}
			if _, err := os.Stat(w.path("kept.log.0000000001")); err == nil {
				return string(text) + "and another file"
			}
			return string(text)
		}
	}
	record := audited(seen)
	several := func(w *world) (said string) {
		for range 12 {
			said += seen(w)
		}
		return said
	}
	return append(all,
		one(`audit: {path: kept.log}`, record, `"who":"anonymous"`, "file.audit", "audit.path"),
		one(`audit: {path: kept.log, arguments: redact}`, record, `text of 6 bytes`, "audit.arguments"),
		one(`audit: {path: kept.log, max_file_bytes: 4KiB}`, audited(several), `and another file`, "audit.max_file_bytes"),
		one(`audit: {path: kept.log, methods: ["tools/list"]}`, audited(tools), `"method":"tools/list"`, "audit.methods"),
		// What they do to a record, package audit tests.
		one(`audit: {path: kept.log, sync: always}`, logged, `sync=always`, "audit.sync"),
		one(`audit: {path: kept.log, on_failure: continue}`, logged, `on_failure=continue`, "audit.on_failure"),
	)
}

// wide is a value that a small budget has no room for.
const wide = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" +
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" +
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

// atOnce makes two calls at the same time, as far as the machine lets them be.
func atOnce(w *world) string {
	var both [2]string
	var running sync.WaitGroup
	for i := range both {
		running.Go(func() { both[i] = w.call("slow", `{}`) })
	}
	running.Wait()
	return both[0] + both[1]
}
