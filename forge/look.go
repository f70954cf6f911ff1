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

// same says whether the files hold what they held.
func (l look) same(other look) bool {
	return maps.EqualFunc(l, other, func(a, b glance) bool { return a.sum == b.sum })
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
