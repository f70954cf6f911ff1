package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// completionFolder has a file with tools to complete.
func completionFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := `
forge: {name: completed}
tools:
  - {type: native, name: forecast, description: The weather. And more., handler: {inline: city}, params: {city: {type: string, description: Where.}, unit: {type: string, enum: [C, F]}, live: boolean, tags: {type: array, items: string}}}
  - {type: native, name: forget, description: "\e[2J", handler: {inline: '1'}, params: {what: {type: string, enum: [two words, $(false), "\e[2J"]}}}
`
	for _, name := range []string{"forge.yaml", "other.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		text = strings.Replace(text, "forecast", "elsewhere", 1)
	}
	return dir
}

// What may stand next, as the binary answers the scripts.
func TestCompletion(t *testing.T) {
	dir := completionFolder(t)
	for _, c := range []struct{ line, want string }{
		{"st", "state"},
		{"in", "inspect"},
		{"state ex", "export"},
		{"state get --u", "--url"},
		{"serve --sync ", "always interval never"},
		{"serve --sync=n", "--sync=never"},
		{"serve --config ", "FILES"},
		{"completion ", "bash zsh fish"},
		{"call for", "forecast forget"},
		{"call --config other.yaml ", "elsewhere forget"},
		{"call --config=other.yaml el", "elsewhere"},
		{"call --json -q forec", "forecast"},
		{"call forecast ", "city= unit= live= tags="},
		{"call forecast city=x u", "unit="},
		{"call forecast city=x tags=a t", "tags="},
		{"call forecast unit=", "unit=C unit=F"},
		{"call forecast live=t", "live=true"},
		{"call forget what=", "what=two words what=$(false)"}, // and none that would steer the terminal
		{"call nothing ", ""},
		{"call --url http://x ", ""},
		{"call --timeout ", ""},
		{"validate ", "FILES"},
		{"version ", ""},
		{"nonsense more", ""},
	} {
		got := shipped(t, dir, "", append([]string{completeWord}, strings.Split(c.line, " ")...)...)
		var names []string
		for line := range strings.Lines(got.stdout) {
			name, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			if line == filesWord+"\n" {
				name = "FILES"
			}
			names = append(names, name)
		}
		if got.code != 0 || got.stderr != "" || strings.Join(names, " ") != c.want {
			t.Errorf("%q: %q, want %q; %s", c.line, names, c.want, got.stderr)
		}
	}
	if got := shipped(t, dir, "", completeWord, "call", "forec"); got.stdout != "forecast\tThe weather\n" {
		t.Errorf("%q", got.stdout)
	}
	if got := shipped(t, dir, "", completeWord, "call", "forg"); got.stdout != "forget\t?[2J\n" {
		t.Errorf("%q", got.stdout)
	}
}

// The script of bash, by bash: it is asked for completions as on a key.
func TestCompletionScripts(t *testing.T) {
	bash := installed(t, "bash")
	dir := completionFolder(t)
	if got := shipped(t, dir, "", "completion", "tcsh"); got.code != 2 {
		t.Errorf("tcsh: %+v", got)
	}
	script := shipped(t, dir, "", "completion", "bash").stdout
	for _, c := range []struct {
		words string // as bash splits them
		want  string
	}{
		{`ingot st`, "state"},
		{`ingot state ex`, "export"},
		{`ingot call for`, "forecast forget"},
		{`ingot call forecast unit =`, "C F"},
		{`ingot call forecast unit = F`, "F"},
		{`ingot call forget what =`, `two\ words \$\(false\)`},
		{`ingot call forecast city = x u`, "unit="},
		{`ingot serve --sync = al`, "always"},
		{`ingot serve --sync al`, "always"},
		{`ingot call --url http : //x --co`, "--config"},
		{`ingot validate for`, "forge.yaml"},
		{`ingot serve --config = oth`, "other.yaml"},
	} {
		words := strings.Fields(c.words)
		ask := script + "\nCOMP_WORDS=('" + strings.Join(words, "' '") + "'); COMP_CWORD=" + strconv.Itoa(len(words)-1) + "; _ingot 2>/dev/null; printf '%s\\n' \"${COMPREPLY[@]}\""
		if got := shell(t, dir, bash, "--norc", "-c", ask); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: %q, want %q", c.words, got, c.want)
		}
	}
}

// shell runs a shell with the binary on its path, and returns the words that it prints.
func shell(t *testing.T, dir, name string, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+binariesDir+":"+os.Getenv("PATH"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return strings.Fields(string(out))
}

// The scripts of other shells, where those are installed.
func TestCompletionOtherShells(t *testing.T) {
	dir := completionFolder(t)
	for _, name := range []string{"zsh", "fish"} {
		script := filepath.Join(dir, name)
		if err := os.WriteFile(script, []byte(shipped(t, dir, "", "completion", name).stdout), 0o600); err != nil {
			t.Fatal(err)
		}
		path, err := exec.LookPath(name)
		if err != nil {
			t.Logf("%s is not installed: its script is not run", name)
			continue
		}
		if name == "fish" {
			got := shell(t, dir, path, "--no-config", "-c", "source "+script+"; complete -C 'ingot call for'")
			if !slices.Contains(got, "forecast") || !slices.Contains(got, "forget") {
				t.Errorf("fish: %q", got)
			}
			continue
		}
		// zsh completes in an editor alone: what the script adds is seen by a compadd in place of zsh's.
		ask := "compdef() { :; }; compadd() { print -l -- \"${@:#(-*|)}\"; }; source " + script + "; words=(ingot call for); CURRENT=3; _ingot"
		if got := shell(t, dir, path, "-f", "-c", ask); !slices.Equal(got, []string{"forecast", "forget"}) {
			t.Errorf("zsh: %q", got)
		}
	}
}
