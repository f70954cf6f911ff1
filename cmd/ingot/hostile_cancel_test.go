//go:build linux

package main

import (
	"strings"
	"testing"
)

const hostileCancels = `
forge: {name: cancels, version: 1.0.0}
tools:
  - {type: cli, name: alone, command: sh, args: [-c, "if [ \"$1\" = wait ]; then sleep 1000; fi; echo done", sh, "{{how}}"], params: {how: string},
     middleware: [{type: bulkhead, max_concurrent: 1, max_queue: 3, queue_timeout: 1h}]}
  - {type: http, name: busy, endpoint: "ORIGIN/busy", private: true, timeout: 2h, retry: {max_attempts: 5, initial_delay: 1h, max_delay: 1h}}
  - {type: http, name: busy_too, endpoint: "ORIGIN/busy", private: true, timeout: 2h, middleware: [{type: retry, max_attempts: 5, initial_delay: 1h, max_delay: 1h}]}
  - {type: http, name: moody, endpoint: "ORIGIN/moody", private: true, timeout: 1h,
     middleware: [{type: circuit_breaker, failure_threshold: 1, success_threshold: 1, half_open_max: 1, timeout: 100ms}]}
  - {type: http, name: fresh, endpoint: "ORIGIN/moody", private: true, timeout: 1h, middleware: [{type: cache}]}
  - {type: pipeline, name: both, params: {how: {type: string, default: wait}}, steps: [{parallel: [{tool: alone, input: {how: "{{how}}"}, output_var: a}, {tool: alone, input: {how: "{{how}}"}, output_var: b}]}], output: "{{a.stdout}}{{b.stdout}}"}
`

// What a client takes back while it waits, for a place, for another attempt, for a
// peer, for an equal call, holds nothing any longer: the next call is as the first.
func TestHostileCancels(t *testing.T) {
	peer := hostilePeer(t)
	set := func(mood string) { peer.mood.Store(&mood) }
	set("well")
	p := serveFile(t, strings.ReplaceAll(hostileCancels, "ORIGIN", peer.origin))
	p.succeeds("alone", `{"how":"go"}`, "done\n")
	p.succeeds("moody", `{}`, "well")
	files := p.files()

	// Of three in a bulkhead of one, one runs.
	var waiting []int
	for range 3 {
		waiting = append(waiting, p.send(toolCall("alone", `{"how":"wait"}`)))
	}
	eventually(t, "the first program", func() bool { return p.children() != "" })
	for _, id := range []int{waiting[1], waiting[0], waiting[2]} {
		p.cancel(id)
	}
	p.succeeds("alone", `{"how":"go"}`, "done\n")
	flow := p.send(toolCall("both", `{}`))
	eventually(t, "the pipeline's program", func() bool { return p.children() != "" })
	p.cancel(flow)
	p.succeeds("both", `{"how":"go"}`, "done\ndone\n")

	// Attempts that would come in an hour.
	for i, tool := range []string{"busy", "busy_too"} {
		id := p.send(toolCall(tool, `{}`))
		eventually(t, "the first attempt", func() bool { return peer.seen.Load() == int32(i+1) })
		p.cancel(id)
	}

	// The one probe of a breaker that is half open.
	set("fail")
	p.fails("moody", `{}`, "answered 500")
	set("hang")
	probe := 0
	eventually(t, "a probe", func() bool {
		if probe == 0 || p.answered(probe) {
			probe = p.send(toolCall("moody", `{}`))
		}
		return peer.hangs.Load() == 1
	})
	p.fails("moody", `{}`, "moody failed too often and is left alone: try again later")
	p.cancel(probe)
	eventually(t, "the end of the probe", func() bool { return peer.hangs.Load() == 0 })
	set("well")
	p.succeeds("moody", `{}`, "well")
	p.succeeds("moody", `{}`, "well")

	p.checkFlight(peer, set)
	for _, id := range append(waiting, flow, probe) {
		if p.answered(id) {
			t.Errorf("a call that was taken back was answered: %s", p.wait(id))
		}
	}
	peer.hangUp()
	p.leavesNothing(files)
}

// checkFlight takes back the call that equal ones wait for: one of them makes it.
func (p *process) checkFlight(peer *peer, set func(mood string)) {
	p.t.Helper()
	set("hang")
	leader := p.send(toolCall("fresh", `{}`))
	eventually(p.t, "the leader", func() bool { return peer.hangs.Load() == 1 })
	var equal []int
	for range 5 {
		equal = append(equal, p.send(toolCall("fresh", `{}`)))
	}
	set("well")
	p.cancel(leader)
	for _, id := range equal {
		if line := p.wait(id); !strings.Contains(line, `"text":"well"`) {
			p.t.Errorf("an equal call: %s", line)
		}
	}
}
