package expression_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/expression"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/template"
)

func values(t testing.TB, object string) template.Values {
	v, err := template.ReadValues([]byte(object))
	require.NoError(t, err)
	return v
}

// names are those of the values, which all tests here may use.
func names(v template.Values) (all []string) {
	for name := range v {
		all = append(all, name)
	}
	return all
}

func TestRun(t *testing.T) {
	const object = `{"a":2,"b":3.5,"s":"x","list":[3,1,2],"users":[{"name":"Ada","age":36},{"name":"Bo","age":7}],
		"big":9007199254740993,"max":9223372036854775807,"user-id":7,"no":null,"evil":"1+1","braces":"{{a}}"}`
	v := values(t, object)
	for _, c := range []struct{ source, want string }{
		{`a + 1`, `3`},
		{`a + b`, `5.5`},
		{`s + s`, `"xx"`},
		{`a * 3 - 1`, `5`},
		{`a / 4`, `0.5`},
		{`7 % 4`, `3`},
		{`big`, `9007199254740993`},
		{`big - 1`, `9007199254740992`},
		{`max + 1`, `9223372036854776000`},
		{`max * 4`, `36893488147419103000`},
		{`-max - max`, `-18446744073709552000`},
		{`map(users, .name)`, `["Ada","Bo"]`},
		{`filter(users, .age > 18)`, `[{"age":36,"name":"Ada"}]`},
		{`sum(list)`, `6`},
		{`sort(list)`, `[1,2,3]`},
		{`reduce(list, #acc + #, 10)`, `16`},
		{`join(map(list, string(#)), "-")`, `"3-1-2"`},
		{`groupBy(list, # % 2)`, `{"0":[2],"1":[3,1]}`},
		{`1..3`, `[1,2,3]`},
		{`$env["user-id"] + 1`, `8`},
		{`keys({"k": 1})`, `["k"]`},
		{`{"sum": a + 1, "of": [s, no]}`, `{"of":["x",null],"sum":3}`},
		{`no?.x ?? "none"`, `"none"`},
		{`evil`, `"1+1"`},
		{`braces`, `"{{a}}"`},
		{`s matches "^[a-z]$"`, `true`},
		{`let x = a + 1; x * x`, `9`},
		{`toJSON(users[0])`, `"{\"age\":36,\"name\":\"Ada\"}"`},
		{`fromJSON("[1]")[0]`, `1`},
	} {
		e, err := expression.Compile(c.source, names(v))
		require.NoError(t, err, c.source)
		got, err := e.Run(t.Context(), v)
		require.NoError(t, err, c.source)
		require.Equal(t, c.want, string(got), c.source)
		require.Equal(t, c.source, e.String())
	}
}

func TestHolds(t *testing.T) {
	v := values(t, `{"a":2,"s":"x","no":null}`)
	for source, want := range map[string]bool{`a > 1`: true, `a > 1 and s == "y"`: false, `no`: false, `no?.ok`: false, `not (a in [1, 3])`: true} {
		e, err := expression.Compile(source, names(v))
		require.NoError(t, err, source)
		got, err := e.Holds(t.Context(), v)
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
	}
	e, err := expression.Compile(`s`, names(v))
	require.NoError(t, err)
	_, err = e.Holds(t.Context(), v)
	require.ErrorContains(t, err, `the condition "s" gave a value of type string: it has to be true or false`)
}

func TestCompileRefuses(t *testing.T) {
	for source, want := range map[string]string{
		``:                               "empty",
		`a +`:                            "unexpected token EOF (line 1, column 3)",
		"a +\n bb":                       "unknown name bb (line 2, column 2)",
		`repeat("x", a)`:                 "repeat",
		`now()`:                          "now",
		`a matches s`:                    "has to stand in the expression itself",
		strings.Repeat("a+", 600) + "a":  "node",
		strings.Repeat(" ", 17<<10):      "16384",
		"\x00step(1)":                    "(line 1",
		`a > 1 ? {"x": unknownName} : 2`: "unknown name unknownName",
	} {
		_, err := expression.Compile(source, []string{"a", "s"})
		require.ErrorContains(t, err, want, source)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestRunFails(t *testing.T) {
	v := values(t, `{"a":2,"s":"x","no":null}`)
	for source, want := range map[string]string{
		`a / 0`:       "divided by zero",
		`a + s`:       "(line 1, column",
		`no.x`:        "cannot fetch x from <nil>",
		`s[9]`:        "index out of range",
		`int("zwei")`: "invalid",
	} {
		e, err := expression.Compile(source, names(v))
		require.NoError(t, err, source)
		_, err = e.Run(t.Context(), v)
		require.ErrorContains(t, err, want, source)
		require.Equal(t, fault.InvalidInput, fault.ClassOf(err))
	}
}

// Values from a stranger may not make an expression of the owner run for long, or
// fill the memory.
func TestRunIsBounded(t *testing.T) {
	list := make([]int, 100_000)
	object, err := json.Marshal(map[string]any{"list": list, "s": strings.Repeat("x", 1<<20), "n": 1 << 40})
	require.NoError(t, err)
	v := values(t, string(object))
	for _, source := range []string{
		`map(list, count(list, # == 1))`,
		`count(list, 7 in list)`,
		`filter(list, s contains "y")`,
		`reduce(list, #acc + s, "")`,
		`reduce(list, concat(#acc, [#]), [])`,
		`map(list, upper(s))`,
		`map(list, toJSON(list))`,
		`toJSON(map(list, s))`,
		`map(list, s)`,
		`join(map(list, s), s)`,
		`string(map(list, s))`,
		`1..n`,
		`map(list, list == list)`,
		`s + s + s + s + s`,
	} {
		e, err := expression.Compile(source, names(v))
		require.NoError(t, err, source)
		_, err = e.Run(t.Context(), v)
		require.Error(t, err, source)
		require.Equal(t, fault.InvalidInput, fault.ClassOf(err), source)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e, err := expression.Compile(`1`, nil)
	require.NoError(t, err)
	_, err = e.Run(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
}

// FuzzValuesAreNeverEvaluated puts any text into a value: it comes out as it went in,
// and compares equal to itself only.
func FuzzValuesAreNeverEvaluated(f *testing.F) {
	for _, seed := range []string{"{{a}}", "1+1", "$env", "${HOME}", "\x00run", `"`, "#", ""} {
		f.Add(seed)
	}
	e, err := expression.Compile(`[v, v + "", {"k": v}.k, v == "no such text"]`, []string{"v"})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		got, err := e.Run(t.Context(), template.Values{"v": quoted})
		require.NoError(t, err)
		var back []any
		require.NoError(t, json.Unmarshal(got, &back))
		var want string
		require.NoError(t, json.Unmarshal(quoted, &want))
		require.Equal(t, []any{want, want, want, want == "no such text"}, back)
	})
}

func ExampleCompile() {
	e, err := expression.Compile(`user.age >= 18 and "admin" in roles`, []string{"user", "roles"})
	if err != nil {
		fmt.Println(err)
		return
	}
	values, _ := template.ReadValues([]byte(`{"user":{"age":36},"roles":["admin"]}`))
	fmt.Println(e.Holds(context.Background(), values))
	// Output: true <nil>
}

func BenchmarkHolds(b *testing.B) {
	v := values(b, `{"user":{"age":36},"roles":["admin"]}`)
	e, err := expression.Compile(`user.age >= 18 and "admin" in roles`, names(v))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := e.Holds(b.Context(), v); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// reader is a State that is a function.
type reader func(key string) (jsontext.Value, error)

func (r reader) Read(_ context.Context, key string) (jsontext.Value, error) { return r(key) }

// state.KEY and state[KEY] read the state, each time anew, unless a value has that name.
func TestState(t *testing.T) {
	stored := map[string]string{"n": `41`, "user/ada": `{"age":36,"tags":["a"]}`, "text": `"state.n + 1 {{n}}"`, "0": `"zero"`}
	reads := 0
	ctx := expression.WithState(t.Context(), reader(func(key string) (jsontext.Value, error) {
		reads++
		if key == "broken" {
			return nil, errors.New("the disk is gone")
		}
		if v, ok := stored[key]; ok {
			return jsontext.Value(v), nil
		}
		return nil, nil
	}))
	v := template.Values{"who": jsontext.Value(`"ada"`), "keys": jsontext.Value(`["n","none"]`)}
	for source, want := range map[string]string{
		`state.n + 1`:                           `42`,
		`state["user/" + who].age`:              `36`,
		`state["user/" + who].tags[0]`:          `"a"`,
		`state.none`:                            `null`,
		`state.none ?? "no"`:                    `"no"`,
		`state?.n`:                              `41`,
		`state.none?.deep`:                      `null`,
		`state.text`:                            `"state.n + 1 {{n}}"`,
		`map(keys, state[#])`:                   `[41,null]`,
		`state[0]`:                              `"zero"`,
		`{"state": 1}.state`:                    `1`,
		`state["user/" + who].age > state["n"]`: `false`,
	} {
		e, err := expression.Compile(source, names(v))
		require.NoError(t, err, source)
		got, err := e.Run(ctx, v)
		require.NoError(t, err, source)
		require.Equal(t, want, string(got), source)
	}
	for _, source := range []string{`state`, `len(state)`, `state == 1`, `keys(state)`, `map(keys, state)`, `{"a": state}`, `let s = state; s.n`} {
		_, err := expression.Compile(source, names(v))
		require.ErrorContains(t, err, "the state is read key by key", source)
	}
	for source, want := range map[string]string{
		`state[keys]`:             "a key of the state is a text, not a value of type array",
		`state.broken`:            "the disk is gone",
		`map(1..101, state["n"])`: "more than 100 keys of the state",
		`$env.state`:              "null",
		`$env["state"]?.n ?? "x"`: `"x"`,
	} {
		e, err := expression.Compile(source, names(v))
		require.NoError(t, err, source)
		got, err := e.Run(ctx, v)
		if err != nil {
			require.ErrorContains(t, err, want, source)
			continue
		}
		require.Equal(t, want, string(got), source)
	}
	e, err := expression.Compile(`state.n`, []string{"state"})
	require.NoError(t, err)
	reads = 0
	got, err := e.Run(ctx, template.Values{"state": jsontext.Value(`{"n":"mine"}`)})
	require.NoError(t, err)
	require.Equal(t, `"mine"`, string(got))
	require.Zero(t, reads, "a value called state hides it")
	e, err = expression.Compile(`state.n`, nil)
	require.NoError(t, err)
	_, err = e.Run(t.Context(), nil)
	require.ErrorContains(t, err, "there is no state here")
}
