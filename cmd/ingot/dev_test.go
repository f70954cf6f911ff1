package main

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// textOf is the text that a tool answers now.
func textOf(t *testing.T, w *wire, tool string) string {
	t.Helper()
	result, problem, err := w.ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":{}}`, tool))
	if err != nil {
		t.Fatal(err)
	}
	return string(result) + string(problem)
}

// replaceFile renames a file into place.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

// devProject is forgeProject for the built binary, which is built with the caches that
// there are.
func devProject(t *testing.T, text string) string {
	t.Helper()
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	return forgeProject(t, text)
}

// What changed is shown on stderr, without colours where that is no terminal, and so is
// each problem with its place.
func TestDevShowsWhatChanged(t *testing.T) {
	const text = "forge: {name: shown}\ntools:\n- {type: native, name: weather, handler: {inline: '1'}, timeout: 5s}\n- {type: native, name: old, handler: 'ingot::echo'}\n"
	file := devProject(t, text)
	p := startDev(t, "dev", "--poll", "5ms", file)
	w := p.overStdio(t)
	if got := textOf(t, w, "weather"); !strings.Contains(got, `"text":"1"`) {
		t.Fatal(got)
	}
	if log := p.stderr.String(); !strings.HasPrefix(log, "following "+file+"\n") {
		t.Errorf("at the start: %s", log)
	}
	shows := func(want string) {
		t.Helper()
		p.until(t, want, func() bool { return strings.Contains(p.stderr.String(), want) })
	}
	replaceFile(t, file, strings.NewReplacer("5s}", "10s, params: {city: {type: string}}}", "old", "new", "'1'", "'2'").Replace(text))
	shows("3 changes served\n  - tool old\n  ~ tool weather: handler.inline 1 -> 2, timeout 5s -> 10s, param city added\n  + tool new\n")
	if got := textOf(t, w, "weather"); !strings.Contains(got, `"text":"2"`) {
		t.Error(got)
	}
	replaceFile(t, file, strings.Replace(text, "timeout", "timeuot", 1))
	shows(fmt.Sprintf("1 problem; what served before goes on\n  %s:3:57: ", file))
	shows(`did you mean "timeout"?`)
	if got := textOf(t, w, "weather"); !strings.Contains(got, `"text":"2"`) {
		t.Error(got)
	}
	replaceFile(t, file, "state: {ttl: 1h}\n"+text)
	shows("  ! state.ttl takes effect at the next start\n")
	if log := p.stderr.String(); strings.Contains(log, "\x1b") {
		t.Errorf("colours on what is no terminal: %q", log)
	}
	if err := p.stdin.Close(); err != nil {
		t.Error(err)
	}
	<-p.ended
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// A file that cannot be served at the start is said to be so, and nothing starts.
func TestDevRefuses(t *testing.T) {
	bad := forgeProject(t, "forge: {name: a}\ntools: [{type: native, name: a, handlr: x}]")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{1, bad + ":2:33: ", []string{bad}},
		{1, "no such file", []string{bad + "x"}},
		{2, "--poll is at least 5ms", []string{"--poll", "1ms", forgeProject(t, forgeFile)}},
		{2, "--auth-disabled is about HTTP", []string{"--auth-disabled", forgeProject(t, forgeFile)}},
		{2, `there is no tool "nobody"`, []string{"--listen", "127.0.0.1:0", "--oauth-issuer", "https://login.example", "--oauth-audience", "https://mcp.example", "--oauth-tool-scope", "nobody=x", forgeProject(t, forgeFile)}},
	} {
		if code, stdout, stderr := runWith(t, append([]string{"dev"}, c.args...)...); code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit %d, stdout %q, stderr %q; want %d, %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
	if code, stdout, _ := runWith(t, "dev", "--help"); code != 0 || !strings.Contains(stdout, "ingot dev --listen 127.0.0.1:7070") {
		t.Errorf("--help: exit %d: %s", code, stdout)
	}
}

// hearHangups lets the processes that a test starts hear SIGHUP: under nohup a test
// ignores it, and so would they.
func hearHangups(t *testing.T) {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(heard) })
}

// SIGHUP has ingot serve read its file again; without one it does not.
func TestServeReloadsAtHangup(t *testing.T) {
	hearHangups(t)
	const text = "forge: {name: hup}\ntools: [{type: native, name: value, handler: {inline: '1'}}]\n"
	file := devProject(t, text)
	p := startDev(t, "serve", "--config", file)
	w := p.overStdio(t)
	replaceFile(t, file, strings.Replace(text, "'1'", "'2'", 1))
	if got := textOf(t, w, "value"); !strings.Contains(got, `"text":"1"`) {
		t.Error(got)
	}
	hangUp := func(want string) {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.until(t, want, func() bool { return strings.Contains(p.stderr.String(), want) })
	}
	hangUp("~ tool value: handler.inline 1 -> 2")
	if got := textOf(t, w, "value"); !strings.Contains(got, `"text":"2"`) {
		t.Error(got)
	}
	hangUp("the file says what it said before")
	replaceFile(t, file, text+"x: 1\n")
	hangUp(file + ":3:1: ")
	if got := textOf(t, w, "value"); !strings.Contains(got, `"text":"2"`) {
		t.Error(got)
	}
	if err := p.stdin.Close(); err != nil {
		t.Error(err)
	}
	<-p.ended
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
