package crashtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/seal"
	"github.com/ingot-run/ingot/engine/storage/simdir"
	"github.com/stretchr/testify/require"
)

// patient is a store's directory that is damaged in every way.
type patient struct {
	t       *testing.T
	options engine.Options
	files   map[string][]byte
	// states are the contents after each change, and places where the change stands.
	states []state
	places []place
	// history is every value that a key ever had. Repair may bring one back, but
	// must not invent one.
	history  map[string]map[string]bool
	damaged  map[string]int // how many places, by kind
	outcomes map[string]int
	repairs  int
}

// place is a part of a file.
type place struct {
	file     string
	from, to int64
}

// newPatient fills a store: a snapshot and several segments, in which every kind
// of record and block is.
func newPatient(t *testing.T, o engine.Options, closed bool) *patient {
	p := &patient{t: t, options: o, history: map[string]map[string]bool{}, damaged: map[string]int{}, outcomes: map[string]int{}}
	p.options.Now = func() int64 { return epoch }
	p.options.SegmentBytes, p.options.BackgroundDisabled = 1<<10, true
	disk := simdir.New(1)
	p.options.Dir = disk
	s, err := engine.Open(p.options)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 41 {
		switch i {
		case 15:
			require.NoError(t, s.Compact())
		case 30:
			_, err = s.Clear("b")
			require.NoError(t, err)
			p.note(s, disk)
		}
		p.change(s, rng, i)
		p.note(s, disk)
	}
	if closed {
		require.NoError(t, s.Close())
	}
	p.files = map[string][]byte{}
	names, err := disk.List()
	require.NoError(t, err)
	for _, name := range names {
		p.files[name] = disk.Bytes(name)
	}
	require.Greater(t, len(p.files), 2)
	if !closed {
		disk.CrashAt(1)
		_ = s.Close() // frees its memory
	}
	return p
}

// note notes the contents, and where the last change was written.
func (p *patient) note(s *engine.Store, disk *simdir.Dir) {
	now, err := contents(s)
	require.NoError(p.t, err)
	for key, e := range now {
		if p.history[key] == nil {
			p.history[key] = map[string]bool{}
		}
		p.history[key][e.value] = true
	}
	p.states = append(p.states, now)
	var at place
	for _, e := range disk.Trace() {
		if e.Op == simdir.OpWrite && strings.HasPrefix(e.Name, "log-") && !strings.HasSuffix(e.Name, ".tmp") {
			at = place{file: e.Name, from: e.Offset, to: e.Offset + e.Size}
		}
	}
	p.places = append(p.places, at)
}

// last is the number of the last state.
func (p *patient) last() int { return len(p.states) - 1 }

// change makes one change of each kind in turn.
func (p *patient) change(s *engine.Store, rng *rand.Rand, i int) {
	key, value := keys[i%5], fmt.Appendf(nil, "%d %x%s", i, randomBytes(rng, rng.IntN(60)), strings.Repeat("v", rng.IntN(60)))
	var err error
	switch i % 8 {
	case 3:
		_, err = s.SetMany([]engine.Item{{Key: "many/1", Value: value}, {Key: "many/2", Value: value}})
	case 5:
		_, _, err = s.Delete(key, engine.DeleteOptions{})
	case 6:
		_, err = s.Expire(key, 3_600_000_000_000)
	case 7:
		_, _, err = s.Increment("counter", 1)
	default:
		_, err = s.Set(key, value, engine.SetOptions{})
	}
	require.NoError(p.t, err)
}

// disk is a disk with these files.
func diskOf(files map[string][]byte) *simdir.Dir {
	d := simdir.New(1)
	for name, data := range files {
		d.Put(name, data)
	}
	return d
}

// try opens the patient with some of its files replaced (nil: removed), and fails
// unless the damage is named, or cost nothing.
func (p *patient) try(kind, what string, replaced map[string][]byte) {
	p.t.Helper()
	p.damaged[kind]++
	files := maps.Clone(p.files)
	maps.Copy(files, replaced)
	maps.DeleteFunc(files, func(_ string, data []byte) bool { return data == nil })
	disk := diskOf(files)
	var told []string
	o := p.options
	o.Dir, o.Log = disk, func(text string) { told = append(told, text) }
	s, err := engine.Open(o)
	if err != nil {
		p.refused(what, err, disk, files, replaced)
		return
	}
	defer func() { require.NoError(p.t, s.Close(), what) }()
	got, err := contents(s)
	require.NoError(p.t, err, what)
	if equal(got, p.states[p.last()]) {
		p.outcomes["cost nothing"]++
		return
	}
	// It lost something and did not take it for damage. The end of a log can always
	// be one that a crash tore, as long as every change that is gone was hit itself.
	at := p.last() - 1
	for ; at >= 0 && !equal(got, p.states[at]); at-- {
	}
	require.GreaterOrEqual(p.t, at, 0, "%s: silently wrong:%v", what, got)
	for _, gone := range p.places[at+1:] {
		require.True(p.t, hit(p.files, replaced, gone), "%s: silently lost: %+v", what, gone)
	}
	recovered := s.LogStats().Recovered
	require.False(p.t, recovered.Clean, what)
	if recovered.TornBytes > 0 {
		require.NotEmpty(p.t, told, what)
		p.outcomes["taken for a torn end"]++
	} else {
		p.outcomes["no trace left of the last changes"]++
	}
}

// hit reports whether something in a place is damaged.
func hit(files, replaced map[string][]byte, at place) bool {
	data, ok := replaced[at.file]
	if !ok {
		return false
	}
	return int64(len(data)) < at.to || !bytes.Equal(data[at.from:at.to], files[at.file][at.from:at.to])
}

// refused checks the error of a damaged store, that nothing was changed, and what
// Verify and Repair make of it.
func (p *patient) refused(what string, err error, disk *simdir.Dir, files, replaced map[string][]byte) {
	p.t.Helper()
	for name, data := range files {
		require.True(p.t, bytes.Equal(data, disk.Bytes(name)), "%s: %s was changed, though the store does not open", what, name)
	}
	if errors.Is(err, engine.ErrFormatVersion) {
		require.True(p.t, slices.ContainsFunc(slices.Collect(maps.Keys(replaced)), func(name string) bool { return strings.Contains(err.Error(), name) }), "%s: %v", what, err)
		p.outcomes["refused: a newer format"]++
		return
	}
	if errors.Is(err, engine.ErrKey) {
		p.outcomes["refused: another key"]++
		return
	}
	var damage *engine.CorruptError
	require.ErrorAs(p.t, err, &damage, what)
	_, named := replaced[damage.File]
	require.True(p.t, named || files[damage.File] == nil || len(replaced) > 1 || foreign(err), "%s: the error names another file: %v", what, err)
	require.True(p.t, damage.Offset >= 0 && damage.Offset < int64(len(files[damage.File]))+8, "%s: %v", what, err)
	require.NotEmpty(p.t, damage.Reason)
	p.outcomes["refused: damage"]++

	p.repair(what, disk)
}

// repair checks what Verify and Repair make of a damaged store. In a short run only
// some are looked at.
func (p *patient) repair(what string, disk *simdir.Dir) {
	p.t.Helper()
	if p.repairs++; p.repairs%stride(5) != 0 {
		return
	}
	o := p.options
	o.Dir = disk
	v, err := engine.Verify(o)
	require.NoError(p.t, err, what)
	require.NotEmpty(p.t, v.Damage, what)
	v, repaired, err := engine.Repair(o, func(*engine.Verification) bool { return true })
	require.NoError(p.t, err, what)
	require.True(p.t, repaired, what)
	s, err := engine.Open(o)
	require.NoError(p.t, err, "%s: after the repair", what)
	got, err := contents(s)
	require.NoError(p.t, err)
	require.EqualValues(p.t, v.Entries, len(got), what)
	for key, e := range got {
		// A new end whose value was lost may stand with an older value.
		require.True(p.t, p.history[key][e.value], "%s: the repair made up %q: %v", what, key, e)
	}
	require.NoError(p.t, s.Close())
}

// foreign reports whether the error says that two files are not of one store: it
// cannot tell which of them is in the wrong place.
func foreign(err error) bool { return strings.Contains(err.Error(), "belongs to another store") }

// patients are the directories that are damaged.
func patients(t *testing.T, f func(t *testing.T, p *patient)) {
	encryption := seal.AES256GCM(seal.Key{ID: 7, Secret: [seal.KeyBytes]byte{7}})
	for name, o := range map[string]engine.Options{
		"plain":      {},
		"compressed": {CompressBytesMin: 64},
		"encrypted":  {Encryption: encryption, CompressBytesMin: 64},
	} {
		for _, closed := range []bool{true, false} {
			ending := map[bool]string{true: "closed", false: "killed"}[closed]
			t.Run(name+", "+ending, func(t *testing.T) {
				p := newPatient(t, o, closed)
				p.try("nothing", "no damage at all", nil)
				require.Equal(t, 1, p.outcomes["cost nothing"])
				f(t, p)
				t.Logf("damaged: %v; outcomes: %v", p.damaged, p.outcomes)
			})
		}
	}
}

// each calls f for every file, with memory that f may change.
func (p *patient) each(f func(name string, data []byte)) {
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		f(name, slices.Clone(p.files[name]))
	}
}

// TestRotFlips flips a bit in every byte of every file; in a short run in every 12th.
func TestRotFlips(t *testing.T) {
	patients(t, func(t *testing.T, p *patient) {
		rng := rand.New(rand.NewPCG(3, 4))
		p.each(func(name string, data []byte) {
			for i := rng.IntN(stride(12)); i < len(data); i += stride(12) {
				mask := byte(1) << rng.IntN(8)
				data[i] ^= mask
				p.try("flipped bits", fmt.Sprintf("%s: byte %d ^ %#x", name, i, mask), map[string][]byte{name: data})
				data[i] ^= mask
			}
		})
		require.Positive(t, p.outcomes["refused: damage"])
	})
}

// TestRotCuts cuts every file at every length (in a short run at every 26th), and
// removes it.
func TestRotCuts(t *testing.T) {
	patients(t, func(t *testing.T, p *patient) {
		p.each(func(name string, data []byte) {
			p.try("removed files", name+" is removed", map[string][]byte{name: nil})
			for n := 0; n < len(data); n += stride(26) {
				p.try("cuts", fmt.Sprintf("%s: cut to %d bytes", name, n), map[string][]byte{name: slices.Clone(data[:n])})
			}
		})
	})
}

// TestRotZeros zeroes what a device may zero: words, sectors, and all from a
// place on.
func TestRotZeros(t *testing.T) {
	patients(t, func(t *testing.T, p *patient) {
		p.each(func(name string, data []byte) {
			for _, size := range []int{8, 64, 512} {
				for at := 0; at < len(data); at += size * stride(2) {
					holed := slices.Clone(data)
					clear(holed[at:min(at+size, len(data))])
					p.try("zeroed ranges", fmt.Sprintf("%s: %d bytes at %d are zero", name, size, at), map[string][]byte{name: holed})
				}
			}
			for at := 0; at < len(data); at += 8 * stride(8) {
				holed := slices.Clone(data)
				clear(holed[at:])
				p.try("zeroed ends", fmt.Sprintf("%s: all is zero from %d on", name, at), map[string][]byte{name: holed})
			}
		})
	})
}

// TestRotCopies writes parts of files over others, of the same file and of
// another, and one file over another.
func TestRotCopies(t *testing.T) {
	patients(t, func(t *testing.T, p *patient) {
		rng := rand.New(rand.NewPCG(5, 6))
		names := slices.Sorted(maps.Keys(p.files))
		p.each(func(name string, data []byte) {
			for range count(30, 3000) {
				source := pick(rng, names...)
				from, to := rng.IntN(len(p.files[source]))&^7, rng.IntN(len(data))&^7
				n := pick(rng, 8, 40, 96, 200, 512)
				part := p.files[source][from:min(from+n, len(p.files[source]))]
				over := slices.Clone(data)
				copy(over[to:], part)
				p.try("duplicated ranges", fmt.Sprintf("%s: %d bytes of %s at %d stand at %d too", name, len(part), source, from, to), map[string][]byte{name: over})
				inserted := slices.Insert(slices.Clone(data), to, part...)
				p.try("inserted ranges", fmt.Sprintf("%s: %d bytes of %s at %d are inserted at %d", name, len(part), source, from, to), map[string][]byte{name: inserted})
				if end := to + len(part); source == name && from >= end && from+len(part) <= len(data) {
					swapped := slices.Clone(data)
					copy(swapped[to:], part)
					copy(swapped[from:], data[to:end])
					p.try("swapped ranges", fmt.Sprintf("%s: %d bytes at %d and %d are swapped", name, len(part), from, to), map[string][]byte{name: swapped})
				}
			}
			for _, other := range names {
				if other != name {
					p.try("swapped files", name+" and "+other+" are swapped", map[string][]byte{name: p.files[other], other: data})
					p.try("duplicated files", name+" has the contents of "+other, map[string][]byte{name: p.files[other]})
				}
			}
		})
	})
}

// TestRotBlocks takes whole blocks out, doubles them and swaps them with the next
// one: each is undamaged, but not in its place.
func TestRotBlocks(t *testing.T) {
	patients(t, func(t *testing.T, p *patient) {
		for i, at := range p.places {
			data := p.files[at.file]
			if data == nil {
				continue // compacted since
			}
			block := data[at.from:at.to]
			without := slices.Concat(data[:at.from], data[at.to:])
			p.try("removed blocks", fmt.Sprintf("%+v is taken out", at), map[string][]byte{at.file: without})
			twice := slices.Insert(slices.Clone(data), int(at.to), block...)
			p.try("doubled blocks", fmt.Sprintf("%+v is there twice", at), map[string][]byte{at.file: twice})
			if i+1 < len(p.places) && p.places[i+1].file == at.file && p.places[i+1].from == at.to {
				next := p.places[i+1]
				swapped := slices.Concat(data[:at.from], data[next.from:next.to], block, data[next.to:])
				p.try("swapped blocks", fmt.Sprintf("%+v and the next block are swapped", at), map[string][]byte{at.file: swapped})
			}
		}
		require.Positive(t, p.damaged["swapped blocks"])
	})
}

// TestRotOfAnotherStore puts files of another store in the place of the store's.
func TestRotOfAnotherStore(t *testing.T) {
	patients(t, func(t *testing.T, p *patient) {
		other := newPatient(t, p.options, true)
		p.each(func(name string, _ []byte) {
			if data := other.files[name]; data != nil {
				p.try("foreign files", name+" is another store's", map[string][]byte{name: data})
			}
		})
		require.Positive(t, p.damaged["foreign files"])
	})
}
