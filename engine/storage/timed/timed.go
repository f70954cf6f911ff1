// Package timed measures how long a disk takes to make files durable: what bounds the
// writes of a store that syncs each. A [Dir] stands around another storage.Dir, and
// [Dir.Syncs] tells of the syncs that went through it.
//
//	dir := timed.Wrap(disk)
//	store, err := engine.Open(engine.Options{Dir: dir})
//	fmt.Println(dir.Syncs().Seconds)
//
// # Caveats
//
// Syncs of the directory itself, which are rare, are not counted: only those of files,
// snapshots included. A sync that failed counts too.
package timed

import (
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/engine/storage"
)

// Bounds are the upper ends of the buckets of [Syncs] but the last, which has none: from
// a disk with a cache that power loss does not empty to one that is overloaded.
var Bounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second,
}

// Dir measures the directory that it stands around.
type Dir struct {
	storage.Dir

	nanos   atomic.Int64
	buckets [len(Bounds) + 1]atomic.Uint64
}

var _ storage.Dir = (*Dir)(nil)

// Wrap returns a Dir that does all that d does, and measures.
func Wrap(d storage.Dir) *Dir { return &Dir{Dir: d} }

// Syncs are the syncs of files so far.
type Syncs struct {
	Count   uint64
	Seconds float64
	Buckets [len(Bounds) + 1]uint64 // by how long they took, not added up
}

// Syncs reads the counts, one after the other.
func (d *Dir) Syncs() (s Syncs) {
	for i := range d.buckets {
		s.Buckets[i] = d.buckets[i].Load()
		s.Count += s.Buckets[i]
	}
	s.Seconds = time.Duration(d.nanos.Load()).Seconds()
	return s
}

// Create implements storage.Dir.
func (d *Dir) Create(name string) (storage.File, error) { return d.file(d.Dir.Create(name)) }

// OpenWrite implements storage.Dir.
func (d *Dir) OpenWrite(name string) (storage.File, error) { return d.file(d.Dir.OpenWrite(name)) }

func (d *Dir) file(f storage.File, err error) (storage.File, error) {
	if err != nil {
		return nil, err
	}
	return &file{f, d}, nil
}

// file is a file that is written.
type file struct {
	storage.File
	dir *Dir
}

// Sync implements storage.File.
func (f *file) Sync() error {
	began := time.Now()
	err := f.File.Sync()
	f.dir.count(time.Since(began))
	return err
}

func (d *Dir) count(took time.Duration) {
	bucket := 0
	for bucket < len(Bounds) && took > Bounds[bucket] {
		bucket++
	}
	d.nanos.Add(int64(took))
	d.buckets[bucket].Add(1)
}
