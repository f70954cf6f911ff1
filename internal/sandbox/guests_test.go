package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/guestbuild"
	"github.com/ingot-run/ingot/internal/schema"
	"github.com/ingot-run/ingot/state"
)

// languages are those of the SDKs.
var languages = []string{"go", "c", "rust", "as"}

// counted is what the word counters answer.
type counted struct{ Words, Lines, Bytes, Total int }

// The word counter in each language does the same job: the same texts, answers,
// failures and log, and one total in the state for all of them.
func TestOneToolInFourLanguages(t *testing.T) {
	store, err := state.Open(state.Options{})
	require.NoError(t, err)
	defer store.Close()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			module := guestbuild.Example(t, language+"-count")
			t.Logf("%d bytes", len(module))
			var log bytes.Buffer
			host := sandbox.New(sandbox.Options{State: store, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			defer host.Close(context.Background())
			policy := sandbox.Policy{State: []sandbox.StateGrant{{Prefix: "count/", Write: true}}}
			policy.Limits.TimeMax, policy.Limits.LoadTimeMax = time.Minute, time.Minute
			m, err := host.Load(context.Background(), language+".wasm", module, policy)
			require.NoError(t, err)
			d := m.Tools()[0]
			require.Equal(t, "count_"+language, d.Name)
			sameSchemas(t, d)
			checkCounts(t, m)
			require.Contains(t, log.String(), `msg="counted 3 words"`)

			before := total(t, m)
			require.Equal(t, before+2, count(t, m, `{"text":"two words","counter":"shared"}`).Total)

			refused, err := host.Load(context.Background(), language+".wasm", module, sandbox.Policy{Limits: policy.Limits})
			require.NoError(t, err)
			_, err = refused.Call(context.Background(), sandbox.CallRequest{Arguments: []byte(`{"text":"x"}`)})
			var g *sandbox.GuestError
			require.ErrorAs(t, err, &g)
			require.Equal(t, "denied", g.Code)
			require.Contains(t, g.Message, "grant capabilities.state")
		})
	}
}

// count runs a word counter.
func count(t *testing.T, m *sandbox.Module, args string) (c counted) {
	t.Helper()
	out, err := m.Call(context.Background(), sandbox.CallRequest{Arguments: []byte(args)})
	require.NoError(t, err, args)
	require.NoError(t, json.Unmarshal(out.JSON, &c))
	output, err := schema.Compile(m.Tools()[0].OutputSchema)
	require.NoError(t, err)
	require.NoError(t, output.Validate(out.JSON))
	return c
}

// total is the shared counter as it stands.
func total(t *testing.T, m *sandbox.Module) int {
	return count(t, m, `{"text":"","counter":"shared"}`).Total
}

// checkCounts has the texts whose counts are known.
func checkCounts(t *testing.T, m *sandbox.Module) {
	t.Helper()
	own := `","counter":"` + strings.ReplaceAll(m.Tools()[0].Name, "_", "-") + `"}`
	sum := 0
	for _, c := range []struct {
		text string // as it stands in JSON
		want counted
	}{
		{`a b\tc\r\n`, counted{Words: 3, Lines: 1, Bytes: 7}},
		{``, counted{}},
		{`\u00e9t\u00e9\n\nhiver`, counted{Words: 2, Lines: 3, Bytes: 12}},
		{`été 😀 \ud83d\ude00 \\ \" \/`, counted{Words: 6, Lines: 1, Bytes: 21}},
		{strings.Repeat("word ", 20_000), counted{Words: 20_000, Lines: 1, Bytes: 100_000}},
	} {
		sum += c.want.Words
		c.want.Total = sum
		require.Equal(t, c.want, count(t, m, `{"text":"`+c.text+own), c.text)
	}
	for args, code := range map[string]string{
		`{"text":"a","counter":"../x"}`: "bad_counter", `{"text":7}`: "bad_arguments",
	} {
		_, err := m.Call(context.Background(), sandbox.CallRequest{Arguments: []byte(args)})
		var g *sandbox.GuestError
		require.ErrorAs(t, err, &g, args)
		require.Equal(t, code, g.Code, args)
		require.NotEmpty(t, g.Message)
	}
}

// sameSchemas compares a description with what the Go SDK derives.
func sameSchemas(t *testing.T, d sandbox.Description) {
	t.Helper()
	require.JSONEq(t, `{"type":"object","additionalProperties":false,"required":["text"],"properties":{
		"text":{"type":"string","description":"the text to count","maxLength":100000},
		"counter":{"type":"string","description":"which running total to add to; all by default","minLength":1,"maxLength":64}}}`, string(d.InputSchema))
	require.NotNil(t, d.Annotations)
	require.Equal(t, false, *d.Annotations.ReadOnlyHint)
	require.Equal(t, false, *d.Annotations.OpenWorldHint)
}
