package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

func TestClassOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want fault.Class
	}{
		{nil, ""},
		{errors.New("x"), fault.Failed},
		{fmt.Errorf("around: %w", fault.New(fault.Denied, "no")), fault.Denied},
		{fault.Because(context.DeadlineExceeded, fault.Unavailable, "gone"), fault.Unavailable},
		{fmt.Errorf("around: %w", context.DeadlineExceeded), fault.Timeout},
		{context.Canceled, fault.Canceled},
		{&mcp.ArgumentError{}, fault.InvalidInput},
		{&mcp.Error{Code: -32602}, fault.InvalidInput},
		{fmt.Errorf("around: %w", &mcp.Error{Code: -32603}), fault.Internal},
		{&mcp.Error{Code: -32000}, fault.Failed},
	} {
		require.Equal(t, c.want, fault.ClassOf(c.err), "%v", c.err)
	}
}

func TestMessageHidesTheCause(t *testing.T) {
	err := fault.Because(errors.New("password=hunter2"), fault.Unavailable, "the database does not answer")
	require.Equal(t, "the database does not answer", err.Error())
	require.ErrorContains(t, errors.Unwrap(err), "hunter2")
}

func TestClasses(t *testing.T) {
	for _, c := range fault.Classes {
		if c.Retryable() {
			require.True(t, c.OfTool(), c)
		}
	}
	require.False(t, fault.InvalidInput.Retryable())
	require.False(t, fault.Canceled.OfTool())
}

func ExampleClassOf() {
	err := fault.New(fault.Unavailable, "%s does not answer", "api.example.org")
	fmt.Println(err, fault.ClassOf(err).Retryable())
	// Output: api.example.org does not answer true
}

func TestShorten(t *testing.T) {
	for _, c := range [][2]string{{"", ""}, {"four", "four"}, {"fives", "five…"}, {"abc\u20ac", "abc…"}} { // not half a character
		require.Equal(t, c[1], fault.Shorten(c[0], 4))
	}
}
