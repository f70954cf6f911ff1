package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

// engineFile is where the tab's engine lies among the files of Options.JS.
const engineFile = "dist/engine.wasm"

// securityHeaders go out with every answer. Scripts come from this server only
// and may compile WebAssembly but no strings; markup is never built from text
// (Trusted Types without a policy); images may also come from the page's own memory,
// as those that tools answer with do; nobody may frame the page.
var securityHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; " +
		"style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
		"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
}

// contentTypes are the kinds of file that are served. They are spelled out
// because package mime asks the machine's own tables, which differ.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".json": "application/json",
	".svg":  "image/svg+xml",
	".wasm": "application/wasm",
}

// Options say what the page is told and given. The zero value serves a page
// without an engine in the tab.
type Options struct {
	// Version is the version of ingot that the page shows.
	Version string
	// Backend names what the server's engine runs on, for example its hash.
	Backend string
	// Endpoint is the path of the MCP endpoint on this server; empty is /mcp.
	Endpoint string
	// JS holds the npm package: index.js and, when it was built,
	// dist/engine.wasm. It is served under /js/. Nil is none.
	JS fs.FS
	// Auth says which bearer token the endpoint asks for: "token" is one of its
	// owner's, "oauth" one that clients get by themselves, empty none. The page
	// then asks its user for one, and is told neither Version nor Backend.
	Auth string
	// AllowedHosts are further Host names, without port, under which the page
	// is served; "*" allows all. Loopback ones always are.
	AllowedHosts []string
}

// info is what /info.json tells the page.
type info struct {
	Version   string `json:"version"`
	Backend   string `json:"backend"`
	Endpoint  string `json:"endpoint"`
	TabEngine bool   `json:"tabEngine"` // whether this binary carries engine.wasm
	Auth      string `json:"auth"`      // see Options
}

// file is a served file, ready to be sent.
type file struct {
	body        []byte
	contentType string
	etag        string
}

// handler serves files by their URL path.
type handler struct {
	files map[string]file
	hosts []string // lower case
}

// Handler returns the handler of the page. It fails when a file of Options.JS
// cannot be read.
//
// It answers GET and HEAD for /, its modules, /js/ and /info.json; 404 for other
// paths, 405 for other methods, and 403 when the Host is neither a loopback one
// nor allowed.
func Handler(o Options) (http.Handler, error) {
	if o.Endpoint == "" {
		o.Endpoint = "/mcp"
	}
	if o.Auth != "" {
		o.Version, o.Backend = "", "" // for those with a token
	}
	h := &handler{files: make(map[string]file)}
	for _, host := range o.AllowedHosts {
		h.hosts = append(h.hosts, strings.ToLower(host))
	}
	page, err := fs.Sub(static, "static")
	if err != nil {
		return nil, fmt.Errorf("web: opening the embedded page: %w", err)
	}
	if err := h.add("/", page); err != nil {
		return nil, err
	}
	if o.JS != nil {
		if err := h.add("/js/", o.JS); err != nil {
			return nil, err
		}
	}
	h.files["/"] = h.files["/index.html"]
	_, tabEngine := h.files["/js/"+engineFile]
	about, err := json.Marshal(info{o.Version, o.Backend, o.Endpoint, tabEngine, o.Auth})
	if err != nil {
		return nil, fmt.Errorf("web: writing info.json: %w", err)
	}
	h.files["/info.json"] = newFile(about, contentTypes[".json"])
	return h, nil
}

// add reads the servable files of fsys and puts them under the URL path prefix.
func (h *handler) add(prefix string, fsys fs.FS) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("web: listing the files for %s: %w", prefix, err)
		}
		contentType, served := contentTypes[path.Ext(name)]
		if d.IsDir() || !served {
			return nil
		}
		body, err := fs.ReadFile(fsys, name)
		if err != nil {
			return fmt.Errorf("web: reading %s for %s: %w", name, prefix, err)
		}
		h.files[prefix+name] = newFile(body, contentType)
		return nil
	})
}

func newFile(body []byte, contentType string) file {
	sum := sha256.Sum256(body)
	return file{body, contentType, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

// ServeHTTP is http.Handler's.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	for name, value := range securityHeaders {
		header.Set(name, value)
	}
	if !h.serves(r.Host) {
		http.Error(w, fmt.Sprintf("This server answers to loopback names such as localhost or 127.0.0.1, and to those that its owner allowed, not to %.64q.", r.Host),
			http.StatusForbidden)
		return
	}
	f, found := h.files[r.URL.Path]
	if !found {
		http.Error(w, "There is no such page. The page of this server is at /.", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "This page is read with GET or HEAD.", http.StatusMethodNotAllowed)
		return
	}
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", "no-cache") // ask each time; the ETag keeps the answer short
	header.Set("Etag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

// serves reports whether a Host header, with or without a port, is a loopback
// name or address, or one that is allowed. Other names may resolve to this machine
// too, by the will of a stranger's name server.
func (h *handler) serves(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	name = strings.ToLower(name)
	if name == "localhost" || slices.Contains(h.hosts, name) || slices.Contains(h.hosts, "*") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}
