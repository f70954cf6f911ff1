package streamable_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/internal/wiretest"
	"github.com/ingot-run/ingot/mcp/streamable"
)

const listen = `{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},` + meta + `}}`

var listening = headers{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"}

func TestListen(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{KeepAlive: time.Millisecond, MaxConcurrent: 1})
	stream := e.events(e.send(t.Context(), http.MethodPost, listen, listening))
	ack := stream.message()
	assert.Contains(t, ack.data, "notifications/subscriptions/acknowledged")
	assert.Empty(t, ack.id, "modern streams cannot be resumed")
	status, _ := e.post(modernCall, modern(nil))
	assert.Equal(t, 200, status, "a stream takes no slot of the calls")
	ev, _ := stream.next()
	assert.Equal(t, ":", ev.comment, "a quiet stream is kept alive")
	e.tool("new", nil)
	assert.Contains(t, stream.message().data, "notifications/tools/list_changed")
	e.server.Shutdown()
	assert.Contains(t, stream.message().data, `"id":"l","result"`)
	stream.end()
}

func TestListenNeedsAStream(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{MaxStreams: 1})
	h := headers{"Accept": "application/json"}
	for name, value := range listening {
		h[name] = value
	}
	status, body := e.post(listen, h)
	assert.Equal(t, 406, status, body)

	ctx, leave := context.WithCancel(t.Context())
	e.events(e.send(ctx, http.MethodPost, listen, listening)).message()
	status, body = e.post(listen, listening)
	assert.Equal(t, 503, status, body)
	leave()
	eventually(t, func() bool { // what the client left is free again
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		return e.send(ctx, http.MethodPost, listen, listening).StatusCode == 200
	})
}

// Closing the connection cancels the call, before and after its first event.
func TestModernDisconnectCancels(t *testing.T) {
	for _, early := range []bool{true, false} {
		e := serve(t, streamable.HTTPOptions{})
		started, ended := make(chan struct{}), make(chan struct{})
		e.tool("wait", func(ctx context.Context, c *mcp.Call) (*mcp.CallResult, error) {
			if !early {
				if err := c.Progress(ctx, &mcp.Progress{Progress: 1}); err != nil {
					return nil, err
				}
			}
			close(started)
			<-ctx.Done()
			close(ended)
			return nil, ctx.Err()
		})
		body := strings.NewReplacer(`"name":"echo"`, `"name":"wait"`, `"_meta":{`, `"_meta":{"progressToken":1,`).Replace(modernCall)
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			response, err := e.trySend(ctx, http.MethodPost, body, modern(headers{"Mcp-Name": "wait"}))
			if early {
				assert.Error(t, err)
			} else if assert.NoError(t, err) {
				response.Body.Close()
			}
		}()
		wiretest.Receive(t, started)
		if !early {
			wiretest.Receive(t, gone)
		}
		leave()
		wiretest.Receive(t, ended)
		wiretest.Receive(t, gone)
	}
}

const headerSchema = `{"type":"object","properties":{
	"region":{"type":"string","x-mcp-header":"Region"},
	"limit":{"type":"integer","x-mcp-header":"Row-Limit"},
	"dry":{"type":"boolean","x-mcp-header":"Dry"},
	"deep":{"type":"object","properties":{"er":{"type":"string","x-mcp-header":"Deeper"}}},
	"bad":{"type":"string","x-mcp-header":"not a token"},
	"any":true}}`

func TestParamHeaders(t *testing.T) {
	e := serve(t, streamable.HTTPOptions{})
	e.server.AddTool(mcp.Tool{Name: "sql", InputSchema: []byte(headerSchema)}, func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.TextResult("hi"), nil
	})
	for _, c := range []struct {
		name, arguments string
		headers         headers
		status          int
	}{
		{"none of them", `{"query":"q"}`, nil, 200},
		{"agreeing", `{"region":"eu","limit":42,"dry":true}`, headers{"Mcp-Param-Region": "eu", "Mcp-Param-Row-Limit": "42", "Mcp-Param-Dry": "true"}, 200},
		{"the case of names does not count", `{"region":"eu"}`, headers{"mcp-param-REGION": "eu"}, 200},
		{"numbers by value", `{"limit":42}`, headers{"Mcp-Param-Row-Limit": "42.0"}, 200},
		{"Base64", `{"region":"Hello, 世界"}`, headers{"Mcp-Param-Region": "=?base64?SGVsbG8sIOS4lueVjA==?="}, 200},
		{"escaped in the body", `{"region":"\u0065u"}`, headers{"Mcp-Param-Region": "eu"}, 200},
		{"null", `{"region":null}`, nil, 200},
		{"deep", `{"deep":{"er":"x"}}`, headers{"Mcp-Param-Deeper": "x"}, 200},
		{"not annotated by a token", `{"bad":"x"}`, nil, 200},
		{"unknown header", `{}`, headers{"Mcp-Param-Else": "x"}, 200},

		{"missing", `{"region":"eu"}`, nil, 400},
		{"other", `{"region":"eu"}`, headers{"Mcp-Param-Region": "us"}, 400},
		{"case of values counts", `{"region":"eu"}`, headers{"Mcp-Param-Region": "EU"}, 400},
		{"other number", `{"limit":42}`, headers{"Mcp-Param-Row-Limit": "43"}, 400},
		{"no number", `{"limit":42}`, headers{"Mcp-Param-Row-Limit": "x"}, 400},
		{"beyond the safe numbers", `{"limit":9007199254740993}`, headers{"Mcp-Param-Row-Limit": "9007199254740992"}, 400},
		{"header without argument", `{}`, headers{"Mcp-Param-Region": "eu"}, 400},
		{"header with null", `{"region":null}`, headers{"Mcp-Param-Region": "null"}, 400},
		{"broken Base64", `{"region":"eu"}`, headers{"Mcp-Param-Region": "=?base64?%?="}, 400},
		{"bytes beyond ASCII", `{"region":"é"}`, headers{"Mcp-Param-Region": "é"}, 400},
		{"deep and other", `{"deep":{"er":"x"}}`, headers{"Mcp-Param-Deeper": "y"}, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := modern(headers{"Mcp-Name": "sql"})
			for name, value := range c.headers {
				h[name] = value
			}
			status, body := e.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sql","arguments":`+c.arguments+`,`+meta+`}}`, h)
			require.Equal(t, c.status, status, body)
			if status == 400 {
				assert.Contains(t, body, `"id":1,"error":{"code":-32020`)
			}
		})
	}
}
