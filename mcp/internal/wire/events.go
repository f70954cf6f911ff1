package wire

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Events is a response that is a stream of server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). A client
// that does not read for the given time has its stream ended.
type Events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	buffer  []byte
	began   bool
}

// NewEvents returns a stream that begins with its first event.
func NewEvents(w http.ResponseWriter, timeout time.Duration) Events {
	return Events{w: w, control: http.NewResponseController(w), timeout: timeout}
}

// Began reports whether the response has begun, so that its status is given.
func (e *Events) Began() bool { return e.began }

// Begin sends the headers. Proxies are asked not to hold events back.
func (e *Events) Begin() error {
	e.begin()
	return e.flush()
}

func (e *Events) begin() {
	if e.began {
		return
	}
	e.began = true
	// A server's ReadTimeout is for requests, not for how long streams are open.
	// Where it cannot be lifted (a recorder) there is none.
	_ = e.control.SetReadDeadline(time.Time{})
	h := e.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	e.w.WriteHeader(http.StatusOK)
}

// Message sends an event of the type message, with an id unless that is empty.
// data is one line.
func (e *Events) Message(id string, data []byte) error {
	e.buffer = appendID(e.buffer[:0], id)
	e.buffer = append(e.buffer, "event: message\ndata: "...)
	e.buffer = append(append(e.buffer, data...), "\n\n"...)
	return e.flush()
}

// Named sends an event of another type.
func (e *Events) Named(name, data string) error {
	e.buffer = append(append(append(e.buffer[:0], "event: "...), name...), "\ndata: "...)
	e.buffer = append(append(e.buffer, data...), "\n\n"...)
	return e.flush()
}

// Prime gives the client an id to come back with, and how long to wait before
// it does. Its data is empty, which makes it no message (2025-11-25
// basic/transports, "Sending Messages to the Server").
func (e *Events) Prime(id string, retry time.Duration) error {
	e.buffer = append(appendID(e.buffer[:0], id), "retry: "...)
	e.buffer = strconv.AppendInt(e.buffer, retry.Milliseconds(), 10)
	e.buffer = append(e.buffer, "\ndata: \n\n"...)
	return e.flush()
}

// Retry tells the client how long to wait before it comes back.
func (e *Events) Retry(after time.Duration) error {
	e.buffer = strconv.AppendInt(append(e.buffer[:0], "retry: "...), after.Milliseconds(), 10)
	e.buffer = append(e.buffer, "\n\n"...)
	return e.flush()
}

// KeepAlive sends a comment, which clients ignore and proxies count as life.
func (e *Events) KeepAlive() error {
	e.buffer = append(e.buffer[:0], ":\n\n"...)
	return e.flush()
}

func appendID(dst []byte, id string) []byte {
	if id == "" {
		return dst
	}
	return append(append(append(dst, "id: "...), id...), '\n')
}

// flush writes what is buffered, all the way to the connection.
func (e *Events) flush() error {
	e.begin()
	limited := e.control.SetWriteDeadline(time.Now().Add(e.timeout)) == nil // not on a recorder
	_, err := e.w.Write(e.buffer)
	if e.buffer = e.buffer[:0]; cap(e.buffer) > bufferKept {
		e.buffer = nil
	}
	if err == nil {
		err = e.control.Flush()
	}
	if err == nil && limited {
		// Between events there is no deadline. Its error would be that the client left.
		_ = e.control.SetWriteDeadline(time.Time{})
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w for %v", ErrSlow, e.timeout)
	case err != nil:
		return fmt.Errorf("writing an event: %w", err)
	}
	return nil
}

// bufferKept is the largest buffer that a stream keeps between its events.
const bufferKept = 16 << 10

// ErrSlow is wrapped by the error of a stream whose client does not read.
var ErrSlow = errors.New("the client did not read its events")
