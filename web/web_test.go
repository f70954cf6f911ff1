package web

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// packageFiles stands for the npm package: what is served of it and what is not.
var packageFiles = fstest.MapFS{
	"index.js":         {Data: []byte("export const open = 1;\n")},
	"dist/engine.wasm": {Data: []byte("\x00asm\x01\x00\x00\x00")},
	"tools/index.js":   {Data: []byte("export const open = 1;\n")},
	"mcp/index.js":     {Data: []byte("export const serve = 1;\n")},
	"worker.js":        {Data: []byte("export {};\n")},

	"persist/web-lock.js": {Data: []byte("export const lockName = 1;\n")},
	"index.d.ts":          {Data: []byte("export {};\n")},
	"README.md":           {Data: []byte("# read me\n")},
}

func newHandler(t *testing.T, o Options) http.Handler {
	t.Helper()
	h, err := Handler(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask sends a request with the Host that a browser on this machine would send.
func ask(h http.Handler, method, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = "127.0.0.1:7070"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestServedFiles(t *testing.T) {
	h := newHandler(t, Options{JS: packageFiles})
	for path, want := range map[string]struct{ contentType, start string }{
		"/":                    {"text/html; charset=utf-8", "<!doctype html>"},
		"/index.html":          {"text/html; charset=utf-8", "<!doctype html>"},
		"/style.css":           {"text/css; charset=utf-8", "/*"},
		"/app.js":              {"text/javascript; charset=utf-8", "//"},
		"/favicon.svg":         {"image/svg+xml", "<svg"},
		"/js/index.js":         {"text/javascript; charset=utf-8", "export const open"},
		"/js/dist/engine.wasm": {"application/wasm", "\x00asm"},
	} {
		w := ask(h, "GET", path, nil)
		if w.Code != 200 || w.Header().Get("Content-Type") != want.contentType {
			t.Errorf("GET %s: %d %q, want 200 %q", path, w.Code, w.Header().Get("Content-Type"), want.contentType)
		}
		if !strings.HasPrefix(w.Body.String(), want.start) {
			t.Errorf("GET %s begins with %.20q, want %q", path, w.Body, want.start)
		}
	}
}

// reference is a quoted path or address in one of the page's files.
var reference = regexp.MustCompile(`"((?:\./|/|https?:)[^"\s]*)"`)

// Each file that the page names must be served, and none may lie elsewhere.
func TestEveryReferenceIsServed(t *testing.T) {
	h := newHandler(t, Options{JS: packageFiles})
	files, err := fs.ReadDir(static, "static")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		name := file.Name()
		if strings.HasSuffix(name, ".svg") {
			continue // names its own format by an address that nobody loads
		}
		body, err := fs.ReadFile(static, "static/"+name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range reference.FindAllStringSubmatch(string(body), -1) {
			path := strings.TrimPrefix(match[1], ".")
			if path == "/mcp" || path == "/status" || path == "http://www.w3.org/2000/svg" {
				continue // the caller's, not served here; and a name that nobody loads
			}
			seen++
			if w := ask(h, "GET", path, nil); w.Code != 200 {
				t.Errorf("%s names %s, which answers %d", name, match[1], w.Code)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d references were found; the pattern has lost the files", seen)
	}
}

func TestSecurityHeaders(t *testing.T) {
	h := newHandler(t, Options{JS: packageFiles})
	for _, path := range []string{"/", "/app.js", "/js/dist/engine.wasm", "/info.json", "/missing"} {
		header := ask(h, "GET", path, nil).Header()
		csp := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self' 'wasm-unsafe-eval';", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'; trusted-types default"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy %q lacks %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe-inline") || strings.Contains(csp, "'unsafe-eval'") {
			t.Errorf("%s: the policy %q allows too much", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin"} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

func TestHostCheck(t *testing.T) {
	h := newHandler(t, Options{})
	for host, want := range map[string]int{
		"127.0.0.1:7070": 200, "127.0.0.1": 200, "127.9.9.9:1": 200, "localhost:7070": 200, "LOCALHOST": 200, "[::1]:7070": 200, "[::1]": 200,
		"example.com": 403, "localhost.example.com:7070": 403, "192.168.1.5:7070": 403, "0.0.0.0:7070": 403, "127.0.0.1.example.com": 403, "": 403,
		strings.Repeat("x", 5000): 403,
	} {
		w := ask(h, "GET", "/", func(r *http.Request) { r.Host = host })
		if w.Code != want {
			t.Errorf("Host %.40q: %d, want %d", host, w.Code, want)
		}
		if w.Body.Len() > 300 && want == 403 {
			t.Errorf("Host %.40q: the refusal has %d bytes", host, w.Body.Len())
		}
	}
}

func TestRefusals(t *testing.T) {
	h := newHandler(t, Options{JS: packageFiles})
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/missing", 404}, {"GET", "/js", 404}, {"GET", "/js/", 404}, {"GET", "/js/dist/", 404},
		{"GET", "/js/README.md", 404}, {"GET", "/js/index.d.ts", 404}, {"GET", "/static/app.js", 404},
		{"GET", "/js/../web.go", 404}, {"GET", "/%2e%2e/web.go", 404}, {"POST", "/missing", 404},
		{"POST", "/", 405}, {"DELETE", "/app.js", 405}, {"OPTIONS", "/info.json", 405}, {"HEAD", "/", 200},
	} {
		w := ask(h, c.method, c.path, nil)
		if w.Code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.want)
		}
		if allow := w.Header().Get("Allow"); (w.Code == 405) != (allow == "GET, HEAD") {
			t.Errorf("%s %s: %d with Allow %q", c.method, c.path, w.Code, allow)
		}
	}
}

func TestUnchangedFileIsNotSentAgain(t *testing.T) {
	h := newHandler(t, Options{})
	first := ask(h, "GET", "/app.js", nil)
	etag := first.Header().Get("Etag")
	if etag == "" || first.Header().Get("Cache-Control") != "no-cache" {
		t.Fatalf("Etag %q, Cache-Control %q", etag, first.Header().Get("Cache-Control"))
	}
	again := ask(h, "GET", "/app.js", func(r *http.Request) { r.Header.Set("If-None-Match", etag) })
	if again.Code != 304 || again.Body.Len() != 0 {
		t.Errorf("with its own Etag: %d with %d bytes, want an empty 304", again.Code, again.Body.Len())
	}
	other := ask(h, "GET", "/style.css", func(r *http.Request) { r.Header.Set("If-None-Match", etag) })
	if other.Code != 200 {
		t.Errorf("with another file's Etag: %d, want 200", other.Code)
	}
}

func TestInfo(t *testing.T) {
	withoutEngine := fstest.MapFS{"index.js": packageFiles["index.js"]}
	for name, c := range map[string]struct {
		options Options
		want    info
	}{
		"full":           {Options{Version: "v1.2.3", Backend: "xxh3 generic", Endpoint: "/m", JS: packageFiles}, info{"v1.2.3", "xxh3 generic", "/m", true, ""}},
		"with a token":   {Options{Version: "v1.2.3", Backend: "xxh3 generic", JS: packageFiles, Auth: "token"}, info{"", "", "/mcp", true, "token"}},
		"without engine": {Options{JS: withoutEngine}, info{"", "", "/mcp", false, ""}},
		"zero":           {Options{}, info{"", "", "/mcp", false, ""}},
	} {
		w := ask(newHandler(t, c.options), "GET", "/info.json", nil)
		var got info
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got != c.want {
			t.Errorf("%s: %s (%v), want %+v", name, w.Body, err, c.want)
		}
	}
}

// brokenFS cannot be read.
type brokenFS struct{}

var errBroken = errors.New("the disk is gone")

func (brokenFS) Open(string) (fs.File, error) { return nil, errBroken }

func TestUnreadablePackage(t *testing.T) {
	_, err := Handler(Options{JS: brokenFS{}})
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "/js/") {
		t.Errorf("error %v, want one that names /js/ and wraps the cause", err)
	}
}

// A page for other hosts than this machine's own.
func TestAllowedHosts(t *testing.T) {
	h := newHandler(t, Options{AllowedHosts: []string{"Box.example"}})
	for host, want := range map[string]int{"box.example": 200, "BOX.example:7070": 200, "localhost": 200, "x.box.example": 403, "box.example.evil.example": 403} {
		if w := ask(h, "GET", "/", func(r *http.Request) { r.Host = host }); w.Code != want {
			t.Errorf("Host %s: %d, want %d", host, w.Code, want)
		}
	}
	if w := ask(newHandler(t, Options{AllowedHosts: []string{"*"}}), "GET", "/", func(r *http.Request) { r.Host = "any.example" }); w.Code != 200 {
		t.Errorf("any Host: %d", w.Code)
	}
}
