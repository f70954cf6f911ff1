package mcp

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parsed is all that a parse says, as text.
func parsed(s *scanner, frame string) string {
	m, bad := s.parse([]byte(frame))
	if bad != nil {
		return fmt.Sprintf("%v id %s", bad, m.id)
	}
	out := fmt.Sprintf("kind %d id %s method %s params %s", m.kind, m.id, m.method, m.params)
	if m.kind == kindRequest {
		for _, members := range [][]member{s.top, s.params, s.arguments} {
			out += "\n"
			for _, each := range members {
				out += fmt.Sprintf("%q=%s ", s.at(each.name), s.at(each.value))
			}
		}
	}
	return out
}

// repeats are messages, of which many are repetitions of others or nearly so.
var repeats = []string{
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"a"}}}`,
	`{"jsonrpc":"2.0","id":22,"method":"tools/call","params":{"name":"echo","arguments":{"message":"longer","n":[1,{"m":2}]}}}`,
	`{"jsonrpc":"2.0","id":"a\"b","method":"tools/call","params":{"name":"echo","arguments":{}}}`,
	`{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"echo","arguments":{}}}`,
	`{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"echo","arguments":{}}}`,
	`{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{"name":"echo","arguments":{}}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":[]}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1,"a":2}}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1}},"id":2}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1}}}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1`,
	`{"jsonrpc":"2.0","id":`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
	`{"method":"tools/call","params":{"arguments":{"x":"1"},"name":"echo"},"jsonrpc":"2.0","id":7}`,
	`{"method":"tools/call","params":{"arguments":{"\u0078":"\n","yy":2},"name":"echo"},"jsonrpc":"2.0","id":"seven"}`,
	`{"method":"tools/call","params":{"arguments":{},"name":"echo","_meta":{"a":[]}},"jsonrpc":"2.0","id":-7} `,
	`{"m\u0065thod":"tools/call","params":{"arguments":{},"name":"echo"},"jsonrpc":"2.0","id":7}`,
	` {"jsonrpc" : "2.0", "id" : 1, "method":"tools/call","params": {"name":"echo" , "arguments" : { "b" : true } } } `,
	` {"jsonrpc" : "2.0", "id" : 0, "method":"tools/call","params": {"name":"echo" , "arguments" : {} } } `,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":` + strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 20) + `}}`,
	`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`,
	`{"jsonrpc":"2.0","id":1,"result":{"arguments":{}}}`,
	``,
}

// A message that follows another is read as one that comes alone.
func TestRepeatReadsAsBefore(t *testing.T) {
	remembering := scanner{depthMax: 16, repeat: new(repeat)}
	for _, first := range repeats {
		for _, second := range repeats {
			parsed(&remembering, first)
			alone := scanner{depthMax: 16}
			require.Equal(t, parsed(&alone, second), parsed(&remembering, second), "after %s", first)
		}
	}
}

// A message that differs from the last one in one byte, anywhere.
func TestRepeatNoticesEachByte(t *testing.T) {
	remembering := scanner{depthMax: 16, repeat: new(repeat)}
	alone := scanner{depthMax: 16}
	step := 1
	if runtime.GOARCH == "wasm" {
		step = 7 // it takes its time there
	}
	for _, frame := range []string{repeats[0], repeats[14], repeats[18], echoCall(7, "x", true)} {
		for i := 0; i < len(frame); i += step {
			for _, instead := range []string{"", "1", "-", "a", `"`, `\`, "{", "}", "[", ",", ":", " ", ".", "\x01", "\xff", `,"id":2`} {
				for _, other := range []string{frame[:i] + instead + frame[i+1:], frame[:i] + instead + frame[i:]} {
					parsed(&remembering, frame)
					require.Equal(t, parsed(&alone, other), parsed(&remembering, other), "after %s", frame)
				}
			}
		}
	}
}

// The usual calls of a client are repetitions, and large ones are not remembered.
func TestRepeatIsUsed(t *testing.T) {
	s := scanner{depthMax: depthDefault, repeat: new(repeat)}
	for _, modern := range []bool{false, true} {
		parsed(&s, echoCall(1, "first", modern))
		s.reset([]byte(echoCall("second", "longer than the first", modern)))
		assert.True(t, s.again(), "modern %v", modern)
	}
	parsed(&s, repeats[14])
	s.reset([]byte(repeats[15]))
	assert.True(t, s.again(), "the id behind the params")
	parsed(&s, call(1, strings.Repeat("n", repeatBytesMax), "{}", false))
	assert.Empty(t, s.repeat.fixed)
	parsed(&s, call(1, "n", `{"a":"`+strings.Repeat("n", repeatBytesMax)+`"}`, false))
	assert.NotEmpty(t, s.repeat.fixed, "what differs may be large")
	s.depthMax--
	s.reset([]byte(call(2, "n", `{}`, false)))
	assert.False(t, s.again(), "another limit")
}

func FuzzRepeat(f *testing.F) {
	for i, frame := range repeats {
		f.Add(frame, repeats[(i+1)%len(repeats)])
		f.Add(frame, frame)
	}
	f.Add(echoCall(1, "x", true), echoCall(2, "yy", true))
	f.Fuzz(func(t *testing.T, first, second string) {
		remembering, alone := scanner{depthMax: 16, repeat: new(repeat)}, scanner{depthMax: 16}
		parsed(&remembering, first)
		want := parsed(&alone, second)
		if got := parsed(&remembering, second); got != want {
			t.Fatalf("after %q:\n%s\nalone:\n%s", first, got, want)
		}
	})
}

// What a reader remembers of a message is not taken from one that came in between, nor
// from another server: readers of exchanges come from a pool.
func TestRepeatAfterOtherMessages(t *testing.T) {
	first, second := NewServer(Options{}), NewServer(Options{})
	first.AddTool(Tool{Name: "echo"}, echo)
	second.AddTool(Tool{Name: "echo"}, func(context.Context, *CallRequest) (*CallResult, error) { return TextResult("other"), nil })
	answer := func(s *Server, frame string) string {
		return string(s.NewExchange([]byte(frame)).Answer(t.Context(), VersionLegacy, nil))
	}
	between := []string{
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","method":"notifications/x","params":{` + modernMeta + `}}`,
		`{"jsonrpc":"2.0","method":"notifications/x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"1999-01-01"}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":7}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nothing","arguments":{}}}`,
		`[` + ping + `]`, `{`, ``,
	}
	for _, modern := range []bool{false, true} {
		frame := func(id int) string { return echoCall(id, fmt.Sprint("text ", id), modern) }
		for i, other := range between {
			answer(first, frame(1))
			answer(first, other)
			got := answer(first, frame(2))
			assert.Contains(t, got, `"text":"text 2"`, "after %d", i)
			assert.Equal(t, modern, strings.Contains(got, "resultType"), "after %d", i)
			assert.Contains(t, answer(second, frame(3)), `"text":"other"`)
		}
	}
	first.RemoveTool("echo")
	assert.Contains(t, answer(first, echoCall(1, "x", false)), "Unknown tool")
	assert.Contains(t, answer(first, echoCall(2, "x", false)), "Unknown tool")
	first.AddTool(Tool{Name: "echo"}, func(context.Context, *CallRequest) (*CallResult, error) { return TextResult("new"), nil })
	assert.Contains(t, answer(first, echoCall(3, "x", false)), "new")
}
