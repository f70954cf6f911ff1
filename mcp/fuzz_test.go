package mcp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// FuzzServer sends any bytes as a connection's input. Whatever they are, the
// server must come to an end without an error, write lines of JSON-RPC only,
// answer each request once and nothing else.
func FuzzServer(f *testing.F) {
	f.Add([]byte(lines(legacyInitialize, echoCall(1, "x", false), echoCall("b", "x", true), cancelOf(1))))
	f.Add([]byte(lines("{", `{"jsonrpc":"2.0","id":1,"METHOD":"ping"}`, ping, "[]", `{"jsonrpc":"2.0","method":"ping"}`)))
	f.Add([]byte(lines(strings.Replace(legacyInitialize, VersionLegacy, batchVersion, 1), "["+ping+","+cancelOf(1)+"]")))
	f.Add([]byte(lines(call(1, "panic", "{}", true), call(2, "sum", `{"terms":[1,2]}`, true), call(3, "broken_json", "{}", true)) + ping))
	inline, pooled := newFixture(true), newFixture(false)
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, s := range []*Server{inline, pooled} {
			var out bytes.Buffer
			if err := s.ServeStdio(t.Context(), bytes.NewReader(input), &out); err != nil {
				t.Fatalf("ServeStdio: %v", err)
			}
			want := expectAnswers(input, s.options.MaxMessageBytes, s.options.MaxDepth)
			got := map[string]int{}
			for line := range strings.Lines(out.String()) {
				for _, id := range answeredIDs(t, line) {
					got[id]++
				}
			}
			// A cancelled call may or may not be answered.
			for id, n := range got {
				if n > want.most[id] {
					t.Fatalf("%d answers for id %s, at most %d expected:\n%s", n, id, want.most[id], out.String())
				}
			}
			for id, n := range want.least {
				if got[id] < n {
					t.Fatalf("%d answers for id %s, at least %d expected:\n%s", got[id], id, n, out.String())
				}
			}
		}
	})
}

// answeredIDs checks one output line and returns the raw ids it answers.
func answeredIDs(t *testing.T, line string) (ids []string) {
	frames := []json.RawMessage{json.RawMessage(line)}
	if line[0] == '[' {
		if err := json.Unmarshal([]byte(line), &frames); err != nil {
			t.Fatalf("not JSON: %s", line)
		}
	}
	for _, frame := range frames {
		var answer struct {
			JSONRPC       string
			ID            json.RawMessage
			Result, Error json.RawMessage
		}
		if err := json.Unmarshal(frame, &answer); err != nil {
			t.Fatalf("not JSON: %s", frame)
		}
		if answer.JSONRPC != "2.0" || (answer.Result == nil) == (answer.Error == nil) {
			t.Fatalf("not a response: %s", frame)
		}
		ids = append(ids, cmp.Or(string(answer.ID), "null"))
	}
	return ids
}

// expected is how often each raw id may be answered.
type expected struct{ least, most map[string]int }

// expectAnswers works out, with a parser of another making, which ids are due
// an answer. Ids that are cancelled somewhere in the input need none.
func expectAnswers(input []byte, bytesMax, depthMax int) expected {
	e := expected{map[string]int{}, map[string]int{}}
	cancelled := bytes.Contains(input, []byte("cancelled")) || bytes.Contains(input, []byte(`\u`))
	count := func(id string) {
		e.most[id]++
		if !cancelled {
			e.least[id]++
		}
	}
	for line := range bytes.SplitSeq(input, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			continue
		}
		s := scanner{depthMax: depthMax}
		if len(line) > bytesMax || !s.scan(line) {
			count("null")
			continue
		}
		var elements []json.RawMessage
		if json.Unmarshal(line, &elements) != nil || elements == nil {
			countMessage(line, count)
			continue
		}
		// An array is a batch or an error as a whole, by the version in force.
		e.most["null"]++
		for _, element := range elements {
			countMessage(element, func(id string) { e.most[id]++ })
		}
	}
	return e
}

// countMessage counts the answer to one message.
func countMessage(text []byte, count func(id string)) {
	var m map[string]json.RawMessage
	if json.Unmarshal(text, &m) != nil || m == nil {
		count("null")
		return
	}
	id, hasID := m["id"]
	if hasID && !validID(bytes.TrimSpace(id)) {
		count("null")
		return
	}
	if !hasID {
		id = json.RawMessage("null")
	}
	wellFormed := string(bytes.TrimSpace(m["jsonrpc"])) == `"2.0"`
	for name := range m {
		wellFormed = wellFormed && envelopeSlip(name) == ""
	}
	method, hasMethod := m["method"]
	isResponse := m["result"] != nil || m["error"] != nil
	switch {
	case wellFormed && isResponse && !hasMethod: // a response
	case wellFormed && hasMethod && bytes.TrimSpace(method)[0] == '"' && !hasID && !isResponse: // a notification
	default:
		count(string(bytes.TrimSpace(id)))
	}
}

// envelopeSlip is envelopeName for names that are not exactly right.
func envelopeSlip(name string) string {
	switch name {
	case "jsonrpc", "id", "method", "params", "result", "error":
		return ""
	}
	return envelopeName([]byte(name))
}

// FuzzStage sends any bytes to a server with all there is. It must come to an
// end, and write whole JSON-RPC messages only.
func FuzzStage(f *testing.F) {
	for _, dialogue := range []string{"legacy-calls", "legacy-contents", "modern-calls", "modern-contents", "modern-listen", "modern-tasks"} {
		raw, err := os.ReadFile("testdata/dialogues/" + dialogue + ".txt")
		if err != nil {
			f.Fatal(err)
		}
		var said strings.Builder
		for line := range strings.Lines(string(raw)) {
			if text, ok := strings.CutPrefix(line, "> "); ok {
				said.WriteString(strings.ReplaceAll(text, "<meta>", strings.TrimSuffix(modernMetaAll, "}")))
			}
		}
		f.Add([]byte(said.String()))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		s := newStage()
		defer s.Close()
		close(s.release)
		var out bytes.Buffer
		if err := s.ServeStdio(t.Context(), bytes.NewReader(input), &out); err != nil {
			t.Fatalf("ServeStdio: %v", err)
		}
		for line := range strings.Lines(out.String()) {
			if line[0] == '[' {
				continue // FuzzServer knows batches
			}
			var m struct {
				JSONRPC, Method string
				Result, Error   json.RawMessage
			}
			decoder := json.NewDecoder(strings.NewReader(line))
			if err := decoder.Decode(&m); err != nil || m.JSONRPC != "2.0" {
				t.Fatalf("no message (%v): %s", err, line)
			}
			parts := 0
			for _, there := range []bool{m.Method != "", m.Result != nil, m.Error != nil} {
				if there {
					parts++
				}
			}
			if parts != 1 {
				t.Fatalf("a message is one of request, result and error: %s", line)
			}
		}
	})
}
