package forge_test

import (
	"fmt"
	"strings"
)

// resilienceEffects are those of what stands alone in a list of middleware, and inside
// of other blocks too: the keys are the same, the tables two.
func resilienceEffects() []effect {
	list := func(kind string) func(string) string {
		return func(keys string) string { return stands(kind, keys) }
	}
	block := func(key string) func(string) string {
		return func(keys string) string {
			return "fault_tolerance: {" + key + ": {" + keys + "}}\ntools: [" + flakyTool(", annotations: {idempotent: true}") + "]"
		}
	}
	all := append(breakerEffects("middleware_circuit_breaker", list("circuit_breaker")), breakerEffects("circuit_breaker", block("circuit_breaker"))...)
	all = append(append(all, retryEffects("middleware_retry", list("retry"))...), retryEffects("retry", block("retry"))...)
	all = append(all, cacheEffects()...)
	all = append(all, bulkheadEffects()...)
	one := func(keys string, see func(*world) string, shown string, names ...string) effect {
		e := effect{file: "fault_tolerance: {" + keys + "}\ntools: [" + flakyTool(", annotations: {idempotent: true}") + "]", see: see, shows: map[string]string{}}
		for _, name := range names {
			e.shows[name] = shown
		}
		return e
	}
	failed := fails("failed", 9, 2)
	return append(all,
		one("circuit_breaker: {failure_threshold: 1}", failed, "failed too often", "fault_tolerance.circuit_breaker", "file.fault_tolerance"),
		one("retry: {initial_delay: 1ms, max_delay: 1ms}", fails("unavailable", 9, 1), "attempt 3 failed", "fault_tolerance.retry"),
		one("error_tracking: {}", then(failed, states), "error_tracking  map[failed:2] 2 errors", "fault_tolerance.error_tracking"),
		one("error_tracking: {max_errors: 1}", then(failed, states), "map[failed:2] 1 errors", "error_tracking.max_errors"),
		one("error_tracking: {enabled: false}, circuit_breaker: {}", then(failed, statesOf("error_tracking")), "not there", "error_tracking.enabled"),
	)
}

// statesOf says what is known of one type, or that nothing is.
func statesOf(kind string) func(*world) string {
	return func(w *world) string {
		if seen := states(w); strings.Contains(seen, kind) {
			return seen
		}
		return "not there"
	}
}

func breakerEffects(table string, file func(keys string) string) []effect {
	one := func(keys string, see func(*world) string, shown string, names ...string) effect {
		e := effect{file: file(keys), see: see, shows: map[string]string{}}
		for _, name := range names {
			e.shows[table+"."+name] = shown
		}
		return e
	}
	failed := fails("failed", 9, 1)
	// open for a moment, then the first success
	mended := then(fails("failed", 1, 1), again(`"attempts"`, fails("failed", 1, 1)), states)
	all := []effect{
		one("failure_threshold: 1", fails("failed", 9, 2), "failed too often", "failure_threshold"),
		one("failure_threshold: 1, enabled: false", fails("failed", 9, 2), "attempt 2 failed", "enabled"),
		one("failure_threshold: 1, timeout: 1ms", then(failed, again("attempt 2 failed", failed)), "attempt 2 failed", "timeout"),
		one("failure_threshold: 1, timeout: 1ms, success_threshold: 1", mended, "circuit_breaker closed", "success_threshold"),
		one("failure_threshold: 1, timeout: 1ms, half_open_max: 2", probing, "attempt 3 failed", "half_open_max"),
	}
	if table == "middleware_circuit_breaker" {
		all[0].shows[table+".type"] = "failed too often"
		all[0].without = map[string]string{table + ".type": "type: circuit_breaker, "}
	}
	return all
}

// probing opens the breaker, waits until it lets calls try, and tries two at once.
func probing(w *world) string {
	fails("failed", 9, 1)(w)
	w.until("open_ms:0", func() string { return states(w) })
	return busy(1, func(w *world) int64 { return attempts(w.dir).Load() - 1 }, `{"id":"DIR","fails":9,"class":"slow"}`, `{"id":"DIR","fails":9,"class":"failed"}`)(w)
}

func retryEffects(table string, file func(keys string) string) []effect {
	one := func(keys string, see func(*world) string, shown string, names ...string) effect {
		e := effect{file: file(keys), see: see, shows: map[string]string{}}
		for _, name := range names {
			e.shows[table+"."+name] = shown
		}
		return e
	}
	unavailable := fails("unavailable", 9, 1)
	const quick = "initial_delay: 1ms, max_delay: 1ms"
	all := []effect{
		one(quick+", max_attempts: 2", unavailable, "attempt 2 failed", "max_attempts"),
		one(quick+", retry_on: [failed]", fails("failed", 9, 1), "attempt 3 failed", "retry_on"),
		one("initial_delay: 10ms, max_delay: 10ms, multiplier: 100, max_attempts: 5", unavailable, "attempt 5 failed", "max_delay"),
		one("initial: 10ms, max: 10ms, multiplier: 100, max_attempts: 5", unavailable, "attempt 5 failed", "max"),
	}
	// A pause that is longer than the caller waits is not begun: the answer comes at
	// once. Pauses by default are so short that there are more attempts.
	for _, c := range []struct{ keys, shown, name string }{
		{"initial_delay: 1h, max_delay: 1h", "attempt 1 failed", "initial_delay"},
		{"initial: 1h, max_delay: 1h", "attempt 1 failed", "initial"},
		{"initial_delay: 1ms, max_delay: 10h, multiplier: 100, max_attempts: 6, jitter: false", "attempt 4 failed", "multiplier"},
	} {
		e := one(c.keys, unavailable, c.shown, c.name)
		e.file = "middleware: [{type: timeout, timeout: 40s}]\n" + e.file
		if c.name == "multiplier" { // 1, 100 ms, then 10 s
			e.shows[table+".multiplier"] = "attempt 3 failed"
			e.file = strings.Replace(e.file, "timeout: 40s", "timeout: 5s", 1)
		}
		all = append(all, e)
	}
	// Without jitter, no pause of 250 ms fits into 240 ms: each of the calls tries once.
	// With it, most do.
	steady := one("initial_delay: 250ms, max_delay: 1s, jitter: false", then(fails("unavailable", 99, 7), fails("unavailable", 99, 1)), "attempt 8 failed", "jitter")
	steady.file = "middleware: [{type: timeout, timeout: 240ms}]\n" + steady.file
	all = append(all, steady)
	if table == "middleware_retry" {
		all[0].shows[table+".type"] = "attempt 2 failed"
		all[0].without = map[string]string{table + ".type": "type: retry, "}
	}
	return all
}

// cacheEffects are those of a cache of answers, and of what a resource reads.
func cacheEffects() (all []effect) {
	ok := fails("failed", 0, 1)
	read := func(w *world) string { return w.request("resources/read", `"uri":"web:///x"`) }
	for _, c := range []struct {
		table string
		file  func(keys string) string
		see   func(*world) string
		n     string // as the counts are seen
		other func(*world) string
	}{
		{"middleware_cache", func(keys string) string { return stands("cache", keys) }, ok, `"attempts":%d}`, fails("other", 0, 1)},
		{"cache", func(keys string) string {
			return `resources: [{uri: "web:///{id}", http: {endpoint: "ORIGIN/{{id}}", private: true}, cache: {` + keys + `}}]`
		}, read, `\"hit\":%d,`, func(w *world) string { return w.request("resources/read", `"uri":"web:///y"`) }},
	} {
		one := func(keys string, see func(*world) string, shown string, names ...string) {
			e := effect{file: c.file(keys), see: see, shows: map[string]string{}}
			for _, name := range names {
				e.shows[c.table+"."+name] = shown
				if name == "type" {
					e.without = map[string]string{c.table + ".type": "type: cache, "}
				}
			}
			all = append(all, e)
		}
		twice, three := fmt.Sprintf(c.n, 2), fmt.Sprintf(c.n, 3)
		one("ttl: 1ms", then(c.see, again(twice, c.see)), twice, "ttl")
		one("ttl_seconds: 1", then(c.see, again(twice, c.see)), twice, "ttl_seconds")
		one("max_size: 1", then(c.see, c.other, c.see), three, "max_size")
		one("max_bytes: 1B", then(c.see, c.see), twice, "max_bytes")
		one("strategy: fifo", opened, `"fifo"`, "strategy") // there is one: it refuses others
		if c.table == "middleware_cache" {
			one("max_size: 2", then(c.see, c.see), fmt.Sprintf(c.n, 1), "type")
		}
	}
	return all
}

func bulkheadEffects() (all []effect) {
	one := func(table, file string, see func(*world) string, shown string, names ...string) {
		e := effect{file: file, see: see, shows: map[string]string{}}
		for _, name := range names {
			e.shows[table+"."+name] = shown
			if name == "type" {
				e.without = map[string]string{table + ".type": "type: bulkhead, "}
			}
		}
		all = append(all, e)
	}
	const hangs = `{"id":"DIR","fails":9,"class":"slow"}`
	tool := func(w *world) int64 { return attempts(w.dir).Load() }
	one("middleware_bulkhead", stands("bulkhead", "max_concurrent: 1"), busy(1, tool, hangs, hangs), "busy with 1 calls, and 0 wait", "max_concurrent", "type")
	one("middleware_bulkhead", stands("bulkhead", "max_concurrent: 1, max_queue: 5, queue_timeout: 30ms"), busy(1, tool, hangs, hangs), "the wait took longer than 30ms", "max_queue", "queue_timeout")
	request := func(keys string) string {
		return `tools: [{type: http, name: a, private: true, endpoint: ORIGIN/slow, bulkhead: {` + keys + `}}]`
	}
	peer := func(w *world) int64 { return w.peer.hits.Load() }
	one("bulkhead", request("max_concurrent: 1"), busy(1, peer, `{}`, `{}`), "busy with 1 calls, and 0 wait", "max_concurrent")
	one("bulkhead", request("max_concurrent: 1, max_queue: 5, queue_timeout: 30ms"), busy(1, peer, `{}`, `{}`), "the wait took longer than 30ms", "max_queue", "queue_timeout")
	return all
}
