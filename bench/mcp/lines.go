package main

import (
	"bytes"
	"fmt"
	"io"
)

const lineBytesMax = 1 << 20 // far above any answer that is measured

// A lineReader cuts a stream into lines without copying them. A line is valid
// until the next fill or next.
type lineReader struct {
	src        io.Reader
	buf        []byte
	start, end int // what is read and not yet taken
}

func newLineReader(src io.Reader) *lineReader {
	return &lineReader{src: src, buf: make([]byte, lineBytesMax)}
}

// take returns the next whole line in the buffer, without its newline.
func (r *lineReader) take() ([]byte, bool) {
	i := bytes.IndexByte(r.buf[r.start:r.end], '\n')
	if i < 0 {
		return nil, false
	}
	line := r.buf[r.start : r.start+i]
	r.start += i + 1
	return line, true
}

// fill reads once, after moving what is left to the front of the buffer.
func (r *lineReader) fill() error {
	copy(r.buf, r.buf[r.start:r.end])
	r.start, r.end = 0, r.end-r.start
	if r.end == len(r.buf) {
		return fmt.Errorf("an answer is longer than %d bytes", lineBytesMax)
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil // an error comes back on the next read
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF // the server ended while it owed an answer
	}
	return err
}

// next returns the next line, reading as long as it must.
func (r *lineReader) next() ([]byte, error) {
	for {
		if line, ok := r.take(); ok {
			return line, nil
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// A tail keeps the last bytes written to it: a server's stderr, for the error
// message when it fails.
type tail struct{ kept []byte }

const tailBytesMax = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - tailBytesMax; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

// String is safe only after the process has been waited for.
func (t *tail) String() string { return string(t.kept) }
