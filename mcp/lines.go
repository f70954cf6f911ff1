package mcp

import (
	"bytes"
	"io"
)

// lineReader cuts a stream into lines within bounded memory: a line longer
// than max is dropped as it comes and reported once.
type lineReader struct {
	in  io.Reader
	max int // bytes of a line without its line break

	buf        []byte
	start, end int  // what is buffered
	seen       int  // up to here no line break was found
	dropping   bool // inside a line that is too long
}

// fill reads once. Call it when next has nothing more.
func (r *lineReader) fill() error {
	if r.start == r.end {
		r.start, r.end, r.seen = 0, 0, 0
		if len(r.buf) > bufferKeptMax {
			r.buf = make([]byte, readBytesMin)
		}
	} else if r.start > 0 && r.end == len(r.buf) {
		copy(r.buf, r.buf[r.start:r.end])
		r.end, r.seen, r.start = r.end-r.start, r.seen-r.start, 0
	}
	if r.end == len(r.buf) {
		// max+2: a line of max bytes with \r\n must fit.
		grown := make([]byte, min(2*len(r.buf), max(r.max+2, readBytesMin)))
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
	for range emptyReadsMax {
		n, err := r.in.Read(r.buf[r.end:])
		r.end += n
		if n > 0 || err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// emptyReadsMax is how often a Read may return nothing at all in a row.
const emptyReadsMax = 100

// next returns the next whole line without its \n; at the end of input also
// an unfinished last one. tooLong stands for a line that was dropped.
func (r *lineReader) next(ended bool) (line []byte, tooLong, ok bool) {
	for {
		at := bytes.IndexByte(r.buf[r.seen:r.end], '\n')
		if at < 0 {
			return r.rest(ended)
		}
		line = r.buf[r.start : r.seen+at]
		r.start = r.seen + at + 1
		r.seen = r.start
		if r.dropping {
			r.dropping = false
			continue
		}
		if len(bytes.TrimSuffix(line, crlf[:1])) > r.max {
			return nil, true, true
		}
		return line, false, true
	}
}

// rest deals with buffered bytes that hold no line break.
func (r *lineReader) rest(ended bool) (line []byte, tooLong, ok bool) {
	line = r.buf[r.start:r.end]
	r.seen = r.end
	switch {
	case r.dropping:
		r.start = r.end
		return nil, false, false
	case len(line) > r.max+1 || ended && len(line) > r.max:
		r.dropping = true
		r.start = r.end
		return nil, true, true
	case ended && len(line) > 0:
		r.start = r.end
		return line, false, true
	}
	return nil, false, false
}
