package mcp

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// endless yields count bytes without a line break, in pieces.
func endless(count int64) io.Reader {
	return io.LimitReader(repeater("x"), count)
}

type repeater string

func (r repeater) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r[0]
	}
	return len(p), nil
}

func TestLineOf64MiB(t *testing.T) {
	var out bytes.Buffer
	in := io.MultiReader(endless(64<<20), strings.NewReader("\n"+lines(ping)))
	require.NoError(t, NewServer(Options{}).ServeStdio(t.Context(), in, &out))
	assert.Equal(t, lines(
		`{"jsonrpc":"2.0","error":{"code":-32600,"message":"the message is longer than the limit of 16777216 bytes"}}`,
		pong(`"ping"`),
	), out.String())
}

// A line that is too long is skipped without being held, whatever follows.
func TestLongLinesAreNotHeld(t *testing.T) {
	const limit = 1000
	line := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		name, input string
		want        []string // "!" is a line that was dropped
	}{
		{"at the limit", line(limit) + "\n", []string{line(limit)}},
		{"at the limit, CRLF", line(limit) + "\r\n", []string{line(limit) + "\r"}},
		{"at the limit, no line break", line(limit), []string{line(limit)}},
		{"one above", line(limit+1) + "\nab\n", []string{"!", "ab"}},
		{"one above, no line break", line(limit + 1), []string{"!"}},
		{"two above, CRLF", line(limit+2) + "\r\nab\n", []string{"!", "ab"}},
		{"far above, twice", line(900*limit) + "\n" + line(300*limit) + "\nab", []string{"!", "!", "ab"}},
		{"ends while dropping", "ab\n" + line(900*limit), []string{"ab", "!"}},
		{"short lines after it", line(99*limit) + "\n\na\n", []string{"!", "", "a"}},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r },
			func(r io.Reader) io.Reader { return &chunks{r, 7} },
		} {
			r := lineReader{in: wrap(strings.NewReader(c.input)), max: limit, buf: make([]byte, 16)}
			var got []string
			for ended := false; !ended; {
				ended = r.fill() == io.EOF
				for {
					line, tooLong, ok := r.next(ended)
					if !ok {
						break
					}
					if tooLong {
						line = []byte("!")
					}
					got = append(got, string(line))
				}
				require.LessOrEqual(t, len(r.buf), max(limit+2, readBytesMin), c.name)
			}
			assert.Equal(t, c.want, got, c.name)
		}
	}
}

// chunks reads at most n bytes at a time.
type chunks struct {
	io.Reader
	n int
}

func (c *chunks) Read(p []byte) (int, error) { return c.Reader.Read(p[:min(len(p), c.n)]) }

func TestBufferOfALongLineIsGivenBack(t *testing.T) {
	r := lineReader{in: io.MultiReader(endless(8<<20), strings.NewReader("\nab\n")), max: 16 << 20, buf: make([]byte, readBytesMin)}
	var lengths []int
	for err := error(nil); err == nil; {
		err = r.fill()
		for line, _, ok := r.next(err != nil); ok; line, _, ok = r.next(err != nil) {
			lengths = append(lengths, len(line))
		}
	}
	assert.Equal(t, []int{8 << 20, 2}, lengths)
	assert.Len(t, r.buf, readBytesMin)
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

func TestReaderThatReturnsNothing(t *testing.T) {
	var out bytes.Buffer
	assert.ErrorIs(t, NewServer(Options{}).ServeStdio(t.Context(), silent{}, &out), io.ErrNoProgress)
}

func TestNesting10000Deep(t *testing.T) {
	deep := strings.Repeat("[", 10000) + strings.Repeat("]", 10000)
	objects := strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000)
	for _, value := range []string{deep, objects} {
		var out bytes.Buffer
		in := strings.NewReader(lines(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":`+value+`}}`, ping))
		require.NoError(t, NewServer(Options{}).ServeStdio(t.Context(), in, &out))
		got := strings.Split(out.String(), "\n")
		require.Len(t, got, 3)
		assert.Contains(t, got[0], `"code":-32700`)
		assert.Contains(t, got[0], "the nesting is too deep: at most 128 levels are read")
		assert.Equal(t, pong(`"ping"`), got[1])
	}
}

// What a client sent is repeated in errors and logs in part only.
func TestErrorsDoNotEchoWithoutBound(t *testing.T) {
	long := strings.Repeat("n", 100_000)
	var out bytes.Buffer
	in := strings.NewReader(lines(legacyInitialize,
		`{"jsonrpc":"2.0","id":1,"method":"`+long+`"}`,
		call(1, long, "{}", false),
		call(1, "echo", `{"`+long+`":1}`, false),
		`{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"`+long+`"}}}`))
	require.NoError(t, newFixture(true).withLimit(1<<20).ServeStdio(t.Context(), in, &out))
	for line := range strings.Lines(out.String()) {
		assert.Less(t, len(line), 600, "%.300s", line)
	}
	assert.Equal(t, 5, strings.Count(out.String(), "\n"))
}

// withLimit returns a server with the same tools and another message limit.
func (s *Server) withLimit(bytes int) *Server {
	o := s.options
	o.MaxMessageBytes = bytes
	other := NewServer(o)
	other.catalog.tools = s.catalog.tools
	return other
}
