package raw

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A line that is no message gets one error, and the server lives on.
func TestBadLines(t *testing.T) {
	const list = `"method":"tools/list"`
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		name string
		line string
		code int
		id   any // as answered: nil where it cannot be known
		says string
	}{
		{"cut short", `{"jsonrpc":"2.0","id":7,`, -32700, nil, "parse error"},
		{"not JSON", `hello`, -32700, nil, "parse error"},
		{"two messages", `{"jsonrpc":"2.0","id":7,` + list + `} {"jsonrpc":"2.0","id":8,` + list + `}`, -32700, nil, "parse error"},
		{"upper-case METHOD", `{"jsonrpc":"2.0","id":7,"METHOD":"tools/list"}`, -32600, 7.0, "METHOD"},
		{"upper-case PARAMS", `{"jsonrpc":"2.0","id":7,` + list + `,"Params":{}}`, -32600, 7.0, "Params"},
		{"METHOD beside method", `{"jsonrpc":"2.0","id":7,` + list + `,"METHOD":"ping"}`, -32600, 7.0, "METHOD"},
		{"duplicate method", `{"jsonrpc":"2.0","id":7,` + list + `,"method":"ping"}`, -32700, nil, "twice"},
		{"duplicate id", `{"jsonrpc":"2.0","id":7,"id":8,` + list + `}`, -32700, nil, "twice"},
		{"duplicate argument", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"state_set","arguments":{"key":"a","key":"b","value":"x"}}}`, -32700, nil, "twice"},
		{"duplicate by an escape", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"state_set","arguments":{"key":"a","\u006bey":"b","value":"x"}}}`, -32700, nil, "twice"},
		{"null id", `{"jsonrpc":"2.0","id":null,` + list + `}`, -32600, nil, "id"},
		{"id of another type", `{"jsonrpc":"2.0","id":[7],` + list + `}`, -32600, nil, "id"},
		{"fractional id", `{"jsonrpc":"2.0","id":7.5,` + list + `}`, -32600, nil, "id"},
		{"no method", `{"jsonrpc":"2.0","id":7}`, -32600, 7.0, "method"},
		{"method of another type", `{"jsonrpc":"2.0","id":7,"method":7}`, -32600, 7.0, "method"},
		{"no version", `{"id":7,` + list + `}`, -32600, 7.0, "jsonrpc"},
		{"another version", `{"jsonrpc":"1.0","id":7,` + list + `}`, -32600, 7.0, "jsonrpc"},
		{"an array", `[]`, -32600, nil, "array"},
		{"a string", `"tools/list"`, -32600, nil, "string"},
		{"nesting 10,000 deep", `{"jsonrpc":"2.0","id":7,` + list + `,"params":{"x":` + deep(10_000) + `}}`, -32700, nil, "deep"},
		{"nesting 10,000 deep, never closed", strings.Repeat(`{"a":`, 10_000), -32700, nil, "deep"},
		{"invalid UTF-8 in a value", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"state_get","arguments":{"key":"` + "\xff" + `"}}}`, -32700, nil, "UTF-8"},
		{"overlong UTF-8", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"state_get","arguments":{"key":"` + "\xc0\xaf" + `"}}}`, -32700, nil, "UTF-8"},
		{"half of a surrogate pair", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"state_get","arguments":{"key":"\ud800"}}}`, -32700, nil, "surrogate"},
		{"a raw control character", "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools\x01list\"}", -32700, nil, "control"},
		{"params of another type", `{"jsonrpc":"2.0","id":7,` + list + `,"params":7}`, -32600, 7.0, "params"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			eras(t, func(t *testing.T, e era) {
				p := connect(t, e)
				p.write(test.line + "\n")
				f := p.read()
				require.NotNil(t, f.Error, clip(f.raw))
				require.Equal(t, test.code, f.Error.Code, f.Error.Message)
				require.Equal(t, test.id, f.ID)
				require.Contains(t, f.Error.Message, test.says)
				p.requireAlive()
			})
		})
	}
}

// A line of 64 MiB is refused without being held, and the server lives on.
func TestLineOf64MiB(t *testing.T) {
	const lineBytes = 64 << 20
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		p.write(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"state_set","arguments":{"key":"k","value":"`)
		chunk := strings.Repeat("x", 1<<20)
		for range lineBytes / len(chunk) {
			p.write(chunk)
		}
		p.write(`"}}}` + "\n")
		f := p.read()
		require.NotNil(t, f.Error, clip(f.raw))
		require.Equal(t, -32600, f.Error.Code)
		require.Nil(t, f.ID)
		require.Contains(t, f.Error.Message, "limit")
		require.Equal(t, map[string]any{"exists": false}, p.call("state_exists", map[string]any{"key": "k"}))
		requirePeakBelow(t, p, lineBytes)
	})
}

// requirePeakBelow reads the peak of resident memory, where Linux shows it.
func requirePeakBelow(t *testing.T, p *process, limit int64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(p.cmd.Process.Pid), "status"))
	if err != nil {
		t.Log("the peak of resident memory is read on Linux only:", err)
		return
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			require.Less(t, kib<<10, limit, "peak of resident memory, bytes")
			return
		}
	}
	require.Fail(t, "no VmHWM in /proc/PID/status")
}

// Without an id a request is a notification: never answered, and not run.
func TestMissingID(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		var message map[string]any
		call := e.request(t, 7, "tools/call", map[string]any{"name": "state_set", "arguments": map[string]any{"key": "k", "value": "x"}})
		require.NoError(t, json.Unmarshal([]byte(call), &message))
		delete(message, "id")
		line, err := json.Marshal(message)
		require.NoError(t, err)
		p.write(string(line) + "\n")
		require.Equal(t, map[string]any{"exists": false}, p.call("state_exists", map[string]any{"key": "k"}), "the call was run though nobody could learn its outcome")
	})
}

func TestUnknownTool(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		message := p.refused(-32602, "tools/call", map[string]any{"name": "state_gut", "arguments": map[string]any{}}).Message
		require.Contains(t, message, "state_gut")
		p.refused(-32602, "tools/call", map[string]any{"name": "", "arguments": map[string]any{}})
		p.refused(-32602, "tools/call", map[string]any{"arguments": map[string]any{}})
		p.refused(-32602, "tools/call", map[string]any{"name": "STATE_GET", "arguments": map[string]any{"key": "k"}})
		p.refused(-32602, "tools/call", map[string]any{"name": "state_get", "arguments": []any{"k"}})
		p.requireAlive()
	})
}

// Before initialize, and without what a modern request carries, only
// initialize and ping are served.
func TestNothingBeforeInitialize(t *testing.T) {
	p := start(t, legacy)
	p.refused(-32602, "tools/list", nil)
	p.refused(-32602, "tools/call", map[string]any{"name": "state_get", "arguments": map[string]any{"key": "k"}})
	require.Empty(t, p.result("EmptyResult", "ping", nil))
	p.result("InitializeResult", "initialize", initializeParams(legacy.version))
	p.requireAlive()
}

// Empty lines and \r\n are borne.
func TestLineBreaks(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		p.write("\n\r\n\n" + strings.TrimSuffix(e.request(t, 7, "tools/list", nil), "\n") + "\r\n")
		require.Equal(t, 7.0, p.read().ID)
		p.requireAlive()
	})
}

// A message may arrive in pieces of any size.
func TestOneByteAtATime(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		for _, c := range []byte(e.request(t, 7, "tools/call", map[string]any{"name": "state_exists", "arguments": map[string]any{"key": "k"}})) {
			p.write(string([]byte{c}))
		}
		require.Equal(t, 7.0, p.read().ID)
	})
}
