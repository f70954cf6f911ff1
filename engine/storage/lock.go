//go:build !wasip1

package storage

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// The lock file tells who holds the lock, for people and for LockedError:
//
//	pid 4711
//	host build-3
//	since 2026-11-22T07:44:58Z
//
// On Linux it goes on with the boot and the pid namespace, as owner files do.
const holderFormat = "pid %d\nhost %s\nsince %s\n"

// holderBytesMax bounds what is read of a lock file: host names are short.
const holderBytesMax = 4096

// A process that is killed while it starts another leaves its lock to the child until
// that has become the other program: a moment, for which Lock waits at most goneWithin.
const (
	goneWithin = 2 * time.Second
	gonePause  = 2 * time.Millisecond
)

// writeHolder writes this process into the lock file.
func writeHolder(f *os.File) error {
	h := thisHolder()
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintf(io.NewOffsetWriter(f, 0), holderFormat+"%s", h.PID, h.Host, h.since(), holderPlace())
	return err
}

// readHolder reads who has the lock file. It is the zero Holder when the file
// does not tell, for its owner may be about to write it.
func readHolder(f *os.File) Holder {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, holderBytesMax))
	if err != nil {
		return Holder{}
	}
	var h Holder
	var since string
	if _, err := fmt.Fscanf(strings.NewReader(string(text)), holderFormat, &h.PID, &h.Host, &since); err != nil {
		return Holder{}
	}
	at, err := time.Parse(time.RFC3339, since)
	if err != nil {
		return Holder{}
	}
	h.Since = at.Unix()
	return h
}
