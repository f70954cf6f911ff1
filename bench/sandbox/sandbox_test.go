package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The command runs through and says something about every target but those that a
// quick run leaves out.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles Go guests, half a minute under load")
	}
	out := filepath.Join(t.TempDir(), "out.md")
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(context.Background(), []string{"--quick", "--out", out}, &stdout, &stderr), stderr.String())
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	for _, part := range []string{"bench-sandbox:start", "C echo of 1 KB through the pool", rowExtismEach, "overshoot p99",
		"| 1,000 idle C instances | at most 25.0 MiB | – | not in this run |", "MiB for 10 in C"} {
		require.Contains(t, string(text), part)
	}
}

func TestQuantile(t *testing.T) {
	require.Zero(t, quantile(nil, 0.5))
	require.Equal(t, 3.0, quantile([]float64{5, 4, 3, 2, 1}, 0.5))
	require.Equal(t, 5.0, quantile([]float64{5, 4, 3, 2, 1}, 0.99))
}

// The modules that are written by hand, or varied, are sound.
func TestModules(t *testing.T) {
	ctx := context.Background()
	for _, metered := range []bool{false, true} {
		s, err := tightLoop(ctx, "loop", metered)
		require.NoError(t, err)
		require.NoError(t, s.call())
		s.close()
	}
	require.NotEqual(t, variant(echoC, 1), variant(echoC, 2))
	s, err := pooled(ctx, "variant", variant(echoC, 1), payload)
	require.NoError(t, err)
	defer s.close()
	require.NoError(t, s.call())
}
