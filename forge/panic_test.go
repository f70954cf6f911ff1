package forge

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func init() {
	Handle("test::panics", func(context.Context, struct{}) (string, error) { panic("boom") })
	//lint:ignore SA5000 the panic is what the test is about
	Handle("test::nil", func(context.Context, struct{}) (string, error) { var m map[string]int; m["x"] = 1; return "", nil })
}

const panicFile = `
tools:
  - {type: native, name: panics, handler: "test::panics"}
  - {type: native, name: writes_nil, handler: "test::nil"}
  - {type: native, name: held, handler: "test::panics", middleware: [{type: metrics}, {type: bulkhead, max_concurrent: 1}, {type: circuit_breaker, failure_threshold: 2, timeout: 1h}]}
  - {type: native, name: stands_in, handler: "test::panics", middleware: [{type: fallback, fallback: {value: instead}}]}
  - {type: native, name: fine, handler: "ingot::echo", params: {text: {type: string, default: fine}}}
  - {type: pipeline, name: both, steps: [{parallel: [{tool: panics, output_var: a}, {tool: fine, output_var: b}]}]}
  - {type: pipeline, name: goes_on, steps: [{tool: panics, error_policy: continue}, {tool: fine, output_var: b}], output: "{{b.text}}"}
`

// A function that panics fails its own call: alone, in a pipeline and in its parallel
// steps, behind a breaker, a bulkhead and a fallback, and without any middleware.
func TestPanicsFailTheirCall(t *testing.T) {
	p, _ := project(t, panicFile, nil)
	c := connect(t, p.Server(), true, "")
	for range 2 {
		require.Equal(t, "error panics broke inside: the server's log says where", c.call("panics", `{}`))
		require.Equal(t, "error writes_nil broke inside: the server's log says where", c.call("writes_nil", `{}`))
		require.Equal(t, "error held broke inside: the server's log says where", c.call("held", `{}`))
		require.Contains(t, c.call("both", `{}`), "panics broke inside")
		require.Equal(t, "text fine", c.call("goes_on", `{}`))
		require.Equal(t, "text instead", c.call("stands_in", `{}`))
		require.JSONEq(t, `{"text":"fine"}`, c.call("fine", `{}`))
	}
	require.Contains(t, c.call("held", `{}`), "held failed too often and is left alone")
	for _, s := range p.State() {
		require.Zero(t, s.Counts["running"], s.Type)
		if s.Type == "metrics" {
			require.EqualValues(t, 2, s.Counts["internal"])
		}
	}
}
