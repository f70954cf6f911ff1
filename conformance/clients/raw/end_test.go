package raw

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// At the end of input what is in flight is answered, each once, then the
// server exits with 0 (which start checks).
func TestEndOfInputAnswersWhatIsInFlight(t *testing.T) {
	const calls = 2000
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		var batch strings.Builder
		for i := range calls {
			arguments := map[string]any{"key": fmt.Sprint("key ", i), "value": strings.Repeat("v", 100)}
			batch.WriteString(e.request(t, i, "tools/call", map[string]any{"name": "state_set", "arguments": arguments}))
		}
		go func() { // ends when the server has read all, or has gone
			io.WriteString(p.stdin, batch.String())
			p.stdin.Close()
		}()
		var answered []int
		for range calls {
			f := p.read()
			require.Nil(t, f.Error)
			answered = append(answered, int(f.ID.(float64)))
		}
		slices.Sort(answered)
		for i, id := range answered {
			require.Equal(t, i, id, "an id was answered twice or not at all")
		}
		requireEnd(t, p)
	})
}

// A last line without a line break is a message too.
func TestEndOfInputInsideALine(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		p.write(strings.TrimSuffix(e.request(t, 7, "tools/call", map[string]any{"name": "state_exists", "arguments": map[string]any{"key": "k"}}), "\n"))
		p.end()
		require.Equal(t, 7.0, p.read().ID)
		requireEnd(t, p)
	})
}

func TestEndOfInputInsideAMessage(t *testing.T) {
	p := connect(t, legacy)
	p.write(`{"jsonrpc":"2.0","id":7,"meth`)
	p.end()
	require.Equal(t, -32700, p.read().Error.Code)
	requireEnd(t, p)
}

func TestEndOfInputAtOnce(t *testing.T) {
	p := start(t, legacy)
	p.end()
	requireEnd(t, p)
}

// requireEnd waits until the server has closed stdout, without another line.
func requireEnd(t *testing.T, p *process) {
	t.Helper()
	line, open := <-p.frames
	require.False(t, open, "after the last answer: %s", clip(line))
}
