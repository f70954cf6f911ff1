package worker

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain makes this binary its own child.
func TestMain(m *testing.M) {
	if os.Getenv("INGOT_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch lines.Text() {
		case "quit":
			os.Exit(0)
		case "die":
			fmt.Fprintln(os.Stderr, "cannot go on")
			os.Exit(3)
		case "refuse":
			fmt.Println("error no such thing")
		default:
			fmt.Printf("ok got=%d\n", len(lines.Text()))
		}
	}
}

func start(t *testing.T) *Worker {
	t.Helper()
	w, err := Start(t.Context(), Command{Path: os.Args[0], Env: []string{"INGOT_TEST_CHILD=1"}})
	require.NoError(t, err)
	t.Cleanup(w.Kill)
	return w
}

func TestAskAndQuit(t *testing.T) {
	w := start(t)
	for _, line := range []string{"one", "three"} {
		answer, err := w.Ask(line)
		require.NoError(t, err)
		fields, err := Fields(answer)
		require.NoError(t, err)
		require.Equal(t, map[string]uint64{"got": uint64(len(line))}, fields)
	}
	require.NoError(t, w.Quit())
}

func TestAChildThatRefuses(t *testing.T) {
	_, err := start(t).Ask("refuse")
	require.ErrorContains(t, err, `asked "refuse": no such thing`)
}

func TestAChildThatDies(t *testing.T) {
	_, err := start(t).Ask("die")
	require.ErrorContains(t, err, "it said: cannot go on")
}

func TestFields(t *testing.T) {
	fields, err := Fields("ok ns=12 sum=18446744073709551615")
	require.NoError(t, err)
	require.Equal(t, map[string]uint64{"ns": 12, "sum": 18446744073709551615}, fields)
	for _, bad := range []string{"", "no", "ok ns", "ok ns=x", "ok ns=-1"} {
		_, err := Fields(bad)
		require.Error(t, err, bad)
	}
}

func TestResidentBytes(t *testing.T) {
	require.Zero(t, ResidentBytes(-1), "there is no such process")
	if runtime.GOOS != "linux" {
		t.Skip("known on Linux only")
	}
	before := ResidentBytes(os.Getpid())
	held := bytes.Repeat([]byte{1}, 64<<20)
	require.Greater(t, ResidentBytes(os.Getpid()), before+32<<20)
	runtime.KeepAlive(held)
}
