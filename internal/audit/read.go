package audit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Read reads the records of a log that can be read, the oldest first, until yield says
// no. It does not verify: what is no record is left out. line is the record as it stands,
// and good until yield returns.
func Read(name string, yield func(e *Entry, line []byte) bool) error {
	files, err := Files(name)
	if err != nil {
		return err
	}
	for _, file := range files {
		stopped := false
		f, err := os.Open(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // it was renamed meanwhile, and is read by its new name with the next call
		}
		if err != nil {
			return err
		}
		err = errors.Join(lines(f, func(_ int64, line []byte, whole bool) bool {
			stopped = whole && !give(line, yield)
			return !stopped
		}), f.Close())
		if err != nil || stopped {
			return err
		}
	}
	return nil
}

// give hands out a line, if it is a record.
func give(line []byte, yield func(*Entry, []byte) bool) bool {
	var e Entry
	if json.Unmarshal(bytes.TrimSuffix(line, []byte{'\n'}), &e) != nil {
		return true
	}
	return yield(&e, line)
}

// followEvery is how often Follow looks for more.
const followEvery = 100 * time.Millisecond

// Follow is Read for the records behind one, those that are still to come included, until
// ctx ends, which is no error, or yield says no.
func Follow(ctx context.Context, name string, after uint64, yield func(e *Entry, line []byte) bool) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	f := &follower{name: name, last: after}
	defer f.close()
	for {
		stopped, err := f.more(yield)
		if err != nil || stopped {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// follower is where one has read to.
type follower struct {
	name string
	last uint64 // the seq of the last record that was given
	file *os.File
	part []byte // of a line that is not whole yet
}

func (f *follower) close() {
	if f.file != nil {
		f.file.Close()
		f.file = nil
	}
}

// more gives what is there now.
func (f *follower) more(yield func(*Entry, []byte) bool) (stopped bool, err error) {
	for {
		if f.file != nil {
			if stopped, err := f.rest(yield); err != nil || stopped {
				return stopped, err
			}
			if now, err := os.Stat(f.name); err == nil {
				if mine, err := f.file.Stat(); err == nil && os.SameFile(now, mine) {
					return false, nil
				}
			}
			if stopped, err := f.rest(yield); err != nil || stopped { // what came before it was renamed
				return stopped, err
			}
			f.close()
		}
		// First the file, then the older ones: whatever is renamed meanwhile is among them.
		next, err := os.Open(f.name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return false, err
		}
		f.part = nil
		if f.file = next; err != nil {
			f.file = nil
		}
		if stopped, err := f.older(yield); err != nil || stopped || f.file == nil {
			return stopped, err
		}
	}
}

// older gives the records of the files that are not written any more.
func (f *follower) older(yield func(*Entry, []byte) bool) (stopped bool, err error) {
	files, err := rotated(f.name)
	if err != nil {
		return false, err
	}
	for _, file := range files {
		in, err := os.Open(file.name)
		if err != nil {
			return false, err
		}
		err = errors.Join(lines(in, func(_ int64, line []byte, whole bool) bool {
			stopped = whole && !f.give(line, yield)
			return !stopped
		}), in.Close())
		if err != nil || stopped {
			return stopped, err
		}
	}
	return false, nil
}

// rest gives what the open file has beyond what was read.
func (f *follower) rest(yield func(*Entry, []byte) bool) (stopped bool, err error) {
	buffer := make([]byte, lineBytesMax)
	for {
		n, err := f.file.Read(buffer)
		f.part = append(f.part, buffer[:n]...)
		for {
			line, rest, whole := bytes.Cut(f.part, []byte{'\n'})
			if !whole {
				break
			}
			if !f.give(append(bytes.Clone(line), '\n'), yield) {
				return true, nil
			}
			f.part = rest
		}
		if len(f.part) > lineBytesMax {
			f.part = nil // no record is that long
		}
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		}
	}
}

func (f *follower) give(line []byte, yield func(*Entry, []byte) bool) bool {
	return give(line, func(e *Entry, line []byte) bool {
		if e.Seq <= f.last {
			return true
		}
		f.last = e.Seq
		return yield(e, line)
	})
}

// Filter chooses records. The zero value is all of them.
type Filter struct {
	Who, Name, Method, Outcome string // patterns, in which * stands for any run; empty: any
	Since, Until               time.Time
}

// Match reports whether a record is chosen. What tells of the log itself is, where nothing
// is asked of requests.
func (f *Filter) Match(e *Entry) bool {
	if !f.Since.IsZero() && e.Time.Before(f.Since) || !f.Until.IsZero() && !e.Time.Before(f.Until) {
		return false
	}
	return like(f.Who, e.Who) && like(f.Name, e.Name()) && like(f.Method, e.Method) && like(f.Outcome, e.Outcome)
}

// Name is what the record names, of whatever kind.
func (e *Entry) Name() string {
	return e.Tool + e.Resource + e.Template + e.Prompt + e.Task
}

// like reports whether a text is of a pattern.
func like(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
