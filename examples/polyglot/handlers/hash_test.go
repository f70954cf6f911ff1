package handlers

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The digests of "abc" in FIPS 180-2.
func TestHash(t *testing.T) {
	for algorithm, want := range map[string]string{
		"sha1":   "a9993e364706816aba3e25717850c26c9cd0d89d",
		"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	} {
		out, err := Hash(t.Context(), Input{Data: "abc", Algorithm: algorithm})
		require.NoError(t, err)
		require.Equal(t, Output{algorithm, want}, out)
	}
	_, err := Hash(t.Context(), Input{Algorithm: "md5"})
	require.ErrorContains(t, err, `no algorithm "md5"`)
}
