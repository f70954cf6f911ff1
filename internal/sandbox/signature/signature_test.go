package signature

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keyOf is a key made of a byte, the same in every run.
func keyOf(b byte) (ed25519.PublicKey, ed25519.PrivateKey) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	return key.Public().(ed25519.PublicKey), key
}

func TestSignAndVerify(t *testing.T) {
	public, private := keyOf(1)
	other, otherPrivate := keyOf(2)
	module := []byte("\x00asm\x01\x00\x00\x00")
	file := Sign(module, private)
	require.NoError(t, Verify(module, file, public))
	require.Equal(t, file, Sign(module, private), "signing is deterministic")

	require.ErrorIs(t, Verify(append(module, 0), file, public), ErrOtherModule)
	require.ErrorIs(t, Verify(nil, file, public), ErrOtherModule)
	require.ErrorIs(t, Verify(module, file, other), ErrOtherKey)
	// Another's signature under the trusted key's name.
	forged := bytes.Replace(Sign(module, otherPrivate), []byte(KeyText(other)), []byte(KeyText(public)), 1)
	require.ErrorIs(t, Verify(module, forged, public), ErrForged)
	// The digest alone, without the domain, as some other protocol might sign it.
	digest := sha256.Sum256(module)
	bare := ed25519.Sign(private, digest[:])
	require.ErrorIs(t, Verify(module, withSignature(file, bare), public), ErrForged)
	// A whole signature of another module, with this one's digest written into it.
	moved := bytes.Replace(Sign([]byte("other"), private), fmt.Appendf(nil, "%x", sha256.Sum256([]byte("other"))), fmt.Appendf(nil, "%x", digest), 1)
	require.ErrorIs(t, Verify(module, moved, public), ErrForged)
}

// withSignature puts another signature into a file.
func withSignature(file, sig []byte) []byte {
	at := bytes.LastIndex(file, []byte("signature "))
	return append(bytes.Clone(file[:at+len("signature ")]), base64.StdEncoding.EncodeToString(sig)+"\n"...)
}

// Any change to any byte of the file is noticed.
func TestEachByteCounts(t *testing.T) {
	public, private := keyOf(3)
	module := []byte("module")
	file := Sign(module, private)
	for i := range file {
		for _, change := range []byte{1, 0x20, 0x80} {
			changed := bytes.Clone(file)
			changed[i] ^= change
			require.Error(t, Verify(module, changed, public), "byte %d of %q", i, changed)
		}
		for _, more := range []string{"\r", "\n", "\t", " ", "=", "A", "\x00"} {
			changed := string(file[:i]) + more + string(file[i:])
			require.Error(t, Verify(module, []byte(changed), public), "%q added before byte %d", more, i)
		}
		require.Error(t, Verify(module, file[:i], public), "cut to %d", i)
	}
	for name, changed := range map[string]string{
		"empty": "", "a line more": string(file) + "\n", "a blank at the end": string(file) + " ", "CRLF": strings.ReplaceAll(string(file), "\n", "\r\n"),
		"long": string(file) + strings.Repeat("x", 2000), "no key": strings.Replace(string(file), "key ", "yek ", 1), "upper-case digest": strings.Replace(string(file), fmt.Sprintf("%x", sha256.Sum256(module)), fmt.Sprintf("%X", sha256.Sum256(module)), 1),
	} {
		require.ErrorIs(t, Verify(module, []byte(changed), public), ErrFormat, name)
	}
}

func TestKeys(t *testing.T) {
	public, private := keyOf(4)
	text, err := MarshalPublicKey(public)
	require.NoError(t, err)
	got, err := ParsePublicKey(text)
	require.NoError(t, err)
	require.Equal(t, public, got)
	got, err = ParsePublicKey([]byte(" " + KeyText(public) + "\n"))
	require.NoError(t, err)
	require.Equal(t, public, got)
	secret, err := MarshalPrivateKey(private)
	require.NoError(t, err)
	gotPrivate, err := ParsePrivateKey(secret)
	require.NoError(t, err)
	require.Equal(t, private, gotPrivate)

	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(curve)
	require.NoError(t, err)
	curvePrivate := pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der})
	der, err = x509.MarshalPKIXPublicKey(curve.Public())
	require.NoError(t, err)
	curvePublic := pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der})
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	for says, text := range map[string][]byte{
		"neither PEM nor":            []byte("hello"),
		"44 characters":              []byte("ed25519:AAAA"),
		"this is a private key":      secret,
		"only ed25519 keys are used": curvePublic,
		`is a "CERTIFICATE"`:         block("CERTIFICATE", nil),
		"reading the public key":     block(pemPublic, []byte("x")),
	} {
		_, err := ParsePublicKey(text)
		require.ErrorContains(t, err, says)
	}
	for says, text := range map[string][]byte{
		"not a private key in PEM":   []byte("hello"),
		"this is a public key":       append(block(pemPublic, nil), secret...),
		"only ed25519 keys are used": curvePrivate,
		`is a "RSA PRIVATE KEY"`:     block("RSA PRIVATE KEY", nil),
		"is damaged":                 block(pemPrivate, []byte("x")),
	} {
		_, err := ParsePrivateKey(text)
		require.ErrorContains(t, err, says)
	}
}

func FuzzVerify(f *testing.F) {
	public, private := keyOf(5)
	module := []byte("module")
	good := Sign(module, private)
	f.Add(good)
	f.Add([]byte(heading + "\nkey ed25519:\nmodule sha256:\nsignature \n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if err := Verify(module, file, public); err == nil && !bytes.Equal(file, good) {
			t.Errorf("a second file passes: %q", file)
		}
	})
}

func ExampleVerify() {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	module := []byte("the bytes of tool.wasm")
	file := Sign(module, private)
	fmt.Println(strings.Split(string(file), "\n")[0])
	fmt.Println(Verify(module, file, public))
	// Output:
	// ingot signature 1
	// <nil>
}
