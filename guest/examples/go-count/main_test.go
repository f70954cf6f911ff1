package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	guest "github.com/ingot-run/ingot/guest/go"
)

func TestCount(t *testing.T) {
	for _, c := range []struct {
		args Args
		want Result
	}{
		{Args{Text: "a b\tc\r\n"}, Result{Words: 3, Lines: 1, Bytes: 7, Total: 3}},
		{Args{Text: ""}, Result{Total: 3}},
		{Args{Text: "été\n\nhiver", Counter: "all"}, Result{Words: 2, Lines: 3, Bytes: 12, Total: 5}},
		{Args{Text: "one", Counter: "other-1"}, Result{Words: 1, Lines: 1, Bytes: 3, Total: 1}},
	} {
		got, err := count(c.args)
		require.NoError(t, err, c.args)
		require.Equal(t, c.want, got, c.args)
	}
	_, err := count(Args{Counter: "../x"})
	require.ErrorIs(t, err, &guest.Error{Code: "bad_counter"})
}
