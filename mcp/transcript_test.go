package mcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/golden"
)

// A transcript is a conversation over stdio:
//
//	# a comment
//	> a line the client sends; in double quotes it is a Go string
//	< a line the server answers, at once
//
// The fixture server is that of newFixture. Each answer is validated against
// the schema of its era: the modern one where the request carries a modern
// protocol version, else the legacy one.
func TestTranscripts(t *testing.T) {
	golden.Scripts(t, "testdata/transcripts/*.txt", replay)
}

// replay sends the client's lines of a transcript one by one and returns the
// transcript with the answers that came.
func replay(t *testing.T, transcript string) string {
	var got strings.Builder
	var out bytes.Buffer
	feed := &feeder{}
	for line := range strings.Lines(transcript) {
		if strings.HasPrefix(line, "< ") {
			continue
		}
		feed.steps = append(feed.steps, line)
	}
	sent := ""
	feed.next = func(step string) (string, bool) {
		for answer := range strings.Lines(out.String()) {
			answer = strings.TrimSuffix(answer, "\n")
			got.WriteString("< " + answer + "\n")
			validateAnswer(t, sent, answer)
		}
		out.Reset()
		got.WriteString(step)
		line, ok := strings.CutPrefix(strings.TrimSuffix(step, "\n"), "> ")
		if !ok {
			return "", false
		}
		if strings.HasPrefix(line, `"`) && strings.HasSuffix(line, `"`) {
			var err error
			line, err = strconv.Unquote(line)
			require.NoError(t, err)
		}
		sent = line
		return line + "\n", true
	}
	require.NoError(t, newFixture(true).ServeStdio(t.Context(), feed, &out))
	return got.String()
}

// feeder is a reader that hands out one line per Read; at that point each line
// before it has been answered, since an answer is not held back while a
// connection waits for input.
type feeder struct {
	steps []string
	next  func(step string) (line string, ok bool)
	rest  string
}

func (f *feeder) Read(p []byte) (int, error) {
	for f.rest == "" {
		if len(f.steps) == 0 {
			f.next("")
			return 0, io.EOF
		}
		step := f.steps[0]
		f.steps = f.steps[1:]
		f.rest, _ = f.next(step)
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// validateAnswer checks an answer, or each answer of a batch, against the
// schema of its era.
func validateAnswer(t *testing.T, sent, answer string) {
	t.Helper()
	version := VersionLegacy
	if strings.Contains(sent, metaProtocolVersion) || strings.Contains(sent, methodDiscover) {
		version = VersionModern
	}
	if answer[0] != '[' {
		checkFrame(t, version, methodOf(sent), answer)
		return
	}
	var methods []string
	for element := range elementsOf([]byte(sent)) {
		if !bytes.Contains(element, []byte(`"notifications/`)) {
			methods = append(methods, methodOf(string(element)))
		}
	}
	for element := range elementsOf([]byte(answer)) {
		checkFrame(t, version, methods[0], string(element))
		methods = methods[1:]
	}
}

// methodOf returns what follows "method":" in a frame; a plain search, since
// the frame may be broken on purpose.
func methodOf(frame string) string {
	_, after, _ := strings.Cut(frame, `"method":"`)
	method, _, _ := strings.Cut(after, `"`)
	return method
}

// newFixture is the server of the transcripts. With inline tools its answers
// come in the order of the requests.
func newFixture(inline bool) *Server {
	s := NewServer(Options{
		Name: "fixture", Title: "Fixture", Version: "1.2.3", Instructions: "Call echo.",
		MaxMessageBytes: 4096, MaxDepth: 16, PageSize: 4,
	})
	yes, no := true, false
	add := func(t Tool, h Handler) {
		t.Inline = inline
		s.AddTool(t, h)
	}
	add(Tool{
		Name: "echo", Title: "Echo", Description: "Answers the message.", InputSchema: []byte(echoSchema),
		Annotations: &ToolAnnotations{Title: "Echo!", ReadOnlyHint: &yes, DestructiveHint: &no, IdempotentHint: &yes, OpenWorldHint: &no},
	}, echo)
	add(Tool{
		Name:         "sum",
		InputSchema:  []byte("{\n  \"type\": \"object\",\n  \"properties\": {\"terms\": {\"type\": \"array\"}}\n}"),
		OutputSchema: []byte(`{"type":"object","properties":{"sum":{"type":"number"}},"required":["sum"]}`),
	}, sum)
	add(Tool{Name: "fail"}, func(context.Context, *CallRequest) (*CallResult, error) {
		return nil, errors.New("the disk is \"full\"")
	})
	add(Tool{Name: "panic"}, func(context.Context, *CallRequest) (*CallResult, error) {
		panic("a bug")
	})
	add(Tool{Name: "broken_json"}, func(context.Context, *CallRequest) (*CallResult, error) {
		return StructuredJSON([]byte(`{"a":1`)), nil
	})
	add(Tool{Name: "array_json"}, func(context.Context, *CallRequest) (*CallResult, error) {
		return StructuredJSON([]byte(`[1]`)), nil
	})
	add(Tool{Name: "pretty_json"}, func(context.Context, *CallRequest) (*CallResult, error) {
		return StructuredJSON([]byte("{\r\n  \"a\": 1\n}")), nil
	})
	add(Tool{Name: "media"}, func(context.Context, *CallRequest) (*CallResult, error) {
		return &CallResult{Content: []Content{
			{Type: ContentText, Text: "not UTF-8: \xff, control: \x01, line\nbreak"},
			{Type: ContentImage, Data: []byte{0, 1, 2}, MIMEType: "image/png"},
			{Type: ContentAudio, Data: []byte("audio"), MIMEType: "audio/wav"},
		}}, nil
	})
	add(Tool{Name: "nothing"}, func(context.Context, *CallRequest) (*CallResult, error) { return nil, nil })
	add(Tool{Name: "meta"}, func(_ context.Context, r *CallRequest) (*CallResult, error) {
		return TextResult(r.Name + " " + r.ProtocolVersion + " " + string(r.Arguments) + " " + string(r.Meta)), nil
	})
	add(Tool{Name: "picky", Validate: func([]byte) error {
		return &ArgumentError{Argument: "size", Problem: "must be at most 10"}
	}}, echo)
	return s
}

func sum(_ context.Context, req *CallRequest) (*CallResult, error) {
	var in struct {
		Terms []float64 `json:"terms"`
	}
	if err := DecodeArguments(req.Arguments, &in); err != nil {
		return nil, err
	}
	total := 0.0
	for _, term := range in.Terms {
		total += term
	}
	return StructuredResult(map[string]any{"sum": total})
}
