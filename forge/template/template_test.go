package template

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

func values(t testing.TB, object string) Values {
	t.Helper()
	v, err := ReadValues([]byte(object))
	require.NoError(t, err)
	return v
}

func TestText(t *testing.T) {
	v := values(t, `{"name":"Ada \"{{name}}\" {{x}}","n":1.50,"big":12345678901234567890,"yes":true,"none":null,"o":{"a":[1, {"b":"deep"}], "c d":1},"empty":"","ключ":"ok"}`)
	for text, want := range map[string]string{
		"":                           "",
		"plain } { text":             "plain } { text",
		"Hello {{name}}!":            `Hello Ada "{{name}}" {{x}}!`,
		"{{ n }}{{big}}":             "1.5012345678901234567890",
		"{{yes}}-{{none}}-{{gone}}-": "true---",
		"{{o.a.1.b}} {{o.a.0}}":      "deep 1",
		"{{o}}":                      `{"a":[1,{"b":"deep"}],"c d":1}`,
		"{{o.a.7}}{{o.a.x}}{{n.a}}":  "",
		`\{{name}} {{empty}}`:        "{{name}} ",
		"{{ключ}}":                   "ok",
		"a}}b{{n}}":                  "a}}b1.50",
	} {
		parsed, err := Parse(text)
		require.NoError(t, err, text)
		got, err := parsed.Text(v, nil)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		require.Equal(t, text, parsed.String())
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"a {{name":                      `"{{" is never closed`,
		"{{}}":                          `names nothing`,
		"{{ }}":                         `names nothing`,
		"{{a..b}}":                      "is no name",
		"{{a b}}":                       "is no name",
		"{{a|upper}}":                   "is no name",
		"{{{{a}}}}":                     "is no name",
		"{{" + deep + "}}":              "more than 16 parts",
		strings.Repeat("{{a}}", 1001):   "more than 1000 placeholders",
		strings.Repeat("a", 1<<20) + "": "",
	} {
		_, err := Parse(text)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		var mistake *Error
		require.ErrorAs(t, err, &mistake, text)
		require.Contains(t, mistake.Message, want)
	}
	_, err := Parse(strings.Repeat("a", 1<<20+1))
	require.ErrorContains(t, err, "1048577 bytes, at most 1048576")
	_, err = Parse("ab {{x")
	require.ErrorContains(t, err, "at byte 3")
}

var deep = strings.TrimSuffix(strings.Repeat("a.", 17), ".")

func TestShapes(t *testing.T) {
	sole, err := Parse("{{files}}")
	require.NoError(t, err)
	path, ok := sole.Sole()
	require.True(t, ok)
	require.Equal(t, []string{"files"}, path)
	leading, err := Parse("{{a.b}}/{{c}}")
	require.NoError(t, err)
	_, ok = leading.Sole()
	require.False(t, ok)
	path, ok = leading.Leading()
	require.True(t, ok)
	require.Equal(t, []string{"a", "b"}, path)
	require.Equal(t, [][]string{{"a", "b"}, {"c"}}, leading.Paths())
	_, ok = leading.Plain()
	require.False(t, ok)
	plain, err := Parse(`\{{x}}`)
	require.NoError(t, err)
	text, ok := plain.Plain()
	require.True(t, ok)
	require.Equal(t, "{{x}}", text)
	_, ok = plain.Leading()
	require.False(t, ok)
}

func TestEscapeSeesEachValue(t *testing.T) {
	parsed, err := Parse("<{{a}}|{{b.c}}>")
	require.NoError(t, err)
	v := values(t, `{"a":"1","b":{"c":"2"}}`)
	got, err := parsed.Text(v, func(path []string, text string) (string, error) {
		return strings.Join(path, "/") + "=" + text, nil
	})
	require.NoError(t, err)
	require.Equal(t, "<a=1|b/c=2>", got)
	refusal := errors.New("no")
	_, err = parsed.Text(v, func([]string, string) (string, error) { return "", refusal })
	require.ErrorIs(t, err, refusal)
}

func TestFillKnowsTheOrder(t *testing.T) {
	parsed, err := Parse("a{{x}}{{gone}}b{{x}}c")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "", "b"}, parsed.Before())
	got, err := parsed.Fill(values(t, `{"x":[1]}`), func(i int, path []string, value jsontext.Value) (string, error) {
		return fmt.Sprintf("<%d %s %s>", i, path[0], []byte(value)), nil
	})
	require.NoError(t, err)
	require.Equal(t, "a<0 x [1]><1 gone >b<2 x [1]>c", got)
}

func TestReadValuesRefuses(t *testing.T) {
	for _, object := range []string{``, `[]`, `{"a":1,"a":2}`, `{"a":`, `7`} {
		_, err := ReadValues([]byte(object))
		require.Error(t, err, object)
	}
}

// A value is data, whatever it looks like.
func FuzzValueIsNeverExpanded(f *testing.F) {
	for _, seed := range []string{"{{a}}", `\{{`, "}}", "{{", "\x00", "{{secret}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		quoted, err := quote(value)
		if err != nil {
			t.Skip("not UTF-8, which JSON cannot hold")
		}
		parsed, err := Parse("[{{a}}]")
		require.NoError(t, err)
		got, err := parsed.Text(values(t, fmt.Sprintf(`{"a":%s,"secret":"s3cret"}`, quoted)), nil)
		require.NoError(t, err)
		require.Equal(t, "["+value+"]", got)
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "{{a}}", "{{a.b.0}} x", `\{{`, "{{", "}}{{}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := Parse(text)
		if err != nil {
			return
		}
		_, err = parsed.Text(Values{}, nil)
		require.NoError(t, err)
		for _, path := range parsed.Paths() {
			require.NotEmpty(t, path[0])
		}
	})
}

func ExampleTemplate_Text() {
	t, err := Parse("Hello {{user.name}}!")
	if err != nil {
		panic(err)
	}
	v, err := ReadValues([]byte(`{"user":{"name":"Ada"}}`))
	if err != nil {
		panic(err)
	}
	text, err := t.Text(v, nil)
	fmt.Println(text, err)
	// Output: Hello Ada! <nil>
}

// quote is a string as JSON.
func quote(s string) ([]byte, error) { return jsontext.AppendQuote(nil, s) }
