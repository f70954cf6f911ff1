package mcp

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What gets no answer by the rules of JSON-RPC is told to the server's owner.
func TestWhatIsNotAnsweredIsLogged(t *testing.T) {
	for frame, want := range map[string]string{
		`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}`:                `level=WARN msg="ignored a notification; a request needs an id" method=tools/call`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1.5}}`: `level=WARN msg="ignored notifications/cancelled without a valid requestId"`,
		`{"jsonrpc":"2.0","method":"notifications/initialized","params":[]}`:              `level=WARN msg="ignored a bad notification" method=notifications/initialized error="params is an object in MCP, not an array (-32602)"`,
		`{"jsonrpc":"2.0","id":"x","result":{}}`:                                          `level=WARN msg="ignored a response to a request that was never sent" id="\"x\""`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`:                          ``,
		`{"jsonrpc":"2.0","method":"notifications/` + strings.Repeat("x", 1000) + `"}`:    `method=notifications/` + strings.Repeat("x", shownBytesMax-len("notifications/")) + "\n",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"panic"}}`:        `level=ERROR msg="tool handler panicked" tool=panic panic="a bug" stack="goroutine`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"broken_json"}}`:  `level=ERROR msg="a result cannot be sent" of="tool broken_json" error="structured content`,
	} {
		var log, out bytes.Buffer
		s := newFixture(true)
		s.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
		require.NoError(t, s.ServeStdio(t.Context(), strings.NewReader(lines(legacyInitialize, frame)), &out))
		if want == "" {
			assert.Empty(t, log.String(), frame)
		}
		assert.Contains(t, log.String(), want, frame)
	}
}
