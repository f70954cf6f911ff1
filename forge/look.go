package forge

import (
	"crypto/sha256"
	"io"
	"maps"
	"os"
	"time"
)

// freshTime is for how long a file's times and size do not show that it is as it was:
// clocks of file systems tick in steps, of up to 2 seconds (FAT).
const freshTime = 2 * time.Second

// lookBytesMax is how much of a file is looked at; a longer one is none that is read.
const lookBytesMax = 1 << 30

// look is how some files were at one moment, by their paths.
type look map[string]glance

// glance is how one file was; the zero value is one that cannot be read.
type glance struct {
	info os.FileInfo
	sum  [sha256.Size]byte
	at   time.Time
}

// lookAt looks at files again. Those whose times and size are what they were in before,
// and not fresh, are not read.
func lookAt(paths []string, before look) look {
	now := look{}
	for _, path := range paths {
		at := time.Now()
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			now[path] = glance{}
			continue
		}
		was := before[path]
		if was.info != nil && os.SameFile(was.info, info) && was.info.Size() == info.Size() && was.info.ModTime().Equal(info.ModTime()) && was.at.Sub(info.ModTime()) > freshTime {
			now[path] = was
			continue
		}
		sum, err := sumOf(path)
		if err != nil {
			now[path] = glance{}
			continue
		}
		now[path] = glance{info, sum, at}
	}
	return now
}

// same says whether each file holds what it held in before; one that was not looked at
// then counts as one that cannot be read.
func (l look) same(before look) bool {
	for path, g := range l {
		if g.sum != before[path].sum {
			return false
		}
	}
	return true
}

// firstLook is how files are that were read after since. Those that may have changed
// meanwhile are left out, so that the next look finds them changed.
func firstLook(files []string, since time.Time) look {
	now := lookAt(files, nil)
	maps.DeleteFunc(now, func(_ string, g glance) bool { return g.info == nil || since.Sub(g.info.ModTime()) < freshTime })
	return now
}

// sumOf is the digest of a file's content.
func sumOf(path string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, lookBytesMax)); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}

// watcher finds out when files that are written have been written.
type watcher struct {
	seen    look // as it was acted upon
	pending look // as it was last time, where that differs
	looks   int  // that found pending
}

// settled looks at the files, and says whether they hold something else than when it
// last said so, and nobody is writing them.
func (w *watcher) settled(files []string) bool {
	last := w.seen
	if w.pending != nil {
		last = w.pending
	}
	now := lookAt(files, last)
	if now.same(w.seen) {
		w.pending, w.looks = nil, 0
		return false
	}
	if w.pending == nil || !now.same(w.pending) {
		w.looks = 0
	}
	w.pending = now
	w.looks++
	if w.looks < settledLooks || w.looks < settledLooksGone && now.lacks(w.seen) {
		return false
	}
	w.seen, w.pending, w.looks = now, nil, 0
	return true
}

// forget has the next look act again.
func (w *watcher) forget() { w.seen = nil }

// lacks says whether a file is gone or empty that held something before.
func (l look) lacks(before look) bool {
	for path, g := range l {
		if was := before[path]; was.info != nil && was.info.Size() > 0 && (g.info == nil || g.info.Size() == 0) {
			return true
		}
	}
	return false
}
