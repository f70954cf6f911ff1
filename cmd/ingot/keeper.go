package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ingot-run/ingot/internal/mcpclient"
	"github.com/ingot-run/ingot/state"
)

// record is an entry as a line of an export has it, and of "ingot state dump". An empty
// value has neither Value nor Bytes.
type record struct {
	Key       string `json:"key,omitempty"`
	KeyBytes  []byte `json:"key_base64,omitempty"` // of a key that is not UTF-8
	Value     string `json:"value,omitempty"`
	Bytes     []byte `json:"value_base64,omitempty"` // of a value that is not UTF-8
	Version   uint64 `json:"version,omitempty"`
	ExpiresAt int64  `json:"expires_at,omitempty"` // Unix milliseconds
}

func recordOf(key string, value []byte, m state.Meta) record {
	r := record{Version: m.Version, ExpiresAt: m.ExpiresAt}
	if r.Key = key; !utf8.ValidString(key) {
		r.Key, r.KeyBytes = "", []byte(key)
	}
	if r.Value = string(value); !utf8.Valid(value) {
		r.Value, r.Bytes = "", value
	}
	return r
}

// key is the key, whichever way it is written.
func (r *record) key() string {
	if len(r.KeyBytes) > 0 {
		return string(r.KeyBytes)
	}
	return r.Key
}

func (r *record) value() []byte {
	if len(r.Bytes) > 0 {
		return r.Bytes
	}
	return []byte(r.Value)
}

// listed is a key with what is known of its entry without its value.
type listed struct {
	key  string
	size int64
	state.Meta
}

// setConditions are how a value is stored.
type setConditions struct {
	ttl       time.Duration // 0: for ever
	ifVersion *uint64       // 0: while the key is absent; nil: whatever is there
}

// keeper is a state that a command works on, in a directory or behind a server.
type keeper interface {
	// get returns the entry; one of version 0 is absent.
	get(ctx context.Context, key string) (state.Entry, error)
	// set returns the new version, or with false the one that was found instead.
	set(ctx context.Context, key string, value []byte, c setConditions) (version uint64, stored bool, err error)
	// delete returns whether the key was removed, and else the version found.
	delete(ctx context.Context, key string, ifVersion *uint64) (version uint64, deleted bool, err error)
	// list returns a page of at most 1,000 keys and the cursor of the next one.
	list(ctx context.Context, prefix, cursor string) (page []listed, next string, err error)
	// getAll returns an entry for each key.
	getAll(ctx context.Context, keys []string) ([]state.Entry, error)
	// setAll stores all items, or none.
	setAll(ctx context.Context, items []state.Item) error
	close() error
}

// pageKeys is how many keys a page has, and how many a batch at most.
const pageKeys = 1000

// local is a state in this process.
type local struct {
	state.Manager
	closeStore func() error
}

var _ keeper = (*local)(nil)

func (l *local) get(ctx context.Context, key string) (state.Entry, error) {
	e, err := l.Get(ctx, key)
	if errors.Is(err, state.ErrNotFound) {
		return state.Entry{}, nil
	}
	return e, err
}

func (l *local) set(ctx context.Context, key string, value []byte, c setConditions) (uint64, bool, error) {
	o := state.SetOptions{TTL: c.ttl}
	if c.ifVersion != nil {
		o.IfVersion, o.IfAbsent = *c.ifVersion, *c.ifVersion == 0
	}
	version, err := l.Set(ctx, key, value, o)
	if found, ok := errors.AsType[*state.ConflictError](err); ok {
		return found.Version, false, nil
	}
	return version, err == nil, err
}

func (l *local) delete(ctx context.Context, key string, ifVersion *uint64) (uint64, bool, error) {
	var o state.DeleteOptions
	if ifVersion != nil {
		o.IfVersion = *ifVersion
	}
	version, deleted, err := l.Delete(ctx, key, o)
	if found, ok := errors.AsType[*state.ConflictError](err); ok {
		return found.Version, false, nil
	}
	return version, deleted, err
}

func (l *local) list(ctx context.Context, prefix, cursor string) ([]listed, string, error) {
	page, err := l.List(ctx, state.ListOptions{Prefix: prefix, Cursor: cursor, Limit: pageKeys})
	if err != nil {
		return nil, "", err
	}
	all := make([]listed, len(page.Entries))
	for i, e := range page.Entries {
		all[i] = listed{e.Key, int64(e.Size), e.Meta}
	}
	return all, page.Next, nil
}

func (l *local) getAll(ctx context.Context, keys []string) ([]state.Entry, error) {
	return l.GetMany(ctx, keys)
}

func (l *local) setAll(ctx context.Context, items []state.Item) error {
	_, err := l.SetMany(ctx, items)
	return err
}

func (l *local) close() error { return l.closeStore() }

// shared is a state on redis. Of several entries some may be stored where others fail:
// not all may be changed as one in a cluster.
type shared struct{ local }

func (s *shared) setAll(ctx context.Context, items []state.Item) error {
	return setEach(ctx, s.Manager, items)
}

// remote is the state of a server, by its tools state_*.
type remote struct{ client *mcpclient.Client }

var _ keeper = (*remote)(nil)

// remoteEntry is an entry as the tools tell of it.
type remoteEntry struct {
	Key       string `json:"key"`
	KeyBytes  []byte `json:"key_base64"`
	Value     string `json:"value"`
	Bytes     []byte `json:"value_base64"`
	Version   uint64 `json:"version"`
	Seconds   int64  `json:"ttl_seconds"`
	SizeBytes int64  `json:"size"`
}

func (e *remoteEntry) meta() state.Meta {
	m := state.Meta{Version: e.Version}
	if e.Seconds > 0 {
		m.ExpiresAt = time.Now().Add(time.Duration(e.Seconds) * time.Second).UnixMilli()
	}
	return m
}

func (e *remoteEntry) entry() state.Entry {
	r := record{Value: e.Value, Bytes: e.Bytes}
	return state.Entry{Value: r.value(), Meta: e.meta()}
}

// call calls a tool of the state and reads what it answers into to.
func (r *remote) call(ctx context.Context, tool string, arguments map[string]any, to any) error {
	raw, err := json.Marshal(arguments)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("the server does not answer %s within %v", tool, askTimeout))
	defer cancel()
	result, err := r.client.CallTool(ctx, tool, raw, nil)
	if err != nil {
		return err
	}
	if result.IsError {
		text, _ := readable(result)
		return fmt.Errorf("%s: %s", tool, text)
	}
	if err := json.Unmarshal(result.Structured, to); err != nil {
		return fmt.Errorf("%s answered what cannot be read: %w", tool, err)
	}
	return nil
}

// text refuses what the tools cannot name.
func (r *remote) text(keys ...string) error {
	for _, k := range keys {
		if !utf8.ValidString(k) {
			return fmt.Errorf("the key %.80q is not UTF-8, and the tools of a server name no such key: end the server, and use --data", k)
		}
	}
	return nil
}

func (r *remote) get(ctx context.Context, key string) (state.Entry, error) {
	if err := r.text(key); err != nil {
		return state.Entry{}, err
	}
	var e remoteEntry
	if err := r.call(ctx, "state_get", map[string]any{"key": key}, &e); err != nil {
		return state.Entry{}, err
	}
	return e.entry(), nil
}

// put adds a value to arguments: as text where it is some.
func put(arguments map[string]any, value []byte, ttl time.Duration) {
	if utf8.Valid(value) {
		arguments["value"] = string(value)
	} else {
		arguments["value_base64"] = value
	}
	if ttl > 0 {
		arguments["ttl_seconds"] = float64(max(ttl.Milliseconds(), 1)) / 1000
	}
}

func (r *remote) set(ctx context.Context, key string, value []byte, c setConditions) (uint64, bool, error) {
	if err := r.text(key); err != nil {
		return 0, false, err
	}
	arguments := map[string]any{"key": key}
	put(arguments, value, c.ttl)
	if c.ifVersion != nil {
		arguments["if_version"] = *c.ifVersion
	}
	var answer struct {
		Stored  bool   `json:"stored"`
		Version uint64 `json:"version"`
	}
	err := r.call(ctx, "state_set", arguments, &answer)
	return answer.Version, answer.Stored, err
}

func (r *remote) delete(ctx context.Context, key string, ifVersion *uint64) (uint64, bool, error) {
	if err := r.text(key); err != nil {
		return 0, false, err
	}
	arguments := map[string]any{"key": key}
	if ifVersion != nil {
		arguments["if_version"] = *ifVersion
	}
	var answer struct {
		Deleted bool   `json:"deleted"`
		Version uint64 `json:"version"`
	}
	err := r.call(ctx, "state_delete", arguments, &answer)
	return answer.Version, answer.Deleted, err
}

func (r *remote) list(ctx context.Context, prefix, cursor string) ([]listed, string, error) {
	if err := r.text(prefix); err != nil {
		return nil, "", err
	}
	arguments := map[string]any{"limit": pageKeys}
	if prefix != "" {
		arguments["prefix"] = prefix
	}
	if cursor != "" {
		arguments["cursor"] = cursor
	}
	var answer struct {
		Entries []remoteEntry `json:"entries"`
		Next    string        `json:"next_cursor"`
	}
	if err := r.call(ctx, "state_list", arguments, &answer); err != nil {
		return nil, "", err
	}
	if answer.Next == cursor && cursor != "" {
		return nil, "", errors.New("the server's list of keys does not end")
	}
	page := make([]listed, len(answer.Entries))
	for i := range answer.Entries {
		e := &answer.Entries[i]
		key := record{Key: e.Key, KeyBytes: e.KeyBytes}
		page[i] = listed{key.key(), e.SizeBytes, e.meta()}
	}
	return page, answer.Next, nil
}

func (r *remote) getAll(ctx context.Context, keys []string) ([]state.Entry, error) {
	if err := r.text(keys...); err != nil {
		return nil, err
	}
	var answer struct {
		Entries []remoteEntry `json:"entries"`
	}
	if err := r.call(ctx, "state_batch_get", map[string]any{"keys": keys}, &answer); err != nil {
		return nil, err
	}
	if len(answer.Entries) != len(keys) {
		return nil, fmt.Errorf("state_batch_get answered with %d entries for %d keys", len(answer.Entries), len(keys))
	}
	all := make([]state.Entry, len(keys))
	for i := range answer.Entries {
		all[i] = answer.Entries[i].entry()
	}
	return all, nil
}

func (r *remote) setAll(ctx context.Context, items []state.Item) error {
	entries := make([]map[string]any, len(items))
	for i, item := range items {
		if err := r.text(item.Key); err != nil {
			return err
		}
		entries[i] = map[string]any{"key": item.Key}
		put(entries[i], item.Value, item.TTL)
	}
	var answer struct{}
	return r.call(ctx, "state_batch_set", map[string]any{"entries": entries}, &answer)
}

func (r *remote) close() error { return r.client.Close() }
