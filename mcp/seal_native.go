//go:build !wasm

package mcp

import "github.com/ingot-run/ingot/mcp/seal"

// defaultSealer returns the Sealer of a server that is given none.
func defaultSealer(key []byte) Sealer { return seal.New(key) }
