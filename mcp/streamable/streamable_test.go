package streamable_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/streamable"
)

const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

const (
	modernCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hi"},` + meta + `}}`
	legacyCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hi"}}}`
	said       = `"content":[{"type":"text","text":"hi"}]`
)

func newServer() *mcp.Server {
	s := mcp.NewServer(mcp.Options{Name: "fixture", Version: "1", MaxMessageBytes: 10_000})
	s.AddTool(mcp.Tool{Name: "sample"}, func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
		return nil, &mcp.CapabilityError{Capability: "sampling"}
	})
	s.AddTool(mcp.Tool{Name: "echo"}, func(_ context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
		var in struct {
			Message string `json:"message"`
		}
		if err := mcp.DecodeArguments(req.Arguments, &in); err != nil {
			return nil, err
		}
		return mcp.TextResult(in.Message), nil
	})
	return s
}

// headers are set on a POST of JSON to http://localhost/mcp; "" removes one.
type headers map[string]string

func modern(extra headers) headers {
	h := headers{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
	for name, value := range extra {
		h[name] = value
	}
	return h
}

func request(ctx context.Context, method, body string, h headers) *http.Request {
	r := httptest.NewRequestWithContext(ctx, method, "http://localhost:7070/mcp", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for name, value := range h {
		switch {
		case name == "Host":
			r.Host = value
		case value == "":
			r.Header.Del(name)
		default:
			r.Header[http.CanonicalHeaderKey(name)] = strings.Split(value, "|")
		}
	}
	return r
}

func TestHandler(t *testing.T) {
	const post = http.MethodPost
	for _, c := range []struct {
		name, method, body string
		headers            headers
		status             int
		contains           string // "" is an empty body
	}{
		// The eras.
		{"legacy, no version header", post, legacyCall, nil, 200, said},
		{"legacy, version header", post, legacyCall, headers{"Mcp-Protocol-Version": "2025-11-25"}, 200, said},
		{"legacy, no such session", post, legacyCall, headers{"Mcp-Session-Id": "x"}, 404, "no such session"},
		{"modern, session header ignored", post, modernCall, modern(headers{"Mcp-Session-Id": "x", "Last-Event-ID": "y"}), 200, said},
		{"initialize", post, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}`, nil, 200, `"protocolVersion":"2025-06-18"`},
		{"ping", post, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, nil, 200, `"result":{}`},
		{"modern", post, modernCall, modern(nil), 200, `"resultType":"complete"`},
		{"modern, base64 name", post, modernCall, modern(headers{"Mcp-Name": "=?base64?ZWNobw==?="}), 200, said},
		{"discover", post, `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + meta + `}}`, modern(headers{"Mcp-Method": "server/discover", "Mcp-Name": ""}), 200, `"supportedVersions":`},

		// Errors that belong to the call.
		{"legacy unknown method", post, `{"jsonrpc":"2.0","id":1,"method":"nope"}`, nil, 200, `"code":-32601`},
		{"legacy unknown tool", post, strings.Replace(legacyCall, "echo", "ehco", 1), nil, 200, "did you mean echo?"},
		{"modern unknown tool", post, strings.Replace(modernCall, "echo", "ehco", 1), modern(headers{"Mcp-Name": "ehco"}), 200, `"code":-32602`},
		{"modern unknown method", post, `{"jsonrpc":"2.0","id":1,"method":"nope","params":{` + meta + `}}`, modern(headers{"Mcp-Method": "nope"}), 404, `"code":-32601`},
		{"modern, the client cannot do it", post, strings.Replace(modernCall, "echo", "sample", 1), modern(headers{"Mcp-Name": "sample"}), 400, `"code":-32021`},
		{"legacy, the client cannot do it", post, strings.Replace(legacyCall, "echo", "sample", 1), nil, 200, `"isError":true`},
		{"bad argument", post, strings.Replace(modernCall, "message", "massage", 1), modern(nil), 200, `"isError":true`},

		// Versions and headers that do not fit.
		{"legacy, unknown version header", post, legacyCall, headers{"Mcp-Protocol-Version": "1999-01-01"}, 400, `"code":-32022`},
		{"modern header, legacy body", post, legacyCall, headers{"Mcp-Protocol-Version": "2026-07-28"}, 400, `"code":-32602`},
		{"legacy header, modern body", post, modernCall, modern(headers{"Mcp-Protocol-Version": "2025-11-25"}), 400, `"code":-32020`},
		{"no version header, modern body", post, modernCall, modern(headers{"Mcp-Protocol-Version": ""}), 400, `"code":-32020`},
		{"version header twice", post, modernCall, modern(headers{"Mcp-Protocol-Version": "2026-07-28|2026-07-28"}), 400, `"code":-32020`},
		{"unsupported in both", post, strings.Replace(modernCall, "2026-07-28", "2030-01-01", 1), modern(headers{"Mcp-Protocol-Version": "2030-01-01"}), 400, `"supported":["2026-07-28",`},
		{"unsupported in body", post, strings.Replace(modernCall, "2026-07-28", "2030-01-01", 1), modern(nil), 400, `"code":-32020`},
		{"_meta lacks capabilities", post, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, modern(headers{"Mcp-Method": "tools/list"}), 400, `"code":-32602`},
		{"no method header", post, modernCall, modern(headers{"Mcp-Method": ""}), 400, `"code":-32020`},
		{"other method header", post, modernCall, modern(headers{"Mcp-Method": "tools/list"}), 400, `"id":1,"error":{"code":-32020`},
		{"method header in capitals", post, modernCall, modern(headers{"Mcp-Method": "Tools/Call"}), 400, `"code":-32020`},
		{"no name header", post, modernCall, modern(headers{"Mcp-Name": ""}), 400, `"code":-32020`},
		{"other name header", post, modernCall, modern(headers{"Mcp-Name": "foo"}), 400, `Mcp-Name header value \"foo\" does not match body value \"echo\"`},
		{"broken base64", post, modernCall, modern(headers{"Mcp-Name": "=?base64?%%?="}), 400, `"code":-32020`},
		{"name header not ASCII", post, strings.Replace(modernCall, `"echo"`, `"é"`, 1), modern(headers{"Mcp-Name": "é"}), 400, `"code":-32020`},
		{"no name anywhere", post, strings.Replace(modernCall, `"name":"echo",`, ``, 1), modern(headers{"Mcp-Name": ""}), 200, "params.name must be a string"},

		// What needs no answer.
		{"notification", post, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, nil, 202, ""},
		{"modern notification", post, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, headers{"Mcp-Protocol-Version": "2026-07-28"}, 202, ""},
		{"response", post, `{"jsonrpc":"2.0","id":1,"result":{}}`, nil, 202, ""},
		{"request without id", post, `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}`, nil, 400, "the id is missing"},
		{"batch", post, `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, nil, 200, `[{"jsonrpc":"2.0","id":1,"result":{}}]`},
		{"batch of notifications", post, `[{"jsonrpc":"2.0","method":"notifications/initialized"}]`, nil, 202, ""},
		{"batch in a later version", post, `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, headers{"Mcp-Protocol-Version": "2025-06-18"}, 400, `"code":-32600`},

		// Bodies that are no message.
		{"broken", post, `{`, nil, 400, `"code":-32700`},
		{"empty", post, ``, nil, 400, `"code":-32700`},
		{"case", post, strings.Replace(legacyCall, "method", "METHOD", 1), nil, 400, `"code":-32600`},
		{"pretty-printed", post, "{\n  \"jsonrpc\": \"2.0\",\r\n  \"id\": 1,\n  \"method\": \"ping\"\n}\n", nil, 200, `"result":{}`},
		{"at the limit", post, legacyCall + strings.Repeat(" ", 10_000-len(legacyCall)), nil, 200, said},
		{"above the limit", post, legacyCall + strings.Repeat(" ", 10_001-len(legacyCall)), nil, 413, "the limit of 10000 bytes"},

		// HTTP.
		{"GET", http.MethodGet, "", nil, 405, "POST only"},
		{"DELETE", http.MethodDelete, "", nil, 405, "POST only"},
		{"GET of no session", http.MethodGet, "", headers{"Mcp-Session-Id": "x"}, 404, "no such session"},
		{"DELETE of no session", http.MethodDelete, "", headers{"Mcp-Session-Id": "x"}, 404, "no such session"},
		{"modern GET", http.MethodGet, "", headers{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Session-Id": "x"}, 405, "POST only"},
		{"modern DELETE", http.MethodDelete, "", headers{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Session-Id": "x"}, 405, "POST only"},
		{"PUT", http.MethodPut, legacyCall, nil, 405, "POST only"},
		{"no content type", post, legacyCall, headers{"Content-Type": ""}, 415, "Content-Type"},
		{"form content type", post, legacyCall, headers{"Content-Type": "text/plain"}, 415, "Content-Type"},
		{"charset", post, legacyCall, headers{"Content-Type": "application/json; charset=utf-8"}, 200, said},
		{"no accept", post, legacyCall, headers{"Accept": ""}, 200, said},
		{"accept anything", post, legacyCall, headers{"Accept": "text/html, */*;q=0.1"}, 200, said},
		{"accept streams only", post, legacyCall, headers{"Accept": "text/event-stream"}, 406, "Accept"},
		{"accept JSON not", post, legacyCall, headers{"Accept": "application/json;q=0, text/event-stream"}, 406, "Accept"},

		// Who may come in.
		{"loopback origin", post, legacyCall, headers{"Origin": "http://localhost:5173"}, 200, said},
		{"loopback origin, IPv6", post, legacyCall, headers{"Origin": "http://[::1]:5173"}, 200, said},
		{"foreign origin", post, legacyCall, headers{"Origin": "https://evil.example"}, 403, "Origin"},
		{"foreign origin, GET", http.MethodGet, "", headers{"Origin": "https://evil.example"}, 403, "Origin"},
		{"origin that looks like loopback", post, legacyCall, headers{"Origin": "http://localhost.evil.example"}, 403, "Origin"},
		{"loopback in the user part", post, legacyCall, headers{"Origin": "http://127.0.0.1@evil.example"}, 403, "Origin"},
		{"null origin", post, legacyCall, headers{"Origin": "null"}, 403, "Origin"},
		{"file origin", post, legacyCall, headers{"Origin": "file://localhost"}, 403, "Origin"},
		{"two origins", post, legacyCall, headers{"Origin": "http://localhost|https://evil.example"}, 403, "Origin"},
		{"allowed origin", post, legacyCall, headers{"Origin": "https://App.example"}, 200, said},
		{"foreign host", post, legacyCall, headers{"Host": "evil.example:7070"}, 403, "Host"},
		{"empty host", post, legacyCall, headers{"Host": ""}, 403, "Host"},
		{"loopback host", post, legacyCall, headers{"Host": "127.0.0.1:7070"}, 200, said},
		{"loopback host, IPv6", post, legacyCall, headers{"Host": "[::1]"}, 200, said},
		{"allowed host", post, legacyCall, headers{"Host": "MCP.example:443"}, 200, said},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := streamable.NewHTTPHandler(newServer(), streamable.HTTPOptions{
				AllowedHosts: []string{"mcp.Example"}, AllowedOrigins: []string{"https://app.example/"},
			})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(t.Context(), c.method, c.body, c.headers))
			assert.Equal(t, c.status, w.Code, "%s", w.Body)
			if c.contains == "" {
				assert.Empty(t, w.Body.String())
				return
			}
			assert.Contains(t, w.Body.String(), c.contains)
			assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
		})
	}
}

func TestAllowAll(t *testing.T) {
	h := streamable.NewHTTPHandler(newServer(), streamable.HTTPOptions{AllowedHosts: []string{"*"}, AllowedOrigins: []string{"*"}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(t.Context(), http.MethodPost, legacyCall, headers{"Host": "any.example", "Origin": "https://other.example"}))
	assert.Equal(t, 200, w.Code)
}

func TestGetSaysWhatIsAllowed(t *testing.T) {
	for _, c := range []struct {
		disabled bool
		version  string
		allow    string
	}{{false, "", "POST, GET, DELETE"}, {false, "2026-07-28", "POST"}, {true, "", "POST"}} {
		w := httptest.NewRecorder()
		streamable.NewHTTPHandler(newServer(), streamable.HTTPOptions{SessionsDisabled: c.disabled}).
			ServeHTTP(w, request(t.Context(), http.MethodGet, "", headers{"Mcp-Protocol-Version": c.version}))
		assert.Equal(t, c.allow, w.Header().Get("Allow"))
	}
}

// The browser of an allowed page may send what clients send, and read the answer.
func TestPagesMayRead(t *testing.T) {
	h := streamable.NewHTTPHandler(newServer(), streamable.HTTPOptions{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(t.Context(), http.MethodOptions, "", headers{
		"Origin": "http://localhost:5173", "Access-Control-Request-Method": "POST",
		"Access-Control-Request-Headers": "content-type, Mcp-Param-Region, x-else",
	}))
	assert.Equal(t, 204, w.Code)
	assert.Equal(t, "http://localhost:5173", w.Header().Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "content-type, mcp-param-region", w.Header().Get("Access-Control-Allow-Headers"))
	w = httptest.NewRecorder()
	h.ServeHTTP(w, request(t.Context(), http.MethodPost, legacyCall, headers{"Origin": "http://localhost:5173"}))
	assert.Equal(t, "http://localhost:5173", w.Header().Get("Access-Control-Allow-Origin"))
	assert.Contains(t, w.Header().Get("Access-Control-Expose-Headers"), "Mcp-Session-Id")
	w = httptest.NewRecorder()
	h.ServeHTTP(w, request(t.Context(), http.MethodPost, legacyCall, headers{"Origin": "https://evil.example"}))
	assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
}

// brokenBody fails while it is read.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("reset by peer") }

func TestBodyThatBreaks(t *testing.T) {
	r := request(t.Context(), http.MethodPost, "", nil)
	r.Body = io.NopCloser(brokenBody{})
	w := httptest.NewRecorder()
	streamable.NewHTTPHandler(newServer(), streamable.HTTPOptions{}).ServeHTTP(w, r)
	assert.Equal(t, 400, w.Code)
	assert.Contains(t, w.Body.String(), "reset by peer")
}

// Over a real connection: the client that goes away has its call cancelled,
// and calls beyond the bound wait their turn.
func TestDisconnectCancelsAndConcurrencyIsBounded(t *testing.T) {
	s := newServer()
	started, ended := make(chan struct{}, 2), make(chan error, 2)
	s.AddTool(mcp.Tool{Name: "wait"}, func(ctx context.Context, _ *mcp.CallRequest) (*mcp.CallResult, error) {
		started <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	server := httptest.NewServer(streamable.NewHTTPHandler(s, streamable.HTTPOptions{MaxConcurrent: 1}))
	defer server.Close()
	send := func(ctx context.Context, body string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/mcp", strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		return http.DefaultClient.Do(r)
	}
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := send(ctx, strings.Replace(legacyCall, "echo", "wait", 1))
		first <- err
	}()
	<-started
	second := make(chan string)
	go func() {
		response, err := send(t.Context(), legacyCall)
		if !assert.NoError(t, err) {
			close(second)
			return
		}
		body, err := io.ReadAll(response.Body)
		assert.NoError(t, err)
		response.Body.Close()
		second <- string(body)
	}()
	leave()
	assert.ErrorIs(t, <-first, context.Canceled)
	assert.ErrorIs(t, <-ended, context.Canceled)
	assert.Contains(t, <-second, said)
}
