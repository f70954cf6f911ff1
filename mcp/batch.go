package mcp

import (
	"context"
	"iter"
)

// A JSON-RPC batch is an array of messages with one array as its answer. Of
// the versions served, 2025-03-26 has them and obliges servers to take them;
// later ones took them out again, and 2024-11-05 never had them in its schema.

// batchVersion is the version in which a frame that is an array is served.
const batchVersion = VersionUnnamed

// elementsOf yields the raw elements of a scanned array.
func elementsOf(frame []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		walk := scanner{depthMax: len(frame), data: frame}
		for i := walk.space(walk.space(0) + 1); frame[i] != ']'; {
			end := walk.value(i, 0)
			if !yield(frame[i:end]) {
				return
			}
			if i = walk.space(end); frame[i] == ',' {
				i = walk.space(i + 1)
			}
		}
	}
}

// checkBatch says whether version allows frame, a scanned array.
func (s *scanner) checkBatch(frame []byte, version string) *wireError {
	if version != batchVersion {
		return refuse(CodeInvalidRequest, "a message is an object; arrays of messages exist in version "+batchVersion+" only")
	}
	if frame[s.space(s.space(0)+1)] == ']' {
		return refuse(CodeInvalidRequest, "a batch has at least one message")
	}
	return nil
}

// respondBatch answers each request of frame, a scanned batch, one after the
// other, and appends the array of responses: nothing when there are none.
// Notifications are left to the caller.
func (s *Server) respondBatch(ctx context.Context, r *request, out []byte) []byte {
	start := len(out)
	in := newReader(r.link)
	in.version = batchVersion
	var call CallRequest
	for element := range elementsOf(r.arguments) {
		before := len(out)
		if len(out) == start {
			out = addByte(out, '[')
		} else {
			out = addByte(out, ',')
		}
		body := len(out)
		out = s.respondElement(ctx, in, element, &call, out)
		if len(out) == body {
			out = out[:before]
		}
	}
	if len(out) == start {
		return out
	}
	return addByte(out, ']')
}

// respondElement appends the response to one message of a batch, if it is due.
func (s *Server) respondElement(ctx context.Context, in *reader, element []byte, call *CallRequest, out []byte) []byte {
	m, bad := in.scanner.parse(element)
	switch m.kind {
	case kindNotification, kindResponse:
		return out
	case kindBatch:
		bad = refuse(CodeInvalidRequest, "a batch inside a batch is no message")
	}
	var r request
	if bad == nil {
		bad = in.accept(&m, &r)
	}
	if bad == nil && (r.modern || r.act == actInitialize) {
		bad = refuse(CodeInvalidRequest, "initialize and requests of "+VersionModern+" do not come in a batch")
	}
	if bad != nil {
		return appendError(out, m.id, bad)
	}
	return s.respond(ctx, &r, call, out)
}
