package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// answering is a server with one tool, draw, that answers each call with a result.
func answering(t *testing.T, result string) string {
	t.Helper()
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct {
			ID     json.RawMessage
			Method string
		}
		if json.NewDecoder(r.Body).Decode(&m) != nil || m.ID == nil {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		body := map[string]string{
			"initialize": `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"peer\u001b[2J","version":"1"}}`,
			"tools/list": `{"tools":[{"name":"draw","description":"\u001b[2Jdraws","inputSchema":{"type":"object"}}]}`,
			"tools/call": result,
		}[m.Method]
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, body)
	}))
	t.Cleanup(peer.Close)
	return peer.URL
}
