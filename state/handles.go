package state

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Bounds of handles.
const (
	handlesDefault  = 100            // of one principal
	handleTTLMax    = 30 * 24 * 3600 // seconds
	principalMax    = 1024           // bytes
	handleLengthMax = 64             // of text that may be a handle, in bytes
)

// HandleOptions bound the handles. The zero value works.
type HandleOptions struct {
	// PerPrincipal is how many handles one principal may hold at once; 0 means 100.
	PerPrincipal int
	// TTLMax is the longest life of a handle; 0 means 30 days.
	TTLMax time.Duration
	// BytesMax is the byte budget of all that is kept under handles; 0 is none.
	BytesMax int64
}

// Handles hands out private pieces of state: each has a handle, which is a secret
// text that the server draws and the client brings back. A handle is good for the
// principal that it was minted for, until it expires; then all that was written
// under it is gone. It is kept in the store, by its hash, so that it outlives the
// process, and so that who can read the store does not learn it.
type Handles struct {
	options HandleOptions
	// The braces keep what is changed as one on one node of a cluster; PRINCIPAL is
	// that of the principal's name, hashed.
	records *Scoped // h/{PRINCIPAL}/ID, p/{PRINCIPAL}/ID and n/{PRINCIPAL}
	data    *Scoped // {ID}/KEY
}

// NewHandles keeps handles in the part of m that clients do not reach (System).
// Errors: ErrOptions.
func NewHandles(m Manager, o HandleOptions) (*Handles, error) {
	if o.PerPrincipal < 0 || o.PerPrincipal >= ListLimitMax || o.TTLMax < 0 || o.TTLMax > TTLMax {
		return nil, fmt.Errorf("%w: handles: PerPrincipal must be 0 to %d and TTLMax 0 to %v", ErrOptions, ListLimitMax-1, TTLMax)
	}
	if o.PerPrincipal == 0 {
		o.PerPrincipal = handlesDefault
	}
	if o.TTLMax == 0 {
		o.TTLMax = handleTTLMax * time.Second
	}
	system, err := System(m, "handles")
	if err != nil {
		return nil, err
	}
	h := &Handles{options: o}
	if h.records, err = Scope(system, Namespace{Prefix: "records/"}); err != nil {
		return nil, err
	}
	if h.data, err = Scope(system, Namespace{Prefix: "data/", BytesMax: o.BytesMax}); err != nil {
		return nil, err
	}
	return h, nil
}

// Mint draws a handle of 130 random bits for principal, good for ttl. Errors:
// ErrOptions for a principal of no or more than 1,024 bytes, ErrTTL for a ttl that
// is not between 0 and TTLMax, ErrFull when the principal holds too many.
func (h *Handles) Mint(ctx context.Context, principal string, ttl time.Duration) (handle string, err error) {
	if principal == "" || len(principal) > principalMax {
		return "", fmt.Errorf("%w: a handle's principal has 1 to %d bytes, not %d", ErrOptions, principalMax, len(principal))
	}
	if ttl <= 0 || ttl > h.options.TTLMax {
		return "", fmt.Errorf("%w: a handle lives up to %v, not %v", ErrTTL, h.options.TTLMax, ttl)
	}
	handle = rand.Text()
	for {
		err := h.mint(ctx, principal, hashed(handle), ttl)
		if !errors.Is(err, ErrConflict) { // somebody minted for the same principal meanwhile
			if err != nil {
				return "", err
			}
			return handle, nil
		}
	}
}

// mint counts the principal's handles and adds one, provided that nobody else does
// at the same time: the key n/PRINCIPAL, which every mint writes, tells.
func (h *Handles) mint(ctx context.Context, principal, id string, ttl time.Duration) error {
	owner := ownerOf(principal)
	guard, err := h.records.Get(ctx, "n/"+owner)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	held, err := h.records.List(ctx, ListOptions{Prefix: "p/" + owner + "/", Limit: h.options.PerPrincipal})
	if err != nil {
		return err
	}
	if len(held.Entries) >= h.options.PerPrincipal {
		return fmt.Errorf("%w: the principal holds %d handles; revoke one, or let one expire", ErrFull, len(held.Entries))
	}
	_, err = h.records.Batch(ctx, []Op{
		{Kind: OpSet, Key: "n/" + owner, TTL: h.options.TTLMax, IfVersion: guard.Version, IfAbsent: guard.Version == 0},
		{Kind: OpSet, Key: "p/" + owner + "/" + id, TTL: ttl, IfAbsent: true},
		{Kind: OpSet, Key: "h/" + owner + "/" + id, Value: []byte(principal), TTL: ttl, IfAbsent: true},
	})
	return err
}

// Open makes the Manager of what is kept under a handle. What is written there ends
// with the handle at the latest. Errors: ErrHandle, also from the Manager once the
// handle has expired.
func (h *Handles) Open(ctx context.Context, principal, handle string) (Manager, error) {
	id, end, err := h.find(ctx, principal, handle)
	if err != nil {
		return nil, err
	}
	return Scope(h.data, Namespace{Prefix: "{" + id + "}/", until: end})
}

// Revoke ends a handle now, with all that is kept under it. Managers that Open made
// of it before fail with ErrHandle only when they would have. Errors: ErrHandle.
func (h *Handles) Revoke(ctx context.Context, principal, handle string) error {
	id, _, err := h.find(ctx, principal, handle)
	if err != nil {
		return err
	}
	owner := ownerOf(principal)
	_, err = h.records.Batch(ctx, []Op{{Kind: OpDelete, Key: "h/" + owner + "/" + id}, {Kind: OpDelete, Key: "p/" + owner + "/" + id}})
	if err != nil {
		return err
	}
	_, err = h.data.Clear(ctx, "{"+id+"}/")
	return err
}

// find returns a handle's id and when it ends, in Unix milliseconds.
func (h *Handles) find(ctx context.Context, principal, handle string) (id string, end int64, err error) {
	if len(handle) > handleLengthMax {
		return "", 0, ErrHandle
	}
	id = hashed(handle)
	record, err := h.records.Get(ctx, "h/"+ownerOf(principal)+"/"+id)
	if errors.Is(err, ErrNotFound) || (err == nil && subtle.ConstantTimeCompare(record.Value, []byte(principal)) != 1) {
		return "", 0, ErrHandle
	}
	return id, record.ExpiresAt, err
}

// ownerOf is what stands in keys for a principal.
func ownerOf(principal string) string { return "{" + hashed(principal) + "}" }

// hashed is what stands in a key for a text that is secret, or may hold any byte.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
