// Package signature signs WebAssembly modules with ed25519 and checks such
// signatures, so that a host runs only what the holder of a key has released.
//
// The main functions are [Sign] and [Verify]; [ParsePrivateKey] and
// [ParsePublicKey] read keys in the form that openssl writes them (PEM of PKCS #8
// and of PKIX).
//
//	sig := signature.Sign(module, private)
//	err := signature.Verify(module, sig, public)
//
// # The file
//
// A signature is kept beside its module, under the module's name with [FileSuffix]
// behind it. It is text: four lines, each ended by a line feed, and nothing else.
//
//	ingot signature 1
//	key ed25519:BASE64        the public key, 32 bytes
//	module sha256:HEX         the digest of the module's file
//	signature BASE64          64 bytes
//
// What is signed is the text "ingot wasm module signature 1", a zero byte, and the
// 32 bytes of the digest. No other use of ingot's keys signs bytes that begin so;
// a signature of something else can therefore not be passed off as one of a module.
//
// # Caveats
//
// There are no expiry, revocation or chains: who trusts a key trusts all that it
// signs, older versions of a tool included. Pin the SHA-256 to hold one version.
package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// FileSuffix is added to a module's file name to get that of its signature.
const FileSuffix = ".sig"

const (
	heading = "ingot signature 1"
	domain  = "ingot wasm module signature 1\x00"

	// fileBytesMax is above what any signature has.
	fileBytesMax = 1 << 10
)

// What [Verify] finds, for errors.Is.
var (
	// ErrFormat: the signature is not as the package's comment has it.
	ErrFormat = errors.New("not a signature file")
	// ErrOtherKey: it was made with another key than the trusted one.
	ErrOtherKey = errors.New("signed with another key")
	// ErrOtherModule: it was made of another module.
	ErrOtherModule = errors.New("signature of another module")
	// ErrForged: the key's holder did not make it.
	ErrForged = errors.New("wrong signature")
)

// message is what is signed for a digest.
func message(digest [sha256.Size]byte) []byte { return append([]byte(domain), digest[:]...) }

// Sign returns the contents of the signature file of a module.
func Sign(module []byte, key ed25519.PrivateKey) []byte {
	digest := sha256.Sum256(module)
	sig := ed25519.Sign(key, message(digest))
	return fmt.Appendf(nil, "%s\nkey %s\nmodule sha256:%x\nsignature %s\n",
		heading, KeyText(key.Public().(ed25519.PublicKey)), digest, base64.StdEncoding.EncodeToString(sig))
}

// Verify checks that file is the signature of module by the holder of trusted.
// It takes one pass over the module for its digest.
func Verify(module, file []byte, trusted ed25519.PublicKey) error {
	signer, signed, sig, err := parse(file)
	if err != nil {
		return err
	}
	if !signer.Equal(trusted) {
		return fmt.Errorf("%w: %s, and %s is trusted", ErrOtherKey, KeyText(signer), KeyText(trusted))
	}
	if !ed25519.Verify(trusted, message(signed), sig) {
		return fmt.Errorf("%w: it does not belong to the key and the digest beside it", ErrForged)
	}
	if digest := sha256.Sum256(module); digest != signed {
		return fmt.Errorf("%w: it is for the SHA-256 %x, and the module has %x", ErrOtherModule, signed, digest)
	}
	return nil
}

// parse reads a signature file strictly: there is one way to write each.
func parse(file []byte) (signer ed25519.PublicKey, digest [sha256.Size]byte, sig []byte, err error) {
	fault := func(format string, args ...any) (ed25519.PublicKey, [sha256.Size]byte, []byte, error) {
		return nil, digest, nil, fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
	}
	if len(file) > fileBytesMax {
		return fault("it has %d bytes, and a signature has less than %d", len(file), fileBytesMax)
	}
	lines := strings.Split(string(file), "\n")
	if lines[0] != heading {
		return fault("it does not begin with %q", heading)
	}
	if len(lines) != 5 || lines[4] != "" {
		return fault("it does not have four lines, each ended by a line feed")
	}
	key, ok := strings.CutPrefix(lines[1], "key ")
	if signer, err = parseKeyText(key); !ok || err != nil {
		return fault("line 2 is not \"key ed25519:\" and 32 bytes in base64")
	}
	text, ok := strings.CutPrefix(lines[2], "module sha256:")
	if n, err := hex.Decode(digest[:], []byte(text[:min(len(text), 2*len(digest))])); !ok || err != nil || n != len(digest) || len(text) != 2*len(digest) || strings.ToLower(text) != text {
		return fault("line 3 is not \"module sha256:\" and 64 hexadecimal digits in lower case")
	}
	text, ok = strings.CutPrefix(lines[3], "signature ")
	if sig, err = decodeBase64(text); !ok || err != nil || len(sig) != ed25519.SignatureSize {
		return fault("line 4 is not \"signature \" and 64 bytes in base64")
	}
	return signer, digest, sig, nil
}

// decodeBase64 reads standard base64 of which each text has one form. Strict alone
// does not ask for that: encoding/base64 passes over line ends wherever they stand.
func decodeBase64(text string) ([]byte, error) {
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		return nil, base64.CorruptInputError(i)
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// keyPrefix begins the one-line form of a public key.
const keyPrefix = "ed25519:"

// KeyText is the one-line form of a public key, "ed25519:BASE64".
func KeyText(key ed25519.PublicKey) string {
	return keyPrefix + base64.StdEncoding.EncodeToString(key)
}

func parseKeyText(text string) (ed25519.PublicKey, error) {
	encoded, ok := strings.CutPrefix(text, keyPrefix)
	key, err := decodeBase64(encoded)
	if !ok || err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("not a public key: it is written %s and 32 bytes in base64, which are 44 characters", keyPrefix)
	}
	return key, nil
}

// The PEM types of RFC 7468.
const (
	pemPrivate = "PRIVATE KEY"
	pemPublic  = "PUBLIC KEY"
)

// ParsePublicKey reads a public key: PEM, or the one-line form.
func ParsePublicKey(text []byte) (ed25519.PublicKey, error) {
	if trimmed := string(bytes.TrimSpace(text)); strings.HasPrefix(trimmed, keyPrefix) {
		return parseKeyText(trimmed)
	}
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return nil, fmt.Errorf("not a public key: neither PEM nor %sBASE64; \"ingot keygen NAME\" writes one to NAME.pub", keyPrefix)
	case block.Type == pemPrivate:
		return nil, errors.New("this is a private key, which signs; to verify give the public one (NAME.pub), and keep this one to yourself")
	case block.Type != pemPublic:
		return nil, fmt.Errorf("the PEM block is a %q, not a %q", block.Type, pemPublic)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the public key: %w", err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the key is a %T, and only ed25519 keys are used: make one with \"ingot keygen NAME\"", parsed)
	}
	return key, nil
}

// ParsePrivateKey reads a private key in PEM.
func ParsePrivateKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return nil, errors.New("not a private key in PEM: \"ingot keygen NAME\" writes one to NAME.key")
	case block.Type == pemPublic:
		return nil, errors.New("this is a public key, which verifies; to sign give the private one (NAME.key)")
	case block.Type != pemPrivate:
		return nil, fmt.Errorf("the PEM block is a %q, not a %q: encrypted keys and older formats cannot be read", block.Type, pemPrivate)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the private key is damaged") // the cause could quote parts of it
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the key is a %T, and only ed25519 keys are used: make one with \"ingot keygen NAME\"", parsed)
	}
	return key, nil
}

// MarshalPrivateKey is the PEM form of a private key.
func MarshalPrivateKey(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), err
}

// MarshalPublicKey is the PEM form of a public key.
func MarshalPublicKey(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}), err
}
