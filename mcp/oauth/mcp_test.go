package oauth_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	client "github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/oauth"
	"github.com/ingot-run/ingot/mcp/streamable"
	"github.com/ingot-run/ingot/mcp/websocket"
)

// endpoint is an MCP server behind OAuth, on a socket.
type endpoint struct {
	t      *testing.T
	issuer *issuer
	url    string
}

// serveMCP starts one. The tool ask asks the user; erase needs the scope admin.
func serveMCP(t *testing.T) *endpoint {
	t.Helper()
	needs := map[string]string{"erase": "admin"}
	server := mcp.NewServer(mcp.Options{WrapTool: func(tool mcp.Tool, h mcp.Handler) mcp.Handler {
		return func(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
			if scope := needs[tool.Name]; scope != "" {
				if err := oauth.Allow(ctx, scope); err != nil {
					return nil, &mcp.Error{Code: mcp.CodeInvalidRequest, Message: err.Error()}
				}
			}
			return h(ctx, req)
		}
	}})
	server.AddTool(mcp.Tool{Name: "ask"}, func(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
		answer, err := req.Call().Elicit(ctx, &mcp.ElicitParams{Message: "Sure?"})
		if err != nil {
			return nil, err
		}
		return mcp.TextResult(string(answer.Action) + " by " + oauth.TokenOf(ctx).Subject + ", " + req.Call().Principal()), nil
	})
	server.AddTool(mcp.Tool{Name: "erase"}, func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.TextResult("erased"), nil
	})
	e := &endpoint{t: t, issuer: newIssuer(t, "")}
	handler := streamable.NewHTTPHandler(server, streamable.HTTPOptions{})
	web := httptest.NewServer(httpguard.Require(e.issuer.access(nil), handler))
	t.Cleanup(func() {
		server.Shutdown()
		handler.Drain()
		http.DefaultClient.CloseIdleConnections()
		web.Close()
		assert.NoError(t, handler.Close(context.Background()))
	})
	e.url = web.URL + "/mcp"
	return e
}

// send sends a message with a token of these claims.
func (e *endpoint) send(method, body string, claims map[string]any, headers ...string) *http.Response {
	e.t.Helper()
	r, err := http.NewRequestWithContext(e.t.Context(), method, e.url, strings.NewReader(body))
	require.NoError(e.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "Bearer "+e.issuer.token(ticket{claims: claims}))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(e.t, err)
	e.t.Cleanup(func() { response.Body.Close() })
	return response
}

func (e *endpoint) text(response *http.Response) string {
	e.t.Helper()
	body, err := io.ReadAll(response.Body)
	require.NoError(e.t, err)
	return string(body)
}

// modern calls a tool in the modern era; more is further params.
func (e *endpoint) modern(tool, more string, claims map[string]any) (*http.Response, string) {
	e.t.Helper()
	response := e.send("POST", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{},`+more+
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}}}`,
		claims, "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", tool)
	return response, e.text(response)
}

// What one subject was asked, another one cannot answer.
func TestStateBelongsToItsSubject(t *testing.T) {
	e := serveMCP(t)
	_, asked := e.modern("ask", "", nil)
	state := regexp.MustCompile(`"requestState":"([^"]+)"`).FindStringSubmatch(asked)
	require.NotNil(t, state, asked)
	answer := `"inputResponses":{"question-1":{"action":"accept"}},"requestState":"` + state[1] + `",`
	_, body := e.modern("ask", answer, map[string]any{"sub": "eve"})
	assert.Contains(t, body, `"error"`)
	assert.NotContains(t, body, "accept by")
	_, body = e.modern("ask", answer, map[string]any{"client_id": "another of hers"})
	assert.Regexp(t, `accept by ada, oauth-[0-9a-f]{32}`, body)
}

// A session is its subject's, and not tied to the token that began it.
func TestSessionBelongsToItsSubject(t *testing.T) {
	e := serveMCP(t)
	response := e.send("POST", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`, nil)
	require.Equal(t, 200, response.StatusCode)
	id := response.Header.Get("Mcp-Session-Id")
	for _, c := range []struct {
		subject, scope string
		status         int
	}{{"ada", "mcp", 200}, {"eve", "mcp", 404}, {"ada", "", 403}} {
		response := e.send("POST", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, map[string]any{"sub": c.subject, "scope": c.scope}, "Mcp-Session-Id", id)
		assert.Equal(t, c.status, response.StatusCode, c)
	}
	// In a session a call has a goroutine of its own: the scope is asked for there too.
	response = e.send("POST", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"erase"}}`, nil, "Mcp-Session-Id", id)
	assert.Equal(t, 403, response.StatusCode)
	assert.Contains(t, response.Header.Get("WWW-Authenticate"), `scope="mcp admin"`)
}

func TestToolScope(t *testing.T) {
	e := serveMCP(t)
	response, body := e.modern("erase", "", nil)
	assert.Equal(t, 403, response.StatusCode)
	assert.Contains(t, response.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	assert.Contains(t, response.Header.Get("WWW-Authenticate"), `scope="mcp admin"`)
	assert.Contains(t, body, "lacks the scope admin")
	response, body = e.modern("erase", "", map[string]any{"scope": "mcp admin"})
	assert.Equal(t, 200, response.StatusCode)
	assert.Contains(t, body, "erased")
}

// A stream ends with the token that opened it.
func TestStreamEndsWithItsToken(t *testing.T) {
	e := serveMCP(t)
	almost := map[string]any{"exp": time.Now().Add(-28 * time.Second).Unix()} // and the leeway is 30
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	listen := e.send("POST", `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},`+meta+`}}`,
		almost, "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "subscriptions/listen")
	require.Equal(t, 200, listen.StatusCode)
	response := e.send("POST", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`, nil)
	get := e.send("GET", "", almost, "Mcp-Session-Id", response.Header.Get("Mcp-Session-Id"))
	require.Equal(t, 200, get.StatusCode)
	for _, stream := range []*http.Response{listen, get} {
		lines := bufio.NewScanner(stream.Body)
		for lines.Scan() { // until the server ends it
		}
		assert.NoError(t, lines.Err())
	}
}

// Over a connection the scopes are those of the token that opened it, for its
// whole life.
func TestToolScopeOverWebSocket(t *testing.T) {
	i := newIssuer(t, "")
	server := mcp.NewServer(mcp.Options{})
	server.AddTool(mcp.Tool{Name: "erase", Inline: true}, func(ctx context.Context, _ *mcp.CallRequest) (*mcp.CallResult, error) {
		if err := oauth.Allow(ctx, "admin"); err != nil {
			return nil, err
		}
		return mcp.TextResult("erased by " + oauth.TokenOf(ctx).Subject), nil
	})
	handler := websocket.NewHandler(server, websocket.Options{})
	web := httptest.NewServer(httpguard.Require(i.access(nil), handler))
	defer web.Close()
	for scope, want := range map[string]string{"mcp": "lacks the scope admin", "mcp admin": "erased by ada"} {
		c, _, err := client.Dial(t.Context(), web.URL, &client.DialOptions{
			Subprotocols: []string{websocket.Subprotocol},
			HTTPHeader:   http.Header{"Authorization": {"Bearer " + i.token(ticket{claims: map[string]any{"scope": scope}})}},
		})
		require.NoError(t, err)
		for _, message := range []string{
			`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`,
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"erase"}}`,
		} {
			require.NoError(t, c.Write(t.Context(), client.MessageText, []byte(message)))
			_, answer, err := c.Read(t.Context())
			require.NoError(t, err)
			if strings.Contains(message, "erase") {
				assert.Contains(t, string(answer), want)
			}
		}
		assert.NoError(t, c.Close(client.StatusNormalClosure, ""))
	}
	assert.NoError(t, handler.Close(t.Context()))
	_, response, err := client.Dial(t.Context(), web.URL, &client.DialOptions{Subprotocols: []string{websocket.Subprotocol}})
	require.Error(t, err)
	assert.Equal(t, 401, response.StatusCode)
	http.DefaultClient.CloseIdleConnections()
}
