package statetools

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// tools are the handlers on one part of the state.
type tools struct{ state state.Manager }

func (t tools) get(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var args struct {
		Key string `json:"key"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &args); err != nil {
		return nil, err
	}
	e, err := t.state.Get(ctx, args.Key)
	if err != nil && err != state.ErrNotFound {
		return nil, explain(err, "key")
	}
	out := make([]byte, 0, 96+len(e.Value))
	out = append(out, `{"found":`...)
	out = strconv.AppendBool(out, e.Found())
	return mcp.StructuredJSON(append(t.appendEntry(out, e), '}')), nil
}

func (t tools) set(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var args struct {
		Key       string   `json:"key"`
		Value     *string  `json:"value"`
		Base64    *string  `json:"value_base64"`
		TTL       *float64 `json:"ttl_seconds"`
		IfVersion *uint64  `json:"if_version"`
		IfAbsent  bool     `json:"if_absent,omitzero"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &args); err != nil {
		return nil, err
	}
	value, err := valueOf(args.Value, args.Base64)
	if err != nil {
		return nil, err
	}
	o := state.SetOptions{IfAbsent: args.IfAbsent}
	if o.TTL, err = ttlOf(args.TTL); err != nil {
		return nil, err
	}
	if args.IfVersion != nil {
		o.IfVersion = *args.IfVersion
		o.IfAbsent = o.IfAbsent || *args.IfVersion == 0
	}
	if o.IfAbsent && o.IfVersion != 0 {
		return nil, &mcp.ArgumentError{Argument: "if_version", Problem: "contradicts if_absent; give one of them"}
	}
	version, err := t.state.Set(ctx, args.Key, value, o)
	return changed("stored", version, true, err)
}

func (t tools) delete(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var args struct {
		Key       string  `json:"key"`
		IfVersion *uint64 `json:"if_version"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &args); err != nil {
		return nil, err
	}
	var o state.DeleteOptions
	if args.IfVersion != nil {
		if *args.IfVersion == 0 {
			return nil, &mcp.ArgumentError{Argument: "if_version", Problem: "must be 1 or more: version 0 means an absent key"}
		}
		o.IfVersion = *args.IfVersion
	}
	version, deleted, err := t.state.Delete(ctx, args.Key, o)
	return changed("deleted", version, deleted, err)
}

func (t tools) exists(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var args struct {
		Key string `json:"key"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &args); err != nil {
		return nil, err
	}
	exists, err := t.state.Exists(ctx, args.Key)
	if err != nil {
		return nil, explain(err, "key")
	}
	return mcp.StructuredJSON(fmt.Appendf(nil, `{"exists":%t}`, exists)), nil
}

func (t tools) increment(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var args struct {
		Key   string `json:"key"`
		Delta *int64 `json:"delta"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &args); err != nil {
		return nil, err
	}
	delta := int64(1)
	if args.Delta != nil {
		delta = *args.Delta
	}
	sum, version, err := t.state.Increment(ctx, args.Key, state.IncrementOptions{Delta: delta})
	if err != nil {
		return nil, explain(err, "key")
	}
	return mcp.StructuredJSON(fmt.Appendf(nil, `{"value":%d,"version":%d}`, sum, version)), nil
}

func (t tools) compareAndSwap(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var args struct {
		Key     string  `json:"key"`
		Version uint64  `json:"version"`
		Value   *string `json:"value"`
		Base64  *string `json:"value_base64"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &args); err != nil {
		return nil, err
	}
	value, err := valueOf(args.Value, args.Base64)
	if err != nil {
		return nil, err
	}
	version, swapped, err := t.state.CompareAndSwap(ctx, args.Key, args.Version, value)
	return changed("swapped", version, swapped, err)
}

func (t tools) list(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var args struct {
		Prefix string `json:"prefix,omitzero"`
		Cursor string `json:"cursor,omitzero"`
		Limit  *int   `json:"limit"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &args); err != nil {
		return nil, err
	}
	o := state.ListOptions{Prefix: args.Prefix, Limit: listLimit}
	if args.Limit != nil {
		if o.Limit = *args.Limit; o.Limit < 1 || o.Limit > listLimitMax {
			return nil, &mcp.ArgumentError{Argument: "limit", Problem: fmt.Sprintf("must be between 1 and %d", listLimitMax)}
		}
	}
	cursor, err := base64.RawURLEncoding.DecodeString(args.Cursor)
	if err != nil {
		return nil, &mcp.ArgumentError{Argument: "cursor", Problem: "is not a next_cursor of this tool; leave it out to start at the first key"}
	}
	o.Cursor = string(cursor)
	page, err := t.state.List(ctx, o)
	if err != nil {
		return nil, explain(err, "prefix")
	}
	return mcp.StructuredJSON(t.encodePage(page)), nil
}

func (t tools) batchGet(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var args struct {
		Keys []string `json:"keys"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &args); err != nil {
		return nil, err
	}
	if len(args.Keys) > batchMax {
		return nil, tooMany("keys", len(args.Keys))
	}
	for i, key := range args.Keys {
		if err := checkKey(key, fmt.Sprintf("keys[%d]", i)); err != nil {
			return nil, err
		}
	}
	entries, err := t.state.GetMany(ctx, args.Keys)
	if err != nil {
		return nil, explain(err, "keys")
	}
	out := []byte(`{"entries":[`)
	for i, e := range entries {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendQuoted(append(out, `{"key":`...), args.Keys[i])
		out = strconv.AppendBool(append(out, `,"found":`...), e.Found())
		out = append(t.appendEntry(out, e), '}')
	}
	return mcp.StructuredJSON(append(out, "]}"...)), nil
}

func (t tools) batchSet(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var args struct {
		Entries []struct {
			Key    string   `json:"key"`
			Value  *string  `json:"value"`
			Base64 *string  `json:"value_base64"`
			TTL    *float64 `json:"ttl_seconds"`
		} `json:"entries"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &args); err != nil {
		return nil, err
	}
	if len(args.Entries) > batchMax {
		return nil, tooMany("entries", len(args.Entries))
	}
	items := make([]state.Item, len(args.Entries))
	seen := make(map[string]int, len(items))
	for i, a := range args.Entries {
		where := fmt.Sprintf("entries[%d].", i)
		if first, twice := seen[a.Key]; twice {
			return nil, &mcp.ArgumentError{Argument: where + "key", Problem: fmt.Sprintf("is the key of entries[%d] too; a batch may name a key once", first)}
		}
		seen[a.Key] = i
		err := checkKey(a.Key, where+"key")
		if err == nil {
			items[i].Value, err = valueOf(a.Value, a.Base64)
		}
		if err == nil {
			items[i].TTL, err = ttlOf(a.TTL)
		}
		if err != nil {
			return nil, within(err, where)
		}
		items[i].Key = a.Key
	}
	versions, err := t.state.SetMany(ctx, items)
	if err != nil {
		return nil, explain(err, "entries")
	}
	out := []byte(`{"entries":[`)
	for i, version := range versions {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendQuoted(append(out, `{"key":`...), items[i].Key)
		out = strconv.AppendUint(append(out, `,"version":`...), version, 10)
		out = append(out, '}')
	}
	return mcp.StructuredJSON(append(out, "]}"...)), nil
}

// changed is the answer of a conditional write. A condition that does not hold
// is an answer, not an error.
func changed(what string, version uint64, done bool, err error) (*mcp.CallResult, error) {
	if conflict, ok := errors.AsType[*state.ConflictError](err); ok {
		version, done, err = conflict.Version, false, nil
	}
	if err != nil {
		return nil, explain(err, "key")
	}
	return mcp.StructuredJSON(fmt.Appendf(nil, `{%q:%t,"version":%d}`, what, done, version)), nil
}

func tooMany(argument string, n int) error {
	return &mcp.ArgumentError{Argument: argument, Problem: fmt.Sprintf("has %d items; at most %d fit in one call", n, batchMax)}
}
