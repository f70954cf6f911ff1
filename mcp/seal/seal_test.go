package seal

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ExampleNew() {
	s := New(nil)
	sealed := s.Seal([]byte("carry this"))
	text, err := s.Open(sealed)
	fmt.Println(string(text), err)
	sealed[20] ^= 1
	_, err = s.Open(sealed)
	fmt.Println(err)
	// Output:
	// carry this <nil>
	// seal: the text was not sealed here, or was changed
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	s := New(bytes.Repeat([]byte{7}, KeyBytes))
	sealed := s.Seal([]byte("answers"))
	for i := range sealed {
		forged := bytes.Clone(sealed)
		forged[i] ^= 0x40
		_, err := s.Open(forged)
		require.ErrorIs(t, err, ErrForged, "byte %d", i)
	}
	for n := range sealed {
		_, err := s.Open(sealed[:n])
		require.ErrorIs(t, err, ErrForged, "%d bytes", n)
	}
}

func TestOnlyTheSameKeyOpens(t *testing.T) {
	key := bytes.Repeat([]byte{7}, KeyBytes)
	text, err := New(key).Open(New(key).Seal([]byte("x")))
	require.NoError(t, err)
	assert.Equal(t, "x", string(text))
	_, err = New(nil).Open(New(nil).Seal([]byte("x")))
	require.ErrorIs(t, err, ErrForged, "two random keys")
	assert.Panics(t, func() { New(key[1:]) })
	s := New(key)
	assert.NotEqual(t, s.Seal([]byte("x")), s.Seal([]byte("x")), "a nonce of its own")
	assert.NotEqual(t, s.Name(), s.Name())
}

func TestDigest(t *testing.T) {
	// SHA-256 of "abc", FIPS 180-4's example, in base64url.
	assert.Equal(t, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0", New(nil).Digest([]byte("abc")))
}
