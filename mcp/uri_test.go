package mcp

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The expansions of RFC 6570 section 1.2, matched back.
func TestTemplatesMatch(t *testing.T) {
	none := map[string]string(nil)
	for _, c := range []struct {
		template, uri string
		want          map[string]string // nil: no match
	}{
		{"x:{var}", "x:value", map[string]string{"var": "value"}},
		{"x:{hello}", "x:Hello%20World%21", map[string]string{"hello": "Hello World!"}},
		{"x:{var}", "x:a/b", none},
		{"x:{var}", "x:", map[string]string{"var": ""}},
		{"x:{var}", "x:%2", none},
		{"x:{var}", "x:%zz", none},
		{"x:{+var}", "x:value/deep?x=1", map[string]string{"var": "value/deep?x=1"}},
		{"x:{+path}/here", "x:/foo/bar/here", map[string]string{"path": "/foo/bar"}},
		{"x:{#hello}", "x:#Hello%20World!", map[string]string{"hello": "Hello World!"}},
		{"x:{#hello}", "x:", map[string]string{}},
		{"x:map?{x,y}", "x:map?1024,768", map[string]string{"x": "1024", "y": "768"}},
		{"x:{x,hello,y}", "x:1024,Hello%20World%21,768", map[string]string{"x": "1024", "hello": "Hello World!", "y": "768"}},
		{"x:{+x,hello,y}", "x:1024,Hello%20World!,768", map[string]string{"x": "1024", "hello": "Hello World!", "y": "768"}},
		{"x:{#path,x}/here", "x:#/foo/bar,1024/here", map[string]string{"path": "/foo/bar", "x": "1024"}},
		{"x:X{.x,y}", "x:X.1024.768", map[string]string{"x": "1024", "y": "768"}},
		{"x:{/var,x}/here", "x:/value/1024/here", map[string]string{"var": "value", "x": "1024"}},
		{"x:{;x,y,empty}", "x:;x=1024;y=768;empty", map[string]string{"x": "1024", "y": "768", "empty": ""}},
		{"x:{?x,y,empty}", "x:?x=1024&y=768&empty=", map[string]string{"x": "1024", "y": "768", "empty": ""}},
		{"x:{?x,y}", "x:?y=1&x=2", map[string]string{"x": "2", "y": "1"}},
		{"x:{?x,y}", "x:", map[string]string{}},
		{"x:{?x,y}", "x:?z=1", none},
		{"x:{?x,y}", "x:?x=1&x=2", none},
		{"x:?fixed=yes{&x}", "x:?fixed=yes&x=1024", map[string]string{"x": "1024"}},
		{"x://a.b/{c}", "x://aXb/1", none},
		{"x:plain", "x:plain", map[string]string{}},
		{"x:{var}", "x:größe", map[string]string{"var": "größe"}},
	} {
		parsed, err := parseTemplate(c.template)
		require.NoError(t, err, c.template)
		got, ok := parsed.match(c.uri)
		assert.Equal(t, c.want != nil, ok, "%s %s", c.template, c.uri)
		if ok {
			assert.Equal(t, c.want, got, "%s %s", c.template, c.uri)
		}
	}
}

// What is exported matches as a server's own templates do.
func TestURITemplate(t *testing.T) {
	parsed, err := ParseURITemplate("notes://{team}/{+path}{?page,size}")
	require.NoError(t, err)
	assert.Equal(t, []string{"team", "path", "page", "size"}, parsed.Variables())
	got, ok := parsed.Match("notes://a%20b/x/y?size=2")
	assert.True(t, ok)
	assert.Equal(t, map[string]string{"team": "a b", "path": "x/y", "size": "2"}, got)
	_, ok = parsed.Match("notes:/a")
	assert.False(t, ok)
	for _, text := range []string{"no scheme", "x:{a*}", "x:{a}{a}", "x: {a}"} {
		_, err := ParseURITemplate(text)
		assert.Error(t, err, text)
	}
}

func TestTemplatesThatCannotBeRead(t *testing.T) {
	for _, template := range []string{"x:{", "x:}", "x:{}", "x:{a b}", "x:{a*}", "x:{a:3}", "x:{a}{a}", "x:{=a}", "x:{a,}"} {
		_, err := parseTemplate(template)
		assert.Error(t, err, template)
	}
}

func TestCheckURI(t *testing.T) {
	for uri, ok := range map[string]bool{
		"file:///a": true, "a+b-c.d1:x": true, "urn:x": true,
		"": false, "/a": false, ":x": false, "1a:x": false, "a b:c": false, "file:///a b": false, "file:///a\nb": false,
	} {
		assert.Equal(t, ok, checkURI(uri) == nil, "%q", uri)
	}
}

func FuzzTemplates(f *testing.F) {
	f.Add("x:{a}{?b,c}", "x:1?b=2")
	f.Add("x:{+a,b}{#c}", "x:1,2#3")
	f.Add("x:{;a}{.b}{/c}", "x:;a=1.2/3")
	f.Fuzz(func(t *testing.T, template, uri string) {
		parsed, err := parseTemplate(template)
		if err != nil {
			return
		}
		values, ok := parsed.match(uri)
		if !ok && values != nil {
			t.Fatal("values without a match")
		}
		for name := range values {
			if name == "" {
				t.Fatal("a value without a name")
			}
		}
	})
}

// What is encoded is decoded again, and has no character that a URI cannot have.
func TestPercentEncode(t *testing.T) {
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
	}
	for _, keep := range []string{"", "/", ":/?#[]@!$&'()*+,;="} {
		encoded := PercentEncode(string(all), keep)
		decoded, ok := percentDecoded(encoded)
		require.True(t, ok)
		require.Equal(t, string(all), decoded)
		for _, c := range []byte(encoded) {
			require.True(t, c > ' ' && c < 0x7f, "%q of %q", c, encoded)
		}
		require.Equal(t, keep, PercentEncode(keep, keep))
	}
	require.Equal(t, "a%2Fb%20%C3%A4~", PercentEncode("a/b ä~", ""))
}
