package mcp

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// eras are the request forms that are measured.
var eras = map[string]bool{"legacy": false, "modern": true}

func benchServer(inline bool) *Server {
	s := NewServer(Options{Name: "bench", Version: "1"})
	s.AddTool(Tool{Name: "echo", InputSchema: []byte(echoSchema), Inline: inline}, func(_ context.Context, req *CallRequest) (*CallResult, error) {
		var in echoArguments
		if err := req.Decode(&in); err != nil {
			return nil, err
		}
		return req.Text(in.Message), nil
	})
	return s
}

// BenchmarkScan is the envelope scanner alone.
func BenchmarkScan(b *testing.B) {
	for name, frame := range map[string]string{
		"legacy": echoCall(1, strings.Repeat("x", 32), false),
		"modern": echoCall(1, strings.Repeat("x", 32), true),
		"8KiB":   echoCall(1, strings.Repeat("x", 8192), false),
		"utf8":   echoCall(1, strings.Repeat("é€", 2000), false),
	} {
		b.Run(name, func(b *testing.B) {
			s := scanner{depthMax: depthDefault}
			text := []byte(frame)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, bad := s.parse(text); bad != nil {
					b.Fatal(bad)
				}
			}
		})
	}
}

// BenchmarkPipelined is the whole server: all requests are there to be read.
func BenchmarkPipelined(b *testing.B) {
	for era, modern := range eras {
		for mode, inline := range map[string]bool{"inline": true, "pooled": false} {
			for size, text := range map[string]string{"32B": strings.Repeat("x", 32), "8KiB": strings.Repeat("x", 8192)} {
				b.Run(era+"/"+mode+"/"+size, func(b *testing.B) {
					frame := echoCall(1, text, modern) + "\n"
					in := &frames{rest: []byte(legacyInitialize + "\n"), left: b.N, modern: modern, text: text}
					out := &lineCounter{}
					b.SetBytes(int64(len(frame)))
					b.ReportAllocs()
					b.ResetTimer()
					require.NoError(b, benchServer(inline).ServeStdio(b.Context(), in, out))
					b.StopTimer()
					require.Equal(b, b.N+1, out.lines)
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
				})
			}
		}
	}
}

// frames yields echo calls, each with an id of its own, 64 at a time.
type frames struct {
	rest   []byte
	left   int
	modern bool
	text   string
	sent   int
	one    []byte // a frame with the id benchID
	batch  []byte
}

const benchID = 1_000_000_000

func (f *frames) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		if f.left == 0 {
			return 0, io.EOF
		}
		f.fill(min(64, f.left))
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func (f *frames) fill(count int) {
	if f.batch == nil {
		f.one = []byte(echoCall(benchID, f.text, f.modern) + "\n")
		f.batch = bytes.Repeat(f.one, 64)
	}
	at := bytes.Index(f.one, []byte("1000000000"))
	f.rest = f.batch[:count*len(f.one)]
	for i := range count {
		f.sent++
		f.left--
		strconv.AppendInt(f.rest[i*len(f.one)+at:][:0], int64(benchID+f.sent), 10)
	}
}

// lineCounter counts the answers.
type lineCounter struct{ lines int }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.lines += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

// BenchmarkSequential sends the next call when the last is answered.
func BenchmarkSequential(b *testing.B) {
	for era, modern := range eras {
		for mode, inline := range map[string]bool{"inline": true, "pooled": false} {
			b.Run(era+"/"+mode, func(b *testing.B) {
				in, client := io.Pipe()
				answers, out := io.Pipe()
				done := make(chan error)
				go func() { done <- benchServer(inline).ServeStdio(b.Context(), in, out) }()
				reader := bufio.NewReader(answers)
				exchange := func(frame []byte) {
					if _, err := client.Write(frame); err != nil {
						b.Fatal(err)
					}
					if _, err := reader.ReadSlice('\n'); err != nil {
						b.Fatal(err)
					}
				}
				exchange([]byte(legacyInitialize + "\n"))
				frame := []byte(echoCall(1, strings.Repeat("x", 32), modern) + "\n")
				b.ReportAllocs()
				for b.Loop() {
					exchange(frame)
				}
				client.Close()
				require.NoError(b, <-done)
			})
		}
	}
}

func BenchmarkDecodeArguments(b *testing.B) {
	args := []byte(`{"key":"some/key","value":"thirty-two bytes of text as usual","ttl_seconds":60}`)
	b.ReportAllocs()
	for b.Loop() {
		var in struct {
			Key        string `json:"key"`
			Value      string `json:"value"`
			TTLSeconds int64  `json:"ttl_seconds,omitzero"`
		}
		if err := DecodeArguments(args, &in); err != nil {
			b.Fatal(err)
		}
	}
}
