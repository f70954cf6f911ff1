package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// build is a module that Go makes of testdata/trace, as a file.
func build(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "trace.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", name, "./testdata/trace")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return name
}

func TestSlimKeepsWhatIsNotInTheTable(t *testing.T) {
	name := build(t)
	before, err := os.ReadFile(name)
	require.NoError(t, err)
	var stderr bytes.Buffer
	require.Zero(t, run([]string{name}, tableVersion+".1", &stderr), stderr.String())
	require.Empty(t, stderr.String())
	after, err := os.ReadFile(name)
	require.NoError(t, err)
	old, err := parseModule(before)
	require.NoError(t, err)
	slim, err := parseModule(after)
	require.NoError(t, err)

	require.Equal(t, len(old.sections), len(slim.sections))
	for i, s := range old.sections {
		if s.id != sectionData {
			require.Equal(t, s, slim.sections[i])
		}
	}
	was, err := findTable(old.memory)
	require.NoError(t, err)
	is, err := findTable(slim.memory)
	require.NoError(t, err)
	require.Equal(t, was.count, is.count)
	require.Greater(t, is.count, 1000)
	seen := map[string]bool{}
	for i := range is.count {
		f, err := was.function(i)
		require.NoError(t, err)
		g, err := is.function(i)
		require.NoError(t, err)
		seen[sameFunction(t, was, is, f, g)] = true
	}
	for _, name := range []string{"main.main", "main.fail", "runtime."} {
		require.True(t, seen[name], "%s is among the names", name)
	}
	for _, lines := range []string{"testdata/trace/main.go", "runtime/panic.go"} {
		require.True(t, bytes.Contains(before, []byte(lines)), lines)
		require.False(t, bytes.Contains(after, []byte(lines)), lines)
	}
}

// sameFunction compares what the collector and the unwinder read of a function, and
// returns its name. g is what f became.
func sameFunction(t *testing.T, was, is *table, f, g []byte) string {
	t.Helper()
	require.Equal(t, f[:offEntryName], g[:offEntryName])
	require.Equal(t, f[offEntryName+4:offFiles], g[offEntryName+4:offFiles])
	require.Equal(t, f[offPcdata:offUnit], g[offPcdata:offUnit])
	require.Equal(t, f[offFuncdata-3:offFuncdata+1], g[offFuncdata-3:offFuncdata+1])
	require.Equal(t, walked(t, was, le.Uint32(f[offStackSizes:])), walked(t, is, le.Uint32(g[offStackSizes:])))
	pcdata := int(le.Uint32(f[offPcdata:]))
	for i := range pcdata {
		at := functionBytes + 4*i
		if i != pcdataInlined && i != pcdataLiveArgs {
			require.Equal(t, walked(t, was, le.Uint32(f[at:])), walked(t, is, le.Uint32(g[at:])))
		}
	}
	for i := range int(f[offFuncdata]) {
		at := functionBytes + 4*(pcdata+i)
		if i != funcdataInlined && i != funcdataArgs && i != funcdataLive {
			require.Equal(t, f[at:at+4], g[at:at+4])
		}
	}
	name, err := was.name(le.Uint32(f[offEntryName:]))
	require.NoError(t, err)
	shown, err := is.name(le.Uint32(g[offEntryName:]))
	require.NoError(t, err)
	require.Equal(t, shownName(name), shown)
	return shown
}

// walked is a table by instruction.
func walked(t *testing.T, in *table, at uint32) []byte {
	t.Helper()
	if at == 0 {
		return nil
	}
	end, _, err := in.walk(at)
	require.NoError(t, err)
	return in.byPC[at:end]
}

func TestShownName(t *testing.T) {
	for name, want := range map[string]string{
		"":                  "",
		"main.main":         "main.main",
		"main.(*T).f.func1": "main.(*T).f.func1",
		"github.com/ingot-run/ingot/engine.(*Store).Set": "github.com/ingot-run/ingot/engine.(*Store).Set",
		"runtime.gopanic":                                "runtime.",
		"internal/runtime/maps.(*Iter).Next":             "internal/runtime/maps.",
		"slices.pdqsortCmpFunc[go.shape.struct { a/b }]": "slices.",
		"type:.eq.github.com/golang/snappy.Reader":       "type:.eq.github.com/golang/snappy.",
		"callRet": "callRet",
	} {
		require.Equal(t, want, shownName(name), name)
	}
}

func TestAnotherGoKeepsItsTable(t *testing.T) {
	name := build(t)
	before, err := os.ReadFile(name)
	require.NoError(t, err)
	var stderr bytes.Buffer
	require.Zero(t, run([]string{name}, "go1.99", &stderr))
	require.Contains(t, stderr.String(), "the function table stays: go1.99 has another one than go1.26, which this knows")
	after, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NotEqual(t, before, after)
	old, err := parseModule(before)
	require.NoError(t, err)
	joined, err := parseModule(after)
	require.NoError(t, err)
	require.True(t, bytes.Equal(old.memory, joined.memory), "the memory is the same")
}

func TestWrongFiles(t *testing.T) {
	module := func(sections ...byte) []byte { return append([]byte("\x00asm\x01\x00\x00\x00"), sections...) }
	for what, b := range map[string][]byte{
		"empty":                 {},
		"no module":             []byte("#!/bin/sh\necho not a module\n"),
		"no data":               module(1, 1, 0),
		"a cut section":         module(sectionData, 9, 1),
		"a passive piece":       module(sectionData, 4, 1, 1, 1, 'x'),
		"a cut piece":           module(sectionData, 6, 1, segmentActive, instructionI32, 8, instructionEnd, 9),
		"a piece far out":       module(sectionData, 11, 1, segmentActive, instructionI32, 0xff, 0xff, 0xff, 0xff, 0x07, instructionEnd, 1, 'x', 0),
		"another compiler's":    module(sectionData, 7, 1, segmentActive, instructionI32, 8, instructionEnd, 1, 'x'),
		"a magic without table": module(append([]byte{sectionData, 14, 1, segmentActive, instructionI32, 8, instructionEnd, 8}, headerMagic...)...),
	} {
		t.Run(strings.ReplaceAll(what, " ", "-"), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "wrong.wasm")
			require.NoError(t, os.WriteFile(name, b, 0o600))
			var stderr bytes.Buffer
			require.Equal(t, 1, run([]string{name}, tableVersion, &stderr))
			require.Contains(t, stderr.String(), "wrong.wasm: no")
			after, err := os.ReadFile(name)
			require.NoError(t, err)
			require.True(t, bytes.Equal(b, after), "the file is as it was")
		})
	}
	var stderr bytes.Buffer
	require.Equal(t, 2, run(nil, tableVersion, &stderr))
	require.Equal(t, 1, run([]string{filepath.Join(t.TempDir(), "missing")}, tableVersion, &stderr))
}

func TestSignedVarint(t *testing.T) {
	for _, n := range []int64{0, 1, 63, 64, 127, 128, 8191, 8192, 1 << 30, 1<<31 - 1, -1, -64, -65, -1 << 31} {
		b := appendSignedVarint(nil, n)
		got, size := signedVarint(append(b, 0xff))
		require.Equal(t, n, got)
		require.Equal(t, len(b), size)
	}
	_, size := signedVarint(bytes.Repeat([]byte{0x80}, binary.MaxVarintLen64))
	require.Zero(t, size)
}
