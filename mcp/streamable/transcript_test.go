package streamable_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/golden"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/streamable"
)

// A transcript is a dialogue over streamable HTTP whose streams stay open:
//
//	# a comment
//	> POST as a          a request; its stream is called a, and not read yet.
//	> Header: value      Without "as" the whole answer is read.
//	> {"jsonrpc": …}
//	< 200 text/event-stream
//	? a 2                two events of a follow (or: ? a end)
//	< id: 1-1
//	! change             the server gets another tool
//	! go                 the tool steps takes its next step
//	! leave a            the client drops the connection
//	! drain              the server has its streams end
//
// <session> stands for the session's id. -update writes what the server answers; a
// person reads the difference.
func TestStreamTranscripts(t *testing.T) {
	golden.Scripts(t, "testdata/streams/*.txt", replay)
}

// player plays a transcript.
type player struct {
	*endpoint
	out     strings.Builder
	session string
	streams map[string]*playedStream
	step    chan struct{}
	changes int
}

type playedStream struct {
	lines *bufio.Scanner
	leave context.CancelFunc
}

func replay(t *testing.T, transcript string) string {
	p := &player{endpoint: serve(t, streamable.HTTPOptions{}), streams: map[string]*playedStream{}, step: make(chan struct{})}
	p.tool("steps", p.steps)
	defer close(p.step)
	var request []string
	for line := range strings.Lines(transcript + "\n") {
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, "> "); ok {
			fmt.Fprintln(&p.out, line)
			request = append(request, text)
			continue
		}
		if request != nil {
			p.request(request)
			request = nil
		}
		switch kind, text, _ := strings.Cut(line, " "); kind {
		case "<": // what came when it was written
		case "?":
			fmt.Fprintln(&p.out, line)
			p.events(strings.Fields(text))
		case "!":
			fmt.Fprintln(&p.out, line)
			p.act(strings.Fields(text))
		default:
			fmt.Fprintln(&p.out, line)
		}
	}
	return strings.TrimRight(p.out.String(), "\n") + "\n"
}

// steps is a tool that reports two steps, each when it is told to go.
func (p *player) steps(ctx context.Context, c *mcp.Call) (*mcp.CallResult, error) {
	for i := range 2 {
		if err := c.Progress(ctx, &mcp.Progress{Progress: float64(i + 1), Total: 2}); err != nil {
			return nil, err
		}
		<-p.step
	}
	return mcp.TextResult("done"), nil
}

// request sends one: the method, headers, and a body.
func (p *player) request(lines []string) {
	p.t.Helper()
	method, name, open := strings.Cut(lines[0], " as ")
	h, body := headers{}, ""
	for _, line := range lines[1:] {
		if key, value, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, "{") {
			h[key] = strings.ReplaceAll(value, "<session>", p.session)
		} else {
			body = line
		}
	}
	ctx, leave := context.WithCancel(p.t.Context())
	p.t.Cleanup(leave)
	response := p.send(ctx, method, body, h)
	if id := response.Header.Get("Mcp-Session-Id"); id != "" {
		p.session = id
	}
	fmt.Fprintln(&p.out, "<", strings.TrimSpace(strconv.Itoa(response.StatusCode)+" "+response.Header.Get("Content-Type")))
	if open && response.StatusCode == http.StatusOK {
		p.streams[name] = &playedStream{bufio.NewScanner(response.Body), leave}
		return
	}
	text, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	for line := range strings.Lines(strings.TrimRight(string(text), "\n")) {
		fmt.Fprintln(&p.out, "<", strings.TrimSuffix(line, "\n"))
	}
}

// events prints what comes on a stream: so many events, or all to the end.
func (p *player) events(words []string) {
	p.t.Helper()
	count, err := strconv.Atoi(words[1])
	if err != nil {
		count = -1
	}
	for lines := p.streams[words[0]].lines; count != 0; {
		if !lines.Scan() {
			require.NoError(p.t, lines.Err())
			require.Negative(p.t, count, "the stream %s ended", words[0])
			return
		}
		if line := lines.Text(); line != "" {
			fmt.Fprintln(&p.out, "<", line)
		} else {
			count--
		}
	}
}

func (p *player) act(words []string) {
	p.t.Helper()
	switch {
	case slices.Equal(words, []string{"change"}):
		p.changes++
		p.tool(fmt.Sprintf("tool-%d", p.changes), p.steps)
	case slices.Equal(words, []string{"go"}):
		p.step <- struct{}{}
	case slices.Equal(words, []string{"drain"}):
		p.server.Shutdown()
		p.handler.Drain()
	case words[0] == "leave":
		p.streams[words[1]].leave()
	default:
		p.t.Fatalf("no act: %q", words)
	}
}
