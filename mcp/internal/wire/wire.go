// Package wire is what the HTTP transports have in common: reading a bounded
// body, refusing a request, answering with JSON, and writing an event stream
// that a client must keep reading.
//
//	body, err := wire.ReadBody(w, r, wire.Body{BytesMax: 1 << 20, Timeout: 30 * time.Second}, nil)
//	events := wire.NewEvents(w, 30*time.Second)
//	err = events.Message("", []byte(`{"jsonrpc":"2.0",...}`))
//
// # Caveats
//
// An [Events] is not safe for concurrent use: its owner has a lock anyway.
package wire

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Body bounds a request's body.
type Body struct {
	BytesMax int64
	// Timeout is how long the client may take to send all of it.
	Timeout time.Duration
}

// ReadBody appends the body of r to dst. The connection's read deadline is
// lifted afterwards, so that it does not end the request's context later.
func ReadBody(w http.ResponseWriter, r *http.Request, o Body, dst []byte) ([]byte, error) {
	control := http.NewResponseController(w)
	if r.ContentLength > o.BytesMax {
		return dst, &http.MaxBytesError{Limit: o.BytesMax}
	}
	limited := control.SetReadDeadline(time.Now().Add(o.Timeout)) == nil // not on a recorder
	body := http.MaxBytesReader(w, r.Body, o.BytesMax)
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := body.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == nil {
			continue
		}
		if limited && err == io.EOF {
			// Its error would be that the connection is gone, which the answer meets.
			_ = control.SetReadDeadline(time.Time{})
		}
		if err == io.EOF {
			return dst, nil
		}
		return dst, err
	}
}

// Problem returns the status and text with which to answer a ReadBody that failed.
func (o Body) Problem(err error) (int, string) {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("the message is longer than the limit of %d bytes", o.BytesMax)
	}
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() {
		return http.StatusRequestTimeout, fmt.Sprintf("the body did not arrive within %v", o.Timeout)
	}
	return http.StatusBadRequest, "the body could not be read: " + err.Error()
}

// Refuse answers with a JSON-RPC error that has no id: the message was not
// read (basic/transports/streamable-http allows such a body).
func Refuse(w http.ResponseWriter, status, code int, problem string) {
	text, err := jsontext.AppendQuote(nil, strings.ToValidUTF8(problem, "\ufffd"))
	if err != nil {
		text = []byte(`""`) // cannot happen: the text is UTF-8
	}
	// Before it answers, net/http reads what is left of a body, and would wait for
	// one that does not come. Where there is no deadline (a recorder) nothing waits.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(restTimeout))
	Write(w, status, fmt.Appendf(nil, `{"jsonrpc":"2.0","error":{"code":%d,"message":%s}}`, code, text), writeTimeout)
}

// How long a client may take to read a refusal, and to send the rest of the
// body that nobody wants.
const (
	writeTimeout = 10 * time.Second
	restTimeout  = time.Second
)

// Write answers with body, which is JSON or empty. A client that has not read
// it after timeout loses its connection.
func Write(w http.ResponseWriter, status int, body []byte, timeout time.Duration) {
	if len(body) > 0 {
		w.Header()["Content-Type"] = typeJSON
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	control := http.NewResponseController(w)
	limited := control.SetWriteDeadline(time.Now().Add(timeout)) == nil // not on a recorder
	w.WriteHeader(status)
	w.Write(body) // an error here means that the client left
	if limited {
		// Flushed under the deadline, which must not meet the connection's next
		// answer. Errors of both mean that the client left.
		_ = control.Flush()
		_ = control.SetWriteDeadline(time.Time{})
	}
}

var typeJSON = []string{"application/json"}

// JSONBody reports whether r says that its body is JSON.
func JSONBody(r *http.Request) bool {
	given := r.Header.Get("Content-Type")
	if given == typeJSON[0] {
		return true
	}
	kind, _, err := mime.ParseMediaType(given)
	return err == nil && kind == typeJSON[0]
}

// Accepts says which kinds of answer r takes. All of them when it does not say.
func Accepts(r *http.Request) (json, events bool) {
	accept := r.Header.Values("Accept")
	if len(accept) == 0 || len(accept) == 1 && accept[0] == "application/json, text/event-stream" {
		return true, true
	}
	for _, line := range accept {
		for entry := range strings.SplitSeq(line, ",") {
			kind, parameters, err := mime.ParseMediaType(entry)
			if err != nil || parameters["q"] == "0" {
				continue
			}
			json = json || kind == "application/json" || kind == "application/*" || kind == "*/*"
			events = events || kind == "text/event-stream" || kind == "text/*" || kind == "*/*"
		}
	}
	return json, events
}

// Buffers hold bodies and answers.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, 4<<10)) }}

// bufferKeptMax is the largest buffer that is kept for reuse.
const bufferKeptMax = 1 << 20

// GetBuffer returns an empty buffer; PutBuffer is its partner.
func GetBuffer() *[]byte {
	b := buffers.Get().(*[]byte)
	*b = (*b)[:0]
	return b
}

// PutBuffer takes a buffer back that nobody uses any more.
func PutBuffer(b *[]byte) {
	if cap(*b) <= bufferKeptMax {
		buffers.Put(b)
	}
}
