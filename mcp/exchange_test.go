package mcp

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExchangeSaysWhatTheFrameSays(t *testing.T) {
	s := newFixture(true)
	for _, c := range []struct {
		frame                 string
		method, name, version string
		modern, noAnswer      bool
		code                  int
	}{
		{echoCall(1, "x", true), "tools/call", "echo", VersionModern, true, false, 0},
		{echoCall(1, "x", false), "tools/call", "echo", "", false, false, 0},
		{`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///\u0061"}}`, "resources/read", "file:///a", "", false, false, 0},
		{`{"jsonrpc":"2.0","method":"notifications/initialized"}`, "notifications/initialized", "", "", false, true, 0},
		{`{"jsonrpc":"2.0","id":1,"result":{}}`, "", "", "", false, true, 0},
		{`{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2030-01-01"}}}`, "x", "", "2030-01-01", true, false, 0},
		{`[]`, "", "", "", false, false, 0},
		{`{`, "", "", "", false, false, CodeParse},
		{`7`, "", "", "", false, false, CodeInvalidRequest},
	} {
		e := s.NewExchange([]byte(c.frame))
		assert.Equal(t, c.method, e.Method, c.frame)
		assert.Equal(t, c.name, e.Name, c.frame)
		assert.Equal(t, c.version, e.Version, c.frame)
		assert.Equal(t, c.modern, e.Modern, c.frame)
		assert.Equal(t, c.noAnswer, e.NoAnswer, c.frame)
		assert.Equal(t, c.code, e.Code(), c.frame)
	}
}

func TestExchangeAnswers(t *testing.T) {
	s := newFixture(true)
	badMeta := `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`
	answer := func(frame, legacy string, before func(*Exchange)) (string, int) {
		e := s.NewExchange([]byte(frame))
		if before != nil {
			before(e)
		}
		text := string(e.Answer(t.Context(), legacy, []byte(">")))
		return text, e.Code()
	}
	for _, c := range []struct {
		name, frame, legacy string
		before              func(*Exchange)
		want                string
		code                int
	}{
		{"a call", echoCall(1, "x", false), VersionLegacy, nil, said("1", "x"), 0},
		{"a call of no version", echoCall(1, "x", false), "", nil, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta lacks io.modelcontextprotocol/protocolVersion; each request of 2026-07-28 carries it, earlier versions begin with initialize"}}`, CodeInvalidParams},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, VersionLegacy, nil, ``, 0},
		{"a refused notification", `{"jsonrpc":"2.0","method":"tools/call"}`, VersionLegacy, func(e *Exchange) { e.Refuse(CodeInvalidRequest, "no id") }, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"no id"}}`, CodeInvalidRequest},
		{"the first refusal counts", ping, VersionLegacy, func(e *Exchange) { e.Refuse(CodeHeaderMismatch, "first"); e.RefuseVersion("x"); e.RefuseBadMeta() }, `{"jsonrpc":"2.0","id":"ping","error":{"code":-32020,"message":"first"}}`, CodeHeaderMismatch},
		{"a version", ping, VersionLegacy, func(e *Exchange) { e.RefuseVersion("1999-01-01") }, `{"jsonrpc":"2.0","id":"ping","error":{"code":-32022,"message":"Unsupported protocol version 1999-01-01","data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"1999-01-01"}}}`, CodeUnsupportedVersion},
		{"_meta that lacks a field", badMeta, "", (*Exchange).RefuseBadMeta, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta lacks io.modelcontextprotocol/clientCapabilities; each request of 2026-07-28 carries it, earlier versions begin with initialize"}}`, CodeInvalidParams},
		{"a batch", "[" + ping + "]", batchVersion, nil, "[" + pong(`"ping"`) + "]", 0},
		{"a batch of a later version", "[" + ping + "]", VersionLegacy, nil, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"a message is an object; arrays of messages exist in version 2025-03-26 only"}}`, CodeInvalidRequest},
	} {
		got, code := answer(c.frame, c.legacy, c.before)
		assert.Equal(t, ">"+c.want, got, c.name)
		assert.Equal(t, c.code, code, c.name)
	}
}

func TestCallKnowsItsSession(t *testing.T) {
	s := NewServer(Options{})
	s.AddTool(Tool{Name: "who", InputSchema: []byte(`{"type":"object"}`)}, func(_ context.Context, req *CallRequest) (*CallResult, error) {
		return TextResult("<" + req.Call().Session() + ">"), nil
	})
	answer := func(e *Exchange) string {
		_, rest, _ := strings.Cut(string(e.Answer(t.Context(), VersionLegacy, nil)), `"text":"<`)
		name, _, _ := strings.Cut(rest, ">")
		return name
	}
	frame := []byte(call(1, "who", `{}`, false))
	first, second := s.NewSession(SessionOptions{}), s.NewSession(SessionOptions{})
	defer first.Close()
	defer second.Close()
	name := answer(first.NewExchange(frame))
	assert.NotEmpty(t, name)
	assert.Equal(t, name, answer(first.NewExchange(frame)))
	assert.NotEqual(t, name, answer(second.NewExchange(frame)))
	assert.Empty(t, answer(s.NewExchange(frame)), "a request that stands alone has no session")
}
