package command_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/ingot-run/ingot/internal/command"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"hello\n\tworld":         "hello\n\tworld",
		"\x1b[31mred\x1b[0m":     "?[31mred?[0m",
		"bell\a back\b line\r":   "bell? back? line?",
		"\u202egnp.exe \u009b1m": "?gnp.exe ?1m",
		"日本 é":                   "日本 é",
	} {
		if got := command.Plain(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if got := command.PlainLine("a\nb\tc"); got != "a b c" {
		t.Errorf("%q", got)
	}
}

// Where there is no terminal, nothing of one is written.
func TestNoTerminal(t *testing.T) {
	var out bytes.Buffer
	live := command.NewLive(&out)
	live.Show("one")
	live.Show("t\x1bwo")
	live.Clear()
	if out.String() != "one\nt?wo\n" || live.Terminal() {
		t.Errorf("%q", out.String())
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if command.Terminal(null) || command.ColorsFor(null).Red("x") != "x" || command.ColorsFor(&out).Bold("x") != "x" {
		t.Error("a file that is no terminal is painted on")
	}
}

type grammar struct {
	One helped `cmd:"" help:"The first."`
	Two struct {
		Three helped `cmd:"" help:"The third."`
		Four  helped `cmd:"" hidden:""`
	} `cmd:"" help:"The second."`
}

type helped struct {
	Flag bool `help:"A flag."`
}

func (helped) Help() string {
	return strings.Repeat("word ", 40) + "\n\nExample:\n\n  ingot   one"
}

// What Help says stands behind the flags, and lines that are indented stay as they are.
func TestHelpEnds(t *testing.T) {
	var out, stderr bytes.Buffer
	_, code, done := command.Parse(t.Context(), "ingot", "A test.", &grammar{}, []string{"two", "three", "--help"}, &out, &stderr)
	if code != 0 || !done || !strings.HasSuffix(out.String(), "\nExample:\n\n  ingot   one\n") || strings.Index(out.String(), "A flag.") > strings.Index(out.String(), "word word") {
		t.Errorf("exit %d: %s%s", code, out.String(), stderr.String())
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 101 {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
}

func TestWalk(t *testing.T) {
	var all []string
	err := command.Walk(&grammar{}, func(names []string, n *kong.Node) {
		all = append(all, strings.Join(names, " ")+": "+n.Help)
	})
	if want := ": |one: The first.|two: The second.|two three: The third."; err != nil || strings.Join(all, "|") != want {
		t.Errorf("%q, %v", strings.Join(all, "|"), err)
	}
}
