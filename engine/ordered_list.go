package engine

// orderChunkMax is the most keys that List reads from a part under its lock.
const orderChunkMax = 256

// orderWalk walks the parts of the order as one sequence: a heap of cursors, the
// one with the smallest next key on top.
type orderWalk struct {
	read    orderRead // prefix and keys are those of every read
	cursors []orderCursor
}

// orderCursor walks one part, a chunk of keys at a time.
type orderCursor struct {
	part  *orderPart
	keys  []string // the chunk's keys that are still to come; never empty in the heap
	space []string // the chunk's array
	buf   []byte
	more  bool // keys may follow the chunk
}

// walk starts a walk for a page.
func (o *order) walk(list ListOptions) *orderWalk {
	// The parts share a page evenly, so that few of them are read twice.
	share := list.Limit / len(o.parts)
	w := &orderWalk{read: orderRead{from: list.After, behind: true, prefix: list.Prefix}}
	w.read.keys = min(share+share/2+4, orderChunkMax)
	if list.Prefix > list.After {
		w.read.from, w.read.behind = list.Prefix, false
	}
	for i := range o.parts {
		c := orderCursor{part: &o.parts[i]}
		if c.fill(w.read) {
			w.cursors = append(w.cursors, c)
		}
	}
	for i := len(w.cursors)/2 - 1; i >= 0; i-- {
		w.sink(i)
	}
	return w
}

// fill reads the next chunk and reports whether it has keys.
func (c *orderCursor) fill(r orderRead) bool {
	c.space, c.buf, c.more = c.part.read(c.space[:0], c.buf, r)
	c.keys = c.space
	return len(c.keys) > 0
}

// next is the smallest key that is left.
func (w *orderWalk) next() (key string, ok bool) {
	if len(w.cursors) == 0 {
		return "", false
	}
	top := &w.cursors[0]
	key = top.keys[0]
	top.keys = top.keys[1:]
	if len(top.keys) == 0 {
		r := w.read
		r.from, r.behind = key, true
		if !top.more || !top.fill(r) {
			last := len(w.cursors) - 1
			w.cursors[0] = w.cursors[last]
			w.cursors = w.cursors[:last]
		}
	}
	w.sink(0)
	return key, true
}

// sink moves a cursor down the heap to its place.
func (w *orderWalk) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(w.cursors) {
			return
		}
		if right := child + 1; right < len(w.cursors) && w.cursors[right].keys[0] < w.cursors[child].keys[0] {
			child = right
		}
		if w.cursors[i].keys[0] <= w.cursors[child].keys[0] {
			return
		}
		w.cursors[i], w.cursors[child] = w.cursors[child], w.cursors[i]
		i = child
	}
}

// listOrdered is List by the order. complete is false when the contents were
// replaced meanwhile: then the page says nothing.
func (s *Store) listOrdered(o ListOptions) (page Page, complete bool) {
	epoch := s.buildOrder()
	w := s.order.walk(o)
	expected := 0
	for _, c := range w.cursors {
		expected += len(c.keys)
	}
	page.Entries = make([]ListEntry, 0, min(expected, o.Limit))
	for {
		key, ok := w.next()
		if !ok {
			break
		}
		item, found := s.listEntry(key, o.Values && len(page.Entries) < o.Limit)
		if !found {
			continue
		}
		if len(page.Entries) == o.Limit { // it only tells that there is a next page
			page.Next = page.Entries[o.Limit-1].Key
			break
		}
		page.Entries = append(page.Entries, item)
	}
	return page, s.order.built.Load() == epoch && s.order.epoch.Load() == epoch
}

// listEntry looks up a key that the order has.
func (s *Store) listEntry(key string, value bool) (item ListEntry, found bool) {
	h := s.hash(key)
	item.Key = key
	if value {
		item.Value, item.Meta = s.appendLive([]byte{}, h, key)
		item.Size = len(item.Value)
	} else {
		item.Meta, item.Size = s.statLive(h, key)
	}
	return item, item.Found()
}

// orderedLocked is the keys with a prefix, if the order is there and they are few
// enough that to look them up is cheaper than a walk over all. The caller holds
// the locks of all shards.
func (s *Store) orderedLocked(prefix string) (keys []string, few bool) {
	const share, always = 8, 64
	o := &s.order
	if prefix == "" || o.disabled || o.built.Load() != o.epoch.Load() {
		return nil, false
	}
	live := 0
	for i := range s.shards {
		live += s.shards[i].table.live
	}
	most := live/share + always
	var buf []byte
	for i := range o.parts {
		for r, more := (orderRead{from: prefix, prefix: prefix, keys: orderChunkMax}), true; more; {
			keys, buf, more = o.parts[i].read(keys, buf, r)
			if len(keys) > most {
				return nil, false
			}
			if more {
				r.from, r.behind = keys[len(keys)-1], true
			}
		}
	}
	return keys, true
}
