package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The soak of a quarter of a minute finds nothing, and is no empty one.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("servers are killed and started again for half a minute")
	}
	ingot := filepath.Join(t.TempDir(), "ingot")
	out, err := exec.Command("go", "build", "-o", ingot, "../../cmd/ingot").CombinedOutput()
	require.NoError(t, err, "%s", out)
	var stdout, stderr bytes.Buffer
	code := run([]string{"-duration", "15s", "-clients", "4", "-ingot", ingot}, &stdout, &stderr)
	require.Zero(t, code, "%s%s", &stdout, &stderr)
	if os.Getenv("INGOT_REDIS_REQUIRE") != "" {
		require.Contains(t, stdout.String(), "site redis", "%s", &stderr)
	}
	t.Log(stdout.String())
	for _, counted := range []string{`acknowledged writes +[1-9]`, `lost acknowledged writes +0\n`, `leaks +0\n`, `: 0 faults`} {
		require.Regexp(t, regexp.MustCompile(counted), stdout.String())
	}
}

func TestCommandLine(t *testing.T) {
	for args, says := range map[string]string{
		"-duration 0s":                  "above 0",
		"-clients 0":                    "above 0",
		"-clients 1 more":               "nothing follows",
		"-frobnicate":                   "frobnicate",
		"-duration 1s -ingot ./no-such": "make build",
	} {
		var stdout, stderr bytes.Buffer
		require.NotZero(t, run(strings.Fields(args), &stdout, &stderr), args)
		require.Contains(t, stderr.String(), says)
	}
}

// The ledger takes what may be for what may be, and nothing else.
func TestLedger(t *testing.T) {
	l := newLedger()
	for range 5 {
		l.try("k")
	}
	l.acknowledge("k", 3)
	require.False(t, l.audit("k", 2), "an acknowledged write is gone")
	require.False(t, l.audit("k", 6), "nobody wrote that")
	require.True(t, l.audit("k", 4), "not acknowledged, and written all the same")
	require.False(t, l.audit("k", 3), "what stood once may not go")
	_, lost := l.counts()
	require.EqualValues(t, 2, lost)
	l.tryIncrement()
	l.tryIncrement()
	l.incremented()
	require.True(t, l.auditSum(1))
	require.True(t, l.auditSum(2))
	require.False(t, l.auditSum(3))
	require.False(t, l.auditSum(1))
}

// A flood does not wash away what is looked for.
func TestTail(t *testing.T) {
	log := &tail{}
	line := []byte(strings.Repeat("x", 100) + "\n")
	for range 3 * logKept / len(line) {
		_, err := log.Write(line)
		require.NoError(t, err)
	}
	_, err := log.Write([]byte("the word\n"))
	require.NoError(t, err)
	for range logKept/len(line) - 1 {
		_, err := log.Write(line)
		require.NoError(t, err)
	}
	require.True(t, log.contains("the word"))
	require.LessOrEqual(t, len(log.String()), logTail)
	require.LessOrEqual(t, len(log.b), 2*logKept+len(line))
}

// What is not excused is a fault: a site whose server answers nothing as it should.
func TestFaultsAreReported(t *testing.T) {
	s := &site{name: "broken", tally: newTally(), ledger: newLedger()}
	for range faultsMax + 2 {
		s.tally.fault("something")
	}
	s.tally.count(kinds[0].name, classOK)
	r := reported(7, []*site{s})
	require.Len(t, r.faults, faultsMax+1+len(kinds)-1)
	require.Contains(t, r.faults[faultsMax], "and 2 more")
	var out bytes.Buffer
	r.print(&out)
	require.Contains(t, out.String(), "FAULT: broken: something")

	var p phase
	require.False(t, p.excuses(p.n.Load()))
	began := p.n.Load()
	p.down()
	require.True(t, p.excuses(began))
	require.True(t, p.excuses(p.n.Load()))
	p.up()
	require.True(t, p.excuses(began), "it was away in between")
	require.False(t, p.excuses(p.n.Load()))
}
