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
	return answeringAll(t, map[string]string{
		"initialize": `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"peer\u001b[2J","version":"1"}}`,
		"tools/list": `{"tools":[{"name":"draw","description":"\u001b[2Jdraws","inputSchema":{"type":"object"}}]}`,
		"tools/call": result,
	})
}

// answeringAll is a server that answers each method with a result, and GET with what
// stands for the path.
func answeringAll(t *testing.T, results map[string]string) string {
	t.Helper()
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if told, ok := results[r.URL.Path]; ok && r.Method == http.MethodGet {
			fmt.Fprint(w, told)
			return
		}
		var m struct {
			ID     json.RawMessage
			Method string
		}
		if json.NewDecoder(r.Body).Decode(&m) != nil || m.ID == nil {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, results[m.Method])
	}))
	t.Cleanup(peer.Close)
	return peer.URL
}
