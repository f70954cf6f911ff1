// Package streamable serves an [mcp.Server] over MCP's streamable HTTP
// transport. It stands apart from package mcp so that a program that speaks
// over stdio, or runs as wasm, does not carry net/http: that costs 3 MB and
// doubles the start-up time.
//
// [NewHTTPHandler] makes the handler; mount it at one path, such as /mcp.
// Each POST carries one message and is answered with one JSON object. Both
// eras are served on the same path: a modern message must agree with its
// headers, a legacy one is served without a session.
//
// # Caveats
//
//   - Answers are single JSON objects, never event streams.
//   - There are no sessions: no Mcp-Session-Id is given out, GET and DELETE
//     are answered with 405.
//   - Mcp-Param headers (x-mcp-header in a tool's schema) are not checked.
//   - There is no authentication. Bind to a loopback address, or put the
//     handler behind something that authenticates.
package streamable

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/mcp"
)

// HTTPOptions configures a handler. The zero value serves loopback names only.
type HTTPOptions struct {
	// AllowedHosts are further Host names, without port, under which the
	// server may be addressed; "*" allows all. Loopback names always are.
	AllowedHosts []string
	// AllowedOrigins are further Origin values (https://example.com) of pages
	// that may call the server; "*" allows all. Loopback origins always may,
	// and so may requests without an Origin, which come from no page.
	AllowedOrigins []string
	// MaxConcurrent bounds the requests that are worked on at once; others
	// wait their turn. Default 256.
	MaxConcurrent int
}

const concurrentDefault = 256

// NewHTTPHandler returns the handler of s's MCP endpoint. It is safe for
// concurrent use. A request whose client goes away has its context cancelled.
func NewHTTPHandler(s *mcp.Server, o HTTPOptions) http.Handler {
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = concurrentDefault
	}
	return &handler{
		server: s,
		gate:   newGate(o.AllowedHosts, o.AllowedOrigins),
		slots:  make(chan struct{}, o.MaxConcurrent),
	}
}

type handler struct {
	server *mcp.Server
	gate   gate
	slots  chan struct{} // one is held while a request is worked on
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, problem := h.gate.check(r); status != 0 {
		refuse(w, status, mcp.CodeInvalidRequest, problem)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, mcp.CodeInvalidRequest, "the MCP endpoint takes POST only")
		return
	}
	if status, problem := checkTypes(r); status != 0 {
		refuse(w, status, mcp.CodeInvalidRequest, problem)
		return
	}
	buffer := buffers.Get().(*[]byte)
	defer putBuffer(buffer)
	bytesMax := int64(h.server.MaxMessageBytes())
	body, err := readBody(w, r, bytesMax, (*buffer)[:0])
	*buffer = body
	if err != nil {
		status, problem := bodyProblem(err, bytesMax)
		refuse(w, status, mcp.CodeInvalidRequest, problem)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-r.Context().Done():
		return
	}
	h.serve(w, r, body)
}

// serve answers a request whose body is read.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	e := h.server.NewExchange(body)
	legacy := agree(e, r.Header)
	early := e.Code() != 0
	buffer := buffers.Get().(*[]byte)
	defer putBuffer(buffer)
	*buffer = e.Answer(r.Context(), legacy, (*buffer)[:0])
	if r.Context().Err() != nil {
		return // nobody reads the answer
	}
	status := http.StatusOK
	switch {
	case early || e.Code() == mcp.CodeInvalidRequest:
		status = http.StatusBadRequest
	case len(*buffer) == 0:
		status = http.StatusAccepted
	case e.Modern && e.Code() == mcp.CodeMethodNotFound:
		status = http.StatusNotFound
	}
	write(w, status, *buffer)
}

// checkTypes makes sure that the body is JSON and the answer may be.
func checkTypes(r *http.Request) (int, string) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, "the Content-Type must be application/json"
	}
	accept := r.Header.Values("Accept")
	if len(accept) == 0 {
		return 0, ""
	}
	for _, line := range accept {
		for entry := range strings.SplitSeq(line, ",") {
			kind, parameters, err := mime.ParseMediaType(entry)
			if err == nil && parameters["q"] != "0" && (kind == "application/json" || kind == "application/*" || kind == "*/*") {
				return 0, ""
			}
		}
	}
	return http.StatusNotAcceptable, "the Accept header must list application/json and text/event-stream"
}

// readBody appends the body to dst.
func readBody(w http.ResponseWriter, r *http.Request, bytesMax int64, dst []byte) ([]byte, error) {
	if r.ContentLength > bytesMax {
		return dst, &http.MaxBytesError{Limit: bytesMax}
	}
	body := http.MaxBytesReader(w, r.Body, bytesMax)
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := body.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

func bodyProblem(err error, bytesMax int64) (int, string) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("the message is longer than the limit of %d bytes", bytesMax)
	}
	return http.StatusBadRequest, "the body could not be read: " + err.Error()
}

// refuse answers with a JSON-RPC error that has no id: the message was not
// read (basic/transports/streamable-http allows such a body).
func refuse(w http.ResponseWriter, status, code int, problem string) {
	text, err := jsontext.AppendQuote(nil, strings.ToValidUTF8(problem, "\ufffd"))
	if err != nil {
		text = []byte(`""`) // cannot happen: the text is UTF-8
	}
	write(w, status, fmt.Appendf(nil, `{"jsonrpc":"2.0","error":{"code":%d,"message":%s}}`, code, text))
}

func write(w http.ResponseWriter, status int, body []byte) {
	if len(body) > 0 {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	w.Write(body) // an error here means that the client left
}

// buffers hold bodies and answers.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, 4<<10)) }}

// bufferKeptMax is the largest buffer that is kept for reuse.
const bufferKeptMax = 1 << 20

func putBuffer(b *[]byte) {
	if cap(*b) <= bufferKeptMax {
		buffers.Put(b)
	}
}
