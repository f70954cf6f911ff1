package mcpclient

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

// errLongEvent says that an event is longer than a message may be.
var errLongEvent = errors.New("the server sent an event that is longer than a message may be")

// events reads a stream of server-sent events (HTML Living Standard, section 9.2.6).
type events struct {
	lines  *bufio.Scanner
	lastID string        // of the events so far
	retry  time.Duration // how long to wait before the stream is opened again
}

func newEvents(r io.Reader) *events {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, messageBytesMax)
	lines.Split(eventLines)
	return &events{lines: lines, retry: retryDefault}
}

// next returns the data of the next event; empty for one that has an id alone. The error
// is io.EOF at the end of the stream.
func (e *events) next() ([]byte, error) {
	var data []byte
	id, named, fields := "", false, 0
	for e.lines.Scan() {
		line := e.lines.Bytes()
		if len(line) == 0 {
			if named {
				e.lastID = id
			}
			if fields > 0 || named {
				return bytes.TrimSuffix(data, []byte("\n")), nil
			}
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "data":
			fields++
			if len(data)+len(value) > messageBytesMax {
				return nil, errLongEvent
			}
			data = append(append(data, value...), '\n')
		case "id":
			if len(value) <= 1024 && bytes.IndexByte(value, 0) < 0 {
				id, named = string(value), true
			}
		case "retry":
			if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
				e.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
	err := e.lines.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, errLongEvent
	case err == nil:
		return nil, io.EOF
	}
	return nil, err
}

// eventLines is a bufio.SplitFunc: lines end with LF, CR LF or CR.
func eventLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && atEOF && len(data) > 0:
		return len(data), data, nil
	case i < 0:
		return 0, nil, nil
	case data[i] == '\n':
		return i + 1, data[:i], nil
	case i+1 == len(data) && !atEOF:
		return 0, nil, nil // perhaps a LF comes
	case i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	}
	return i + 1, data[:i], nil
}
