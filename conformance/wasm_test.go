package conformance

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/ingot-run/ingot/engine"
)

// buildEngine returns engine.wasm as built from the source in hand.
var buildEngine = sync.OnceValues(func() ([]byte, error) {
	if path := os.Getenv("INGOT_ENGINE_WASM"); path != "" {
		return os.ReadFile(path)
	}
	dir, err := os.MkdirTemp("", "ingot-conformance-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "engine.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", path, "../wasm")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building engine.wasm: %w\n%s", err, out)
	}
	if out, err := exec.Command("go", "run", "../wasm/slim", path).CombinedOutput(); err != nil { // as make does
		return nil, fmt.Errorf("slimming engine.wasm: %w\n%s", err, out)
	}
	return os.ReadFile(path)
})

// host is an instance of engine.wasm under wazero. It speaks the ABI of
// docs/ABI.md, section "engine.wasm".
type host struct {
	t         testing.TB
	module    api.Module
	registers uint32
	now       func() int64
}

// compilationCache keeps the compiled engine from one test to the next.
var compilationCache = wazero.NewCompilationCache()

// wazeroHosts returns a function that makes an instance of the engine without files.
func wazeroHosts(t *testing.T) func() *host { return wazeroHostsOn(t, wazero.NewFSConfig()) }

// wazeroHostsOn returns a function that makes an instance of the engine with files.
func wazeroHostsOn(t *testing.T, files wazero.FSConfig) func() *host {
	ctx := context.Background()
	wasm, err := buildEngine()
	require.NoError(t, err)
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(compilationCache))
	t.Cleanup(func() { require.NoError(t, runtime.Close(ctx)) })
	wasi_snapshot_preview1.MustInstantiate(ctx, runtime)
	compiled, err := runtime.CompileModule(ctx, wasm)
	require.NoError(t, err)
	return func() *host {
		h := &host{t: t, now: func() int64 { return clockStart }}
		config := wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize").
			WithStderr(os.Stderr).WithSysNanotime().WithFSConfig(files).
			WithWalltime(h.walltime, sys.ClockResolution(time.Millisecond))
		h.module, err = runtime.InstantiateModule(ctx, compiled, config)
		require.NoError(t, err)
		require.EqualValues(t, 1, h.call("ingot_abi"))
		h.registers = uint32(h.call("ingot_registers"))
		return h
	}
}

func (h *host) walltime() (sec int64, nsec int32) {
	millis := h.now()
	return millis / 1000, int32(millis % 1000 * 1_000_000)
}

// open opens a store on the instance, whose clock is that of the last one opened.
func (h *host) open(o engine.Options) (store, error) {
	if o.Now != nil {
		h.now = o.Now
	}
	h.set(0, uint64(o.BytesMax))
	second := uint64(o.ValueBytesMax)
	if o.Evict {
		second |= 1 << 32
	}
	h.set(1, second)
	handle, err := h.try("ingot_open")
	return &remote{host: h, handle: uint64(handle)}, err
}

func (h *host) call(name string, args ...uint64) int32 {
	results, err := h.module.ExportedFunction(name).Call(context.Background(), args...)
	require.NoError(h.t, err, name)
	return int32(uint32(results[0]))
}

// try is call for exports whose negative results are errors.
func (h *host) try(name string, args ...uint64) (int32, error) {
	n := h.call(name, args...)
	if n >= -1 { // -1 is an absent key
		return n, nil
	}
	version, index := h.get(0), h.get(1)
	text := string(h.read(0, int(h.call("ingot_error"))))
	if n == -10 {
		return n, &engine.ConflictError{Version: version, Index: int(index)}
	}
	if n == -3 { // a closed store has no handle any more
		return n, engine.ErrClosed
	}
	for _, known := range errorNames {
		if known.number == n {
			return n, fmt.Errorf("%w (%s)", known.err, text)
		}
	}
	return n, fmt.Errorf("code %d: %s", n, text)
}

func (h *host) get(register uint32) uint64 {
	v, ok := h.module.Memory().ReadUint64Le(h.registers + 8*register)
	require.True(h.t, ok)
	return v
}

func (h *host) set(register uint32, v uint64) {
	require.True(h.t, h.module.Memory().WriteUint64Le(h.registers+8*register, v))
}

// write lays a request into the area and returns its length.
func (h *host) write(parts ...[]byte) uint64 {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	at := uint32(h.call("ingot_scratch", uint64(size)))
	if at == 0 {
		return uint64(size) // more than the area can hold: the call refuses it
	}
	for _, p := range parts {
		require.True(h.t, h.module.Memory().Write(at, p))
		at += uint32(len(p))
	}
	return uint64(size)
}

// read copies a reply of n bytes that stands behind `from` bytes of request.
func (h *host) read(from uint64, n int) []byte {
	b, ok := h.module.Memory().Read(uint32(h.call("ingot_address"))+uint32(from), uint32(n))
	require.True(h.t, ok)
	return append(make([]byte, 0, n), b...)
}

// remote is a store inside a host.
type remote struct {
	*host
	handle uint64
}

func (r *remote) try(name string, args ...uint64) (int32, error) {
	return r.host.try(name, append([]uint64{r.handle}, args...)...)
}

func (r *remote) meta() engine.Meta {
	return engine.Meta{Version: r.get(0), ExpiresAt: int64(r.get(1))}
}

func (r *remote) Get(key string) (engine.Entry, error) {
	k := r.write([]byte(key))
	n, err := r.try("ingot_get", k)
	if err != nil || n < 0 {
		return engine.Entry{}, err
	}
	return engine.Entry{Value: r.read(k, int(n)), Meta: r.meta()}, nil
}

func (r *remote) Stat(key string) (engine.Meta, int, error) {
	n, err := r.try("ingot_stat", r.write([]byte(key)))
	if err != nil || n < 0 {
		return engine.Meta{}, 0, err
	}
	return r.meta(), int(n), nil
}

func (r *remote) Exists(key string) (bool, error) {
	n, err := r.try("ingot_exists", r.write([]byte(key)))
	return n == 1, err
}

// The bits of a write's flags.
const (
	flagTTL       = 1
	flagKeepTTL   = 2
	flagIfVersion = 4
	flagIfAbsent  = 8
)

// flagsOf are the flags of a write and its time to live in milliseconds, rounded up.
func flagsOf(op engine.Op) (bits, millis uint64) {
	if op.TTL != 0 {
		bits |= flagTTL
		millis = uint64((op.TTL + time.Millisecond - 1) / time.Millisecond)
		if op.TTL < 0 {
			millis = ^uint64(0)
		}
	}
	if op.KeepTTL {
		bits |= flagKeepTTL
	}
	if op.IfVersion != 0 {
		bits |= flagIfVersion
	}
	if op.IfAbsent {
		bits |= flagIfAbsent
	}
	return bits, millis
}

func (r *remote) Set(key string, value []byte, o engine.SetOptions) (uint64, error) {
	bits, millis := flagsOf(engine.Op{TTL: o.TTL, KeepTTL: o.KeepTTL, IfVersion: o.IfVersion, IfAbsent: o.IfAbsent})
	r.write([]byte(key), value)
	r.set(0, o.IfVersion)
	r.set(1, millis)
	if _, err := r.try("ingot_set", uint64(len(key)), uint64(len(value)), bits); err != nil {
		return 0, err
	}
	return r.get(0), nil
}

func (r *remote) Delete(key string, o engine.DeleteOptions) (uint64, bool, error) {
	bits, _ := flagsOf(engine.Op{IfVersion: o.IfVersion})
	k := r.write([]byte(key))
	r.set(0, o.IfVersion)
	n, err := r.try("ingot_delete", k, bits)
	if err != nil || n == 0 {
		return 0, false, err
	}
	return r.get(0), true, nil
}

func (r *remote) Increment(key string, delta int64) (int64, uint64, error) {
	k := r.write([]byte(key))
	r.set(0, uint64(delta))
	if _, err := r.try("ingot_increment", k); err != nil {
		return 0, 0, err
	}
	return int64(r.get(1)), r.get(0), nil
}

func (r *remote) CompareAndSwap(key string, version uint64, value []byte) (uint64, bool, error) {
	r.write([]byte(key), value)
	r.set(0, version)
	n, err := r.try("ingot_cas", uint64(len(key)), uint64(len(value)))
	return r.get(0), n == 1, err
}

func (r *remote) Expire(key string, ttl time.Duration) (uint64, error) {
	_, millis := flagsOf(engine.Op{TTL: ttl})
	k := r.write([]byte(key))
	r.set(1, millis)
	if _, err := r.try("ingot_expire", k); err != nil {
		return 0, err
	}
	return r.get(0), nil
}

func u32(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }

func u64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// reply takes a reply apart.
type reply struct{ rest []byte }

func (p *reply) bytes(n uint32) []byte {
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

func (p *reply) u32() uint32 { return binary.LittleEndian.Uint32(p.bytes(4)) }

func (p *reply) u64() uint64 { return binary.LittleEndian.Uint64(p.bytes(8)) }

func keyList(keys []string) (parts [][]byte) {
	for _, k := range keys {
		parts = append(parts, u32(len(k)), []byte(k))
	}
	return parts
}

func (r *remote) GetMany(keys []string) (entries []engine.Entry, err error) {
	for len(entries) < len(keys) {
		size := r.write(keyList(keys[len(entries):])...)
		n, err := r.try("ingot_get_many", size)
		if err != nil {
			return nil, err
		}
		p := &reply{r.read(size, int(n))}
		for range p.u32() {
			length, meta := p.u32(), engine.Meta{Version: p.u64(), ExpiresAt: int64(p.u64())}
			entries = append(entries, engine.Entry{Value: p.bytes(length), Meta: meta})
		}
	}
	return entries, nil
}

func (r *remote) SetMany(items []engine.Item) ([]uint64, error) {
	var parts [][]byte
	for _, it := range items {
		_, millis := flagsOf(engine.Op{TTL: it.TTL})
		parts = append(parts, u32(len(it.Key)), u32(len(it.Value)), u64(millis), []byte(it.Key), it.Value)
	}
	size := r.write(parts...)
	n, err := r.try("ingot_set_many", size)
	if err != nil {
		return nil, err
	}
	p, versions := &reply{r.read(size, int(n))}, []uint64{}
	for range items {
		versions = append(versions, p.u64())
	}
	return versions, nil
}

func (r *remote) DeleteMany(keys []string) (int, error) {
	n, err := r.try("ingot_delete_many", r.write(keyList(keys)...))
	return int(n), err
}

func (r *remote) Batch(ops []engine.Op) ([]engine.OpResult, error) {
	var parts [][]byte
	for _, op := range ops {
		bits, millis := flagsOf(op)
		parts = append(parts, u32(int(op.Kind)|int(bits)<<8), u32(len(op.Key)), u32(len(op.Value)),
			u64(op.IfVersion), u64(millis), u64(uint64(op.Delta)), []byte(op.Key), op.Value)
	}
	size := r.write(parts...)
	n, err := r.try("ingot_batch", size)
	if err != nil {
		return nil, err
	}
	p, results := &reply{r.read(size, int(n))}, []engine.OpResult{}
	for range ops {
		results = append(results, engine.OpResult{Version: p.u64(), Number: int64(p.u64()), Existed: p.u32() == 1})
	}
	return results, nil
}

func boolean(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (r *remote) List(o engine.ListOptions) (engine.Page, error) {
	size := r.write([]byte(o.Prefix), []byte(o.After))
	n, err := r.try("ingot_list", uint64(len(o.Prefix)), uint64(len(o.After)), uint64(uint32(o.Limit)), boolean(o.Values))
	if err != nil {
		return engine.Page{}, err
	}
	p, page := &reply{r.read(size, int(n))}, engine.Page{}
	count, nextBytes := p.u32(), p.u32()
	for range count {
		keyBytes, e := p.u32(), engine.ListEntry{Size: int(p.u32())}
		e.Version, e.ExpiresAt = p.u64(), int64(p.u64())
		e.Key = string(p.bytes(keyBytes))
		if o.Values {
			e.Value = p.bytes(uint32(e.Size))
		}
		page.Entries = append(page.Entries, e)
	}
	page.Next = string(p.bytes(nextBytes))
	return page, nil
}

func (r *remote) Clear(prefix string) (int, error) {
	n, err := r.try("ingot_clear", r.write([]byte(prefix)))
	return int(n), err
}

// remoteWatcher is a watcher inside a host.
type remoteWatcher struct {
	*host
	handle uint64
	values bool
}

func (r *remote) Watch(o engine.WatchOptions) (watcher, error) {
	handle, err := r.try("ingot_watch", r.write([]byte(o.Prefix)), uint64(uint32(o.Buffer)), boolean(o.Values))
	if err != nil {
		return nil, err
	}
	return &remoteWatcher{host: r.host, handle: uint64(handle), values: o.Values}, nil
}

func (w *remoteWatcher) Poll(dst []engine.Event, most int) []engine.Event {
	n, err := w.try("ingot_poll", w.handle, uint64(most))
	require.NoError(w.t, err)
	p := &reply{w.read(0, int(n))}
	for range p.u32() {
		e := engine.Event{Kind: engine.EventKind(p.u32()), Lost: int(p.u32())}
		keyBytes, valueBytes := p.u32(), p.u32()
		e.Version, e.ExpiresAt = p.u64(), int64(p.u64())
		e.Key = string(p.bytes(keyBytes))
		if value := p.bytes(valueBytes); w.values && e.Kind == engine.EventSet {
			e.Value = value
		}
		dst = append(dst, e)
	}
	return dst
}

func (w *remoteWatcher) Close() {
	_, err := w.try("ingot_unwatch", w.handle)
	require.NoError(w.t, err)
}

func (r *remote) Snapshot(w io.Writer) error {
	snapshot, err := r.try("ingot_snapshot_open")
	if err != nil {
		return err
	}
	for {
		n, err := r.host.try("ingot_snapshot_read", uint64(snapshot))
		if err != nil || n == 0 {
			return err
		}
		if _, err := w.Write(r.read(0, int(n))); err != nil {
			return err
		}
	}
}

func (r *remote) Restore(source io.Reader) error {
	restore, err := r.try("ingot_restore_open")
	if err != nil {
		return err
	}
	chunk := make([]byte, 1000) // an odd size, so that chunks end anywhere
	for {
		n, err := source.Read(chunk)
		if err == io.EOF {
			_, err = r.host.try("ingot_restore_end", uint64(restore))
			return err
		}
		if err != nil {
			return err
		}
		if _, err := r.host.try("ingot_restore_write", uint64(restore), r.write(chunk[:n])); err != nil {
			return err
		}
	}
}

func (r *remote) SetBudget(prefix string, bytesMax int64) error {
	p := r.write([]byte(prefix))
	r.set(0, uint64(bytesMax))
	_, err := r.try("ingot_budget", p)
	return err
}

func (r *remote) Tick(most int) int {
	n, err := r.try("ingot_tick", uint64(most))
	require.NoError(r.t, err)
	return int(n)
}

func (r *remote) Stats() engine.Stats {
	n, err := r.try("ingot_stats")
	require.NoError(r.t, err)
	p := &reply{r.read(0, int(n))}
	next := func() int64 { return int64(p.u64()) }
	return engine.Stats{
		Keys: next(), Bytes: next(), BytesMax: next(), Version: p.u64(),
		Sets: next(), Deletes: next(), Expired: next(), Conflicts: next(), Watchers: int(next()),
	}
}

func (r *remote) Close() error {
	if n, err := r.try("ingot_close"); n != -3 { // closing twice is harmless
		return err
	}
	return nil
}
