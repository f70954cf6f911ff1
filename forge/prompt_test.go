package forge

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const promptFile = `
resources:
  - {uri: "docs:///{+path}", root: docs}
  - {uri: "list:///{name}{?q}", handler: {inline: 'name + " " + string(q)'}}
  - {uri: "one:x", file: docs/a.bin}
tools:
  - {type: native, name: set, handler: "state::set", params: {key: string, value: string}}
prompts:
  - name: talk
    title: A talk
    description: Talks
    messages:
      - {role: user, template: "{{who}} is {{age}}, {{sure}}, \\{{who}} and {{state.mood.now}}{{state.none}}"}
      - {role: assistant, content: "Hm {{kind}}"}
      - {role: user, resource: "docs:///{{doc}}"}
      - {role: assistant, resource: "one:x"}
    arguments:
      - {name: who, required: true, title: Who, description: A name, state: people/}
      - {name: age, type: integer, default: 36}
      - {name: sure, type: boolean, default: true}
      - {name: kind, enum: [good, "{{who}}", great], default: "{{who}}"}
      - {name: doc, default: a.md}
  - {name: bare, description: "Does {{x}} it", arguments: {x: {required: true}}}
  - {name: own, template: "{{state}} {{input}}", arguments: {state: {}, input: {}}}
  - {name: query, messages: [{resource: "list:///{{n}}?q={{v}}"}], arguments: {n: string, v: string}}
`

// get is what a prompt's messages say, a line for each.
func (p *peer) get(name, args string) string {
	p.t.Helper()
	result, bad := p.ask("prompts/get", fmt.Sprintf(`"name":%q,"arguments":%s`, name, args))
	if bad != "" {
		return bad
	}
	var r struct {
		Messages []struct {
			Role    string
			Content json.RawMessage
		}
	}
	require.NoError(p.t, json.Unmarshal([]byte(result), &r))
	var lines []string
	for _, m := range r.Messages {
		lines = append(lines, m.Role+" "+string(m.Content))
	}
	return strings.Join(lines, "\n")
}

func TestPrompts(t *testing.T) {
	p, _ := project(t, promptFile, map[string]string{"docs/a.md": "# {{who}}", "docs/sub/b.txt": "b", "docs/a.bin": "\xff", "outside.txt": "outside"})
	eras(t, func(t *testing.T, modern bool) {
		c := connect(t, p.Server(), modern, "")
		for key, value := range map[string]string{"mood": `{\"now\":\"{{who}} is sad\"}`, "people/ada": "x", "people/alan": "x", "people/bob": "x"} {
			c.call("set", fmt.Sprintf(`{"key":%q,"value":"%s"}`, key, value))
		}
		require.Equal(t, `user {"type":"text","text":"Ada {{age}} is 36, true, {{who}} and {{who}} is sad"}
assistant {"type":"text","text":"Hm {{who}}"}
user {"type":"resource","resource":{"uri":"docs:///a.md","mimeType":"text/markdown","text":"# {{who}}"}}
assistant {"type":"resource","resource":{"uri":"one:x","mimeType":"application/octet-stream","blob":"/w=="}}`, c.get("talk", `{"who":"Ada {{age}}"}`))
		require.Contains(t, c.get("talk", `{"who":"x","age":"-7","sure":"false","kind":"good","doc":"sub/b.txt"}`), `x is -7, false,`)
		require.Contains(t, c.get("talk", `{"who":"x","doc":"sub/b.txt"}`), `"uri":"docs:///sub%2Fb.txt","mimeType":"text/plain","text":"b"`)
		for args, want := range map[string]string{
			`{}`:                                 "-32602",
			`{"who":"x","age":"1.5"}`:            `-32602 argument "age": must read as integer, not "1.5"`,
			`{"who":"x","sure":"maybe"}`:         `-32602 argument "sure": must read as boolean`,
			`{"who":"x","kind":"bad"}`:           `-32602 argument "kind": must be one of good, {{who}}, great`,
			`{"who":"x","doc":"../outside.txt"}`: `-32602 the prompt shows the resource "docs:///..%2Foutside.txt", and there is none`,
			`{"who":"x","doc":"none.md"}`:        `and there is none`,
			`{"who":"x","doc":"?x=#/../"}`:       `and there is none`,
		} {
			require.Contains(t, c.get("talk", args), want, args)
		}
		require.Equal(t, `user {"type":"text","text":"Does {{x}} it\n\nx: {{y}}"}`, c.get("bare", `{"x":"{{y}}"}`))
		require.Equal(t, `user {"type":"text","text":"mine too"}`, c.get("own", `{"state":"mine","input":"too"}`), "arguments hide the names")
		require.Contains(t, c.get("query", `{"n":"a/b","v":"1&q=2#x +"}`), `"text":"a/b 1&q=2#x +"`, "an argument is one value wherever it stands")
		require.Equal(t, "-32602", c.get("nobody", `{}`)[:6])

		complete := func(argument, value string) string {
			result, bad := c.ask("completion/complete", fmt.Sprintf(`"ref":{"type":"ref/prompt","name":"talk"},"argument":{"name":%q,"value":%q}`, argument, value))
			return result + bad
		}
		require.Contains(t, complete("who", "a"), `"values":["ada","alan"]`)
		require.Contains(t, complete("who", ""), `"values":["ada","alan","bob"]`)
		require.Contains(t, complete("kind", "g"), `"values":["good","great"]`)
		require.Contains(t, complete("sure", "t"), `"values":["true"]`)
		require.Contains(t, complete("doc", "a"), `"values":[]`)
		result, bad := c.ask("prompts/list", "")
		require.Empty(t, bad)
		require.Contains(t, result, `{"name":"talk","title":"A talk","description":"Talks","arguments":[{"name":"who","title":"Who","description":"A name","required":true}`)
	})
}
