// Package seal protects what an MCP server gives to its clients to bring back:
// the state of a request that was answered by questions, and the names of tasks.
// [New] makes the [Sealer] that package mcp uses by default.
//
// It is a package of its own for the sake of wasm: ciphers and the random numbers
// for keys make 50 KB of a module, gzipped, and a server whose handlers ask
// nobody and make no tasks needs neither. There package mcp does not import this
// one, and a server that needs it says so:
//
//	server := mcp.NewServer(mcp.Options{Sealer: seal.New(nil)})
//
// # Caveats
//
// A Sealer does not stop anybody from bringing the same text back twice.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"sync"
)

// KeyBytes is the length of a key.
const KeyBytes = 32

// Sealer seals by AES-256-GCM under one key:
//
//	nonce [12], random | ciphertext | tag [16]
//
// A key is good for 2^32 texts (NIST SP 800-38D section 8.3). It is safe for
// concurrent use.
type Sealer struct {
	key    []byte
	cipher func() cipher.AEAD // made when it is first needed
}

// New returns a Sealer with this key, which is copied. Servers that stand in for
// each other share a key; an empty one is replaced by a random one, which ends
// with the process. It panics on a key of another length than [KeyBytes].
func New(key []byte) *Sealer {
	if len(key) != 0 && len(key) != KeyBytes {
		panic("seal: New: the key has " + strconv.Itoa(len(key)) + " bytes; " + strconv.Itoa(KeyBytes) + " are needed")
	}
	s := &Sealer{key: append([]byte(nil), key...)}
	s.cipher = sync.OnceValue(s.makeCipher)
	return s
}

func (s *Sealer) makeCipher() cipher.AEAD {
	if len(s.key) == 0 {
		s.key = make([]byte, KeyBytes)
		rand.Read(s.key)
	}
	block, err := aes.NewCipher(s.key)
	if err != nil {
		panic("seal: " + err.Error()) // New has checked the key's length
	}
	made, err := cipher.NewGCM(block)
	if err != nil {
		panic("seal: " + err.Error()) // AES has the right block size
	}
	return made
}

// ErrForged is what Open returns for what was not sealed under its key.
var ErrForged = errors.New("seal: the text was not sealed here, or was changed")

// Seal encrypts text so that nobody without the key can read or change it.
func (s *Sealer) Seal(text []byte) []byte {
	c := s.cipher()
	nonce := make([]byte, c.NonceSize(), c.NonceSize()+len(text)+c.Overhead())
	rand.Read(nonce)
	return c.Seal(nonce, nonce, text, nil)
}

// Open undoes Seal. Its error is [ErrForged].
func (s *Sealer) Open(sealed []byte) ([]byte, error) {
	c := s.cipher()
	if len(sealed) < c.NonceSize() {
		return nil, ErrForged
	}
	text, err := c.Open(nil, sealed[:c.NonceSize()], sealed[c.NonceSize():], nil)
	if err != nil {
		return nil, ErrForged
	}
	return text, nil
}

// Digest returns the SHA-256 of text in base64url.
func (s *Sealer) Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Name returns a new name with 128 random bits, of letters and digits.
func (s *Sealer) Name() string { return rand.Text() }
