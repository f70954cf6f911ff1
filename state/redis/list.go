package redis

import (
	"context"
	_ "embed" // the scripts
	"fmt"

	"github.com/ingot-run/ingot/state"
	"github.com/redis/rueidis"
)

//go:embed heads.lua
var headsSource string

var headsScript = newScript(headsSource)

// List implements state.Manager. A cursor is the last key of the page before. Every
// bucket is asked for its share of a page, all at once, and again where it had more
// than its share; so a page of a cluster costs at least one command for each bucket.
func (m *Manager) List(ctx context.Context, o state.ListOptions) (state.Page, error) {
	if m.closed.Load() {
		return state.Page{}, state.ErrClosed
	}
	if o.Limit < 0 || o.Limit > state.ListLimitMax {
		return state.Page{}, fmt.Errorf("%w: a page has 1 to %d entries, not %d", state.ErrOptions, state.ListLimitMax, o.Limit)
	}
	if len(o.Prefix) > state.KeyBytesMax {
		return state.Page{}, fmt.Errorf("%w: a prefix has at most %d bytes", state.ErrOptions, state.KeyBytesMax)
	}
	o.Limit = first(o.Limit, 100)
	w := m.walk(o.Prefix, o.Cursor, o.Limit+1)
	var page state.Page
	for len(page.Entries) <= o.Limit {
		keys, err := w.next(ctx, o.Limit+1-len(page.Entries))
		if err != nil {
			return state.Page{}, err
		}
		if len(keys) == 0 {
			return page, nil
		}
		if page.Entries, err = m.entries(ctx, page.Entries, keys, o.Values); err != nil {
			return state.Page{}, err
		}
	}
	page.Entries = page.Entries[:o.Limit]
	page.Next = page.Entries[o.Limit-1].Key
	return page, nil
}

// walker merges the indexes of all buckets.
type walker struct {
	m      *Manager
	prefix string
	chunk  int
	parts  []walkPart
}

// walkPart is the walk over one bucket.
type walkPart struct {
	after   string   // the last key that was read
	waiting []string // read and not handed out
	done    bool     // there are no more
}

// walk starts behind a key; wanted is about how many will be asked for.
func (m *Manager) walk(prefix, after string, wanted int) *walker {
	w := &walker{m: m, prefix: prefix, chunk: wanted, parts: make([]walkPart, len(m.buckets))}
	if len(m.buckets) > 1 {
		w.chunk = min(wanted, wanted*2/len(m.buckets)+16)
	}
	for i := range w.parts {
		w.parts[i].after = after
	}
	return w
}

// next is the next n keys in byte order, or as many as there are.
func (w *walker) next(ctx context.Context, n int) (keys []string, err error) {
	for len(keys) < n {
		if err := w.fill(ctx); err != nil {
			return nil, err
		}
		least := -1
		for i := range w.parts {
			if p := &w.parts[i]; len(p.waiting) > 0 && (least < 0 || p.waiting[0] < w.parts[least].waiting[0]) {
				least = i
			}
		}
		if least < 0 {
			return keys, nil
		}
		keys = append(keys, w.parts[least].waiting[0])
		w.parts[least].waiting = w.parts[least].waiting[1:]
	}
	return keys, nil
}

// fill reads on where nothing waits.
func (w *walker) fill(ctx context.Context) error {
	var empty []*bucket
	for i := range w.parts {
		if p := &w.parts[i]; len(p.waiting) == 0 && !p.done {
			empty = append(empty, w.m.buckets[i])
		}
	}
	if len(empty) == 0 {
		return nil
	}
	return each(empty, func(b *bucket) (err error) {
		p := &w.parts[b.number]
		if p.waiting, err = w.m.index(ctx, b, w.prefix, p.after, w.chunk); err != nil {
			return err
		}
		p.done = len(p.waiting) < w.chunk
		if n := len(p.waiting); n > 0 {
			p.after = p.waiting[n-1]
		}
		return nil
	})
}

// index reads at most n keys of a bucket that begin with prefix and stand behind a
// key.
func (m *Manager) index(ctx context.Context, b *bucket, prefix, after string, n int) (keys []string, err error) {
	least, most := "["+prefix, "+"
	if after >= prefix && after != "" {
		least = "(" + after
	}
	if end := prefixEnd(prefix); end != "" {
		most = "(" + end
	}
	if prefix == "" && after == "" {
		least = "-"
	}
	err = m.attempt(ctx, b, false, func() (err error) {
		keys, err = m.client.Do(ctx, m.client.B().Zrangebylex().Key(b.index).Min(least).Max(most).Limit(0, int64(n)).Build()).AsStrSlice()
		return err
	})
	return keys, err
}

// prefixEnd is the first string behind all that begin with prefix, or empty when
// there is none.
func prefixEnd(prefix string) string {
	for len(prefix) > 0 && prefix[len(prefix)-1] == 0xff { // strings.TrimRight would cut every byte that is no UTF-8
		prefix = prefix[:len(prefix)-1]
	}
	if prefix == "" {
		return ""
	}
	last := len(prefix) - 1
	return prefix[:last] + string([]byte{prefix[last] + 1})
}

// entries appends the entries of keys that are still there.
func (m *Manager) entries(ctx context.Context, page []state.ListEntry, keys []string, values bool) ([]state.ListEntry, error) {
	found := make([]state.ListEntry, len(keys))
	shares := make([][]int, len(m.buckets))
	var asked []*bucket
	for i, key := range keys {
		b := m.bucketOf(key)
		if len(shares[b.number]) == 0 {
			asked = append(asked, b)
		}
		shares[b.number] = append(shares[b.number], i)
	}
	err := each(asked, func(b *bucket) error {
		share := shares[b.number]
		for at := 0; at < len(share); at += manyMax {
			if err := m.describe(ctx, b, keys, share[at:min(at+manyMax, len(share))], values, found); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].Found() {
			page = append(page, found[i])
		}
	}
	return page, nil
}

// describe reads what List tells of some keys of a bucket.
func (m *Manager) describe(ctx context.Context, b *bucket, keys []string, share []int, values bool, found []state.ListEntry) error {
	names := make([]string, len(share))
	for i, n := range share {
		names[i] = b.entries + keys[n]
	}
	var reply []rueidis.RedisMessage
	err := m.attempt(ctx, b, false, func() (err error) {
		if values {
			reply, err = m.client.Do(ctx, m.client.B().Mget().Key(names...).Build()).ToArray()
		} else {
			reply, err = m.heads(ctx, names)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, n := range share {
		e := state.ListEntry{Key: keys[n]}
		if values {
			raw, err := reply[i].ToString()
			if err != nil {
				continue // nil: absent
			}
			if e.Entry, err = m.parse(e.Key, raw); err == state.ErrNotFound {
				continue
			} else if err != nil {
				return err
			}
			e.Size = len(e.Value)
		} else {
			raw, _ := reply[2*i].ToString()
			if raw == "" {
				continue
			}
			if e.Meta, err = parseHead(e.Key, raw); err != nil {
				return err
			}
			if m.over(e.Meta) {
				continue
			}
			size, _ := reply[2*i+1].AsInt64()
			e.Size = int(size) - headBytes
		}
		m.learn(names[i], e.Version)
		found[n] = e
	}
	return nil
}

// heads runs the script that reads heads.
func (m *Manager) heads(ctx context.Context, names []string) ([]rueidis.RedisMessage, error) {
	reply, err := m.client.Do(ctx, m.client.B().EvalshaRo().Sha1(headsScript.hash).Numkeys(int64(len(names))).Key(names...).Build()).ToArray()
	if e, ok := rueidis.IsRedisErr(err); ok && e.IsNoScript() {
		return m.client.Do(ctx, m.client.B().EvalRo().Script(headsScript.source).Numkeys(int64(len(names))).Key(names...).Build()).ToArray()
	}
	return reply, err
}

// Clear implements state.Manager. It deletes some hundred keys at a time, and is not
// one change: what is written meanwhile may stay or go.
func (m *Manager) Clear(ctx context.Context, prefix string) (deleted int, err error) {
	if m.closed.Load() {
		return 0, state.ErrClosed
	}
	counts := make([]int, len(m.buckets))
	err = each(m.buckets, func(b *bucket) error {
		after := ""
		for {
			keys, err := m.index(ctx, b, prefix, after, manyMax)
			if err != nil || len(keys) == 0 {
				return err
			}
			after = keys[len(keys)-1]
			ops := make([]state.Op, len(keys))
			for i, key := range keys {
				ops[i] = state.Op{Kind: state.OpDelete, Key: key}
			}
			results, err := m.apply(ctx, b, ops, false)
			if err != nil {
				return err
			}
			for _, r := range results {
				if r.Existed {
					counts[b.number]++
				}
			}
		}
	})
	for _, n := range counts {
		deleted += n
	}
	return deleted, err
}
