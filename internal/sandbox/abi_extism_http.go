package sandbox

import (
	"encoding/binary"
	"net/http"

	"github.com/go-json-experiment/json"
)

// extismRequestHead is what a guest of Extism says about a request.
type extismRequestHead struct {
	URL     string            `json:"url"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
}

// extismHTTPRequest is http_request(head, body): the response's body, whatever its
// status. What is refused or unanswered ends the call, as Extism has it: a plug-in
// has no way to be told.
func extismHTTPRequest(c *call, e *extismUse, stack []uint64) {
	e.httpStatus, e.httpHeaders = 0, []byte("{}")
	var head extismRequestHead
	if err := json.Unmarshal(e.take(stack[0], "http_request", "request"), &head); err != nil {
		panic(failf(ErrABI, `http_request was given something else than {"url":"…","method":"…","headers":{}}: %v`, err))
	}
	if head.Method == "" {
		head.Method = http.MethodGet
	}
	var body []byte
	if stack[1] != 0 {
		body = e.take(stack[1], "http_request", "body")
	}
	reply, no := c.sendHTTP(requestHead{Method: head.Method, URL: head.URL, Headers: head.Headers}, body)
	if no != nil {
		if no.code == codeDenied || no.code == codeLimit {
			c.refuse(capabilityHTTP, clip(no.message, 1024))
		}
		panic(failf(ErrRefused, "%s", clip(no.message, 4096)))
	}
	size := 4 + binary.LittleEndian.Uint32(reply)
	var answered responseHead
	if err := json.Unmarshal(reply[4:size], &answered); err != nil {
		panic(err) // sendHTTP wrote it
	}
	e.httpStatus, e.httpHeaders = answered.Status, mustJSON(answered.Headers)
	stack[0] = e.put(reply[size:])
}
