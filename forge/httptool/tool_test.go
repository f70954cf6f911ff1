package httptool

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/mcp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a server that the tools talk to.
func peer(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// echo answers with what it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "path": r.URL.EscapedPath(), "query": r.URL.RawQuery, "header": r.Header, "body": string(raw)})
}

type echoed struct {
	Method, Path, Query, Body string
	Header                    http.Header
}

func described(method, endpoint string) *config.Tool {
	return &config.Tool{Name: "t", Kind: config.KindHTTP, HTTP: &config.HTTP{Method: method, Endpoint: endpoint, Private: true, ResponseBytesMax: 1 << 20}}
}

// call calls the handler itself.
func call(t testing.TB, c *config.Tool, arguments string) (*mcp.CallResult, error) {
	t.Helper()
	h, done, err := New(c, config.Secrets{})
	require.NoError(t, err)
	defer done()
	return h(context.Background(), &mcp.CallRequest{Name: "t", Arguments: []byte(arguments)})
}

func sent(t testing.TB, c *config.Tool, arguments string) (e echoed) {
	t.Helper()
	result, err := call(t, c, arguments)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(result.Structured, &e))
	return e
}

func TestURL(t *testing.T) {
	origin := peer(t, echo)
	for _, c := range []struct {
		endpoint, arguments, path, query string
		params                           map[string]string
	}{
		{endpoint: "/users/{{id}}", arguments: `{"id":7}`, path: "/users/7"},
		{endpoint: "/users/{{id}}", arguments: `{"id":"a/b?c#d e&f"}`, path: "/users/a%2Fb%3Fc%23d%20e&f"},
		{endpoint: "/q?a=1&q={{q}}", arguments: `{"q":"x&admin=1#y z"}`, path: "/q", query: "a=1&q=x%26admin%3D1%23y+z"},
		{endpoint: "", arguments: `{}`, path: "/"},
		{endpoint: "?x={{x}}", arguments: `{"x":"é"}`, path: "/", query: "x=%C3%A9"},
		{endpoint: "/p?a=1", params: map[string]string{"list": "{{l}}", "gone": "{{g}}", "mixed": "v-{{g}}", "plain": "a b"}, arguments: `{"l":["1",2]}`, path: "/p", query: "a=1&list=1&list=2&mixed=v-&plain=a+b"},
	} {
		x := described("GET", origin+c.endpoint)
		x.HTTP.Query = c.params
		e := sent(t, x, c.arguments)
		require.Equal(t, c.path, e.Path, c.endpoint)
		require.Equal(t, c.query, e.Query, c.endpoint)
	}
	for _, id := range []string{"..", ".", "%2e%2e", "../../admin"} {
		_, err := call(t, described("GET", origin+"/users/{{id}}"), fmt.Sprintf(`{"id":%q}`, id))
		if id == ".." || id == "." {
			require.ErrorContains(t, err, `"." or ".."`, id)
			require.Equal(t, fault.InvalidInput, fault.ClassOf(err))
			continue
		}
		require.NoError(t, err, id) // one segment, with its characters escaped
	}
	_, err := call(t, described("GET", origin+"/{{x}}"), `{"x":"`+strings.Repeat("a", 9000)+`"}`)
	require.ErrorContains(t, err, "at most 8192")
}

func TestHeaders(t *testing.T) {
	origin := peer(t, echo)
	x := described("GET", origin)
	x.HTTP.Headers = map[string]string{"X-Name": "n-{{name}}", "X-Gone": "{{gone}}", "Accept": "text/plain"}
	e := sent(t, x, `{"name":"Ada"}`)
	require.Equal(t, "n-Ada", e.Header.Get("X-Name"))
	require.NotContains(t, e.Header, "X-Gone")
	require.Equal(t, "text/plain", e.Header.Get("Accept"))
	for _, name := range []string{`a\r\nX-Admin: 1`, `a\nb`, `\u0000`, `\u007f`} {
		_, err := call(t, x, `{"name":"`+name+`"}`)
		require.ErrorContains(t, err, "line break or another control character")
		require.Equal(t, fault.InvalidInput, fault.ClassOf(err))
	}
}

func TestBodies(t *testing.T) {
	origin := peer(t, echo)
	arguments := `{"name":"Ada \"x\"\n{{secret}}","n":1.50,"list":[1,{"a":null}],"secret":"s","none":null}`
	for name, c := range map[string]struct {
		body, text, contentType, want string
	}{
		"a tree":          {body: `{"who":"{{name}}","n":"{{n}}","all":{"list":"{{list}}","s":"n={{n}}"},"gone":"{{gone}}","fix":[true,null,"{{gone}}"],"none":"{{none}}"}`, contentType: typeJSON, want: `{"who":"Ada \"x\"\n{{secret}}","n":1.50,"all":{"list":[1,{"a":null}],"s":"n=1.50"},"fix":[true,null,null],"none":null}`},
		"JSON as text":    {text: `{"who":"<{{name}}>","n":{{n}},"l":{{list}},"g":{{gone}}}`, contentType: typeJSON, want: `{"who":"<Ada \"x\"\n{{secret}}>","n":1.50,"l":[1,{"a":null}],"g":null}`},
		"text":            {text: "Dear {{name}}", contentType: "text/plain; charset=utf-8", want: "Dear Ada \"x\"\n{{secret}}"},
		"text of a value": {text: "{{list}}", contentType: "text/plain; charset=utf-8", want: `[1,{"a":null}]`},
	} {
		t.Run(name, func(t *testing.T) {
			x := described("POST", origin)
			x.HTTP.Body, x.HTTP.BodyText = json.RawMessage(c.body), c.text
			e := sent(t, x, arguments)
			require.Equal(t, c.want, e.Body)
			require.Equal(t, c.contentType, e.Header.Get("Content-Type"))
		})
	}
	form := described("POST", origin)
	form.HTTP.BodyText, form.HTTP.Headers = "a={{a}}&b=2", map[string]string{"content-type": typeForm}
	require.Equal(t, "a=x%26admin%3D1&b=2", sent(t, form, `{"a":"x&admin=1"}`).Body)

	broken := described("POST", origin)
	broken.HTTP.BodyText = `{"a":{{a}}`
	_, err := call(t, broken, `{"a":1}`)
	require.ErrorContains(t, err, "do not make a JSON body")
}

// A value never changes the shape of a JSON body.
func FuzzJSONTextKeepsItsShape(f *testing.F) {
	for _, seed := range []string{`"`, `","admin":true,"x":"`, `\`, `{{a}}`, "\n", `\"`} {
		f.Add(seed)
	}
	b, err := newBody(&config.HTTP{BodyText: `{"name":"{{a}}","esc\"aped":"x \\\" {{a}}","last":1}`})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		quoted, err := json.Marshal(value)
		require.NoError(t, err)
		values, err := template.ReadValues(fmt.Appendf(nil, `{"a":%s}`, quoted))
		require.NoError(t, err)
		content, _, err := b.fill(values)
		require.NoError(t, err)
		var got map[string]any
		require.NoError(t, json.Unmarshal(content, &got))
		require.Len(t, got, 3)
	})
}

func TestAuth(t *testing.T) {
	origin := peer(t, echo)
	for name, c := range map[string]struct {
		auth         config.Auth
		header, want string
	}{
		"bearer": {config.Auth{Type: config.AuthBearer, Token: "tok"}, "Authorization", "Bearer tok"},
		"basic":  {config.Auth{Type: config.AuthBasic, Username: "u", Password: "p"}, "Authorization", "Basic dTpw"},
		"apikey": {config.Auth{Type: config.AuthAPIKey, Header: "X-Api-Key", Key: "k"}, "X-Api-Key", "k"},
	} {
		t.Run(name, func(t *testing.T) {
			x := described("GET", origin)
			x.HTTP.Auth = &c.auth
			x.HTTP.Headers = map[string]string{c.header: "{{h}}"}
			require.Equal(t, c.want, sent(t, x, `{"h":"a caller's own"}`).Header.Get(c.header))
		})
	}
}

func TestAnswers(t *testing.T) {
	origin := peer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		_, _ = w.Write([]byte(r.URL.Query().Get("content")))
	})
	ask := func(contentType, content string, object bool) (*mcp.CallResult, error) {
		x := described("GET", origin+"?"+url.Values{"type": {contentType}, "content": {content}}.Encode())
		if object {
			x.OutputSchema = []byte(`{"type":"object"}`)
		}
		return call(t, x, `{}`)
	}
	for _, c := range []struct {
		contentType, content string
		want                 mcp.Content
		structured           string
	}{
		{"application/json", `{"a":1}`, mcp.Content{Type: mcp.ContentText, Text: `{"a":1}`}, `{"a":1}`},
		{"application/problem+json; charset=utf-8", `{"a":1}`, mcp.Content{Type: mcp.ContentText, Text: `{"a":1}`}, `{"a":1}`},
		{"application/json", `[1]`, mcp.Content{Type: mcp.ContentText, Text: `[1]`}, ""},
		{"application/json", `{"a":`, mcp.Content{Type: mcp.ContentText, Text: `{"a":`}, ""},
		{"text/html", "<p>", mcp.Content{Type: mcp.ContentText, Text: "<p>"}, ""},
		{"text/plain", "a\xffb", mcp.Content{Type: mcp.ContentText, Text: "a\ufffdb"}, ""},
		{"image/png", "\x89PNG\xff", mcp.Content{Type: mcp.ContentImage, Data: []byte("\x89PNG\xff"), MIMEType: "image/png"}, ""},
		{"audio/wav", "RIFF\xff", mcp.Content{Type: mcp.ContentAudio, Data: []byte("RIFF\xff"), MIMEType: "audio/wav"}, ""},
		{"application/pdf", "%PDF\xff", mcp.Content{Type: mcp.ContentResource, Resource: &mcp.ResourceContents{URI: origin, MIMEType: "application/pdf", Blob: []byte("%PDF\xff")}}, ""},
	} {
		result, err := ask(c.contentType, c.content, false)
		require.NoError(t, err)
		require.Equal(t, c.structured, string(result.Structured), c.contentType)
		if c.structured == "" {
			require.Equal(t, []mcp.Content{c.want}, result.Content, c.contentType)
		}
	}
	_, err := ask("text/plain", "hello", true)
	require.ErrorContains(t, err, "not with the JSON object that the tool's output schema promises")
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	result, err := ask("application/json", deep, false)
	require.NoError(t, err)
	require.Empty(t, result.Structured, "what nests too deep for clients goes as text")
}

func TestStatuses(t *testing.T) {
	for status, class := range map[int]fault.Class{400: fault.Failed, 404: fault.Failed, 501: fault.Failed, 408: fault.Unavailable, 429: fault.Unavailable, 500: fault.Unavailable, 503: fault.Unavailable} {
		origin := peer(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "because of this", status) })
		_, err := call(t, described("GET", origin), `{}`)
		require.Equal(t, class, fault.ClassOf(err), status)
		require.ErrorContains(t, err, fmt.Sprintf("answered %d %s: because of this", status, http.StatusText(status)))
	}
}

func TestBounds(t *testing.T) {
	large := peer(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 2000 {
			_, _ = w.Write(make([]byte, 1024))
		}
	})
	_, err := call(t, described("GET", large), `{}`)
	require.ErrorContains(t, err, "more than 1048576 bytes")

	drip := peer(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Millisecond)
		}
	})
	h, done, err := New(described("GET", drip), config.Secrets{})
	require.NoError(t, err)
	defer done()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = h(ctx, &mcp.CallRequest{Arguments: []byte(`{}`)})
	require.Equal(t, fault.Timeout, fault.ClassOf(err))
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	_, err = h(ctx, &mcp.CallRequest{Arguments: []byte(`{}`)})
	require.Equal(t, fault.Canceled, fault.ClassOf(err))
}

func TestRetry(t *testing.T) {
	var tries atomic.Int32
	var wait atomic.Pointer[string]
	origin := peer(t, func(w http.ResponseWriter, _ *http.Request) {
		if asks := wait.Load(); asks != nil {
			w.Header().Set("Retry-After", *asks)
		}
		if tries.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("at last"))
	})
	retry := &config.Retry{MaxAttempts: 3, Initial: time.Millisecond, Max: 5 * time.Millisecond, Multiplier: 2, On: []string{"unavailable"}}
	x := described("GET", origin)
	x.HTTP.Retry = retry
	result, err := call(t, x, `{}`)
	require.NoError(t, err)
	require.Equal(t, "at last", result.Content[0].Text)

	for method, want := range map[string]int32{"POST": 1, "PUT": 3} { // once is enough where twice does harm
		tries.Store(-10)
		x := described(method, origin)
		x.HTTP.Retry = retry
		_, err := call(t, x, `{}`)
		require.Equal(t, fault.Unavailable, fault.ClassOf(err))
		require.Equal(t, -10+want, tries.Load(), method)
	}
	tries.Store(-10)
	x.HTTP.Retry = &config.Retry{MaxAttempts: 3, Initial: time.Hour, Max: time.Hour, On: []string{"unavailable"}}
	h, done, err := New(x, config.Secrets{})
	require.NoError(t, err)
	defer done()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = h(ctx, &mcp.CallRequest{Arguments: []byte(`{}`)})
	require.ErrorContains(t, err, "503", "a wait that is too long is not begun")

	// Who asks for more than the longest pause is not asked again.
	hour := "3600"
	wait.Store(&hour)
	tries.Store(-10)
	x.HTTP.Retry = retry
	_, err = call(t, x, `{}`)
	require.ErrorContains(t, err, "503")
	require.Equal(t, time.Hour, fault.RetryAfter(err))
	require.EqualValues(t, -9, tries.Load())
}

func TestWhereRequestsMayGo(t *testing.T) {
	elsewhere := peer(t, func(http.ResponseWriter, *http.Request) { t.Error("a request went astray") })
	origin := peer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) })
	_, err := call(t, described("GET", origin), `{}`)
	require.Equal(t, fault.Denied, fault.ClassOf(err), "%v", err)

	public := described("GET", elsewhere)
	public.HTTP.Private = false
	_, err = call(t, public, `{}`)
	require.Equal(t, fault.Denied, fault.ClassOf(err), "%v", err)

	for _, host := range []string{"169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0"} {
		x := described("GET", "http://"+host+"/latest/meta-data")
		x.HTTP.Private = false
		h, done, err := New(x, config.Secrets{})
		if err != nil {
			continue // refused even earlier
		}
		_, err = h(t.Context(), &mcp.CallRequest{Arguments: []byte(`{}`)})
		done()
		require.Equal(t, fault.Denied, fault.ClassOf(err), "%s: %v", host, err)
	}
}

// The key of an API stays with the host that it is for.
func TestRedirectsWithinTheHostKeepTheKey(t *testing.T) {
	origin := peer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			http.Redirect(w, r, "/b", http.StatusFound)
			return
		}
		echo(w, r)
	})
	x := described("GET", origin+"/a")
	x.HTTP.Auth = &config.Auth{Type: config.AuthAPIKey, Header: "X-Key", Key: "k"}
	e := sent(t, x, `{}`)
	require.Equal(t, "/b", e.Path)
	require.Equal(t, "k", e.Header.Get("X-Key"))
}

func TestUnreachableSaysNothingOfTheArguments(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	_, err = call(t, described("GET", "http://"+address+"/?token={{t}}"), `{"t":"hunter2"}`)
	require.Equal(t, fault.Unavailable, fault.ClassOf(err))
	require.ErrorContains(t, err, "cannot be reached")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestNewRefuses(t *testing.T) {
	for endpoint, want := range map[string]string{
		"ftp://example.org":          "http:// or https://",
		"example.org/x":              "http:// or https://",
		"https://{{host}}/x":         "the host of",
		"https://a.{{b}}.example/":   "the host of",
		"https:///x":                 "no host",
		"https://u:p@example.org/":   "credentials belong under auth",
		"https://example.org/#frag":  "a fragment",
		"https://example.org/{{":     "never closed",
		"https://example.org/?a={{}": "never closed",
	} {
		_, _, err := New(described("GET", endpoint), config.Secrets{})
		require.ErrorContains(t, err, want, endpoint)
	}
	bad := described("POST", "https://example.org")
	bad.HTTP.Body = []byte(`{"a":["{{"]}`)
	_, _, err := New(bad, config.Secrets{})
	require.ErrorContains(t, err, "body: a: [0]: ")
}

// A tool next to a bare client, 64 at once.
func BenchmarkConcurrent(b *testing.B) {
	origin := peer(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"ok":true,"text":"hello"}`))
	})
	h, done, err := New(described("GET", origin+"/users/{{id}}"), config.Secrets{})
	require.NoError(b, err)
	defer done()
	transport := &http.Transport{MaxIdleConnsPerHost: connsMax, MaxConnsPerHost: connsMax}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for name, do := range map[string]func() error{
		"tool": func() error {
			_, err := h(context.Background(), &mcp.CallRequest{Arguments: []byte(`{"id":7}`)})
			return err
		},
		"bare": func() error {
			r, err := client.Get(origin + "/users/7")
			if err != nil {
				return err
			}
			defer r.Body.Close()
			_, err = io.ReadAll(r.Body)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := do(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// No error shows a secret, nor the half of one that a bound leaves.
func TestSecretsStayOutOfErrors(t *testing.T) {
	const secret = "correct-horse-battery"
	c, err := config.Parse("a.yaml", []byte(`forge: {name: "${S}"}`), config.Options{LookupEnv: func(string) (string, bool) { return secret, true }})
	require.NoError(t, err)
	for _, before := range []int{0, 10, reportBytesMax - 10} {
		origin := peer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, strings.Repeat("x", before)+secret+strings.Repeat("x", reportBytesMax))
		})
		h, done, err := New(described("GET", origin+"/"), c.Secrets)
		require.NoError(t, err)
		_, err = h(t.Context(), &mcp.CallRequest{Arguments: []byte("{}")})
		done()
		require.ErrorContains(t, err, "[secret")
		require.NotContains(t, err.Error(), "correct")
		require.Less(t, len(err.Error()), reportBytesMax+200)
	}
}
