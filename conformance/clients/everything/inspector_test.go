package everything

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const inspector = "../node/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"

// runInspector runs one command of the inspector for each request. With --strict
// it ends with 6 when a tool's schema has a fault that some client would meet.
func runInspector(t *testing.T, transport, era, target string) []outcome {
	need(t, "node")
	inspect := func(into any, options ...string) error {
		args := append([]string{inspector, "--cli", "--protocol-era", era, "--format", "json"}, options...)
		if args = append(args, target); transport == "stdio" {
			args = append(args, "--stdio")
		}
		output, err := runFor(t, "node", args...)
		if err != nil {
			return fmt.Errorf("%v: %w: %s", options, err, output)
		}
		return json.Unmarshal(output, &struct {
			Result any `json:"result"`
		}{into})
	}
	check := func(step string, holds func() error) outcome {
		if err := holds(); err != nil {
			return outcome{step, err.Error()}
		}
		return outcome{Step: step}
	}
	return []outcome{
		check("connect", func() error {
			var got struct{ ProtocolVersion string }
			if err := inspect(&got, "--method", "initialize"); err != nil || got.ProtocolVersion != versions[era] {
				return fmt.Errorf("agreed on %q: %v", got.ProtocolVersion, err)
			}
			return nil
		}),
		check("list", func() error { return inspectLists(inspect) }),
		check("call", func() error {
			return inspectText(inspect, `"text":"two words"`, "--method", "tools/call", "--tool-name", "echo", "--tool-args-json", `{"message":"two words"}`)
		}),
		check("read", func() error {
			return inspectText(inspect, "This is the content of the static text resource.", "--method", "resources/read", "--uri", "test://static-text")
		}),
		check("get", func() error {
			return inspectText(inspect, "arg1='a', arg2='b'", "--method", "prompts/get", "--prompt-name", "test_prompt_with_arguments", "--prompt-args", "arg1=a", "arg2=b", "--quiet")
		}),
	}
}

type inspect func(into any, options ...string) error

// inspectLists wants a known entry in each list.
func inspectLists(run inspect) error {
	for _, list := range []struct{ method, member, name string }{
		{"tools/list", "tools", "echo"},
		{"resources/list", "resources", "static-text"},
		{"resources/templates/list", "resourceTemplates", "template"},
		{"prompts/list", "prompts", "test_simple_prompt"},
	} {
		options := []string{"--method", list.method}
		if list.method == "tools/list" {
			options = append(options, "--strict")
		}
		got := map[string]any{}
		if err := run(&got, options...); err != nil {
			return err
		}
		entries, _ := got[list.member].([]any)
		if !slices.ContainsFunc(entries, func(e any) bool { return e.(map[string]any)["name"] == list.name }) {
			return fmt.Errorf("%s has no %s: %v", list.method, list.name, got)
		}
	}
	return nil
}

// inspectText wants a text in a result.
func inspectText(run inspect, text string, options ...string) error {
	var got json.RawMessage
	if err := run(&got, options...); err != nil {
		return err
	}
	if !strings.Contains(string(got), text) {
		return fmt.Errorf("no %q in %s", text, got)
	}
	return nil
}
