package mcpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/internal/mcpclient"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/streamable"
)

// No test leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer has a tool of each kind of behaviour, and a resource that changes.
func newServer(t *testing.T) *mcp.Server {
	s := mcp.NewServer(mcp.Options{Name: "made", Version: "3", Instructions: "Be kind.", PageSize: 2})
	t.Cleanup(s.Close)
	schema := []byte(`{"type":"object"}`)
	s.AddTool(mcp.Tool{Name: "echo", InputSchema: schema}, func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.StructuredJSON(append([]byte(nil), r.Arguments...)), nil
	})
	s.AddTool(mcp.Tool{Name: "fails", InputSchema: schema}, func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
		return nil, errors.New("no luck")
	})
	s.AddTool(mcp.Tool{Name: "reports", InputSchema: schema}, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		for i := 1; i <= 3; i++ {
			if err := r.Call().Progress(ctx, &mcp.Progress{Progress: float64(i), Total: 3, Message: fmt.Sprint("part ", i)}); err != nil {
				return nil, err
			}
		}
		if err := r.Call().Log(ctx, &mcp.LogMessage{Level: mcp.LogInfo, Data: "logged"}); err != nil {
			return nil, err
		}
		return mcp.TextResult("done"), nil
	})
	s.AddTool(mcp.Tool{Name: "hangs", InputSchema: schema}, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		if err := r.Call().Progress(ctx, &mcp.Progress{Progress: 1}); err != nil {
			return nil, err
		}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s.AddTool(mcp.Tool{Name: "asks", InputSchema: schema}, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		_, err := r.Call().Elicit(ctx, &mcp.ElicitParams{Message: "Sure?"})
		return nil, err
	})
	s.AddResource(mcp.Resource{URI: "x:one", Name: "one"}, func(context.Context, *mcp.ReadRequest) (*mcp.ReadResult, error) {
		return &mcp.ReadResult{Contents: []mcp.ResourceContents{{Text: "1"}}}, nil
	})
	for _, name := range []string{"two", "three"} {
		s.AddResource(mcp.Resource{URI: "x:" + name, Name: name}, func(context.Context, *mcp.ReadRequest) (*mcp.ReadResult, error) {
			return &mcp.ReadResult{}, nil
		})
	}
	s.AddPrompt(mcp.Prompt{Name: "greet"}, func(context.Context, *mcp.PromptRequest) (*mcp.PromptResult, error) {
		return &mcp.PromptResult{}, nil
	})
	return s
}

// each runs a test over both ways to a server.
func each(t *testing.T, o mcpclient.Options, test func(t *testing.T, c *mcpclient.Client, s *mcp.Server)) {
	t.Run("in process", func(t *testing.T) {
		s := newServer(t)
		c, err := mcpclient.InProcess(t.Context(), s, o)
		require.NoError(t, err)
		defer c.Close()
		test(t, c, s)
	})
	t.Run("http", func(t *testing.T) {
		s := newServer(t)
		handler := streamable.NewHTTPHandler(s, streamable.HTTPOptions{})
		over := httptest.NewServer(handler)
		defer over.Close()
		defer handler.Drain()
		c, err := mcpclient.Dial(t.Context(), over.URL, mcpclient.HTTPOptions{Options: o, Transport: over.Client().Transport})
		require.NoError(t, err)
		defer func() { assert.NoError(t, c.Close()) }()
		test(t, c, s)
	})
}

func TestCalls(t *testing.T) {
	var mu sync.Mutex
	var told []string
	o := mcpclient.Options{LogLevel: "info", Notify: func(method string, params json.RawMessage) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, method+" "+string(params))
	}}
	each(t, o, func(t *testing.T, c *mcpclient.Client, _ *mcp.Server) {
		assert.Equal(t, "made", c.Server().Name)
		assert.Equal(t, "Be kind.", c.Server().Instructions)
		r, err := c.CallTool(t.Context(), "echo", json.RawMessage(`{"big":9007199254740993}`), nil)
		require.NoError(t, err)
		assert.JSONEq(t, `{"big":9007199254740993}`, string(r.Structured))
		assert.Contains(t, string(r.Raw), "9007199254740993")

		r, err = c.CallTool(t.Context(), "fails", nil, nil)
		require.NoError(t, err)
		assert.True(t, r.IsError)
		assert.Equal(t, "no luck", r.Content[0].Text)

		var reports []string
		r, err = c.CallTool(t.Context(), "reports", nil, func(p mcpclient.Progress) { reports = append(reports, p.Message) })
		require.NoError(t, err)
		assert.Equal(t, "done", r.Content[0].Text)
		assert.Equal(t, []string{"part 1", "part 2", "part 3"}, reports)
		mu.Lock()
		assert.Contains(t, strings.Join(told, "\n"), `"logged"`)
		told = nil
		mu.Unlock()

		_, err = c.CallTool(t.Context(), "nobody", nil, nil)
		refused, ok := errors.AsType[*mcpclient.Error](err)
		require.True(t, ok, err)
		assert.Equal(t, mcp.CodeInvalidParams, refused.Code)

		r, err = c.CallTool(t.Context(), "asks", nil, nil)
		require.True(t, err != nil || r.IsError, "a client without capabilities cannot be asked")
	})
}

func TestLists(t *testing.T) {
	each(t, mcpclient.Options{}, func(t *testing.T, c *mcpclient.Client, _ *mcp.Server) {
		tools, err := c.Tools(t.Context())
		require.NoError(t, err)
		var names []string
		for _, tool := range tools { // of three pages
			names = append(names, tool.Name)
		}
		assert.ElementsMatch(t, []string{"echo", "fails", "reports", "hangs", "asks"}, names)
		resources, err := c.Resources(t.Context(), 1)
		require.NoError(t, err)
		assert.Equal(t, "x:one", resources[0].URI)
		assert.Len(t, resources, 1)
		prompts, err := c.Prompts(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "greet", prompts[0].Name)
	})
}

// A caller that gives up gets its own error, the call is cancelled, and the connection
// goes on.
func TestGivingUp(t *testing.T) {
	each(t, mcpclient.Options{}, func(t *testing.T, c *mcpclient.Client, _ *mcp.Server) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		_, err := c.CallTool(ctx, "hangs", nil, func(mcpclient.Progress) { cancel(why) })
		require.ErrorIs(t, err, why)
		_, err = c.CallTool(t.Context(), "echo", nil, nil)
		require.NoError(t, err)
	})
}

func TestSubscribe(t *testing.T) {
	told := make(chan string, 16)
	o := mcpclient.Options{Notify: func(method string, params json.RawMessage) { told <- method + string(params) }}
	each(t, o, func(t *testing.T, c *mcpclient.Client, s *mcp.Server) {
		require.NoError(t, c.Subscribe(t.Context(), "x:one"))
		s.ResourceUpdated("x:one")
		assert.Contains(t, <-told, "x:one")
	})
}

// A server that never opens the stream is not waited for longer than the caller does, and
// the stream counts for open neither.
func TestSubscribeIsGivenUp(t *testing.T) {
	handler := streamable.NewHTTPHandler(newServer(t), streamable.HTTPOptions{})
	asked := make(chan struct{})
	over := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			asked <- struct{}{}
			<-r.Context().Done()
			return
		}
		handler.ServeHTTP(w, r)
	}))
	defer over.Close()
	defer handler.Drain()
	c, err := mcpclient.Dial(t.Context(), over.URL, mcpclient.HTTPOptions{Transport: over.Client().Transport})
	require.NoError(t, err)
	defer c.Close()
	for range 2 {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		go func() {
			<-asked
			cancel(why)
		}()
		require.ErrorIs(t, c.Subscribe(ctx, "x:one"), why)
	}
}

// No more calls are open at once than a session may have over HTTP (MaxPerSession).
func TestManyAtOnce(t *testing.T) {
	each(t, mcpclient.Options{}, func(t *testing.T, c *mcpclient.Client, _ *mcp.Server) {
		var group sync.WaitGroup
		places := make(chan struct{}, 32)
		for i := range 200 {
			places <- struct{}{}
			group.Go(func() {
				defer func() { <-places }()
				want := fmt.Sprintf(`{"n":%d}`, i)
				r, err := c.CallTool(t.Context(), "echo", json.RawMessage(want), nil)
				if assert.NoError(t, err) {
					assert.JSONEq(t, want, string(r.Structured))
				}
			})
		}
		group.Wait()
	})
}

// After the end every call says so.
func TestClosed(t *testing.T) {
	each(t, mcpclient.Options{}, func(t *testing.T, c *mcpclient.Client, _ *mcp.Server) {
		require.NoError(t, c.Close())
		_, err := c.CallTool(t.Context(), "echo", nil, nil)
		require.ErrorIs(t, err, mcpclient.ErrClosed)
	})
}

// A server that speaks 2026-07-28 alone.
func TestModernAlone(t *testing.T) {
	real := streamable.NewHTTPHandler(newServer(t), streamable.HTTPOptions{})
	over := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Protocol-Version") != mcp.VersionModern {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"too old"}}`)
			return
		}
		real.ServeHTTP(w, r)
	}))
	defer over.Close()
	c, err := mcpclient.Dial(t.Context(), over.URL, mcpclient.HTTPOptions{Transport: over.Client().Transport})
	require.NoError(t, err)
	defer c.Close()
	assert.Equal(t, mcp.VersionModern, c.Server().Protocol)
	tools, err := c.Tools(t.Context())
	require.NoError(t, err)
	assert.Len(t, tools, 5)
	var reports int
	r, err := c.CallTool(t.Context(), "reports", nil, func(mcpclient.Progress) { reports++ })
	require.NoError(t, err)
	assert.Equal(t, "done", r.Content[0].Text)
	assert.Equal(t, 3, reports)
	assert.Error(t, c.Subscribe(t.Context(), "x:one"))
}

// What a peer that is no MCP server answers.
func TestStrangePeers(t *testing.T) {
	hello := `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}`
	for name, c := range map[string]struct {
		status  int
		kind    string
		answers []string // the first one to initialize
		want    string
	}{
		"a page":             {200, "text/html", []string{"<html>"}, "is MCP served there"},
		"no token":           {401, "text/plain", []string{"who are you"}, "--token-file"},
		"elsewhere":          {307, "text/plain", []string{""}, "leads on to"},
		"no JSON":            {200, "application/json", []string{"{"}, "no message"},
		"another id":         {200, "application/json", []string{`{"jsonrpc":"2.0","id":7,"result":{}}`}, "something else"},
		"no result":          {200, "application/json", []string{`{"jsonrpc":"2.0","id":1}`}, "neither a result nor an error"},
		"a future version":   {200, "application/json", []string{`{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2031-01-01"}}`}, "unknown here"},
		"a stream that ends": {200, "text/event-stream", []string{"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n"}, "ended before the answer"},
		"an endless list":    {200, "application/json", []string{hello, "", `{"jsonrpc":"2.0","id":2,"result":{"tools":[],"nextCursor":"a"}}`, `{"jsonrpc":"2.0","id":3,"result":{"tools":[],"nextCursor":"a"}}`}, "does not end"},
		"a list of numbers":  {200, "application/json", []string{hello, "", `{"jsonrpc":"2.0","id":2,"result":{"tools":[1]}}`}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			var n int
			over := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", c.kind)
				w.Header().Set("Location", "http://elsewhere.example/")
				if n >= len(c.answers) {
					return
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.answers[n])
				n++
			}))
			defer over.Close()
			client, err := mcpclient.Dial(t.Context(), over.URL, mcpclient.HTTPOptions{Transport: over.Client().Transport})
			if err == nil {
				_, err = client.Tools(t.Context())
				client.Close()
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A stream that breaks off is opened again behind its last event.
func TestResume(t *testing.T) {
	n := 0
	over := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		n++
		switch {
		case r.Method == http.MethodPost && n == 1:
			fmt.Fprint(w, "id: a:1\r\nretry: 1\r\ndata:\r\n\r\n")
		case r.Method == http.MethodGet && r.Header.Get("Last-Event-ID") == "a:1":
			fmt.Fprint(w, "id: a:2\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\ndata: \"result\":{\"protocolVersion\":\"2025-06-18\",\"serverInfo\":{\"name\":\"slow\"}}}\n\n")
		}
	}))
	defer over.Close()
	c, err := mcpclient.Dial(t.Context(), over.URL, mcpclient.HTTPOptions{Transport: over.Client().Transport})
	require.NoError(t, err)
	defer c.Close()
	assert.Equal(t, "slow", c.Server().Name)
}

func TestEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:7070":      "http://127.0.0.1:7070/mcp",
		"https://mcp.example/":       "https://mcp.example/mcp",
		"https://mcp.example/v1?a=b": "https://mcp.example/v1?a=b",
		"127.0.0.1:7070":             "",
		"ftp://a/":                   "",
		"http://":                    "",
		"http://me:secret@host/":     "",
	} {
		got, err := mcpclient.Endpoint(text)
		assert.Equal(t, want, got, text)
		assert.Equal(t, want == "", err != nil, text)
	}
}
