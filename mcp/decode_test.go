package mcp

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// decodes is a tool that answers with what req.Decode gave it.
func decodes(_ context.Context, req *CallRequest) (*CallResult, error) {
	var in entryArguments
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	return req.Text(in.Key + "=" + in.Value), nil
}

// Decode sees what DecodeArguments would, wherever the call runs: where it was
// read, on a worker, in a batch, as a task, behind a wrapper.
func TestDecodeOfACall(t *testing.T) {
	s := NewServer(sealed(Options{WrapTool: func(tool Tool, h Handler) Handler {
		if tool.Name != "wrapped" {
			return h
		}
		return func(ctx context.Context, req *CallRequest) (*CallResult, error) {
			other := *req
			other.Arguments = []byte(`{"key":"other"}`)
			return h(ctx, &other)
		}
	}}))
	s.AddTool(Tool{Name: "inline", Inline: true}, decodes)
	s.AddTool(Tool{Name: "pooled"}, decodes)
	s.AddTool(Tool{Name: "task", Task: TaskOptional}, decodes)
	s.AddTool(Tool{Name: "wrapped", Inline: true}, decodes)
	for args, want := range map[string]string{
		`{"key":"k","value":"v"}`:                `k=v`,
		`{"k\u0065y":"k","value":"\u00e9\n"}`:    `k=é\n`,
		` { "value" : "v" , "key" : "k" } `:      `k=v`,
		`{"key":"k","value":"` + long + `"}`:     `k=` + long,
		`{}`:                                     `argument \"key\": is missing`,
		`{"key":{"key":"k"}}`:                    `argument \"key\": must be a string, not an object`,
		`{"key":"k","arguments":{"value":"x"}}`:  `argument \"arguments\": is not known`,
		`{"key":"k","Value":"x"}`:                `argument \"Value\": is not known; did you mean \"value\"?`,
		`{"value":["a",{"key":"inside"}, null]}`: `argument \"value\": must be a string, not an array`,
	} {
		for _, tool := range []string{"inline", "pooled", "task", "wrapped"} {
			if tool == "wrapped" {
				want = "other="
			}
			for _, modern := range []bool{false, true} {
				assert.Contains(t, served(t, s, legacyInitialize, call(1, tool, args, modern)), want, "%s %s %v", tool, args, modern)
			}
		}
	}
	const batch = `[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"inline","arguments":{"key":"a"}}},
		{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"arguments":{"key":"b"},"name":"pooled"}},
		{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"inline"}}]`
	got := served(t, s, strings.Replace(legacyInitialize, "2025-11-25", batchVersion, 1), strings.ReplaceAll(batch, "\n", ""))
	for _, want := range []string{`"text":"a="`, `"text":"b="`, `\"key\": is missing`} {
		assert.Contains(t, got, want)
	}
	e := s.NewExchange([]byte(call(1, "inline", `{"key":"http"}`, true)))
	assert.Contains(t, string(e.Answer(t.Context(), "", nil)), "http=")
}

var long = strings.Repeat("0123456789", 20_000)

// served returns what a server answers to lines.
func served(t *testing.T, s *Server, frames ...string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, s.ServeStdio(t.Context(), strings.NewReader(lines(frames...)), &out))
	return out.String()
}

// The text of a result in the request's memory is that of its own call.
func TestTextOfManyCalls(t *testing.T) {
	s := NewServer(Options{})
	s.AddTool(Tool{Name: "inline", Inline: true}, decodes)
	s.AddTool(Tool{Name: "pooled"}, decodes)
	frames := []string{legacyInitialize}
	for i := range 2000 {
		frames = append(frames, call(i+1, []string{"inline", "pooled"}[i%2], fmt.Sprintf(`{"key":"k%d"}`, i+1), i%3 == 0))
	}
	got := served(t, s, frames...)
	for i := range 2000 {
		answer, rest, _ := strings.Cut(got[strings.Index(got, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,`, i+1)):], "\n")
		require.Contains(t, answer, fmt.Sprintf(`"text":"k%d="`, i+1), "%.20s", rest)
	}
}
