package mcp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func readNothing(context.Context, *ReadRequest) (*ReadResult, error) { return nil, ErrNoResource }

// numbered lists n resources, as many as are asked for at once.
func numbered(scheme string, n int) ListHandler {
	return func(_ context.Context, req *ListRequest) (*ListResult, error) {
		start := 0
		if req.Cursor != "" {
			var err error
			if start, err = strconv.Atoi(req.Cursor); err != nil {
				return nil, fmt.Errorf("not a number: %w", ErrCursor)
			}
		}
		result := &ListResult{}
		for i := start; i < n && i < start+req.Limit; i++ {
			result.Resources = append(result.Resources, Resource{URI: fmt.Sprintf("%s://%d", scheme, i), Name: "n", Annotations: &Annotations{Priority: 0.5}})
		}
		if end := start + len(result.Resources); end < n {
			result.Next = strconv.Itoa(end)
		}
		return result, nil
	}
}

// listed makes one request of a connection and returns the result, or the error's code
// and message.
func listed(t *testing.T, s *Server, method, params string, modern bool) (map[string]any, string) {
	t.Helper()
	if modern {
		params = strings.TrimSuffix(params, "}") + map[bool]string{true: ",", false: ""}[len(params) > 2] + modernMeta + "}"
	}
	session := s.NewSession(SessionOptions{})
	defer session.Close()
	session.NewExchange([]byte(legacyInitialize)).Answer(t.Context(), "", nil)
	frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
	var raw []byte
	if modern {
		raw = s.NewExchange([]byte(frame)).Answer(t.Context(), "", nil)
	} else {
		raw = session.NewExchange([]byte(frame)).Answer(t.Context(), "", nil)
	}
	var answer struct {
		Result map[string]any
		Error  *struct {
			Code    int
			Message string
		}
	}
	require.NoError(t, json.Unmarshal(raw, &answer), "%s", raw)
	if answer.Error != nil {
		return nil, fmt.Sprint(answer.Error.Code, " ", answer.Error.Message)
	}
	return answer.Result, ""
}

func TestFamiliesAreListed(t *testing.T) {
	s := NewServer(Options{PageSize: 3})
	for i := range 4 {
		s.AddResource(Resource{URI: fmt.Sprint("one:", i), Name: "n"}, readNothing)
	}
	s.AddTemplate(ResourceTemplate{URITemplate: "a://{n}", Name: "a", List: numbered("a", 5)}, readNothing)
	s.AddTemplate(ResourceTemplate{URITemplate: "b://{n}", Name: "b"}, readNothing)
	s.AddTemplate(ResourceTemplate{URITemplate: "c://{n}", Name: "c", List: numbered("c", 1)}, readNothing)
	s.AddTemplate(ResourceTemplate{URITemplate: "d://{n}", Name: "d", List: func(context.Context, *ListRequest) (*ListResult, error) { return nil, nil }}, readNothing)
	want := []string{"one:0", "one:1", "one:2", "one:3", "a://0", "a://1", "a://2", "a://3", "a://4", "c://0"}
	for _, modern := range []bool{false, true} {
		var got []string
		params := "{}"
		for {
			result, bad := listed(t, s, "resources/list", params, modern)
			require.Empty(t, bad)
			page := result["resources"].([]any)
			require.LessOrEqual(t, len(page), 3)
			for _, r := range page {
				got = append(got, r.(map[string]any)["uri"].(string))
			}
			if modern {
				require.Equal(t, "private", result["cacheScope"])
			}
			next, more := result["nextCursor"].(string)
			if !more {
				break
			}
			params = fmt.Sprintf(`{"cursor":%q}`, next)
		}
		require.Equal(t, want, got)
	}
	good := base64.RawURLEncoding.EncodeToString([]byte("family:a://{n} 0"))
	for _, cursor := range []string{"?", good + "?", "family:b://{n} 0", "family:z://{n} 0", "family:a://{n} x", "family:a://{n}", "tools:x", "resources:no uri"} {
		if cursor != "?" && cursor != good+"?" {
			cursor = base64.RawURLEncoding.EncodeToString([]byte(cursor))
		}
		_, bad := listed(t, s, "resources/list", fmt.Sprintf(`{"cursor":%q}`, cursor), false)
		require.Equal(t, "-32602 resources/list: invalid cursor; begin again without one", bad, cursor)
	}
	for name, list := range map[string]ListHandler{
		"-32603 the list of e://{n}: broken disk": func(context.Context, *ListRequest) (*ListResult, error) { return nil, errors.New("broken disk") },
		"-32603 the list of e://{n} made a result that cannot be sent: resource e:1 has no name": func(context.Context, *ListRequest) (*ListResult, error) {
			return &ListResult{Resources: []Resource{{URI: "e:1"}}}, nil
		},
	} {
		s := NewServer(Options{})
		s.AddTemplate(ResourceTemplate{URITemplate: "e://{n}", Name: "e", List: list}, readNothing)
		_, bad := listed(t, s, "resources/list", "{}", false)
		require.Equal(t, name, bad)
	}
}

// A family is watched while somebody listens to a resource, and is so before the
// client is told that it listens.
func TestFamilyIsWatchedWhileSomebodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(Options{})
		watched, starts := false, 0
		s.AddTemplate(ResourceTemplate{URITemplate: "a://{n}", Name: "a", OnListen: func() func() {
			require.False(t, watched)
			watched, starts = true, starts+1
			s.ResourceUpdated("a://1") // at once: it is told behind the acknowledgment
			return func() {
				require.True(t, watched)
				watched = false
			}
		}}, func(context.Context, *ReadRequest) (*ReadResult, error) { return nil, nil })
		s.AddTemplate(ResourceTemplate{URITemplate: "b://{n}", Name: "b"}, readNothing)
		one, two := legacySession(t, s), legacySession(t, s)
		send := func(session *Session, method, uri string) {
			session.NewExchange([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/%s","params":{"uri":%q}}`, method, uri))).Answer(t.Context(), "", nil)
		}
		require.False(t, watched)
		send(one, "subscribe", "a://1")
		send(one, "subscribe", "a://1")
		require.True(t, watched)
		send(two, "subscribe", "a://2")
		send(one, "unsubscribe", "a://1")
		send(one, "unsubscribe", "a://1")
		send(one, "unsubscribe", "a://never")
		require.True(t, watched)
		two.Close()
		two.Close()
		require.False(t, watched)

		ctx, cancel := context.WithCancel(t.Context())
		out := &recorder{}
		done := make(chan struct{})
		e := s.NewExchange([]byte(`{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a://1"]},` + modernMeta + `}}`))
		e.Stream = out
		go func() {
			defer close(done)
			e.Answer(ctx, "", nil)
		}()
		frames := out.take()
		s.ResourcesUpdated("b:")
		require.Empty(t, out.take())
		s.ResourcesUpdated("a:")
		require.Len(t, out.take(), 1)
		require.Len(t, frames, 2)
		require.Contains(t, frames[0], "subscriptions/acknowledged")
		require.Contains(t, frames[1], `"uri":"a://1"`)
		require.True(t, watched)
		send(one, "subscribe", "a://3")
		cancel()
		<-done
		require.True(t, watched)
		one.Close()
		require.False(t, watched)
		require.Equal(t, 2, starts)
		require.Empty(t, s.heard)

		e = s.NewExchange([]byte(`{"jsonrpc":"2.0","id":8,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a://1"]},` + modernMeta + `}}`))
		e.Stream = out
		done = make(chan struct{})
		go func() {
			defer close(done)
			e.Answer(t.Context(), "", nil)
		}()
		synctest.Wait()
		require.True(t, watched)
		s.Shutdown()
		<-done
		synctest.Wait()
		require.False(t, watched)
	})
}

func TestAllowListenIsAsked(t *testing.T) {
	s := NewServer(Options{})
	s.AddTemplate(ResourceTemplate{URITemplate: "a://{n}", Name: "a", AllowListen: func(_ context.Context, uri string) error {
		switch uri {
		case "a://own":
			return nil
		case "a://coded":
			return &Error{Code: -32042, Message: "log in first"}
		case "a://crash":
			panic("a bug")
		}
		return errors.New("not yours")
	}}, readNothing)
	s.AddTemplate(ResourceTemplate{URITemplate: "b://{n}", Name: "b"}, readNothing)
	for uri, want := range map[string]string{"a://own": "", "b://any": "", "a://other": "-32600 not yours", "a://coded": "-32042 log in first",
		"a://crash": "-32603 the permission to listen to a://{n} failed unexpectedly; the server's log has the details"} {
		_, bad := listed(t, s, "resources/subscribe", fmt.Sprintf(`{"uri":%q}`, uri), false)
		require.Equal(t, want, bad, uri)
		if want != "" {
			e := s.NewExchange([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["b://any",%q]},%s}}`, uri, modernMeta)))
			e.Stream = &recorder{}
			_, message, _ := strings.Cut(want, " ")
			require.Contains(t, string(e.Answer(t.Context(), "", nil)), message, uri)
		}
	}
}

// The server's own hooks are for all resources, those without a template too.
func TestServerIsAskedAndToldOfListeners(t *testing.T) {
	var events []string
	s := NewServer(Options{
		AllowListen: func(_ context.Context, uri string) error {
			if uri == "one:secret" {
				return errors.New("not yours")
			}
			return nil
		},
		OnListen: func() func() {
			events = append(events, "begin")
			return func() { events = append(events, "end") }
		},
	})
	s.AddResource(Resource{URI: "one:a", Name: "a"}, readNothing)
	s.AddResource(Resource{URI: "one:secret", Name: "s"}, readNothing)
	s.AddTemplate(ResourceTemplate{URITemplate: "a://{n}", Name: "a", OnListen: func() func() {
		events = append(events, "family")
		return func() {}
	}}, readNothing)
	session := legacySession(t, s)
	send := func(method, uri string) string {
		return string(session.NewExchange([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/%s","params":{"uri":%q}}`, method, uri))).Answer(t.Context(), "", nil))
	}
	require.Contains(t, send("subscribe", "one:secret"), "not yours")
	require.Empty(t, s.ListenedTo())
	send("subscribe", "one:a")
	require.Equal(t, []string{"begin", "family"}, events)
	require.Equal(t, []string{"one:a"}, s.ListenedTo())
	send("unsubscribe", "one:a")
	require.Equal(t, []string{"begin", "family", "end"}, events)
	session.Close()
}
