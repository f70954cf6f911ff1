package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ingot-run/ingot/forge/expression"
	"github.com/ingot-run/ingot/internal/grants"
	"github.com/ingot-run/ingot/internal/schema"
)

// The schema for editors and docs/CONFIG.md are those of the tables; go generate
// ./forge/config rewrites them.
func TestGenerated(t *testing.T) {
	golden(t, "../../docs/forge.schema.json", string(EditorSchema()))
	golden(t, "../../docs/CONFIG.md", markdown())
}

// expressionFunctions are those of package expression.
var expressionFunctions = strings.Fields(`all none any one filter map find findIndex findLast findLastIndex count sum groupBy sortBy reduce
	len type abs ceil floor round int float trim trimPrefix trimSuffix upper lower split splitAfter indexOf lastIndexOf hasPrefix hasSuffix
	max min mean median fromJSON toBase64 fromBase64 first last get take keys values toPairs fromPairs reverse concat sort join string toJSON`)

const preface = `# forge.yaml

Every key of a forge.yaml (or pforge.yaml), generated from the code that reads them by ` + "`go generate ./forge/config`" + `. ` + "`ingot validate FILE`" + ` checks a file and says all that is wrong with it, with line, column and the name that was probably meant.

For completion in an editor, put ` + "`# yaml-language-server: $schema=PATH`" + ` with the path of [forge.schema.json](forge.schema.json) (or of what ` + "`ingot validate --schema`" + ` prints) into the first line.

## Values

- **Variables of the environment**: ` + "`${NAME}`" + `, with a default ` + "`${NAME:-text}`" + `; ` + "`$${`" + ` is a plain ` + "`${`" + `. A variable that is missing is an error. They are put in after the YAML was read, as texts, and no error or log shows them.
- **Templates**: ` + "`{{name}}`" + ` or ` + "`{{name.member.0}}`" + ` stands for an argument of the call; ` + "`\\{{`" + ` is a plain ` + "`{{`" + `. How it is escaped depends on where it stands. What a value holds is not expanded again.
- **State**: in the templates of pipelines, cli and http tools and prompts ` + "`{{state.KEY}}`" + ` stands for what the tool's state holds under a key (JSON as its value, other text as text), and ` + "`{{state.KEY.member}}`" + ` for a part of it; in expressions ` + "`state.KEY`" + ` and ` + "`state[\"any key\"]`" + `. ` + "`input`" + ` stands for all arguments of a pipeline or an inline tool. A parameter or variable of one of these names hides it.
- **Expressions** (conditions, inline handlers) are those of [expr](https://expr-lang.org/docs/language-definition) over the same names, with these functions: %s.
- **Paths** are relative to the file that they stand in. **Sizes** are numbers with B, kB, KiB, MB, MiB, GB or GiB behind them, **durations** with ms, s, m or h.
- Anchors and references of YAML work; tags and merge keys are refused.
- A cli or http tool without ` + "`params`" + ` has its placeholders as parameters: texts, all of them required.

`

// markdown is docs/CONFIG.md.
func markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, preface, strings.Join(expressionFunctions, ", "))
	for _, d := range descriptions() {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", strings.ReplaceAll(d.name, "_", " "), d.doc)
		b.WriteString("| key | value | what it is |\n|---|---|---|\n")
		for _, k := range d.keys {
			names := "`" + k.name + "`"
			for _, o := range k.others {
				names += ", `" + o + "`"
			}
			doc := k.doc
			if k.required {
				doc = "**Required.** " + doc
			}
			if k.byDef != "" {
				doc += " Default: " + k.byDef + "."
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", names, links(k.form), strings.ReplaceAll(doc, "|", `\|`))
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// links names a form, and the tables that it refers to.
func links(f form) string {
	var to []string
	for _, u := range f.uses {
		name := strings.ReplaceAll(u.describe().name, "_", " ")
		to = append(to, fmt.Sprintf("[%s](#%s)", name, strings.ReplaceAll(name, " ", "-")))
	}
	if len(to) == 0 {
		return f.human
	}
	return f.human + ": " + strings.Join(to, ", ")
}

func TestExpressionFunctions(t *testing.T) {
	for _, f := range expressionFunctions {
		_, err := expression.Compile(f+"()", nil)
		if err != nil { // that it lacks arguments, and no more
			require.NotContains(t, err.Error(), "unknown name", f)
		}
	}
}

// Every key says what it is.
func TestEveryKeyIsDescribed(t *testing.T) {
	keys := 0
	for _, d := range descriptions() {
		require.NotEmpty(t, d.doc, d.name)
		for _, k := range d.keys {
			require.Greater(t, len(k.doc), 8, "%s.%s", d.name, k.name)
			require.NotEmpty(t, k.form.human, "%s.%s", d.name, k.name)
			keys += 1 + len(k.others)
		}
	}
	t.Logf("%d tables, %d keys", len(descriptions()), keys)
}

// The keys of wasm tools, which package grants reads, are all described.
func TestWasmKeysAreThoseOfGrants(t *testing.T) {
	for text, d := range map[string]description{
		"zzzzzz: 1":                 {keys: wasmKeys},
		"capabilities: {zzzzzz: 1}": description(capabilityKeys),
		"capabilities: {state: [{prefix: a, zzzzzz: 1}]}":         description(stateGrant),
		"capabilities: {http: [{host: a, zzzzzz: 1}]}":            description(httpGrant),
		"capabilities: {limits: {zzzzzz: 1}}":                     description(limitsKeys),
		"capabilities: {files: [{path: /a, root: b, zzzzzz: 1}]}": description(fileGrant),
	} {
		_, err := grants.Parse("a.yaml", []byte("tools:\n  - {type: wasm, module: a.wasm, "+text+"}\n"), grants.Options{})
		require.Error(t, err)
		m := regexp.MustCompile(`has no key "zzzzzz": it has (.*)`).FindStringSubmatch(err.Error())
		require.NotNil(t, m, err)
		var names []string
		for _, k := range d.keys {
			names = append(names, k.name)
		}
		require.ElementsMatch(t, strings.Split(m[1], ", "), names)
	}
}

// editorSchema is compiled in parts of its own: the whole is longer than a tool's
// schema may be.
func editorSchema(t *testing.T) *schema.Schema {
	t.Helper()
	var whole map[string]any
	require.NoError(t, json.Unmarshal(EditorSchema(), &whole))
	var strip func(v any)
	strip = func(v any) {
		if m, ok := v.(map[string]any); ok {
			if _, isText := m["description"].(string); isText {
				delete(m, "description")
			}
			for _, e := range m {
				strip(e)
			}
		}
	}
	strip(whole)
	short, err := json.Marshal(whole)
	require.NoError(t, err)
	s, err := schema.Compile(short)
	require.NoError(t, err)
	return s
}

// An editor accepts what the loader accepts, and refuses unknown keys.
func TestEditorSchema(t *testing.T) {
	s := editorSchema(t)
	for _, file := range yamlFiles(t, "good") {
		require.NoError(t, s.Validate(asJSON(t, file)), file)
	}
	for _, name := range []string{"forge_unknown_keys", "tool_unknown_keys", "param_unknown_keys", "http_retry", "middleware_keys", "wasm_keys", "top_unknown_key", "state_options", "resource_cache"} {
		var problems *schema.Error
		err := s.Validate(asJSON(t, testdata+"/bad/"+name+".yaml"))
		require.True(t, errors.As(err, &problems), "%s: %v", name, err)
	}
}

// asJSON is a YAML file as JSON.
func asJSON(t *testing.T, file string) []byte {
	t.Helper()
	text := readText(t, file)
	var v any
	require.NoError(t, yaml.Unmarshal(text, &v))
	out, err := json.Marshal(v)
	require.NoError(t, err)
	return out
}

// Each key of the tables is in a good file: a key that is not read any more changes
// what is expected of it.
func TestEveryKeyIsInAGoodFile(t *testing.T) {
	var all []byte
	for _, file := range yamlFiles(t, "good") {
		all = append(all, readText(t, file)...)
	}
	all = append(all, readText(t, testdata+"/good/included/more.yml")...)
	words := regexp.MustCompile(`[A-Za-z_0-9]+:`).FindAllString(string(all), -1)
	fromGrants := []string{"capabilities", "state_grant", "file_grant", "http_grant", "limits", "wasm_tool"} // tested there
	for _, d := range descriptions() {
		if slices.Contains(fromGrants, d.name) {
			continue
		}
		for _, k := range d.keys {
			for _, name := range append([]string{k.name}, k.others...) {
				if !slices.Contains(words, name+":") {
					t.Errorf("no good file has the key %s of %s", name, d.name)
				}
			}
		}
	}
}
