package template_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/template"
)

func TestTree(t *testing.T) {
	const args = `{"n":1.50,"s":"a\"b","o":{"x":[1,{"y":null}]},"t":"{{s}}","no":null}`
	for _, c := range []struct{ tree, want string }{
		{`"{{n}}"`, `1.50`},
		{`"{{o}}"`, `{"x":[1,{"y":null}]}`},
		{`"{{o.x.0}}"`, `1`},
		{`"n={{n}}, s={{s}}"`, `"n=1.50, s=a\"b"`},
		{`{"b":"{{s}}","a":["{{n}}",true,"{{gone}}"],"left out":"{{gone}}","null":"{{no}}","text":"<{{gone}}>"}`,
			`{"b":"a\"b","a":[1.50,true,null],"null":null,"text":"<>"}`},
		{`{"once":"{{t}}","in text":"[{{t}}]"}`, `{"once":"{{s}}","in text":"[{{s}}]"}`},
		{`12`, `12`},
		{`{}`, `{}`},
	} {
		values, err := template.ReadValues([]byte(args))
		require.NoError(t, err)
		tree, err := template.ParseTree([]byte(c.tree))
		require.NoError(t, err, c.tree)
		got, err := tree.Append(nil, values, 1000)
		require.NoError(t, err, c.tree)
		require.Equal(t, c.want, string(got), c.tree)
	}
}

func TestTreeSaysWhereAMistakeIs(t *testing.T) {
	_, err := template.ParseTree([]byte(`{"a":[1,{"b":"{{x"}]}`))
	require.ErrorContains(t, err, `a: [1]: b: "{{" is never closed`)
	var mistake *template.Error
	require.ErrorAs(t, err, &mistake)
	_, err = template.ParseTree([]byte(`nul`))
	require.ErrorContains(t, err, "no JSON value")
}

func TestTreeIsBounded(t *testing.T) {
	tree, err := template.ParseTree([]byte(`["{{s}}","{{s}}","{{s}}"]`))
	require.NoError(t, err)
	require.Equal(t, [][]string{{"s"}, {"s"}, {"s"}}, tree.Paths())
	values, err := template.ReadValues([]byte(`{"s":"0123456789"}`))
	require.NoError(t, err)
	_, err = tree.Append(nil, values, 40)
	require.NoError(t, err)
	_, err = tree.Append(nil, values, 39)
	require.ErrorIs(t, err, template.ErrSize)
	_, err = tree.Append(nil, values, 5)
	require.ErrorIs(t, err, template.ErrSize)
}
