package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/state"
)

// flakyLeft is how many calls of the function state::flaky fail before one does not.
var flakyLeft atomic.Int32

func init() {
	Handle("test::flaky", func(ctx context.Context, in map[string]any) (map[string]any, error) {
		if in["state_handle"] != nil {
			return nil, errors.New("a function is given the handle")
		}
		if _, _, err := StateOf(ctx).Increment(ctx, "tries", state.IncrementOptions{Delta: 1}); err != nil {
			return nil, err
		}
		if flakyLeft.Add(-1) >= 0 {
			return nil, fault.New(fault.Unavailable, "not yet")
		}
		e, err := StateOf(ctx).Get(ctx, "tries")
		return map[string]any{"tries": string(e.Value)}, err
	})
	Handle("test::fails", func(context.Context, struct{}) (string, error) { return "", errors.New("no luck") })
	Handle("test::everything", func(ctx context.Context, in struct{}) (string, error) {
		m := StateOf(ctx)
		if _, err := m.SetMany(ctx, []state.Item{{Key: "many", Value: []byte("1")}, {Key: "long", Value: []byte("1"), TTL: 2 * time.Hour}}); err != nil {
			return "", err
		}
		_, err := m.Batch(ctx, []state.Op{{Kind: state.OpSet, Key: "batch", Value: []byte("1")}, {Kind: state.OpIncrement, Key: "batched", Delta: 1}})
		if err != nil {
			return "", err
		}
		if _, swapped, err := m.CompareAndSwap(ctx, "swapped", 0, []byte("1")); err != nil || !swapped {
			return "", fmt.Errorf("swapped %v: %w", swapped, err)
		}
		if _, swapped, err := m.CompareAndSwap(ctx, "swapped", 0, []byte("2")); err != nil || swapped {
			return "", fmt.Errorf("swapped twice: %w", err)
		}
		return "done", nil
	})
}

const stateFile = `
tools:
  - {type: native, name: set, handler: "state::set", params: {key: string, value: {type: string}, ttl_seconds: {type: number}}}
  - {type: native, name: get, handler: "state::get", params: {key: string}}
  - {type: native, name: list, handler: "state::list", params: {prefix: {type: string, default: ""}}}
  - {type: native, name: set_a, handler: "state::set", params: {key: string, value: string}, state: {namespace: a}}
  - {type: native, name: get_a, handler: "state::get", params: {key: string}, state: {namespace: a}}
  - {type: native, name: list_a, handler: "state::list", params: {prefix: {type: string, default: ""}}, state: {namespace: a}}
  - {type: native, name: get_b, handler: "state::get", params: {key: string}, state: {namespace: b}}
  - {type: native, name: count, handler: "state::increment", params: {key: string}, state: {namespace: a, ttl: 1h}}
  - {type: native, name: all, handler: "test::everything", state: {namespace: mortal, ttl_seconds: 60}}
  - {type: native, name: inline, handler: {inline: '(state.n ?? 0) + input.by + by'}, params: {by: integer}, state: {namespace: a}}
  - {type: native, name: hidden, handler: {inline: 'state.n + input'}, params: {state: {type: object, properties: {n: {type: integer}}}, input: integer}}
  - {type: cli, name: show, command: printf, args: ["%s|%s|%s", "{{state.text}}", "{{state.none}}", "{{x}}"], params: {x: string}, state: {namespace: a}}
  - {type: http, name: fetch, endpoint: "ORIGIN/{{state.path}}", private: true}
  - type: pipeline
    name: flow
    params: {x: {type: string, default: dflt}}
    state: {namespace: a}
    steps:
      - {tool: count, input: {key: n}, condition: 'state.n == nil || state.n < 2', output_var: first}
      - parallel:
          - {tool: count, input: {key: n}, output_var: left}
          - {tool: get_a, input: {key: "{{state.which}}"}, condition: 'state["wh" + "ich"] != nil', output_var: right}
      - {tool: echo, input: {text: "{{state.text}} {{state.doc.list.1}} {{state.none}}", all: "{{input}}", doc: "{{state.doc}}"}, output_var: said}
      - {tool: echo, input_from: input}
    output: {n: "{{state.n}}", said: "{{said}}", right: "{{right.value}}"}
  - {type: native, name: echo, handler: "ingot::echo", params: {text: {type: string}, all: {type: object}, doc: {type: object}, x: {type: string}}}
`

func TestNamespaces(t *testing.T) {
	p, _ := project(t, strings.ReplaceAll(stateFile, "ORIGIN", "http://127.0.0.1:1"), nil)
	c := connect(t, p.Server(), true, "")
	c.call("set", `{"key":"k","value":"outside"}`)
	require.Contains(t, c.call("get_a", `{"key":"k"}`), `"found":false`)
	c.call("set_a", `{"key":"k","value":"inside"}`)
	require.Contains(t, c.call("get_a", `{"key":"k"}`), `"value":"inside"`, "two tools of a namespace share it")
	require.Contains(t, c.call("get_b", `{"key":"k"}`), `"found":false`)
	require.Contains(t, c.call("get", `{"key":"k"}`), `"value":"outside"`)
	require.Contains(t, c.call("get", `{"key":"a/k"}`), `"value":"inside"`, "who has no namespace sees all")
	for _, key := range []string{"../k", "/k", "a/k", "", "\\u0000ingot/x"} {
		require.NotContains(t, c.call("get_a", fmt.Sprintf(`{"key":"%s"}`, key)), "outside", key)
	}
	require.JSONEq(t, `{"keys":["k"],"next":""}`, c.call("list_a", `{}`))
	require.Contains(t, c.call("get", `{"key":"\u0000ingot/handles/records/x"}`), "error", "what the server keeps for itself is nobody's")
}

// What a tool writes lives as long as it says, unless the call says otherwise.
func TestToolTTL(t *testing.T) {
	p, _ := project(t, strings.ReplaceAll(stateFile, "ORIGIN", "http://127.0.0.1:1"), nil)
	c := connect(t, p.Server(), false, "")
	c.call("set", `{"key":"ever","value":"x"}`)
	c.call("set", `{"key":"short","value":"x","ttl_seconds":30}`)
	c.call("count", `{"key":"n"}`)
	require.Equal(t, "text done", c.call("all", `{}`))
	for key, want := range map[string]time.Duration{
		"ever": 0, "short": 30 * time.Second, "a/n": time.Hour, "mortal/many": time.Minute, "mortal/long": 2 * time.Hour, "mortal/batch": time.Minute,
		"mortal/batched": time.Minute, "mortal/swapped": time.Minute,
	} {
		e, err := p.state.Get(t.Context(), key)
		require.NoError(t, err, key)
		if want == 0 {
			require.Zero(t, e.ExpiresAt, key)
			continue
		}
		left := time.Duration(e.ExpiresAt-p.state.Now()) * time.Millisecond
		require.LessOrEqual(t, left, want, key)
		require.Greater(t, left, want-20*time.Second, key)
	}
}

// Calls that run at once lose no step, nor do steps of pipelines.
func TestIncrementsDoNotRace(t *testing.T) {
	p, _ := project(t, strings.ReplaceAll(stateFile, "ORIGIN", "http://127.0.0.1:1"), nil)
	const clients, calls = 8, 40
	first := connect(t, p.Server(), true, "")
	for range 2 { // a flow that sees less counts twice
		first.call("count", `{"key":"n"}`)
	}
	var running sync.WaitGroup
	for i := range clients {
		c := connect(t, p.Server(), i%2 == 0, "")
		running.Go(func() {
			for range calls {
				c.send("tools/call", `"name":"count","arguments":{"key":"n"}`)
				c.send("tools/call", `"name":"flow","arguments":{}`)
			}
			for range 2 * calls {
				if _, _, bad := c.message(); bad != "" {
					t.Error(bad)
				}
			}
		})
	}
	running.Wait()
	e, err := p.state.Get(t.Context(), "a/n")
	require.NoError(t, err)
	var n int
	require.NoError(t, json.Unmarshal(e.Value, &n))
	require.Equal(t, 2+2*clients*calls, n)
}

// Templates, conditions and expressions show the state; what it holds is never expanded.
func TestStateIsShown(t *testing.T) {
	p, _ := project(t, strings.ReplaceAll(stateFile, "ORIGIN", "http://127.0.0.1:1"), nil)
	c := connect(t, p.Server(), true, "")
	c.call("set_a", `{"key":"text","value":"{{x}} {{state.doc}} $(id) state.n"}`)
	c.call("set_a", `{"key":"doc","value":"{\"list\":[1,{\"a\":\"{{input}}\"}]}"}`)
	c.call("set_a", `{"key":"which","value":"text"}`)
	require.JSONEq(t, `{"n":2,"right":"{{x}} {{state.doc}} $(id) state.n","said":{
		"text":"{{x}} {{state.doc}} $(id) state.n {\"a\":\"{{input}}\"} ","all":{"x":"q"},"doc":{"list":[1,{"a":"{{input}}"}]}}}`, c.call("flow", `{"x":"q"}`))
	require.Contains(t, c.call("flow", `{}`), `"n":3`, "the first step is left out")
	require.Equal(t, "text 23", c.call("inline", `{"by":10}`))
	require.Equal(t, "text 3", c.call("hidden", `{"state":{"n":1},"input":2}`), "parameters hide them")
	require.Contains(t, c.call("show", `{"x":"{{state.text}}"}`), `"stdout":"{{x}} {{state.doc}} $(id) state.n|{{state.text}}|"`, "what is not there is no argument")
	require.Contains(t, c.call("show", `{"x":"a","state":{"text":"forged"}}`), "error ", "nobody passes a state in")
	c.call("set", `{"key":"path","value":"../../etc"}`)
	require.Contains(t, c.call("fetch", `{}`), "127.0.0.1:1 cannot be reached")
	c.call("set", `{"key":"path","value":".."}`)
	require.Contains(t, c.call("fetch", `{}`), `a path with "." or ".."`)
	_, err := p.state.Set(t.Context(), "a/text", make([]byte, shownBytesMax+1), state.SetOptions{})
	require.NoError(t, err)
	require.Contains(t, c.call("show", `{"x":"a"}`), "at most 1048576 can be shown")
}

const handleFile = `
tools:
  - {type: native, name: count, handler: "state::increment", params: {key: {type: string, default: n}}, state: {scope: handle, ttl: 1h}}
  - {type: native, name: get, handler: "state::get", params: {key: {type: string, default: n}}, state: {scope: handle}}
  - {type: native, name: other, handler: "state::get", params: {key: {type: string, default: n}}, state: {scope: handle, namespace: other}}
  - {type: native, name: strict, handler: "test::flaky", state: {scope: handle}, middleware: [{type: retry, max_attempts: 3, initial_delay: 1ms}],
     output_schema: {type: object, properties: {tries: {type: string}}, additionalProperties: false}}
  - {type: native, name: plain, handler: {inline: 'string(state.n ?? "none")'}, state: {scope: handle}}
  - {type: native, name: fails, handler: "test::fails", state: {scope: handle}}
  - {type: native, name: outside, handler: "state::list", params: {prefix: {type: string, default: ""}}}
  - type: pipeline
    name: flow
    state: {scope: handle}
    steps: [{tool: count, input: {state_handle: "{{state_handle}}"}}, {tool: count, input: {state_handle: "{{state_handle}}"}}]
    output: {n: "{{state.n}}"}
`

func handleOf(t *testing.T, answer string) string {
	t.Helper()
	var r struct {
		Handle string `json:"state_handle"`
	}
	require.NoError(t, json.Unmarshal([]byte(answer), &r), answer)
	require.Regexp(t, `^[A-Z2-7]{26}$`, r.Handle)
	return r.Handle
}

// Each conversation has a state of its own, under a handle that it was given.
func TestHandles(t *testing.T) {
	p, _ := project(t, handleFile, nil)
	eras(t, func(t *testing.T, modern bool) {
		c := connect(t, p.Server(), modern, "ada")
		answer := c.call("count", `{}`)
		handle := handleOf(t, answer)
		require.JSONEq(t, `{"state_handle":"`+handle+`","value":1}`, answer)
		with := `{"state_handle":"` + handle + `"}`
		require.JSONEq(t, `{"value":2}`, c.call("count", with))
		require.Contains(t, c.call("get", with), `"value":2`)
		require.Contains(t, c.call("other", with), `"found":false`, "a namespace inside of the handle")
		require.Equal(t, "text 2", c.call("plain", with))
		require.JSONEq(t, `{"n":4}`, c.call("flow", with))
		again := c.call("flow", `{}`)
		require.NotEqual(t, handle, handleOf(t, again))
		require.Contains(t, again, `"n":2`)
		require.Regexp(t, `^text none\|state_handle: [A-Z2-7]{26}$`, c.call("plain", `{}`))
		require.Contains(t, c.call("outside", `{}`), `"keys":[]`, "what is under handles is in nobody's list")

		bad := "error state_handle is unknown, has expired, or is another caller's: leave it out to begin anew"
		for _, forged := range []string{"", "AAAAAAAAAAAAAAAAAAAAAAAAAA", strings.ToLower(handle), handle[:25], handle + "A", "../" + handle, strings.Repeat("A", 64)} {
			require.Equal(t, bad, c.call("get", fmt.Sprintf(`{"state_handle":%q}`, forged)), forged)
		}
		require.Contains(t, c.call("get", `{"state_handle":"`+strings.Repeat("A", 65)+`"}`), `argument "state_handle"`)
		require.Contains(t, c.call("get", `{"state_handle":5}`), `argument "state_handle"`)
		require.Equal(t, bad, connect(t, p.Server(), modern, "eve").call("get", with), "another principal's")
		require.Equal(t, bad, connect(t, p.Server(), modern, "").call("get", with), "nobody's")
		require.Contains(t, connect(t, p.Server(), !modern, "ada").call("get", with), `"value":4`, "its own, on another connection and in the other era")

		require.NoError(t, p.handles.Revoke(t.Context(), "caller:ada", handle))
		require.Equal(t, bad, c.call("get", with))
		short, err := p.handles.Mint(t.Context(), "caller:ada", time.Millisecond)
		require.NoError(t, err)
		for now := p.state.Now(); p.state.Now() < now+2; { // until its time is over
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, bad, c.call("get", `{"state_handle":"`+short+`"}`), "expired")
	})
}

// A call that is tried again keeps its handle, and one that fails leaves none behind.
func TestHandlesOfFailures(t *testing.T) {
	p, _ := project(t, handleFile, nil)
	c := connect(t, p.Server(), true, "ada")
	handle := handleOf(t, c.call("count", `{}`))
	flakyLeft.Store(2)
	require.JSONEq(t, `{"tries":"3"}`, c.call("strict", `{"state_handle":"`+handle+`"}`))
	flakyLeft.Store(1)
	require.Contains(t, c.call("strict", `{}`), `"state_handle"`, "also where the schema allows nothing else")
	for range 2 * handlesPerPrincipal / 100 {
		require.Equal(t, "error no luck", c.call("fails", `{}`))
	}
	left, err := p.state.List(t.Context(), state.ListOptions{Prefix: "\x00ingot/handles/records/h/"})
	require.NoError(t, err)
	require.Len(t, left.Entries, 2, "one of count, one of strict")
}

// A caller's handles are bounded.
func TestHandlesAreBounded(t *testing.T) {
	p, _ := project(t, handleFile, nil)
	for range handlesPerPrincipal {
		_, err := p.handles.Mint(t.Context(), "caller:ada", time.Hour)
		require.NoError(t, err)
	}
	require.Contains(t, connect(t, p.Server(), true, "ada").call("count", `{}`), "error no new handle: ")
	require.Contains(t, connect(t, p.Server(), true, "eve").call("count", `{}`), `"state_handle"`)
}
