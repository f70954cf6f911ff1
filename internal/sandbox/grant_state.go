package sandbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/ingot-run/ingot/state"
)

// stateUse is what a call has used of one state grant.
type stateUse struct{ bytes, ops uint64 }

// listUse is where a call's last list ended: the store goes on from its cursor,
// which says nothing about keys, and the guest from the last key.
type listUse struct{ prefix, last, cursor string }

// grantedState is one state grant with what the call has used of it.
type grantedState struct {
	*StateGrant
	use *stateUse
}

// enter finds the grant for a key, counts an operation and pays for bytes.
func (c *call) enter(key string, write bool, bytes int) (grantedState, *refusal) {
	var g grantedState
	for i := range c.policy.State {
		if s := &c.policy.State[i]; strings.HasPrefix(key, s.Prefix) && (g.StateGrant == nil || len(s.Prefix) > len(g.Prefix)) {
			if c.grants.state == nil {
				c.grants.state = make([]stateUse, len(c.policy.State))
			}
			g = grantedState{s, &c.grants.state[i]}
		}
	}
	switch {
	case g.StateGrant == nil && !write:
		return g, refusalf(codeDenied, `state key %q is outside what the tool may read: grant capabilities.state: [{prefix: %q, access: read}]`, clip(key, 200), prefixOf(key))
	case g.StateGrant == nil:
		return g, refusalf(codeDenied, `state key %q is outside what the tool may write: grant capabilities.state: [{prefix: %q, access: read-write}]`, clip(key, 200), prefixOf(key))
	case write && !g.Write:
		return g, refusalf(codeDenied, `state key %q may only be read: grant capabilities.state: [{prefix: %q, access: read-write}]`, clip(key, 200), g.Prefix)
	case g.use.ops >= g.OpsMax:
		return g, refusalf(codeLimit, `the call has used its %d operations on state: grant more with capabilities.state: [{prefix: %q, ops: …}]`, g.OpsMax, g.Prefix)
	}
	g.use.ops++
	return g, g.pay(bytes)
}

// pay takes bytes off the call's budget.
func (g grantedState) pay(bytes int) *refusal {
	if uint64(bytes) > g.BytesMax-g.use.bytes {
		return refusalf(codeLimit, `the call has read and written its %d bytes of state: grant more with capabilities.state: [{prefix: %q, bytes: …}]`, g.BytesMax, g.Prefix)
	}
	g.use.bytes += uint64(bytes)
	return nil
}

// prefixOf is the prefix that a person would probably grant for a key.
func prefixOf(key string) string {
	if i := strings.IndexAny(key, "/:"); i >= 0 {
		key = key[:i+1]
	}
	return clip(key, 200)
}

// stateRefusal translates an error of the store.
func stateRefusal(err error) *refusal {
	for _, t := range []struct {
		code   uint32
		errors []error
	}{
		{codeNotFound, []error{state.ErrNotFound}},
		{codeConflict, []error{state.ErrConflict}},
		{codeLimit, []error{state.ErrFull, state.ErrValueSize}},
		{codeInvalid, []error{state.ErrKey, state.ErrTTL, state.ErrOptions, state.ErrNotNumber, state.ErrOverflow}},
		{codeDenied, []error{state.ErrReadOnly}},
		{codeTimeout, []error{context.DeadlineExceeded, context.Canceled}},
	} {
		for _, e := range t.errors {
			if errors.Is(err, e) {
				return &refusal{t.code, err.Error()}
			}
		}
	}
	return &refusal{codeUnavailable, "the state store failed"} // how is the host's business; it logs it
}

// hostStateGet is ingot.state_get(key, keyLen).
func hostStateGet(c *call, m guestBlocks, stack []uint64) ([]byte, *refusal) {
	key := string(m.block("state_get", "key", stack[0], stack[1]))
	g, no := c.enter(key, false, len(key))
	if no != nil {
		return nil, no
	}
	reply, meta, err := c.owner().state.AppendGet(c.ctx, make([]byte, 8, 128), key)
	if err != nil {
		return nil, stateRefusal(err)
	}
	binary.LittleEndian.PutUint64(reply, meta.Version)
	return reply, g.pay(len(reply) - 8)
}

// owner is what the module holds of the host.
func (c *call) owner() *granted { return &c.instance.owner.grants }

// lifetime reads a time to live.
func lifetime(millis int64) (time.Duration, *refusal) {
	if millis < 0 || millis > int64(state.TTLMax/time.Millisecond) {
		return 0, refusalf(codeInvalid, "the time to live is %d ms: it is 0 (for ever) to %d", millis, int64(state.TTLMax/time.Millisecond))
	}
	return time.Duration(millis) * time.Millisecond, nil
}

// hostStateSet is ingot.state_set(key, keyLen, value, valueLen, ttlMillis, ifVersion).
func hostStateSet(c *call, m guestBlocks, stack []uint64) ([]byte, *refusal) {
	key, value := string(m.block("state_set", "key", stack[0], stack[1])), m.block("state_set", "value", stack[2], stack[3])
	// A backend beyond a network may still be sending when the context has ended,
	// and the guest's memory is unmapped after that.
	value = bytes.Clone(value)
	if _, no := c.enter(key, true, len(key)+len(value)); no != nil {
		return nil, no
	}
	ttl, no := lifetime(int64(stack[4]))
	if no != nil {
		return nil, no
	}
	o := state.SetOptions{TTL: ttl}
	switch ifVersion := int64(stack[5]); {
	case ifVersion < -1:
		return nil, refusalf(codeInvalid, "ifVersion is %d: it is -1 (in any case), 0 (only if absent) or a version", ifVersion)
	case ifVersion == 0:
		o.IfAbsent = true
	case ifVersion > 0:
		o.IfVersion = uint64(ifVersion)
	}
	version, err := c.owner().state.Set(c.ctx, key, value, o)
	if err != nil {
		return nil, stateRefusal(err)
	}
	return binary.LittleEndian.AppendUint64(nil, version), nil
}

// hostStateDelete is ingot.state_delete(key, keyLen, ifVersion).
func hostStateDelete(c *call, m guestBlocks, stack []uint64) ([]byte, *refusal) {
	key := string(m.block("state_delete", "key", stack[0], stack[1]))
	if _, no := c.enter(key, true, len(key)); no != nil {
		return nil, no
	}
	o := state.DeleteOptions{}
	if ifVersion := int64(stack[2]); ifVersion == 0 || ifVersion < -1 {
		return nil, refusalf(codeInvalid, "ifVersion is %d: it is -1 (in any case) or a version", ifVersion)
	} else if ifVersion > 0 {
		o.IfVersion = uint64(ifVersion)
	}
	_, deleted, err := c.owner().state.Delete(c.ctx, key, o)
	if err == nil && !deleted {
		err = state.ErrNotFound
	}
	if err != nil {
		return nil, stateRefusal(err)
	}
	return nil, nil
}

// hostStateIncrement is ingot.state_increment(key, keyLen, delta, ttlMillis).
func hostStateIncrement(c *call, m guestBlocks, stack []uint64) ([]byte, *refusal) {
	key := string(m.block("state_increment", "key", stack[0], stack[1]))
	if _, no := c.enter(key, true, len(key)+8); no != nil {
		return nil, no
	}
	ttl, no := lifetime(int64(stack[3]))
	if no != nil {
		return nil, no
	}
	sum, _, err := c.owner().state.Increment(c.ctx, key, state.IncrementOptions{Delta: int64(stack[2]), TTL: ttl})
	if err != nil {
		return nil, stateRefusal(err)
	}
	return binary.LittleEndian.AppendUint64(nil, uint64(sum)), nil
}

const (
	listLimitDefault = 100
	listLimitMax     = 1000
)

// hostStateList is ingot.state_list(prefix, prefixLen, after, afterLen, limit). The
// prefix itself must be inside a grant: a list that began above one would show, by
// what it leaves out, what else there is.
func hostStateList(c *call, m guestBlocks, stack []uint64) ([]byte, *refusal) {
	prefix, after := string(m.block("state_list", "prefix", stack[0], stack[1])), string(m.block("state_list", "after", stack[2], stack[3]))
	g, no := c.enter(prefix, false, 0)
	if no != nil {
		if no.code == codeDenied {
			no = refusalf(codeDenied, `listing the keys that begin with %q would go beyond what the tool may read: grant capabilities.state: [{prefix: %q, access: read}]`, clip(prefix, 200), clip(prefix, 200))
		}
		return nil, no
	}
	limit := int(int32(stack[4]))
	if limit <= 0 {
		limit = listLimitDefault
	}
	return c.list(g, prefix, after, min(limit, listLimitMax))
}

// list reads pages until it has some keys that are greater than after. When the
// guest goes on where its last list ended, that is the first page; otherwise those
// before it are read too, and each counts as an operation.
func (c *call) list(g grantedState, prefix, after string, limit int) ([]byte, *refusal) {
	o := state.ListOptions{Prefix: prefix, Limit: limit}
	if u := c.grants.list; u.cursor != "" && u.prefix == prefix && u.last == after {
		o.Cursor = u.cursor
	} else if after > prefix {
		o.Limit = listLimitMax // there may be many to skip
	}
	var reply []byte
	for count := 0; count == 0; {
		page, err := c.owner().state.List(c.ctx, o)
		if err != nil {
			return nil, stateRefusal(err)
		}
		last := ""
		for _, e := range page.Entries {
			if e.Key <= after || count == limit {
				continue
			}
			reply = append(binary.LittleEndian.AppendUint32(reply, uint32(len(e.Key))), e.Key...)
			last = e.Key
			count++
		}
		c.grants.list = listUse{}
		if count > 0 && last == page.Entries[len(page.Entries)-1].Key {
			c.grants.list = listUse{prefix, last, page.Next}
		}
		if o.Cursor = page.Next; page.Next == "" {
			break
		}
		if count == 0 {
			if _, no := c.enter(prefix, false, 0); no != nil {
				return nil, no
			}
		}
	}
	return reply, g.pay(len(reply))
}
