package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

const (
	valueBytes = 64
	keyBytes   = 16
	keyCount   = 1_000_000
	pieces     = 6 // a measurement is this many pieces, those of all rows in turn
)

// The measurements.
const (
	kindOne   = "1 writer"
	kindMany  = "64 writers"
	kindNever = "no sync"
	kindGet   = "get"
	kindOpen  = "open"

	kindReads  = "reads" // the two above, and bytes
	kindStalls = "stalls"
)

// Rows beside the stores.
const (
	bareLoop = "write + fdatasync" // the least that a durable set costs
	bareMap  = "a Go map from the file"
)

// cell is a figure's place: seconds for each operation, or each open.
type cell struct{ row, kind string }

// results are the figures of all rounds.
type results struct {
	figures map[cell][]float64
	// Of ingot alone, from one run: bytes on disk for each entry beside key and
	// value, and bytes written for each byte set.
	overheadBytes, amplification float64
}

// keyOf is the i-th key, of 16 bytes, spread so that neighbours are apart.
func keyOf(b []byte, i uint64) []byte {
	b = binary.BigEndian.AppendUint64(b[:0], i*0x9e3779b97f4a7c15)
	return binary.BigEndian.AppendUint64(b, i)
}

var value = func() []byte {
	b := make([]byte, valueBytes)
	for i := range b {
		b[i] = byte(33 + i)
	}
	return b
}()

// pace is a number of operations and the time they took.
type pace struct {
	ops     int64
	elapsed time.Duration
}

func (p *pace) add(o pace) {
	p.ops += o.ops
	p.elapsed += o.elapsed
}

func (p *pace) perOp() float64 { return p.elapsed.Seconds() / float64(max(p.ops, 1)) }

// hammer calls set from so many goroutines for a while.
func hammer(writers int, span time.Duration, keys uint64, set func(key []byte) error) (p pace, err error) {
	var wg sync.WaitGroup
	var ops atomic.Int64
	var failed atomic.Pointer[error]
	start := time.Now()
	for w := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), uint64(start.UnixNano())))
			key := make([]byte, 0, keyBytes)
			var n int64
			for ; n&15 != 0 || time.Since(start) < span; n++ {
				key = keyOf(key, rng.Uint64N(keys))
				if err := set(key); err != nil {
					failed.Store(&err)
					break
				}
			}
			ops.Add(n)
		})
	}
	wg.Wait()
	p = pace{ops.Load(), time.Since(start)}
	if e := failed.Load(); e != nil {
		err = *e
	}
	return p, err
}

// bareFile is the bare loop of writes and fdatasyncs.
type bareFile struct {
	file *os.File
	at   int64
	pace pace
}

// bareBytes is the room of the bare file, as a new log of ingot has it, and
// bareRecord what a log of ingot writes for one such set.
const (
	bareBytes  = 4 << 20
	bareRecord = 128
)

func newBareFile(work string) (*bareFile, error) {
	file, err := os.Create(filepath.Join(work, "bare"))
	if err != nil {
		return nil, err
	}
	return &bareFile{file: file}, preallocate(file, bareBytes)
}

// run is a slice of the loop.
func (b *bareFile) run(span time.Duration) error {
	record := make([]byte, bareRecord)
	settleDisk()
	p, err := hammer(1, span, keyCount, func([]byte) error {
		if b.at += bareRecord; b.at >= bareBytes {
			b.at = 0
		}
		if _, err := b.file.WriteAt(record, b.at); err != nil {
			return err
		}
		return datasync(b.file)
	})
	b.pace.add(p)
	return err
}

// measureSets measures durable and other sets of all rows, a slice of each in turn.
func (r *results) measureSets(work, kind string, writers int, span time.Duration) (err error) {
	stores := make([]store, len(rows))
	for i, row := range rows {
		if stores[i], err = row.open(filepath.Join(work, "set-"+row.name), kind != kindNever); err != nil {
			return fmt.Errorf("opening %s: %w", row.name, err)
		}
	}
	var bare *bareFile
	if kind == kindOne {
		if bare, err = newBareFile(work); err != nil {
			return err
		}
		defer bare.file.Close()
	}
	paces := make([]pace, len(rows))
	for slice := range pieces {
		for i, row := range rows {
			// The bare loop runs beside ingot, before it or after it in turn.
			beside := i == 0 && bare != nil
			if beside && slice%2 == 0 {
				err = bare.run(span / pieces)
			}
			if err == nil {
				settleDisk()
				var p pace
				p, err = hammer(writers, span/pieces, keyCount, setOf(stores[i], writers))
				paces[i].add(p)
			}
			if err == nil && beside && slice%2 == 1 {
				err = bare.run(span / pieces)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", row.name, err)
			}
		}
	}
	for i, row := range rows {
		r.add(row.name, kind, paces[i].perOp())
		err = errors.Join(err, stores[i].Close(), os.RemoveAll(filepath.Join(work, "set-"+row.name)))
	}
	if bare != nil {
		r.add(bareLoop, kind, bare.pace.perOp())
	}
	return err
}

// setOf is how so many writers set in a store.
func setOf(s store, writers int) func(key []byte) error {
	if shared, ok := s.(*bboltStore); ok && writers > 1 {
		return func(key []byte) error { return shared.SetShared(key, value) }
	}
	return func(key []byte) error { return s.Set(key, value) }
}

func (r *results) add(row, kind string, figure float64) {
	c := cell{row, kind}
	r.figures[c] = append(r.figures[c], figure)
}

// load fills every store with all keys, once.
func load(work string, count int, stdout io.Writer) error {
	for _, row := range rows {
		start := time.Now()
		s, err := row.open(filepath.Join(work, "full-"+row.name), false)
		if err != nil {
			return fmt.Errorf("opening %s: %w", row.name, err)
		}
		key := make([]byte, 0, keyBytes)
		if bulk, ok := s.(interface {
			Load(n int, key func(i int) []byte, value []byte) error
		}); ok {
			err = bulk.Load(count, func(i int) []byte { return keyOf(nil, uint64(i)) }, value)
		} else {
			for i := 0; i < count && err == nil; i++ {
				key = keyOf(key, uint64(i))
				err = s.Set(key, value)
			}
		}
		if own, ok := s.(*ingotStore); ok && err == nil {
			err = own.Compact()
		}
		if err = errors.Join(err, s.Close()); err != nil {
			return fmt.Errorf("filling %s: %w", row.name, err)
		}
		fmt.Fprintf(stdout, "filled %s in %.1f s\n", row.name, time.Since(start).Seconds())
	}
	return nil
}

// measureReads opens every full store and gets random keys.
func (r *results) measureReads(work string, count, gets int) error {
	for _, row := range rows {
		runtime.GC()
		key, dst := make([]byte, 0, keyBytes), make([]byte, 0, valueBytes)
		start := time.Now()
		s, err := row.open(filepath.Join(work, "full-"+row.name), false)
		if err != nil {
			return fmt.Errorf("opening %s: %w", row.name, err)
		}
		key = keyOf(key, 0)
		if _, err := s.Get(key, dst); err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
		r.add(row.name, kindOpen, time.Since(start).Seconds())
		rng := rand.New(rand.NewPCG(1, 2))
		start = time.Now()
		for range gets {
			key = keyOf(key, rng.Uint64N(uint64(count)))
			if dst, err = s.Get(key, dst); err != nil || len(dst) != valueBytes {
				return fmt.Errorf("%s: a value of %d bytes: %w", row.name, len(dst), err)
			}
		}
		r.add(row.name, kindGet, time.Since(start).Seconds()/float64(gets))
		if err := s.Close(); err != nil {
			return err
		}
	}
	return r.measureMap(work, count)
}

// measureMap reads the bytes of ingot's files and builds a Go map of as many
// entries: what opening would cost at least with Go's means.
func (r *results) measureMap(work string, count int) error {
	runtime.GC()
	start := time.Now()
	names, err := filepath.Glob(filepath.Join(work, "full-"+ours, "*.ingot"))
	if err != nil {
		return err
	}
	var all []byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		all = append(all, b...)
	}
	m := map[string][]byte{}
	const entry = keyBytes + valueBytes
	for i := range count {
		b := all[i*entry:] // any bytes of the file do: the keys must differ
		key := keyOf(nil, uint64(i))
		m[string(key)] = append([]byte(nil), b[:valueBytes]...)
	}
	r.add(bareMap, kindOpen, time.Since(start).Seconds())
	if len(m) != count {
		return errors.New("the map has another number of entries")
	}
	return nil
}

// measureBytes looks at ingot's files: what an entry takes after a compaction, and
// what is written when every key is overwritten again and again.
func (r *results) measureBytes(work string, count int) error {
	var size int64
	err := filepath.WalkDir(filepath.Join(work, "full-"+ours), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	})
	if err != nil {
		return err
	}
	r.overheadBytes = float64(size)/float64(count) - keyBytes - valueBytes

	dir, err := storage.OpenDir(filepath.Join(work, "churn"))
	if err != nil {
		return err
	}
	s, err := engine.Open(engine.Options{Dir: dir, Sync: engine.SyncNever})
	if err != nil {
		return err
	}
	keys := uint64(count / 5)
	rng := rand.New(rand.NewPCG(3, 4))
	set := func(i uint64) error {
		_, err := s.Set(string(keyOf(nil, i)), value, engine.SetOptions{})
		return err
	}
	for i := uint64(0); i < keys && err == nil; i++ {
		err = set(i)
	}
	before := s.LogStats().WrittenBytes
	sets := 10 * keys
	for i := uint64(0); i < sets && err == nil; i++ {
		err = set(rng.Uint64N(keys))
	}
	if err == nil {
		err = s.Sync()
	}
	r.amplification = float64(s.LogStats().WrittenBytes-before) / float64(sets*(keyBytes+valueBytes))
	return errors.Join(err, s.Close(), dir.Close())
}
