package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A server that would steer the terminal by what it says of itself, of its errors, and of
// how it stands; U+009B is a control character that JSON may hold as it is.
func TestStrangeServers(t *testing.T) {
	dir := t.TempDir()
	deep := strings.Repeat(`{"type":"array","items":`, 200) + `{"type":"string"}` + strings.Repeat("}", 200)
	peer := answeringAll(t, map[string]string{
		"initialize": `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"peer\u001b[2J","version":"1"}}`,
		"tools/list": `{"tools":[{"name":"draw","inputSchema":{"type":"object","properties":{"deep":` + deep + `}}}]}`,
		"tools/call": `{"content":[{"type":"text","text":"` + "\u009b2J" + `\u001b[2J"}],"isError":true}`,
		"/status":    `{"tools":[{"name":"draw","calls":1,"middleware":[{"type":"x","status":"a\u001b[2J","counts":{"b\u001b[2J":1}}]}]}`,
	})
	got := shipped(t, dir, "", "inspect", peer)
	for _, want := range []string{"peer?[2J", "- deep  array of array of", "x: a?[2J, b?[2J 1"} {
		if got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in %+v", want, got)
		}
	}
	all := got.stdout + got.stderr
	for _, args := range []string{"call draw", "call draw --json", "call darw", "call draw --args [", "state get a"} {
		got := shipped(t, dir, "", append(strings.Fields(args), "--url", peer)...)
		all += got.stdout + got.stderr
		if got.code == 0 {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if strings.ContainsAny(all, "\x1b\u009b") || !strings.Contains(all, `"text": "\u009b2J\u001b[2J"`) {
		t.Errorf("what could steer a terminal is shown: %q", all)
	}
}

// A token of the environment is not sent where others can read it.
func TestTokensStayHome(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(testToken), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, c := range []struct {
		url, variable, file, inherited string
		sent                           bool
	}{
		{url: "http://mcp.example:7070", variable: testToken},
		{url: "http://192.0.2.1", variable: testToken},
		{url: "http://mcp.example", inherited: "token"}, // which a command has as its whole path
		{url: "HTTP://mcp.example", file: "token", inherited: "token"},
		{url: "https://mcp.example", variable: testToken, sent: true},
		{url: "http://localhost:1", variable: testToken, sent: true},
		{url: "http://127.0.0.2:1", variable: testToken, sent: true},
		{url: "http://[::1]:1", variable: testToken, sent: true},
		{url: "http://mcp.example", file: "token", variable: testToken, sent: true},
		{url: "http://mcp.example", file: "token", inherited: "other", sent: true},
	} {
		t.Setenv("INGOT_TOKEN", c.variable)
		t.Setenv("INGOT_TOKEN_FILE", c.inherited)
		f := serverFlags{URL: c.url, TokenFile: c.file}
		if c.file == "" && c.inherited != "" {
			f.TokenFile = filepath.Join(dir, c.inherited)
		}
		token, err := f.token()
		if c.sent && (err != nil || token != testToken) || !c.sent && (err == nil || token != "") {
			t.Errorf("%+v: %q, %v", c, token, err)
		}
	}
	t.Setenv("INGOT_TOKEN_FILE", "token")
	text := "forge: {name: here}\ntools: [{type: native, name: one, handler: {inline: '1'}}]\n"
	if err := os.WriteFile(filepath.Join(dir, "forge.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"call one", "inspect", "call one --url http://mcp.example"} {
		got := shipped(t, dir, "", strings.Fields(args)...)
		if wrong := strings.Contains(args, "--url"); wrong != (got.code == 2) || wrong != strings.Contains(got.stderr, "is not sent over plain HTTP") {
			t.Errorf("%s: %+v", args, got)
		}
	}
}
