//go:build unix

package forge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// What the function res::notes was told to write, and how often it was asked.
var (
	notesWritten atomic.Pointer[noteArguments]
	notesReads   atomic.Int64
)

type noteArguments struct {
	Name      string `json:"name"`
	URI       string `json:"uri"`
	Operation string `json:"operation"`
	Content   string `json:"content"`
	Encoding  string `json:"encoding"`
	MIMEType  string `json:"mime_type"`
}

func init() {
	Handle("res::notes", func(ctx context.Context, in noteArguments) (any, error) {
		if in.Operation == "write" {
			if in.Name == "locked" {
				return nil, fault.New(fault.Denied, "it is locked")
			}
			notesWritten.Store(&in)
			return nil, nil
		}
		notesReads.Add(1)
		switch in.Name {
		case "bytes":
			return []byte{0, 1, 2}, nil
		case "page":
			return Content{MIMEType: "text/html", Bytes: []byte("<p>")}, nil
		case "forced":
			return &Content{MIMEType: "text/html", Bytes: []byte("<p>"), Blob: true}, nil
		case "none":
			return nil, nil
		case "object":
			return map[string]int{"n": 1}, nil
		case "fails":
			return nil, errors.New("no luck with s3cret-in-error")
		case "state":
			e, err := StateOf(ctx).Get(ctx, "notes/a")
			return string(e.Value), err
		}
		return "note " + in.Name + " at " + in.URI, nil
	})
}

const resourcesFile = `
state: {backend: memory}
resources:
  - {uri: "docs:///{+path}", name: Docs, title: All, description: Of all, root: docs, supports: [read, write, subscribe], content_max: 100B}
  - {uri: "flat:///{name}", root: docs, hidden: true}
  - {uri: "file://./docs/a.md", name: one}
  - {uri: "one:x", file: docs/a.md, mime_type: text/x-mine, supports: [read, write, subscribe]}
  - {uri: "hello:///{name}{?n}", handler: {inline: 'name == "none" ? nil : name == "list" ? [1, n] : "Hello " + name + " {{n}}"'}}
  - {uri: "sum:///", handler: {inline: 'int(state["notes/n"] ?? 0) + 1'}}
  - {uri: "notes:///{name}", handler: "res::notes", supports: [read, write]}
  - {uri: "echo:///{path*}", handler: {path: "ingot::echo"}}
  - {uri: "kv:///{+key}", state: notes/, supports: [read, write, subscribe]}
  - {uri: "drop:///{key}", state: notes/, supports: [write]}
  - {uri: "web:///{id}{?lang}", http: {endpoint: "ORIGIN/{{id}}", query: {l: "{{lang}}"}, headers: {X-Key: "${INGOT_TEST_KEY}"}, private: true, response_max: 50B}}
tools:
  - {type: native, name: set, handler: "state::set", params: {key: string, value: string}}
`

var resourceFiles = map[string]string{
	"docs/a.md": "# A", "docs/sub/b.json": `{"b":1}`, "docs/sub/deep/c.txt": "c", "docs/data.bin": "\xff\x00", "docs/latin.txt": "gr\xfc\xdfe",
	"docs/.env": "SECRET=1", "docs/.git/config": "x", "docs/sp ace%.txt": "space", "docs/big.txt": strings.Repeat("x", 101), "docs/README": "plain",
	"outside.txt": "outside",
}

// resources opens the file with a peer for its requests.
func resources(t *testing.T) (*Project, string) {
	t.Helper()
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/none":
			http.NotFound(w, r)
		case "/broken":
			http.Error(w, "the key was "+r.Header.Get("X-Key"), http.StatusInternalServerError)
		case "/page":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "<p>", r.URL.Query().Get("l"))
		case "/image":
			w.Header().Set("Content-Type", "image/png")
			fmt.Fprint(w, "\x89PNG")
		case "/long":
			fmt.Fprint(w, strings.Repeat("x", 51))
		case "/away":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"path":%q}`, r.URL.EscapedPath())
		}
	}))
	t.Cleanup(peer.Close)
	t.Setenv("INGOT_TEST_KEY", "s3cret-in-error")
	return project(t, strings.ReplaceAll(resourcesFile, "ORIGIN", peer.URL), resourceFiles)
}

func TestResourcesAreRead(t *testing.T) {
	p, _ := resources(t)
	eras(t, func(t *testing.T, modern bool) {
		c := connect(t, p.Server(), modern, "")
		require.Contains(t, c.call("set", `{"key":"notes/a","value":"A"}`), `"version"`)
		c.call("set", `{"key":"notes/j","value":"{\"n\":1}"}`)
		c.call("set", `{"key":"notes/n","value":"41"}`)
		none := "-32002 Resource not found"
		if modern {
			none = "-32602 Resource not found"
		}
		for uri, want := range map[string]string{
			"docs:///a.md":              `{"uri":"docs:///a.md","mimeType":"text/markdown","text":"# A"}`,
			"docs:///sub/b.json":        `{"uri":"docs:///sub/b.json","mimeType":"application/json","text":"{\"b\":1}"}`,
			"docs:///sub%2Fb.json":      `{"uri":"docs:///sub%2Fb.json","mimeType":"application/json","text":"{\"b\":1}"}`,
			"docs:///data.bin":          `{"uri":"docs:///data.bin","mimeType":"application/octet-stream","blob":"/wA="}`,
			"docs:///latin.txt":         `{"uri":"docs:///latin.txt","mimeType":"text/plain","blob":"Z3L832U="}`,
			"docs:///README":            `{"uri":"docs:///README","mimeType":"text/plain","text":"plain"}`,
			"docs:///sp%20ace%25.txt":   `{"uri":"docs:///sp%20ace%25.txt","mimeType":"text/plain","text":"space"}`,
			"docs:///big.txt":           "-32603 resource docs:///big.txt: the content has 101 bytes, and at most 100 are read and written here (content_max)",
			"docs:///.env":              none,
			"docs:///.git/config":       none,
			"docs:///sub":               none,
			"docs:///":                  none,
			"flat:///.env":              `{"uri":"flat:///.env","mimeType":"text/plain","text":"SECRET=1"}`,
			"flat:///a.md":              `{"uri":"flat:///a.md","mimeType":"text/markdown","text":"# A"}`,
			"flat:///sub%2Fb.json":      none,
			"file://./docs/a.md":        `{"uri":"file://./docs/a.md","mimeType":"text/markdown","text":"# A"}`,
			"one:x":                     `{"uri":"one:x","mimeType":"text/x-mine","text":"# A"}`,
			"hello:///Ada%7B%7Bx%7D%7D": `{"uri":"hello:///Ada%7B%7Bx%7D%7D","mimeType":"text/plain","text":"Hello Ada{{x}} {{n}}"}`,
			"hello:///list?n=x":         `{"uri":"hello:///list?n=x","mimeType":"application/json","text":"[1,\"x\"]"}`,
			"hello:///none":             none,
			"sum:///":                   `{"uri":"sum:///","mimeType":"application/json","text":"42"}`,
			"notes:///x%2Fy":            `{"uri":"notes:///x%2Fy","mimeType":"text/plain","text":"note x/y at notes:///x%2Fy"}`,
			"notes:///bytes":            `{"uri":"notes:///bytes","mimeType":"application/octet-stream","blob":"AAEC"}`,
			"notes:///page":             `{"uri":"notes:///page","mimeType":"text/html","text":"<p>"}`,
			"notes:///forced":           `{"uri":"notes:///forced","mimeType":"text/html","blob":"PHA+"}`,
			"notes:///object":           `{"uri":"notes:///object","mimeType":"application/json","text":"{\"n\":1}"}`,
			"notes:///state":            `{"uri":"notes:///state","mimeType":"text/plain","text":"A"}`,
			"notes:///none":             none,
			"notes:///fails":            "-32603 resource notes:///fails: no luck with [secret]",
			"notes:///%ff":              none,
			"echo:///a/b/c":             `{"uri":"echo:///a/b/c","mimeType":"application/json","text":"{\"operation\":\"read\",\"path\":\"a/b/c\",\"uri\":\"echo:///a/b/c\"}"}`,
			"kv:///a":                   `{"uri":"kv:///a","mimeType":"text/plain","text":"A"}`,
			"kv:///j":                   `{"uri":"kv:///j","mimeType":"application/json","text":"{\"n\":1}"}`,
			"kv:///none":                none,
			"kv:///":                    none,
			"drop:///a":                 none, // it can be written only
			"web:///7":                  `{"uri":"web:///7","mimeType":"application/json","text":"{\"path\":\"/7\"}"}`,
			"web:///a%2Fb":              `{"uri":"web:///a%2Fb","mimeType":"application/json","text":"{\"path\":\"/a%2Fb\"}"}`,
			"web:///page?lang=de":       `{"uri":"web:///page?lang=de","mimeType":"text/html","text":"<p>de"}`,
			"web:///image":              `{"uri":"web:///image","mimeType":"image/png","blob":"iVBORw=="}`,
			"web:///none":               none,
			"gone:///x":                 none,
		} {
			require.Equal(t, want, c.read(uri), uri)
		}
		for uri, want := range map[string]string{
			"web:///broken": "answered 500 Internal Server Error: the key was [secret]",
			"web:///long":   "more than 50 bytes",
			"web:///away":   "-32603 resource web:///away: http",
			"web:///..":     `-32602 the arguments make a path with "." or ".."`,
		} {
			got := c.read(uri)
			require.Contains(t, got, want, uri)
			require.NotContains(t, got, "meta-data", uri)
		}
	})
}

// Without private a request goes to no address of this machine or its network, whatever
// the URI or a redirect says.
func TestHTTPResourcesAreGuarded(t *testing.T) {
	reached := 0
	peer := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer peer.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(peer.URL, "http://"), ":")
	for i, host := range []string{"127.0.0.1:" + port, "localhost:" + port, "[::1]:" + port, "[::ffff:127.0.0.1]:" + port, "0.0.0.0:" + port, "127.1:" + port, "2130706433:" + port, "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "metadata.google.internal"} {
		dir := t.TempDir()
		put(t, dir, "forge.yaml", fmt.Sprintf("forge: {name: t}\nresources: [{uri: 'web:///{+id}', http: {endpoint: 'http://%s/{{id}}'}}]", host))
		p, err := Open(t.Context(), filepath.Join(dir, "forge.yaml"), Options{})
		if err != nil {
			continue // the file itself is refused
		}
		c := connect(t, p.Server(), i%2 == 0, "")
		for _, id := range []string{"x", "@127.0.0.1:" + port + "/", "//127.0.0.1/"} {
			require.Contains(t, c.read("web:///"+id), "-326", "%s %s", host, id)
		}
		c.client.Close()
		require.NoError(t, p.Close())
	}
	require.Zero(t, reached)
}

// The ways out of a folder lead nowhere, and all look like what is not there.
func TestFoldersAreHeld(t *testing.T) {
	p, dir := resources(t)
	docs := filepath.Join(dir, "docs")
	for name, target := range map[string]string{
		"link": "../outside.txt", "absolute": filepath.Join(dir, "outside.txt"), "up": "..", "loop": "loop", "etc": "/etc", "zero": "/dev/zero",
		"chain": "link", "inside.md": "a.md",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(docs, name)))
	}
	require.NoError(t, mkfifo(filepath.Join(docs, "pipe")))
	c := connect(t, p.Server(), true, "")
	require.Contains(t, c.read("docs:///inside.md"), "# A", "a link that stays inside is followed")
	ways := []string{
		"../outside.txt", "%2e%2e/outside.txt", "..%2Foutside.txt", "%2e%2e%2foutside.txt", "sub/../../outside.txt", "sub/%2e%2e/%2e%2e/outside.txt",
		"./a.md", "sub/./b.json", "sub//b.json", "/a.md", "//etc/passwd", dir + "/outside.txt", "..\\outside.txt", "..%5Coutside.txt", "a.md/", "a.md/x",
		"a.md%00", "%00", "link", "absolute", "up/outside.txt", "up", "loop", "loop/x", "etc/passwd", "etc", "zero", "chain", "pipe", "%ff%fe",
		strings.Repeat("a/", 40) + "x", strings.Repeat("a", 5000), "..%c0%af..", "%252e%252e/outside.txt", "sub/../a.md", ".", "..", "~/x", "C:/x", "a.md:stream",
	}
	for _, way := range ways {
		require.Equal(t, "-32602 Resource not found", c.read("docs:///"+way), way)
		got := c.call("resource_write", fmt.Sprintf(`{"uri":%q,"text":"taken"}`, "docs:///"+way))
		switch way { // which are names as others are
		case "loop", "zero", "link", "absolute", "chain", "pipe", "etc", "up", "sub":
		case "%252e%252e/outside.txt", "~/x", "C:/x", "a.md:stream":
			require.Contains(t, got, `"bytes":5`, way)
			continue
		}
		require.Contains(t, got, "error ", way)
		require.NotContains(t, got, dir, "an error tells of the server's own paths")
	}
	for _, name := range []string{"outside.txt"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, "outside", string(content))
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "docs, forge.yaml and outside.txt")
	result, bad := c.ask("resources/list", "")
	require.Empty(t, bad)
	for _, name := range []string{"link", "absolute", "up", "loop", "etc", "zero", "chain", "pipe", ".env"} {
		require.NotContains(t, result, `"docs:///`+name+`"`)
	}
	require.Contains(t, result, `"docs:///inside.md"`)
}

// listURIs goes through the pages of resources/list.
func (p *peer) listURIs() (uris []string) {
	cursor := ""
	for {
		result, bad := p.ask("resources/list", cursor)
		require.Empty(p.t, bad)
		var r struct {
			Resources  []struct{ URI, Name string }
			NextCursor string
		}
		require.NoError(p.t, json.Unmarshal([]byte(result), &r))
		for _, e := range r.Resources {
			uris = append(uris, e.URI)
		}
		if r.NextCursor == "" {
			return uris
		}
		cursor = fmt.Sprintf(`"cursor":%q`, r.NextCursor)
	}
}

func TestResourcesAreListedAndCompleted(t *testing.T) {
	p, _ := resources(t)
	eras(t, func(t *testing.T, modern bool) {
		c := connect(t, p.Server(), modern, "")
		c.call("set", `{"key":"notes/who/ada","value":"A"}`)
		c.call("set", `{"key":"notes/who/a b?","value":"A"}`)
		c.call("set", `{"key":"other","value":"A"}`)
		require.Equal(t, []string{
			"file://./docs/a.md", "one:x", "sum:///",
			"docs:///README", "docs:///a.md", "docs:///big.txt", "docs:///data.bin", "docs:///latin.txt", "docs:///sp%20ace%25.txt", "docs:///sub/b.json", "docs:///sub/deep/c.txt",
			"flat:///.env", "flat:///README", "flat:///a.md", "flat:///big.txt", "flat:///data.bin", "flat:///latin.txt", "flat:///sp%20ace%25.txt",
			"kv:///who/a%20b?", "kv:///who/ada",
		}, c.listURIs())
		for _, uri := range c.listURIs() {
			if uri != "docs:///big.txt" {
				require.Contains(t, c.read(uri), `"uri":`, "what is listed can be read")
			}
		}
		result, bad := c.ask("resources/templates/list", "")
		require.Empty(t, bad)
		for _, want := range []string{`{"uriTemplate":"docs:///{+path}","name":"Docs","title":"All","description":"Of all"}`, `"uriTemplate":"echo:///{+path}"`, `"uriTemplate":"web:///{id}{?lang}"`} {
			require.Contains(t, result, want)
		}
		require.NotContains(t, result, "drop:", "what cannot be read is no resource")
		for ask, want := range map[string]string{
			"docs:///{+path} path ":          `["README","a.md","big.txt","data.bin","latin.txt","sp ace%.txt","sub/"]`,
			"docs:///{+path} path sub/":      `["sub/b.json","sub/deep/"]`,
			"docs:///{+path} path sub/d":     `["sub/deep/"]`,
			"docs:///{+path} path ../":       `[]`,
			"docs:///{+path} path .g":        `[]`,
			"docs:///{+path} path none/x":    `[]`,
			"flat:///{name} name .":          `[".env"]`,
			"kv:///{+key} key who/a":         `["who/a b?","who/ada"]`,
			"kv:///{+key} key z":             `[]`,
			"hello:///{name}{?n} name x":     `[]`,
			"docs:///{+path} path \x00":      `[]`,
			"docs:///{+path} path /etc/pass": `[]`,
		} {
			parts := strings.SplitN(ask, " ", 3)
			result, bad := c.ask("completion/complete", fmt.Sprintf(`"ref":{"type":"ref/resource","uri":%q},"argument":{"name":%q,"value":%q}`, parts[0], parts[1], strings.ReplaceAll(parts[2], "\x00", "")))
			if strings.Contains(ask, "\x00") {
				continue
			}
			require.Empty(t, bad, ask)
			require.Contains(t, result, `"values":`+want, ask)
		}
	})
}

func TestResourcesAreWritten(t *testing.T) {
	p, dir := resources(t)
	eras(t, func(t *testing.T, modern bool) {
		c := connect(t, p.Server(), modern, "")
		result, bad := c.ask("tools/list", "")
		require.Empty(t, bad)
		require.Contains(t, result, `"name":"resource_write"`)
		require.Contains(t, result, "docs:///{+path}, drop:///{key}")
		for uri, want := range map[string]string{"docs:///new/deep/n.txt": "new/deep/n.txt", "docs:///a.md": "a.md", "one:x": "a.md"} {
			text := "written to " + uri
			require.Equal(t, fmt.Sprintf(`{"uri":%q,"bytes":%d}`, uri, len(text)), c.call("resource_write", fmt.Sprintf(`{"uri":%q,"text":%q}`, uri, text)))
			content, err := os.ReadFile(filepath.Join(dir, "docs", want))
			require.NoError(t, err)
			require.Equal(t, text, string(content))
			require.Contains(t, c.read(uri), text)
		}
		info, err := os.Stat(filepath.Join(dir, "docs", "a.md"))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "a file keeps its mode")
		blob := base64.StdEncoding.EncodeToString([]byte{0, 255})
		require.Contains(t, c.call("resource_write", fmt.Sprintf(`{"uri":"docs:///b.bin","blob":%q}`, blob)), `"bytes":2`)
		require.Contains(t, c.read("docs:///b.bin"), `"blob":"`+blob+`"`)
		c.call("resource_write", `{"uri":"drop:///in%20box","text":"{{x}}"}`)
		require.Contains(t, c.read("kv:///in%20box"), `"text":"{{x}}"`)
		c.call("resource_write", `{"uri":"kv:///a","text":""}`)
		require.Contains(t, c.read("kv:///a"), `"text":""`)
		c.call("resource_write", fmt.Sprintf(`{"uri":"notes:///n","blob":%q,"mime_type":"x/y"}`, blob))
		require.Equal(t, &noteArguments{"n", "notes:///n", "write", blob, "base64", "x/y"}, notesWritten.Load())
		c.call("resource_write", `{"uri":"notes:///n","text":"t"}`)
		require.Equal(t, &noteArguments{"n", "notes:///n", "write", "t", "text", ""}, notesWritten.Load())
		for args, want := range map[string]string{
			`{"uri":"hello:///x","text":"x"}`:                                        `error the resource "hello:///x" can be read only`,
			`{"uri":"flat:///a.md","text":"x"}`:                                      `can be read only`,
			`{"uri":"gone:///x","text":"x"}`:                                         `error no resource here has the URI "gone:///x"; those that can be written are`,
			`{"uri":"docs:///a.md"}`:                                                 "one of the two",
			`{"uri":"docs:///a.md","text":"x","blob":""}`:                            "one of the two",
			`{"uri":"docs:///a.md","blob":"?"}`:                                      `argument "blob": is not base64`,
			`{"uri":"docs:///a.md","txt":"x"}`:                                       `did you mean`,
			`{"text":"x"}`:                                                           `uri`,
			`{"uri":"docs:///sub","text":"x"}`:                                       "it is no file",
			`{"uri":"docs:///.env","text":"x"}`:                                      "this path cannot be written",
			`{"uri":"docs:///x/.git/y","text":"x"}`:                                  "this path cannot be written",
			`{"uri":"docs:///a.md","text":"` + strings.Repeat("x", 101) + `"}`:       "at most 100 are read and written here",
			`{"uri":"kv:///","text":"x"}`:                                            "the URI names no key",
			`{"uri":"notes:///locked","text":"x"}`:                                   "error it is locked",
			`{"uri":"docs:///a.md/under/a/file","text":"x"}`:                         "it cannot be written",
			`{"uri":"docs:///` + strings.Repeat("d/", 40) + `x","text":"x"}`:         "this path cannot be written",
			`{"uri":"docs:///` + strings.Repeat("n", 300) + `/x.txt","text":"name"}`: "it cannot be written",
		} {
			require.Contains(t, c.call("resource_write", args), want, args)
		}
		left, err := filepath.Glob(filepath.Join(dir, "docs", ".ingot-*"))
		require.NoError(t, err)
		require.Empty(t, left, "a temporary file is left")
	})
}

// A file whose resources can be read only has no tool that writes.
func TestNothingToWrite(t *testing.T) {
	p, _ := project(t, "resources: [{uri: 'one:x', file: a.txt}]", map[string]string{"a.txt": "a"})
	require.NotContains(t, p.ToolNames(), "resource_write")
	c := connect(t, p.Server(), true, "")
	require.Contains(t, c.call("resource_write", `{"uri":"one:x","text":"b"}`), "-32602")
}

// Access rules stand around the tool that writes, as around all others.
func TestWritingIsGuarded(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "forge.yaml", "forge: {name: t}\nresources: [{uri: 'one:x', file: a.txt, supports: [read, write]}]")
	var wrapped []string
	p, err := Open(t.Context(), filepath.Join(dir, "forge.yaml"), Options{WrapTool: func(tool mcp.Tool, _ mcp.Handler) mcp.Handler {
		wrapped = append(wrapped, tool.Name)
		return func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
			return nil, errors.New("not for you")
		}
	}})
	require.NoError(t, err)
	defer p.Close()
	require.Equal(t, []string{"resource_write"}, wrapped)
	require.Contains(t, connect(t, p.Server(), false, "").call("resource_write", `{"uri":"one:x","text":"b"}`), "not for you")
	require.NoFileExists(t, filepath.Join(dir, "a.txt"))
}

// Who may not read resources may neither list, complete nor listen to them, nor see them
// in a prompt.
func TestReadingIsGuarded(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "docs/a.txt", "a")
	put(t, dir, "forge.yaml", "forge: {name: t}\nresources: [{uri: 'docs:///{+p}', root: docs, supports: [read, subscribe]}, {uri: 'one:x', file: docs/a.txt, cache: {}}]\n"+
		"prompts: [{name: show, messages: [{resource: 'one:x'}]}]")
	allowed := true
	var names []string
	p, err := Open(t.Context(), filepath.Join(dir, "forge.yaml"), Options{
		CheckTools: func(all []string) error { names = all; return nil },
		Allow: func(_ context.Context, tool string) error {
			if require.Equal(t, ReadResources, tool); allowed {
				return nil
			}
			return &mcp.Error{Code: -32600, Message: "not for you"}
		},
	})
	require.NoError(t, err)
	defer p.Close()
	require.Contains(t, names, "resource_read")
	eras(t, func(t *testing.T, modern bool) {
		c := connect(t, p.Server(), modern, "")
		for _, allowed = range []bool{true, false} {
			complete, bad := c.ask("completion/complete", `"ref":{"type":"ref/resource","uri":"docs:///{+p}"},"argument":{"name":"p","value":""}`)
			list, bad2 := c.ask("resources/list", "")
			for what, got := range map[string]string{
				"file": c.read("docs:///a.txt"), "cached": c.read("one:x") + c.read("one:x"), "prompt": c.get("show", `{}`), "complete": complete + bad,
				"list": list + bad2, "listen": c.listen("docs:///a.txt"),
			} {
				require.Equal(t, !allowed, strings.Contains(got, "not for you"), "%s: %s", what, got)
			}
		}
	})
}

func TestChangesAreTold(t *testing.T) {
	p, dir := resources(t)
	eras(t, func(t *testing.T, modern bool) {
		c := connect(t, p.Server(), modern, "")
		require.Empty(t, c.listen("docs:///a.md", "docs:///later.txt", "docs:///sub%2Fb.json", "one:x", "kv:///who%2Fada", "kv:///who/ada"))
		put(t, dir, "docs/later.txt", "x")
		c.hear(`"docs:///later.txt"`)
		require.NoError(t, os.Remove(filepath.Join(dir, "docs", "later.txt")))
		c.hear(`"docs:///later.txt"`)
		put(t, dir, "docs/a.md", "# Changed, and longer"+fmt.Sprint(modern))
		c.hear(`"docs:///a.md"`)
		c.hear(`"one:x"`)
		c.call("resource_write", fmt.Sprintf(`{"uri":"docs:///sub/b.json","text":"[%t]"}`, modern))
		c.hear(`"docs:///sub%2Fb.json"`)
		c.call("set", `{"key":"notes/who/ada","value":"x"}`)
		c.hear(`"kv:///who%2Fada"`)
		c.hear(`"kv:///who/ada"`)
		c.call("set", `{"key":"other","value":"x"}`)
		other := connect(t, p.Server(), modern, "")
		for _, uri := range []string{"hello:///x", "flat:///a.md", "file://./docs/a.md", "web:///7"} {
			require.Contains(t, other.listen(uri), "it does not support subscribe", uri)
		}
		for _, told := range c.told {
			require.NotContains(t, told, "other")
		}
	})
}

// Whoever listens goes on doing so when the file is read again.
func TestListenersOutliveAReload(t *testing.T) {
	p, dir := project(t, "resources: [{uri: 'docs:///{+p}', root: docs, supports: [read, subscribe]}]", map[string]string{"docs/a.txt": "a"})
	c := connect(t, p.Server(), false, "")
	require.Empty(t, c.listen("docs:///a.txt"))
	put(t, dir, "forge.yaml", "forge: {name: t}\nresources: [{uri: 'docs:///{+p}', root: more, supports: [read, subscribe]}, {uri: 'kv:///{k}', state: a/, supports: [read, subscribe]}]")
	_, err := p.Reload(t.Context())
	require.Error(t, err, "its folder is not there")
	require.Contains(t, c.read("docs:///a.txt"), `"text":"a"`)
	put(t, dir, "more/a.txt", "another")
	_, err = p.Reload(t.Context())
	require.NoError(t, err)
	require.Contains(t, c.hear("resources/updated"), `"docs:///a.txt"`, "it is another file now")
	require.Contains(t, c.read("docs:///a.txt"), `"text":"another"`)
	require.Empty(t, c.listen("kv:///x"))
	_, err = p.state.Set(t.Context(), "a/x", []byte("1"), state.SetOptions{})
	require.NoError(t, err)
	require.Contains(t, c.hear("resources/updated"), `"kv:///x"`)
}

// What is cached is kept for its time, told to clients, bounded, and dropped by a write.
func TestResourceCache(t *testing.T) {
	p, _ := project(t, `
resources: [{uri: "notes:///{name}", handler: "res::notes", supports: [read, write], cache: {ttl: 1h, max_size: 2}}]
`, nil)
	c := connect(t, p.Server(), true, "")
	reads := func(uris ...string) int64 {
		before := notesReads.Load()
		for _, uri := range uris {
			c.read(uri)
		}
		return notesReads.Load() - before
	}
	require.EqualValues(t, 1, reads("notes:///a", "notes:///a", "notes:///a"))
	result, bad := c.ask("resources/read", `"uri":"notes:///a"`)
	require.Empty(t, bad)
	require.Regexp(t, `"ttlMs":3[56]\d{5}`, result)
	require.EqualValues(t, 2, reads("notes:///b", "notes:///a", "notes:///c"), "a and b, then a and c")
	require.EqualValues(t, 1, reads("notes:///a", "notes:///b"))
	require.EqualValues(t, 2, reads("notes:///none", "notes:///none"), "what is not there is not kept")
	require.EqualValues(t, 2, reads("notes:///fails", "notes:///fails"))
	require.Contains(t, c.call("resource_write", `{"uri":"notes:///z","text":"t"}`), `"bytes"`)
	require.EqualValues(t, 1, reads("notes:///a", "notes:///a"), "a write drops what is kept")
}
