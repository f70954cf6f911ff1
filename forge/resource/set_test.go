package resource_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/resource"
	"github.com/ingot-run/ingot/mcp"
)

// catalog keeps what is added.
type catalog struct {
	resources []mcp.Resource
	templates map[string]mcp.ResourceTemplate
}

func (c *catalog) AddResource(r mcp.Resource, _ mcp.ReadHandler) {
	c.resources = append(c.resources, r)
}

func (c *catalog) AddTemplate(t mcp.ResourceTemplate, _ mcp.ReadHandler) {
	if c.templates == nil {
		c.templates = map[string]mcp.ResourceTemplate{}
	}
	c.templates[t.URITemplate] = t
}

func newSet(t testing.TB, o resource.Options, list ...config.Resource) (*resource.Set, *catalog) {
	t.Helper()
	for i := range list {
		list[i].Name, list[i].Read, list[i].Write, list[i].ContentBytesMax = "n", true, true, 1<<20
	}
	set, err := resource.NewSet(list, o)
	require.NoError(t, err)
	t.Cleanup(set.Close)
	c := &catalog{}
	set.AddTo(c)
	return set, c
}

func put(t testing.TB, dir, name, content string) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
}

// pages lists all pages of a length.
func pages(t testing.TB, list mcp.ListHandler, limit int) (uris []string) {
	t.Helper()
	for r := (&mcp.ListRequest{Limit: limit}); ; {
		page, err := list(t.Context(), r)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Resources), limit)
		for _, one := range page.Resources {
			uris = append(uris, one.URI)
		}
		if page.Next == "" {
			return uris
		}
		require.NotEqual(t, r.Cursor, page.Next, "a cursor that leads nowhere")
		r.Cursor = page.Next
	}
}

// Whatever the tree and the length of a page, each file is listed once, and what is listed
// is read.
func TestFoldersAreListedInPages(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	names := []string{"a", "a.b", "a-b", "a b", "b", "ä", "A", "z", "a%2f", ".h"}
	for range 10 {
		dir := t.TempDir()
		var want []string
		for i := range 40 {
			var path []string
			for range random.IntN(4) {
				path = append(path, names[random.IntN(len(names))])
			}
			path = append(path, fmt.Sprint(names[random.IntN(len(names))], i))
			name := strings.Join(path, "/")
			put(t, dir, name, name)
			if !strings.HasPrefix(name, ".") && !strings.Contains(name, "/.") {
				want = append(want, name)
			}
		}
		set, c := newSet(t, resource.Options{}, config.Resource{URITemplate: "d:///{+p}", Root: dir})
		list := c.templates["d:///{+p}"].List
		for _, limit := range []int{1, 2, 7, 1000} {
			var got []string
			for _, uri := range pages(t, list, limit) {
				result, err := set.Read(t.Context(), uri)
				require.NoError(t, err, uri)
				got = append(got, result.Contents[0].Text)
			}
			require.ElementsMatch(t, want, got, "pages of %d", limit)
		}
		_, err := list(t.Context(), &mcp.ListRequest{Limit: 5, Cursor: "../x"})
		require.ErrorIs(t, err, mcp.ErrCursor)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = list(ended, &mcp.ListRequest{Limit: 5})
		require.ErrorIs(t, err, context.Canceled)
	}
}

// Names are listed in one order, that of the walk, and folders no deeper than 32.
func TestFolderOrderAndDepth(t *testing.T) {
	dir := t.TempDir()
	deep := strings.Repeat("d/", 32)
	for _, name := range []string{"a/b", "a.txt", "a/a/a", "b", deep + "in", deep + "d/out"} {
		put(t, dir, name, name)
	}
	set, c := newSet(t, resource.Options{}, config.Resource{URITemplate: "d:///{+p}", Root: dir})
	require.Equal(t, []string{"d:///a/a/a", "d:///a/b", "d:///a.txt", "d:///b", "d:///" + deep + "in"}, pages(t, c.templates["d:///{+p}"].List, 2))
	_, err := set.Read(t.Context(), "d:///"+deep+"in")
	require.NoError(t, err)
	_, err = set.Read(t.Context(), "d:///"+deep+"d/out")
	require.ErrorIs(t, err, mcp.ErrNoResource)
}

// A folder that was put in the place of another is the one that is read; while there is
// none, that is said.
func TestFoldersAreReplaced(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "one/a.txt", "one")
	put(t, dir, "two/a.txt", "two")
	current := filepath.Join(dir, "current")
	require.NoError(t, os.Symlink("one", current))
	set, c := newSet(t, resource.Options{}, config.Resource{URITemplate: "d:///{+p}", Root: current})
	read := func() string {
		result, err := set.Read(t.Context(), "d:///a.txt")
		if err != nil {
			return err.Error()
		}
		return result.Contents[0].Text
	}
	require.Equal(t, "one", read())
	require.NoError(t, os.Remove(current))
	require.Equal(t, "the folder cannot be opened", read())
	require.Error(t, set.Write(t.Context(), "d:///a.txt", &resource.Content{}))
	_, err := c.templates["d:///{+p}"].List(t.Context(), &mcp.ListRequest{Limit: 1})
	require.ErrorContains(t, err, "the folder cannot be opened")
	require.NoError(t, os.Symlink("two", current))
	require.Equal(t, "two", read())
}

// Of a folder with very many names a part is listed, and all are read.
func TestHugeFolders(t *testing.T) {
	dir := t.TempDir()
	for i := range 10_050 {
		put(t, dir, fmt.Sprint("f", i), "x")
	}
	set, c := newSet(t, resource.Options{}, config.Resource{URITemplate: "d:///{p}", Root: dir})
	require.Len(t, pages(t, c.templates["d:///{p}"].List, 1000), 10_000)
	_, err := set.Read(t.Context(), "d:///f10049")
	require.NoError(t, err)
	done, err := c.templates["d:///{p}"].Complete(t.Context(), &mcp.CompleteRequest{Argument: "p", Value: "f"})
	require.NoError(t, err)
	require.Len(t, done.Values, 100)
	require.True(t, done.More)
}

// The template that says most about a URI answers it, as in package mcp.
func TestMostSpecificAnswers(t *testing.T) {
	answer := func(name string) *config.Native { return &config.Native{Inline: fmt.Sprintf("%q", name)} }
	set, _ := newSet(t, resource.Options{},
		config.Resource{URITemplate: "x:{+all}", Handler: answer("all")},
		config.Resource{URITemplate: "x:///{a}", Handler: answer("one")},
		config.Resource{URITemplate: "x:///plain", Handler: answer("plain")},
		config.Resource{URITemplate: "x:///docs/{+p}", Handler: answer("docs")},
		config.Resource{URITemplate: "x:///{a}/{b}", Handler: answer("two")},
	)
	server := mcp.NewServer(mcp.Options{})
	server.Update(func(c *mcp.Catalog) { set.AddTo(c) })
	for uri, want := range map[string]string{"x:///plain": "plain", "x:///docs/a/b": "docs", "x:///a": "one", "x:///a/b": "two", "x:q": "all", "x:///a/b/c": "all"} {
		result, err := set.Read(t.Context(), uri)
		require.NoError(t, err)
		require.Equal(t, want, result.Contents[0].Text, uri)
		frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":%q}}`, uri)
		require.Contains(t, string(server.NewExchange([]byte(frame)).Answer(t.Context(), mcp.VersionLegacy, nil)), fmt.Sprintf(`"text":%q`, want), uri)
	}
	_, err := set.Read(t.Context(), "y:a")
	require.ErrorIs(t, err, mcp.ErrNoResource)
}

// A cache forgets the least recently used when its bytes are used up.
func TestCacheBytes(t *testing.T) {
	reads := map[string]int{}
	function := func(string) (resource.Function, error) {
		return func(_ context.Context, args []byte) (any, error) {
			for _, name := range []string{"a", "b", "c", "huge"} {
				if strings.Contains(string(args), `"name":"`+name+`"`) {
					reads[name]++
				}
			}
			if strings.Contains(string(args), "huge") {
				return strings.Repeat("x", 3000), nil
			}
			return strings.Repeat("x", 700), nil
		}, nil
	}
	cache := &config.Cache{TTL: 1 << 40, EntriesMax: 100, BytesMax: 2000}
	set, _ := newSet(t, resource.Options{Function: function}, config.Resource{URITemplate: "c:{name}", Handler: &config.Native{Path: "f"}, Cache: cache})
	for _, name := range strings.Fields("a b a c a b huge huge a") {
		_, err := set.Read(t.Context(), "c:"+name)
		require.NoError(t, err)
	}
	require.Equal(t, map[string]int{"a": 1, "b": 2, "c": 1, "huge": 2}, reads)
}

// A Set that cannot be made says which resource is at fault, and leaves nothing open.
func TestNewSetFails(t *testing.T) {
	for want, c := range map[string]config.Resource{
		"make it, or name another in root": {Name: "n", URITemplate: "a:{p}", Root: filepath.Join(t.TempDir(), "none")},
		"no such function":                 {Name: "n", URITemplate: "a:{p}", Handler: &config.Native{Path: "x"}},
		"unknown name":                     {Name: "n", URITemplate: "a:{p}", Handler: &config.Native{Inline: "q"}},
		"twice":                            {Name: "n", URITemplate: "a:{p}{p}", Handler: &config.Native{Inline: "p"}},
		"endpoint":                         {Name: "n", URITemplate: "a:{p}", HTTP: &config.HTTP{Method: "GET", Endpoint: "ftp://x"}},
	} {
		_, err := resource.NewSet([]config.Resource{c}, resource.Options{Function: func(string) (resource.Function, error) { return nil, errors.New("no such function") }})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "resource n")
	}
}

// Names of files survive the way through a URI and back.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"a", "a b", "a/b", "%2F", "ä", "a?b#c", "..x", "{p}", "a+b", "[x]", "\xff"} {
		f.Add(name)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 100 || strings.ContainsAny(name, "\x00\\") || strings.HasPrefix(name, ".") || strings.Contains(name, "/.") {
			t.Skip("no name that is served")
		}
		set, c := newSet(t, resource.Options{}, config.Resource{URITemplate: "d:///{+p}", Root: dir})
		if err := set.Write(t.Context(), "d:///"+resource.Escape(name), &resource.Content{Bytes: []byte(name)}); err != nil {
			t.Skip("the file system or the rules refuse it")
		}
		uris := pages(t, c.templates["d:///{+p}"].List, 10)
		found := slices.ContainsFunc(uris, func(uri string) bool {
			result, err := set.Read(t.Context(), uri)
			return err == nil && string(result.Contents[0].Blob)+result.Contents[0].Text == name
		})
		require.Equal(t, !strings.ContainsRune(strings.ToValidUTF8(name, "\x00"), 0), found, "%q in %q", name, uris)
		require.NoError(t, os.RemoveAll(filepath.Join(dir, strings.Split(name, "/")[0])))
	})
}
