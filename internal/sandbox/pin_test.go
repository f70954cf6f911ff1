package sandbox

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	modsig "github.com/ingot-run/ingot/internal/sandbox/signature"
)

// The pins are looked at before anything else: a file that is no module at all
// fails by its pin.
func TestPins(t *testing.T) {
	module, err := os.ReadFile(sha256Path)
	require.NoError(t, err)
	digest := sha256.Sum256(module)
	pinned := hex.EncodeToString(digest[:])
	author := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	public := author.Public().(ed25519.PublicKey)
	sig := modsig.Sign(module, author)

	for name, p := range map[string]Policy{
		"the digest":                {SHA256: pinned},
		"a digest in capitals":      {SHA256: strings.ToUpper(pinned)},
		"a digest with its name":    {SHA256: "sha256:" + pinned},
		"a signature":               {PublicKey: public, Signature: sig},
		"both":                      {SHA256: pinned, PublicKey: public, Signature: sig},
		"a signature without a key": {Signature: []byte("whatever")},
	} {
		t.Run(name, func(t *testing.T) { require.NotEmpty(t, load(t, module, p, nil).Info().SHA256) })
	}
	for name, c := range map[string]struct {
		module []byte
		policy Policy
		kind   error
		says   string
	}{
		"another digest":     {module, Policy{SHA256: strings.Repeat("0", 64)}, ErrPin, "the file's SHA-256 is " + pinned},
		"no module":          {[]byte("not a module"), Policy{SHA256: pinned}, ErrPin, "it is not the file that was meant"},
		"no signature":       {module, Policy{PublicKey: public}, ErrPin, "ingot sign"},
		"another's":          {module, Policy{PublicKey: public, Signature: modsig.Sign(module, stranger)}, ErrPin, "signed with another key"},
		"of another module":  {[]byte("not a module"), Policy{PublicKey: public, Signature: sig}, ErrPin, "signature of another module"},
		"no signature file":  {[]byte("not a module"), Policy{PublicKey: public, Signature: []byte("x")}, ErrPin, "not a signature file"},
		"a digest too short": {module, Policy{SHA256: "abc"}, ErrPolicy, "64 hexadecimal digits"},
		"a key too short":    {module, Policy{PublicKey: public[:31]}, ErrPolicy, "an ed25519 key has 32"},
	} {
		t.Run(name, func(t *testing.T) {
			host := New(Options{})
			defer host.Close(context.Background())
			_, err := host.Load(context.Background(), "guest.wasm", c.module, c.policy)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.says)
		})
	}
}
