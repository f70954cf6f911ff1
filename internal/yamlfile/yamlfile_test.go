package yamlfile

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"", "abc", 64}, {"abc", "abc", 0}, {"memroy", "memory", 1}, {"stat", "state", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 1}} {
		require.Equal(t, c.want, distance(c.a, c.b), c)
	}
}

// read parses text and reads its root as JSON.
func read(text string) (json.RawMessage, error) {
	set := NewSet(Options{LookupEnv: func(name string) (string, bool) { return "hunter2", name == "SECRET" }})
	r := set.Reader("a.yaml")
	root := r.Document([]byte(text), "a value")
	if root == nil {
		return nil, set.Err()
	}
	v := r.JSON(root, "the value", nil)
	return v, set.Err()
}

func TestJSON(t *testing.T) {
	for text, want := range map[string]string{
		"{a: 1, b: [x, 2.50, true, null, ~], c: '1'}": `{"a":1,"b":["x",2.50,true,null,null],"c":"1"}`,
		"[0x10, 1_000, +5, .5, 1e3, -0]":              `[16,1000,5,0.5,1e3,-0]`,
		"[\"${SECRET}\", '$${x}', '<&>']":             `["hunter2","${x}","<&>"]`,
		"a: &a [1]\nb: *a":                            `{"a":[1],"b":[1]}`,
		"|\n  lines\n  two":                           `"lines\ntwo"`,
		"2024-01-01":                                  `"2024-01-01"`,
		strings.Repeat("# [ {{\n", 100) + "'[ {{'":    `"[ {{"`, // nests nothing
		deep(65): deep(65),
	} {
		got, err := read(text)
		require.NoError(t, err, text)
		require.Equal(t, want, string(got))
	}
}

// deep is a list in lists.
func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		"a: [010]":                    "a.yaml:1:5: the value has the number 010, which JSON cannot hold: write it as 12, -1.5 or 1e6, or in quotes if it is a text",
		"a: .inf":                     "a.yaml:1:4: the value has the number .inf, which JSON cannot hold: write it as 12, -1.5 or 1e6, or in quotes if it is a text",
		"a: &a [*a]":                  "a.yaml:1:8: the value is nested more than 64 deep; a reference to itself is, too",
		"a: *b":                       "a.yaml:1:4: nothing is named &b before this *b",
		"a: !!str 1":                  "a.yaml:1:4: the tag !!str cannot be used here: write the value without it",
		"<<: {a: 1}":                  "a.yaml:1:1: merge keys (<<) cannot be used here: write the keys out",
		"[a]: 1":                      "a.yaml:1:1: this key is not a name",
		"{a: 1, a: 2}":                `a.yaml:1:8: the value has the key "a" twice`,
		"a: ${NONE}":                  "a.yaml:1:4: the environment variable NONE is not set: set it, or give a default as ${NONE:-…}",
		"a: 1\n---\nb: 2":             "a.yaml:3:1: the file holds a second document: one file, one document",
		"":                            "a.yaml:1:1: the file is empty: it needs a value",
		"# nothing":                   "a.yaml:1:1: the file is empty: it needs a value",
		strings.Repeat("[", 1000):     "a.yaml:1:1: not valid YAML: did not find expected node content",
		strings.Repeat("[", 20_000):   "a.yaml:0:0: not valid YAML: exceeded max depth of 10000",
		deep(66):                      "a.yaml:1:66: the value is nested more than 64 deep; a reference to itself is, too",
		strings.Repeat("- ", 20_000):  "a.yaml:0:0: not valid YAML: exceeded max depth of 10000",
		strings.Repeat("- ", 200_000): "a.yaml:0:0: not valid YAML: exceeded max depth of 10000",
	} {
		_, err := read(text)
		require.EqualError(t, err, want)
	}
}

// References to references do not multiply what is read.
func TestReferencesAreBounded(t *testing.T) {
	text := "a0: &a0 [x]\n"
	for i := range 30 {
		text += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	_, err := read(text)
	require.ErrorContains(t, err, "references multiply beyond measure")
}

func TestPlaces(t *testing.T) {
	set := NewSet(Options{})
	r := set.Reader("dir/a.yaml")
	var p Place
	var args []string
	var path string
	root := r.Document([]byte("args: [a,\n  b]\npath: x\nother: {}\n"), "")
	r.Object(root, "the file", &p, []Key{
		{Name: "args", Read: r.Texts("args", &args)}, {Name: "path", Read: r.Path("path", &path)}, {Name: "other"},
	})
	require.NoError(t, set.Err())
	require.Equal(t, []string{"a", "b"}, args)
	require.Equal(t, filepath.Join("dir", "x"), path)
	require.Equal(t, "dir/a.yaml:2:3", p.At("args[1]").String())
	require.Equal(t, "dir/a.yaml:3:7", p.At("path").String())
	require.Equal(t, "dir/a.yaml:1:1", p.At("none").String())
	require.True(t, p.Has("other"))
	require.False(t, p.Has("none"))
}

// What came from the environment is in no error, a short part of a long one neither.
func TestSecretsAreRedacted(t *testing.T) {
	set := NewSet(Options{})
	set.Secret("hunter2", "${A}")
	set.Secret("hunter2-long", "${B}")
	set.Secret("x", "${C}")
	set.Note(Pos{File: "a"}, "hunter2-long hunter2 x")
	require.EqualError(t, set.Err(), "a:0:0: ${B} ${A} x")
	require.Equal(t, []string{"hunter2-long", "hunter2"}, set.Secrets())
}

func TestNearest(t *testing.T) {
	names := []string{"integer", "string", "number"}
	require.Equal(t, `: did you mean "integer"?`, Nearest("int", names))
	require.Equal(t, `: did you mean "string"?`, Nearest("Strng", names))
	require.Equal(t, ": it has integer, string, number", Nearest("zzz", names))
	require.Contains(t, Nearest("zzz", make([]string, 30)), "and 6 more")
}

func TestReadFile(t *testing.T) {
	_, err := ReadFile(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func ExampleReader_Object() {
	set := NewSet(Options{})
	r := set.Reader("forge.yaml")
	var name string
	root := r.Document([]byte("nmae: x\n"), "a name")
	r.Object(root, "the file", nil, []Key{{Name: "name", Required: true, Read: r.Text("name", &name)}})
	os.Stdout.WriteString(set.Err().Error())
	// Output:
	// forge.yaml:1:1: the file has no key "nmae": did you mean "name"?
	// forge.yaml:1:1: the file lacks the key "name"
}
