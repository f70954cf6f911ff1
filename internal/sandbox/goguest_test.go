package sandbox

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/sandbox/guestbuild"
	"github.com/ingot-run/ingot/internal/schema"
)

func TestGoGuest(t *testing.T) {
	// Memory for the runtime and some text. One load for all: compiling 3 MB takes
	// its time under the race detector.
	tool := load(t, guestbuild.Wordcount(t), Policy{Limits: Limits{MemoryBytesMax: 6 << 20, TimeMax: time.Minute, LoadTimeMax: time.Minute}}, nil)
	d := tool.Tools()[0]
	require.Equal(t, "wordcount", d.Name)
	input, err := schema.Compile(d.InputSchema)
	require.NoError(t, err)
	output, err := schema.Compile(d.OutputSchema)
	require.NoError(t, err)

	out, err := callTool(tool, `{"text":"a b a","top":1}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"lines":1,"words":3,"distinct_words":2,"characters":5,"bytes":5,"reading_seconds":1,"top":[{"word":"a","count":2}]}`, string(out))
	require.NoError(t, output.Validate(out))
	require.ErrorContains(t, input.Validate([]byte(`{"top":-1}`)), `argument "text": is missing; argument "top": must be at least 0, not -1`)

	_, err = callTool(tool, `{"text":7}`)
	var g *GuestError
	require.ErrorAs(t, err, &g)
	require.Equal(t, "bad_arguments", g.Code)

	// The heap has no room for what this call makes.
	_, err = callTool(tool, `{"text":"`+strings.Repeat("many different words ", 40_000)+`"}`)
	require.ErrorIs(t, err, ErrMemory)
	require.ErrorContains(t, err, "its limit is 6291456")
	out, err = callTool(tool, `{"text":"a"}`)
	require.NoError(t, err)
	require.Contains(t, string(out), `"words":1`)
}

// A guest that cannot have the memory it starts with is refused at loading.
func TestGoGuestWithoutMemory(t *testing.T) {
	err := tryLoad(t, guestbuild.Wordcount(t), Limits{MemoryBytesMax: 1 << 20})
	require.ErrorIs(t, err, ErrMemory)
	require.ErrorContains(t, err, "raise the memory limit")
}

// A call of a Go guest on a fresh instance, with 1 KB of text.
func BenchmarkCallGo(b *testing.B) {
	tool := load(b, guestbuild.Wordcount(b), Policy{}, nil)
	benchmarkCall(b, tool, `{"text":"`+strings.Repeat("some words ", 90)+`"}`)
}

// The part of that which is starting the instance and running its init.
func BenchmarkStartGo(b *testing.B) {
	tool := load(b, guestbuild.Wordcount(b), Policy{}, nil)
	b.ReportAllocs()
	for b.Loop() {
		i, err := tool.newInstance(context.Background(), tool.policy.Limits.TimeMax)
		if err != nil {
			b.Fatal(err)
		}
		i.close()
	}
}
