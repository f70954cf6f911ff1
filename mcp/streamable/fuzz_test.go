package streamable_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/mcp/streamable"
)

// FuzzRequest sends requests of any form, one in a session and one without:
// each is answered with a status of the transport, and a body that is JSON or
// events. Seeds run with every go test.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "2026-07-28", "tools/call", "echo", "", "application/json, text/event-stream", modernCall)
	f.Add("POST", "2025-11-25", "", "", "", "", legacyCall)
	f.Add("GET", "", "", "", "1-1", "text/event-stream", "")
	f.Add("DELETE", "", "", "", "", "", "")
	f.Add("POST", "", "", "=?base64?ZWNobw==?=", "", "*/*", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`)
	f.Add("POST", "", "", "", "", "", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
	f.Fuzz(func(t *testing.T, method, version, named, name, last, accept, body string) {
		s := newServer()
		s.Shutdown() // so that no subscription waits
		h := streamable.NewHTTPHandler(s, streamable.HTTPOptions{SessionIdle: time.Hour, MaxStreams: 1})
		begin := httptest.NewRecorder()
		h.ServeHTTP(begin, request(t.Context(), http.MethodPost, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`, nil))
		h.Drain() // so that no stream waits
		for _, session := range []string{"", begin.Header().Get("Mcp-Session-Id")} {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/mcp", strings.NewReader(body))
			r.Method = method
			for header, value := range map[string]string{
				"Mcp-Protocol-Version": version, "Mcp-Method": named, "Mcp-Name": name, "Last-Event-Id": last, "Accept": accept,
				"Mcp-Session-Id": session, "Content-Type": "application/json",
			} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			h.ServeHTTP(w, r)
			check(t, w)
		}
		if err := h.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func check(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	switch w.Code {
	case 200, 202, 204, 400, 403, 404, 405, 406, 413, 415, 429, 503:
	default:
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	switch kind := w.Header().Get("Content-Type"); {
	case kind == "text/event-stream":
	case w.Body.Len() == 0:
	case kind != "application/json" || !json.Valid(w.Body.Bytes()):
		t.Fatalf("status %d, %s: %q", w.Code, kind, w.Body)
	}
}
