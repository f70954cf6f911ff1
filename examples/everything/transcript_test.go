package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/golden"
	"github.com/ingot-run/ingot/mcp/streamable"
)

// A transcript is a conversation over streamable HTTP, of blocks between empty
// lines:
//
//	# a comment
//	> POST /mcp
//	> Header: value
//	> {"jsonrpc":"2.0", …}
//	< 200
//	< Content-Type: application/json
//	< {"jsonrpc":"2.0", …}
//
// What the server makes up is named in the transcript: <session>, <state> (the
// last one), <task> (the last one), <time>, <event>. -update writes what the
// server answers; a person reads the difference.
func TestTranscripts(t *testing.T) {
	golden.Scripts(t, "testdata/transcripts/*.txt", replay)
}

// replay makes a transcript's requests of a server of its own.
func replay(t *testing.T, transcript string) string {
	server := newServer(slog.New(slog.DiscardHandler))
	defer server.Close()
	handler := streamable.NewHTTPHandler(server, streamable.HTTPOptions{})
	defer handler.Close(t.Context())
	endpoint := httptest.NewServer(handler)
	defer endpoint.Close()

	names := map[string]string{} // what <session> and the like stand for
	var blocks []string
	for block := range strings.SplitSeq(strings.TrimSpace(transcript), "\n\n") {
		var kept []string
		for line := range strings.SplitSeq(block, "\n") {
			if !strings.HasPrefix(line, "<") {
				kept = append(kept, line)
			}
		}
		if request := readRequest(t, endpoint.URL, kept, names); request != nil {
			kept = append(kept, answer(t, endpoint.Client(), request, names)...)
		}
		blocks = append(blocks, strings.Join(kept, "\n"))
	}
	return strings.Join(blocks, "\n\n") + "\n"
}

// readRequest makes a request of a block's lines; nil when it has none.
func readRequest(t *testing.T, url string, lines []string, names map[string]string) *http.Request {
	var request *http.Request
	for _, line := range lines {
		line, sent := strings.CutPrefix(line, "> ")
		if !sent {
			continue
		}
		for name, value := range names {
			line = strings.ReplaceAll(line, name, value)
		}
		method, path, isStart := strings.Cut(line, " /")
		switch name, value, isHeader := strings.Cut(line, ": "); {
		case request == nil:
			require.True(t, isStart, "a request begins with METHOD /path: %s", line)
			var err error
			request, err = http.NewRequestWithContext(t.Context(), method, url+"/"+path, nil)
			require.NoError(t, err)
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Accept", "application/json, text/event-stream")
		case strings.HasPrefix(line, "{") || strings.HasPrefix(line, "[") || !isHeader:
			request.Body = io.NopCloser(strings.NewReader(line))
			request.ContentLength = int64(len(line))
		default:
			request.Header.Set(name, value)
		}
	}
	return request
}

// made finds what the server makes up, by the name it gets.
var made = []struct {
	name string
	find *regexp.Regexp
}{
	{"<state>", regexp.MustCompile(`"requestState":"([^"]+)"`)},
	{"<task>", regexp.MustCompile(`"taskId":"([^"]+)"`)},
	{"<event>", regexp.MustCompile(`(?m)^id: (.+)$`)},
	{"<time>", regexp.MustCompile(`"(\d{4}-\d\d-\d\dT[\d:.]+Z)"`)},
}

// answer makes a request and returns the lines of its answer.
func answer(t *testing.T, client *http.Client, request *http.Request, names map[string]string) []string {
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	body := string(raw)
	if session := response.Header.Get("Mcp-Session-Id"); session != "" {
		names["<session>"] = session
	}
	for _, m := range made {
		for _, found := range m.find.FindAllStringSubmatch(body, -1) {
			names[m.name] = found[1]
			body = strings.ReplaceAll(body, found[1], m.name)
		}
	}
	lines := []string{"< " + response.Status[:3]}
	for _, header := range []string{"Allow", "Content-Type", "Mcp-Session-Id"} {
		if value := response.Header.Get(header); value != "" {
			if value == names["<session>"] {
				value = "<session>"
			}
			lines = append(lines, "< "+header+": "+value)
		}
	}
	for line := range strings.Lines(body) {
		lines = append(lines, strings.TrimRight("< "+strings.TrimSuffix(line, "\n"), " "))
	}
	return lines
}
