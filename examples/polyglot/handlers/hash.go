// Package handlers has the Go function of the server: [Hash], which forge.yaml names as
// polyglot::hash.
//
//	out, err := handlers.Hash(ctx, handlers.Input{Data: "abc", Algorithm: "sha256"})
//
// # Caveats
//
// sha1 is there for checksums that others publish; it protects nothing any more.
package handlers

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/ingot-run/ingot/forge"
)

func init() { forge.Handle("polyglot::hash", Hash) }

// Input are the arguments.
type Input struct {
	Data      string `json:"data"`
	Algorithm string `json:"algorithm"` // sha1, sha256 or sha512
}

// Output is the answer.
type Output struct {
	Algorithm string `json:"algorithm"`
	Hash      string `json:"hash"` // lower-case hex
}

// Hash hashes a text.
func Hash(_ context.Context, in Input) (Output, error) {
	var h hash.Hash
	switch in.Algorithm {
	case "sha1":
		h = sha1.New()
	case "sha256":
		h = sha256.New()
	case "sha512":
		h = sha512.New()
	default:
		return Output{}, fmt.Errorf("there is no algorithm %q: it can be sha1, sha256 or sha512", in.Algorithm)
	}
	h.Write([]byte(in.Data)) // never fails
	return Output{in.Algorithm, hex.EncodeToString(h.Sum(nil))}, nil
}
