package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/ingot-run/ingot/mcp/seal"
	"github.com/ingot-run/ingot/state"
)

// Key is the key that the servers of m seal with: the first one to ask draws it. It
// stays for as long as the store does.
func Key(ctx context.Context, m state.Manager) ([]byte, error) {
	kept, err := state.System(m, "seal")
	if err != nil {
		return nil, err
	}
	fresh := make([]byte, seal.KeyBytes)
	rand.Read(fresh)
	_, err = kept.Set(ctx, "key", fresh, state.SetOptions{IfAbsent: true})
	if err != nil && !errors.Is(err, state.ErrConflict) {
		return nil, fmt.Errorf("storing the key that seals requests: %w", err)
	}
	e, err := kept.Get(ctx, "key")
	if err != nil {
		return nil, fmt.Errorf("reading the key that seals requests: %w", err)
	}
	if len(e.Value) != seal.KeyBytes {
		return nil, fmt.Errorf("the key in the state that seals requests has %d bytes and not %d: somebody else wrote it", len(e.Value), seal.KeyBytes)
	}
	return e.Value, nil
}
