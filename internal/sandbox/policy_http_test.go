package sandbox

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests that run into the policy's fields about HTTP.

// webServer answers on loopback, which the policy it returns grants.
func webServer(t *testing.T, handler http.HandlerFunc) (Policy, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return Policy{HTTP: []HTTPGrant{{Host: server.Listener.Addr().String(), Private: true}}}, server.URL
}

// asks is a line that sends a request.
func asks(method, url string, rest ...string) string {
	headers, body := "{}", ""
	if len(rest) > 0 {
		headers = rest[0]
	}
	if len(rest) > 1 {
		body = rest[1]
	}
	return line("http", fmt.Sprintf(`{"method":%q,"url":%q,"headers":%s}`, method, url, headers), body)
}

// answers are the codes of reports.
func answers(reports []string) []string {
	out := make([]string, len(reports))
	for i, r := range reports {
		out[i], _, _ = strings.Cut(r, " ")
	}
	return out
}

// The codes of answers, as reports have them.
const (
	saysOK, saysNotFound, saysDenied, saysLimit, saysInvalid, saysConflict, saysUnavailable, saysTimeout = "0", "1", "2", "3", "4", "5", "6", "7"
)

func tripHTTPRequests(t *testing.T) {
	p, url := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, "/", http.StatusFound)
		}
		fmt.Fprint(w, "answer")
	})
	p.Limits.HTTPRequestsMax = 2
	s := loadScript(t, p)
	require.Equal(t, []string{saysOK, saysLimit}, answers(s.run(t, asks("GET", url+"/redirect"), asks("GET", url))), "a redirect counts")
	require.Equal(t, []string{saysOK, saysLimit}, answers(s.run(t, asks("GET", url), asks("GET", url+"/redirect"))), "also the last one")
	out := s.run(t, asks("GET", url), asks("GET", url), asks("GET", url))
	require.Equal(t, []string{saysOK, saysOK, saysLimit}, answers(out))
	require.Contains(t, out[0], "answer")
	require.Contains(t, out[2], "limits.http_requests")
	require.Equal(t, uint64(3), s.Stats().Refusals["http"])
	s.serves(t)
}

func tripHTTPRequestBytes(t *testing.T) {
	p, url := webServer(t, func(http.ResponseWriter, *http.Request) {})
	p.HTTP[0].Methods = []string{"POST"}
	p.Limits.HTTPRequestBytesMax = 5
	s := loadScript(t, p)
	out := s.run(t, asks("POST", url, "{}", "12345"), asks("POST", url, "{}", "123456"))
	require.Equal(t, []string{saysOK, saysLimit}, answers(out))
	require.Contains(t, out[1], "limits.http_request_bytes")
	s.serves(t)
}

func tripHTTPResponseBytes(t *testing.T) {
	p, url := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if r.URL.RawQuery == "chunked" {
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, strings.Repeat("x", n))
	})
	p.Limits.HTTPResponseBytesMax = 1000
	s := loadScript(t, p)
	out := s.run(t, asks("GET", url+"/1000"), asks("GET", url+"/1001"), asks("GET", url+"/1000?chunked"), asks("GET", url+"/1001?chunked"), asks("GET", url+"/1000000"))
	require.Equal(t, []string{saysOK, saysLimit, saysOK, saysLimit, saysLimit}, answers(out))
	require.Contains(t, out[1], "limits.http_response_bytes")
	s.serves(t)
}

func tripHTTPTime(t *testing.T) {
	p, url := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
		}
	})
	p.Limits.HTTPTimeMax, p.Limits.TimeMax = 50*time.Millisecond, time.Minute
	s := loadScript(t, p)
	out := s.run(t, asks("GET", url+"/slow"))
	require.Equal(t, []string{saysTimeout}, answers(out))
	require.Contains(t, out[0], "limits.http_time")
	p.Limits.HTTPTimeMax = time.Minute
	s = loadScript(t, p)
	require.Equal(t, saysOK, answers(s.run(t, asks("GET", url+"/quick")))[0])
	require.Equal(t, saysTimeout, answers(s.run(t, line("http", fmt.Sprintf(`{"url":%q,"timeoutMillis":50}`, url+"/slow"))))[0], "the guest's own bound")
	s.serves(t)
}

func tripHTTPHost(t *testing.T) {
	p, url := webServer(t, func(http.ResponseWriter, *http.Request) {})
	other, otherURL := webServer(t, func(http.ResponseWriter, *http.Request) { t.Error("a host that is not granted was reached") })
	s := loadScript(t, p)
	out := s.run(t, asks("GET", url), asks("GET", otherURL), asks("GET", "http://example.org/"))
	require.Equal(t, []string{saysOK, saysDenied, saysDenied}, answers(out))
	require.Contains(t, out[1], fmt.Sprintf(`grant capabilities.http: [{host: %q, methods: [GET]}]`, other.HTTP[0].Host))
	require.Contains(t, out[2], `example.org:80 is not granted: grant capabilities.http: [{host: "example.org", methods: [GET]}]`)
	require.Equal(t, saysDenied, answers(loadScript(t, Policy{}).run(t, asks("GET", url)))[0], "without a grant")
	require.Contains(t, s.log.logged(), "capability=http")
	s.serves(t)
}

func tripHTTPMethods(t *testing.T) {
	p, url := webServer(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method) })
	s := loadScript(t, p)
	require.Equal(t, []string{saysOK, saysOK, saysDenied, saysDenied}, answers(s.run(t, asks("GET", url), asks("HEAD", url), asks("POST", url), asks("DELETE", url))))
	p.HTTP[0].Methods = []string{"POST"}
	s = loadScript(t, p)
	out := s.run(t, asks("GET", url), asks("POST", url), asks("post", url), asks("PO ST", url))
	require.Equal(t, []string{saysDenied, saysOK, saysDenied, saysInvalid}, answers(out))
	require.Contains(t, out[1], "POST")
	s.serves(t)
}

func tripHTTPPrivate(t *testing.T) {
	p, url := webServer(t, func(http.ResponseWriter, *http.Request) { t.Error("loopback was reached") })
	p.HTTP[0].Private = false
	s := loadScript(t, p)
	out := s.last(t, asks("GET", url))
	require.Contains(t, out, "2 127.0.0.1")
	require.Contains(t, out, "private: true")
	s.serves(t)
}

func tripHTTPHeaders(t *testing.T) {
	p, url := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "key=", r.Header.Get("Api-Key"), " agent=", r.UserAgent())
	})
	s := loadScript(t, p)
	out := s.run(t, asks("GET", url, `{"Api-Key":"k"}`), asks("GET", url, `{"Host":"other"}`), asks("GET", url, `{"X-Forwarded-For":"1.2.3.4"}`), asks("GET", url, `{"Accept":"text/plain"}`))
	require.Equal(t, []string{saysDenied, saysDenied, saysDenied, saysOK}, answers(out))
	require.Contains(t, out[0], `headers: ["Api-Key"]`)
	require.Contains(t, out[3], "key= agent=ingot")
	p.HTTP[0].Headers = []string{"Api-Key"}
	s = loadScript(t, p)
	require.Contains(t, s.last(t, asks("GET", url, `{"Api-Key":"k"}`)), "key=k")
	s.serves(t)
}
