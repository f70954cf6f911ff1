package forge_test

import "fmt"

// stateEffects are those of the state, and of the part of it that a tool sees.
func stateEffects() []effect {
	const functions = `
tools:
  - {type: native, name: set, handler: "state::set", params: {key: string, value: string}}
  - {type: native, name: get, handler: "state::get", params: {key: string}}`
	one := func(state, see string, f func(*world) string, keys ...string) effect {
		return effectOf("state: {"+state+"}"+functions, f, see, keys...)
	}
	set, get := calls("set", `{"key":"k","value":"kept for a while"}`), calls("get", `{"key":"k"}`)
	gone := again(`"found":false`, get)
	reopened := func(w *world) string {
		set(w)
		if err := w.project.Close(); err != nil {
			return err.Error()
		}
		if w.open(); w.err != nil {
			return w.err.Error()
		}
		return get(w)
	}
	all := []effect{
		one("backend: file, path: ./kept", `"value":"kept for a while"`, reopened, "file.state", "state.backend", "state.path"),
		one("ttl: 1ms", `"found":false`, then(set, gone), "state.ttl"),
		one("ttl_seconds: 1", `"found":false`, then(set, gone), "state.ttl_seconds"),
		one("max_size: 200B", `"isError":true`, then(set, calls("set", `{"key":"j","value":"`+fmt.Sprintf("%200d", 1)+`"}`)), "state.max_size"),
		one("options: {max_value: 5B}", `"isError":true`, set, "state.options", "state_options.max_value"),
	}
	all = append(all,
		// What each policy does to a write, package engine tests.
		effectOf("state: {options: {sync: never}}"+functions, opened, "sync is for the backend file", "state_options.sync"),
	)
	return append(append(all, toolStateEffects()...), redisEffects()...)
}

func toolStateEffects() (all []effect) {
	get := calls("get", `{"key":"k"}`)
	const whole = `
  - {type: native, name: get, handler: "state::get", params: {key: string}}
  - {type: native, name: plain, handler: "state::set", params: {key: string, value: string}}`
	one := func(tool, shown string, f func(*world) string, keys ...string) {
		all = append(all, effectOf("tools:\n  - {name: a, "+tool+"}"+whole, f, shown, keys...))
	}
	set := calls("a", `{"key":"k","value":"mine"}`)
	const function = `type: native, handler: "state::set", params: {key: string, value: string}, `
	one(function+`state: {namespace: own}`, `"value":"mine"`, then(set, calls("get", `{"key":"own/k"}`)), "native_tool.state", "tool_state.namespace")
	one(function+`state: {ttl: 1ms}`, `"found":false`, then(set, again(`"found":false`, get)), "tool_state.ttl")
	one(function+`state: {ttl_seconds: 1}`, `"found":false`, then(set, again(`"found":false`, get)), "tool_state.ttl_seconds")
	one(function+`state: {scope: handle}`, `"state_handle":`, set, "tool_state.scope")
	kept := then(calls("plain", `{"key":"own/k","value":"mine"}`), calls("a", `{}`))
	one(`type: cli, command: echo, args: ["{{state.k}}"], params: {}, state: {namespace: own}`, `mine`, kept, "cli_tool.state")
	one(`type: http, endpoint: "ORIGIN/{{state.k}}", private: true, params: {}, state: {namespace: own}`, `"path":"/mine"`, kept, "http_tool.state")
	one(`type: pipeline, steps: [{tool: get, input: {key: x}}], output: {got: "{{state.k}}"}, state: {namespace: own}`, `"got":"mine"`, kept, "pipeline_tool.state")
	return all
}
