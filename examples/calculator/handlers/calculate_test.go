package handlers

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCalculate(t *testing.T) {
	for _, c := range []struct {
		in     Input
		result float64
		fails  string
	}{
		{Input{"add", 5, 3}, 8, ""},
		{Input{"subtract", 5, 3}, 2, ""},
		{Input{"multiply", 5, 3}, 15, ""},
		{Input{"divide", 6, 4}, 1.5, ""},
		{Input{"divide", 1, 0}, 0, "1 cannot be divided by 0"},
		{Input{"multiply", 1e300, 1e300}, 0, "too large"},
		{Input{"modulo", 1, 2}, 0, `no operation "modulo"`},
	} {
		out, err := Calculate(t.Context(), c.in)
		if c.fails != "" {
			require.ErrorContains(t, err, c.fails)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.result, out.Result, c.in)
	}
}
