package guesttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/sandbox/guestbuild"
	"github.com/ingot-run/ingot/internal/schema"
)

// patient is for a loaded machine.
var patient = Options{TimeMax: time.Minute}

// broken builds the guest with a fault.
func broken(t *testing.T, fault int) []byte {
	t.Helper()
	guestbuild.Require(t, "c")
	out := filepath.Join(t.TempDir(), "broken.wasm")
	log, err := exec.Command("clang", "--target=wasm32", "-ffreestanding", "-mbulk-memory", "-O2", "-nostdlib", "-Wall", "-Werror", "-Wno-unused-function",
		"-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--stack-first", "-Wl,-z,stack-size=65536", fmt.Sprintf("-DFAULT=%d", fault),
		"-I", "../../guest/c", "-o", out, "testdata/broken.c").CombinedOutput()
	require.NoError(t, err, string(log))
	module, err := os.ReadFile(out)
	require.NoError(t, err)
	return module
}

// check is the check of a name, which must have been made.
func check(t *testing.T, r *Report, name string) Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	require.Fail(t, "no such check", "%s among %+v", name, r.Checks)
	return Check{}
}

func TestSoundGuest(t *testing.T) {
	r := Run(context.Background(), "sound.wasm", broken(t, 0), patient)
	for _, c := range r.Checks {
		if c.Name != "time" { // which is the machine's as well
			require.Equal(t, Pass, c.Status, "%+v", c)
		}
	}
	require.Equal(t, "native/1", r.ABI)
	require.Equal(t, []string{"broken"}, r.Tools)
	require.Zero(t, r.Failed())
	require.Len(t, r.SHA256, 64)
	var text bytes.Buffer
	require.NoError(t, r.WriteText(&text))
	require.Contains(t, text.String(), "14 checks: ")
	require.Contains(t, check(t, r, "imports").Detail, "none: it can only compute")
}

// Each fault is found, where it belongs, with what was seen and how to mend it.
func TestFaultsAreFound(t *testing.T) {
	spinning := Options{TimeMax: 2 * time.Second} // ends by fuel or by time
	for fault, want := range map[int]struct {
		o            Options
		check        string
		status       Status
		detail, mend string
	}{
		1:  {patient, "calls", Fail, "trap", "return an error object"},
		2:  {patient, "calls", Fail, "exit code 3", "return an error object"},
		3:  {spinning, "calls", Fail, "limit", "bound the work"},
		4:  {patient, "calls", Fail, "breaks the output schema", "return what the output schema says"},
		5:  {patient, "state leaks", Warn, `{"bytes":1}`, "keep nothing in globals"},
		6:  {patient, "many calls", Fail, "memory limit reached", "free what a call allocated"},
		7:  {patient, "little memory", Fail, "but the guest's memory ends at", "alloc returns 0"},
		8:  {patient, "input schema", Fail, "/properties/text/type", "mend the schema"},
		9:  {patient, "output schema", Fail, "properties", "mend the schema"},
		10: {patient, "description", Fail, "not valid JSON", "docs/ABI.md"},
		11: {patient, "description", Warn, "no description of text", "describe each argument"},
		12: {patient, "calls", Warn, "it refused all of them; the first: not today", "examples"},
		13: {patient, "wrong arguments", Fail, "trap", "return an error object"},
		14: {patient, "calls", Fail, "output too long", "return less"},
	} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			r := Run(context.Background(), "broken.wasm", broken(t, fault), want.o)
			c := check(t, r, want.check)
			require.Equal(t, want.status, c.Status, "%+v", r.Checks)
			require.Contains(t, c.Detail, want.detail)
			require.Contains(t, c.Mend, want.mend)
			if want.status == Fail {
				require.Positive(t, r.Failed())
			} else {
				require.Zero(t, r.Failed(), "%+v", r.Checks)
			}
		})
	}
}

// What is no tool at all is named.
func TestNoTool(t *testing.T) {
	for content, want := range map[string]struct{ check, detail string }{
		"":                        {"module", "bad module"},
		"hello":                   {"module", "bad module"},
		"\x00asm\x0d\x00\x01\x00": {"module", "a component"},
		"\x00asm\x01\x00\x00\x00": {"exports and imports", "does not export alloc(i32) i32"},
	} {
		r := Run(context.Background(), "x.wasm", []byte(content), Options{})
		c := check(t, r, want.check)
		require.Equal(t, Fail, c.Status, "%q", content)
		require.Contains(t, c.Detail, want.detail)
		require.Equal(t, 1, r.Failed())
	}
}

// The tests' plug-in has an output that is no result when it is asked for the wrong
// thing; its resources are listed.
func TestExtismPlugin(t *testing.T) {
	module, err := os.ReadFile("../sandbox/testdata/extism/v2.wasm")
	require.NoError(t, err)
	r := Run(context.Background(), "v2.wasm", module, patient)
	require.Equal(t, []string{"echo", "host", "fetch", "shape", "trouble"}, r.Tools)
	require.Equal(t, Pass, check(t, r, "resources/list").Status)
	require.Equal(t, Pass, check(t, r, "echo: calls").Status)
	require.Equal(t, Fail, check(t, r, "shape: calls").Status)
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	var again Report
	require.NoError(t, json.Unmarshal(raw, &again))
	require.Equal(t, *r, again)
}

func TestCommand(t *testing.T) {
	module, err := os.ReadFile("../sandbox/testdata/command/command.wasm")
	require.NoError(t, err)
	r := Run(context.Background(), "command.wasm", module, patient)
	require.Zero(t, r.Failed(), "%+v", r.Checks)
	require.Equal(t, Skip, check(t, r, "state leaks").Status)
}

// Made arguments reach each bound from both sides, and lie on the right side of the
// schema.
func TestMadeArguments(t *testing.T) {
	for source, want := range map[string]struct{ valid, wrong []string }{
		`{"type":"object"}`: {valid: []string{`{}`}},
		`{"type":"object","additionalProperties":false}`: {valid: []string{`{}`}, wrong: []string{`{"no such argument":true}`}},
		`{"type":"object","properties":{"n":{"type":"integer","minimum":2,"maximum":5}},"required":["n"]}`: {
			valid: []string{`{"n":2}`, `{"n":5}`, `{"n":3}`}, wrong: []string{`{"n":1}`, `{"n":6}`, `{"n":0.5}`, `{"n":null}`, `{}`},
		},
		`{"type":"object","properties":{"s":{"type":"string","minLength":2,"maxLength":3}}}`: {
			valid: []string{`{"s":"xx"}`, `{"s":"xxx"}`, `{"s":"😀😀😀"}`, `{}`}, wrong: []string{`{"s":"x"}`, `{"s":"xxxx"}`, `{"s":true}`},
		},
		`{"type":"object","properties":{"d":{"type":"string","pattern":"^\\d{4}-\\d{2}-\\d{2}$"}},"required":["d"]}`: {valid: []string{`{"d":"2024-02-29"}`}},
		`{"type":"object","properties":{"e":{"enum":["x","y"]},"c":{"const":7},"x":{"type":"string","pattern":"^q$","examples":["q"]}}}`: {
			valid: []string{`{"c":7,"e":"x","x":"q"}`, `{"c":7,"e":"y","x":"q"}`},
		},
		`{"type":"object","properties":{"p":{"$ref":"#/$defs/point"}},"required":["p"],"$defs":{"point":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}}}`: {
			valid: []string{`{"p":{"x":1}}`},
		},
		`{"type":"object","allOf":[{"properties":{"a":{"type":"boolean"}},"required":["a"]}],"properties":{"l":{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":2}}}`: {
			valid: []string{`{"a":true,"l":[1]}`, `{"a":false,"l":[1]}`, `{"a":true,"l":[1,1]}`}, wrong: []string{`{"a":true,"l":[]}`, `{"a":true,"l":[1,1,1]}`},
		},
		`{"type":"object","properties":{"any":true,"self":{"$ref":"#"}}}`: {valid: []string{`{}`}},
	} {
		compiled, err := schema.Compile([]byte(source))
		require.NoError(t, err, source)
		made, err := makeArguments([]byte(source), compiled)
		require.NoError(t, err, source)
		has := func(all [][]byte, wanted []string) {
			for _, w := range wanted {
				require.True(t, containsJSON(all, w), "%s: %s is not among %s", source, w, strings.Join(texts(all), " "))
			}
		}
		has(made.valid, want.valid)
		has(made.wrong, want.wrong)
		require.LessOrEqual(t, max(len(made.valid), len(made.wrong)), argumentsMax)
	}
}

func containsJSON(all [][]byte, want string) bool {
	var w any
	if json.Unmarshal([]byte(want), &w) != nil {
		return false
	}
	for _, have := range all {
		var h any
		if json.Unmarshal(have, &h) == nil && fmt.Sprint(h) == fmt.Sprint(w) {
			return true
		}
	}
	return false
}

func texts(all [][]byte) []string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = show(one)
	}
	return out
}
