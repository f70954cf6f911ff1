// Package seal encrypts what a store writes to its directory: AES256GCM makes the
// engine.Encryption that engine.Options takes. It stands apart from the engine so
// that a build without it does without the cryptography.
//
//	key, err := seal.ParseKey(os.Getenv("INGOT_KEY"))
//	…
//	store, err := engine.Open(engine.Options{Dir: dir, Encryption: seal.AES256GCM(key)})
//
// Every file has a key of its own, which HKDF-SHA256 derives from the key given
// and the file's salt (RFC 5869; info "ingot file key v1"). Every block is sealed by
// AES-256-GCM, its offset in the file as the nonce: an offset is sealed once.
//
// To change the key, open the store with the new one first and the old ones behind
// it: AES256GCM(new, old). What is written from then on is under the new key, and
// after Store.Compact everything is.
//
// # Caveats
//
//   - Sizes, times, versions and the ids of keys are not hidden: only keys, values
//     and what happened to them.
//   - Whoever can write to the directory can remove the newest files or put older
//     ones back, and thereby make the store forget.
//   - An id names one key for ever. A key under another's id is found out when the
//     first block does not open.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ingot-run/ingot/engine"
)

// KeyBytes is the length of a key, in bytes.
const KeyBytes = 32

// fileKeyInfo keeps file keys apart from what else may be derived from a key.
const fileKeyInfo = "ingot file key v1"

// Key is a key and its id, which files carry. The id is any number but 0.
type Key struct {
	ID     uint64
	Secret [KeyBytes]byte
}

// ParseKey reads a key as a file or an environment variable holds it: the id in
// decimal, a colon, and 64 hexadecimal digits. Space around it is skipped.
func ParseKey(text string) (k Key, err error) {
	id, digits, found := strings.Cut(strings.TrimSpace(text), ":")
	if k.ID, err = strconv.ParseUint(id, 10, 64); err != nil || k.ID == 0 || !found {
		return Key{}, errors.New("seal: a key is its id (a whole number from 1 on), a colon, and 64 hexadecimal digits")
	}
	secret, err := hex.DecodeString(digits)
	if err != nil || len(secret) != KeyBytes {
		// The digits are not shown: they may be most of a secret.
		return Key{}, fmt.Errorf("seal: key %d must have 64 hexadecimal digits behind the colon", k.ID)
	}
	k.Secret = [KeyBytes]byte(secret)
	return k, nil
}

// AES256GCM encrypts with current, and reads what it or one of older encrypted. It
// panics when an id is 0 or stands twice.
func AES256GCM(current Key, older ...Key) engine.Encryption {
	e := &keys{current: current.ID, secrets: map[uint64][KeyBytes]byte{}}
	for _, k := range append([]Key{current}, older...) {
		if _, twice := e.secrets[k.ID]; twice || k.ID == 0 {
			panic(fmt.Sprintf("seal: the key id %d is 0 or stands twice", k.ID))
		}
		e.secrets[k.ID] = k.Secret
	}
	return e
}

type keys struct {
	current uint64
	secrets map[uint64][KeyBytes]byte
}

var _ engine.Encryption = (*keys)(nil)

// Seal is engine.Encryption's.
func (e *keys) Seal(salt []byte) (keyID uint64, c engine.FileCipher, err error) {
	c, err = e.Open(e.current, salt)
	return e.current, c, err
}

// Open is engine.Encryption's.
func (e *keys) Open(keyID uint64, salt []byte) (engine.FileCipher, error) {
	secret, ok := e.secrets[keyID]
	if !ok {
		return nil, errors.New("it is not among the keys that were given")
	}
	fileKey, err := hkdf.Key(sha256.New, secret[:], salt, fileKeyInfo, KeyBytes)
	if err != nil {
		return nil, fmt.Errorf("deriving the file's key: %w", err)
	}
	block, err := aes.NewCipher(fileKey)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
