package hoststate_test

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/statetest"
	"github.com/ingot-run/ingot/wasm/mcp/hoststate"
)

// No test of this package leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is what js/mcp/state.js and engine.wasm are together: it answers requests as
// docs/ABI.md says, from an engine in this process.
type host struct {
	store    *engine.Store
	watchers []*engine.Watcher
	in       reader
	out      []byte // the reply's body
	r0, r1   uint64 // the registers
}

// reader reads a request.
type reader []byte

func (r *reader) take(n uint32) []byte {
	part := (*r)[:n]
	*r = (*r)[n:]
	return part
}
func (r *reader) text(n uint32) string { return string(r.take(n)) }
func (r *reader) u32() uint32          { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64          { return binary.LittleEndian.Uint64(r.take(8)) }

func (h *host) u32(n uint32) { h.out = binary.LittleEndian.AppendUint32(h.out, n) }
func (h *host) u64(n uint64) { h.out = binary.LittleEndian.AppendUint64(h.out, n) }

// Now implements hoststate.Host.
func (h *host) Now() int64 { return h.store.Now() }

// codes are those of docs/ABI.md.
var codes = []struct {
	err  error
	code int32
}{
	{engine.ErrConflict, -10}, {engine.ErrClosed, -11}, {engine.ErrKeySize, -12}, {engine.ErrValueSize, -13},
	{engine.ErrTTL, -14}, {engine.ErrFull, -15}, {engine.ErrNotNumber, -16}, {engine.ErrOverflow, -17},
	{engine.ErrOptions, -18}, {engine.ErrDuplicateKey, -19}, {engine.ErrBatchSize, -20}, {engine.ErrWatcherClosed, -22},
}

// Call implements hoststate.Host.
func (h *host) Call(request, reply []byte) []byte {
	h.in, h.out = request, nil
	op := h.in.u32()
	h.r0, h.r1 = h.in.u64(), h.in.u64()
	parameters := [4]uint32{h.in.u32(), h.in.u32(), h.in.u32(), h.in.u32()}
	result, err := h.run(op, parameters)
	if err != nil {
		result, h.out = -2, []byte(err.Error())
		if c, ok := errors.AsType[*engine.ConflictError](err); ok {
			h.r0, h.r1 = c.Version, uint64(c.Index)
		}
		for _, known := range codes {
			if errors.Is(err, known.err) {
				result = known.code
				break
			}
		}
	}
	reply = binary.LittleEndian.AppendUint32(reply, uint32(result))
	reply = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(reply, h.r0), h.r1)
	return append(reply, h.out...)
}

func (h *host) run(op uint32, p [4]uint32) (int32, error) {
	switch op {
	case 1:
		return h.get(h.in.text(p[0]))
	case 2:
		found, err := h.store.Exists(h.in.text(p[0]))
		return one(found), err
	case 8:
		return h.getMany()
	case 11:
		return h.list(p)
	case 13:
		w, err := h.store.Watch(engine.WatchOptions{Prefix: h.in.text(p[0]), Buffer: int(int32(p[1])), Values: p[2] == 1})
		h.watchers = append(h.watchers, w)
		return int32(len(h.watchers)), err
	case 14:
		return h.poll(h.watchers[p[0]-1], int(p[1]))
	case 15:
		h.watchers[p[0]-1].Close()
		return 0, nil
	case 16:
		s := h.store.Stats()
		for _, n := range []int64{s.Keys, s.Bytes, s.BytesMax, int64(s.Version), s.Sets, s.Deletes, s.Expired, s.Conflicts, int64(s.Watchers)} {
			h.u64(uint64(n))
		}
		return int32(len(h.out)), nil
	}
	return h.write(op, p)
}

func (h *host) write(op uint32, p [4]uint32) (result int32, err error) {
	switch op {
	case 3:
		key, value := h.in.text(p[0]), h.in.take(p[1])
		o := h.flagged(p[2], h.r0, h.r1)
		h.r0, err = h.store.Set(key, value, engine.SetOptions{TTL: o.TTL, KeepTTL: o.KeepTTL, IfVersion: o.IfVersion, IfAbsent: o.IfAbsent})
	case 4:
		var swapped bool
		key := h.in.text(p[0])
		h.r0, swapped, err = h.store.CompareAndSwap(key, h.r0, h.in.take(p[1]))
		result = one(swapped)
	case 5:
		var deleted bool
		h.r0, deleted, err = h.store.Delete(h.in.text(p[0]), engine.DeleteOptions{IfVersion: h.flagged(p[1], h.r0, 0).IfVersion})
		result = one(deleted)
	case 6:
		var sum int64
		sum, h.r0, err = h.store.Increment(h.in.text(p[0]), int64(h.r0))
		h.r1 = uint64(sum)
	case 7:
		h.r0, err = h.store.Expire(h.in.text(p[0]), ttl(h.r1))
	case 9:
		return h.setMany()
	case 10:
		return h.batch()
	case 12:
		var deleted int
		deleted, err = h.store.Clear(h.in.text(p[0]))
		result = int32(deleted)
	}
	return result, err
}

func one(yes bool) int32 {
	if yes {
		return 1
	}
	return 0
}

func ttl(millis uint64) time.Duration {
	if int64(millis) < 0 {
		return engine.TTLMax + 1
	}
	return time.Duration(millis) * time.Millisecond
}

// flagged reads what the flags of a write announce.
func (h *host) flagged(flags uint32, version, millis uint64) (op engine.Op) {
	if flags&1 != 0 {
		op.TTL = ttl(millis)
	}
	op.KeepTTL = flags&2 != 0
	if flags&4 != 0 {
		op.IfVersion = version
	}
	op.IfAbsent = flags&8 != 0
	return op
}

func (h *host) get(key string) (int32, error) {
	value, meta, err := h.store.AppendGet(nil, key)
	if err != nil || !meta.Found() {
		return -1, err
	}
	h.r0, h.r1, h.out = meta.Version, uint64(meta.ExpiresAt), value
	return int32(len(value)), nil
}

// getMany answers two keys at most, as a host does whose replies grow long.
func (h *host) getMany() (int32, error) {
	count := 0
	h.u32(0)
	for ; len(h.in) > 0 && count < 2; count++ {
		value, meta, err := h.store.AppendGet(nil, h.in.text(h.in.u32()))
		if err != nil {
			return 0, err
		}
		h.u32(uint32(len(value)))
		h.u64(meta.Version)
		h.u64(uint64(meta.ExpiresAt))
		h.out = append(h.out, value...)
	}
	binary.LittleEndian.PutUint32(h.out, uint32(count))
	return int32(len(h.out)), nil
}

func (h *host) list(p [4]uint32) (int32, error) {
	prefix, after := h.in.text(p[0]), h.in.text(p[1])
	page, err := h.store.List(engine.ListOptions{Prefix: prefix, After: after, Limit: int(int32(p[2])), Values: p[3] == 1})
	if err != nil {
		return 0, err
	}
	h.u32(uint32(len(page.Entries)))
	h.u32(uint32(len(page.Next)))
	for _, e := range page.Entries {
		h.u32(uint32(len(e.Key)))
		h.u32(uint32(e.Size))
		h.u64(e.Version)
		h.u64(uint64(e.ExpiresAt))
		h.out = append(append(h.out, e.Key...), e.Value...)
	}
	h.out = append(h.out, page.Next...)
	return int32(len(h.out)), nil
}

func (h *host) poll(w *engine.Watcher, most int) (int32, error) {
	events := w.Poll(nil, most)
	h.u32(uint32(len(events)))
	for _, e := range events {
		h.u32(uint32(e.Kind))
		h.u32(uint32(e.Lost))
		h.u32(uint32(len(e.Key)))
		h.u32(uint32(len(e.Value)))
		h.u64(e.Version)
		h.u64(uint64(e.ExpiresAt))
		h.out = append(append(h.out, e.Key...), e.Value...)
	}
	return int32(len(h.out)), nil
}

func (h *host) setMany() (int32, error) {
	var items []engine.Item
	for len(h.in) > 0 {
		keyBytes, valueBytes, millis := h.in.u32(), h.in.u32(), h.in.u64()
		items = append(items, engine.Item{Key: h.in.text(keyBytes), Value: h.in.take(valueBytes), TTL: ttl(millis)})
	}
	versions, err := h.store.SetMany(items)
	for _, v := range versions {
		h.u64(v)
	}
	return int32(len(h.out)), err
}

func (h *host) batch() (int32, error) {
	var ops []engine.Op
	for len(h.in) > 0 {
		head, keyBytes, valueBytes := h.in.u32(), h.in.u32(), h.in.u32()
		version, millis, delta := h.in.u64(), h.in.u64(), h.in.u64()
		op := h.flagged(head>>8, version, millis)
		op.Kind, op.Delta = engine.OpKind(head&0xff), int64(delta)
		op.Key, op.Value = h.in.text(keyBytes), h.in.take(valueBytes)
		ops = append(ops, op)
	}
	results, err := h.store.Batch(ops)
	for _, r := range results {
		h.u64(r.Version)
		h.u64(uint64(r.Number))
		h.u32(uint32(one(r.Existed)))
	}
	return int32(len(h.out)), err
}

// hosted is a Manager with the store behind it. Budgets of namespaces, which the ABI
// of mcp.wasm does not carry, are set on the store.
type hosted struct {
	*hoststate.Manager
	budgets
	stop func()
}

type budgets struct{ *state.Embedded }

func (h *hosted) Close() error {
	err := h.Manager.Close()
	h.stop()
	return errors.Join(err, h.Embedded.Close())
}

// open makes the Manager of a store whose changes are told at once, as a page does.
func open(t testing.TB, o statetest.Options) state.Manager {
	store, err := engine.Open(engine.Options{Now: o.Now, BytesMax: o.BytesMax})
	require.NoError(t, err)
	m := hoststate.New(&host{store: store}, false)
	w, err := store.Watch(engine.WatchOptions{})
	require.NoError(t, err)
	var telling sync.WaitGroup
	telling.Go(func() { // ends when w is closed
		for {
			if _, err := w.Next(t.Context()); err != nil {
				return
			}
			m.Changed()
		}
	})
	stop := sync.OnceFunc(func() {
		w.Close()
		telling.Wait()
	})
	return &hosted{m, budgets{state.Embed(store)}, stop}
}

func TestSuite(t *testing.T) { statetest.Run(t, open) }
