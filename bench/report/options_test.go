package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// parse is what a command with an option of its own does with args.
func parse(args ...string) (Options, error) {
	o := Options{Name: "bench-x", Rounds: 5, Phase: time.Second}
	flags := o.Flags()
	flags.Bool("full", false, "everything")
	flags.String("dir", "", "where to write")
	err := o.Parse(flags, args, io.Discard)
	return o, err
}

func TestOptions(t *testing.T) {
	o, err := parse()
	require.NoError(t, err)
	require.Equal(t, 5, o.Rounds)
	require.Equal(t, time.Second, o.Phase)
	require.FileExists(t, filepath.Join(o.Root, "bench", "go.mod"))
	require.Equal(t, filepath.Join(o.Root, "docs", "BENCHMARKS.md"), o.Out)
	require.Contains(t, o.Origin(Machine{CPU: "CPU", System: "2 cores"}), "`make bench-x`\n\nCPU, 2 cores; ")

	o, err = parse("--rounds", "3", "--phase=400ms", "--full", "--dir", "/mnt", "--out", "a.md")
	require.NoError(t, err)
	require.Equal(t, "a.md", o.Out)
	origin := o.Origin(Machine{})
	require.Contains(t, origin, "`make bench-x FLAGS='--full --phase=400ms --rounds=3'`\n")
	require.Contains(t, origin, "; medians of 3 interleaved rounds, 400ms per measure.\n")
	require.NotContains(t, origin, "quick")

	o, err = parse("--quick", "--rounds=3")
	require.NoError(t, err)
	require.Equal(t, 1, o.Rounds)
	require.Equal(t, filepath.Join(os.TempDir(), "ingot-bench-x.md"), o.Out, "a quick run leaves the published figures alone")
	require.Contains(t, o.Origin(Machine{}), "measures nothing")
}

func TestOptionsAreChecked(t *testing.T) {
	for _, c := range []struct{ arg, want string }{
		{"--rounds=0", "--rounds is 0: want at least 1"},
		{"--phase=0s", "--phase is 0s: want a time above 0"},
		{"--fast", "-fast; --help lists the options"},
		{"fast", `"fast" is not an option`},
	} {
		_, err := parse(c.arg)
		require.ErrorContains(t, err, c.want)
		var stderr bytes.Buffer
		require.Equal(t, 1, Exit("bench-x", err, &stderr))
		require.Contains(t, stderr.String(), "bench-x: ")
	}
	o := Options{Name: "bench-x", Rounds: 1}
	err := o.Parse(o.Flags(), []string{"--phase=1s"}, io.Discard)
	require.ErrorContains(t, err, "not defined: -phase", "a command that has no phase takes none")
	require.Zero(t, Exit("bench-x", nil, io.Discard))
}

func TestHelp(t *testing.T) {
	o := Options{Name: "bench-x", Rounds: 1}
	var stderr bytes.Buffer
	err := o.Parse(o.Flags(), []string{"--help"}, &stderr)
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, stderr.String(), "-quick")
	said := stderr.Len()
	require.Zero(t, Exit("bench-x", err, &stderr))
	require.Equal(t, said, stderr.Len(), "help is no error")
}

func TestPublish(t *testing.T) {
	o := Options{Name: "bench-x", Out: filepath.Join(t.TempDir(), "out.md")}
	var stdout bytes.Buffer
	section := Section("bench-x", "figures\n")
	require.NoError(t, o.Publish(section, &stdout))
	require.Equal(t, "\n"+section+"\nwritten to "+o.Out+"\n", stdout.String())
	text, err := os.ReadFile(o.Out)
	require.NoError(t, err)
	require.Contains(t, string(text), section)
}
