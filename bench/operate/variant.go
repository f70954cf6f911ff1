package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// inFlight is how many calls are under way at once.
const inFlight = 64

// blockCalls is how many are sent with one write.
const blockCalls = inFlight / 4

// variant is a server that is watched in one way.
type variant struct {
	name  string
	file  string // what its forge.yaml has beside the tool
	what  string // the target that it is held to; empty: none
	least float64

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
	lastID int64
	rates  []float64 // calls a second, by round
}

// variants are all of them; the first is what the others are compared with.
func variants(collector string) []variant {
	telemetry := func(ratio string) string {
		return fmt.Sprintf("middleware: [{type: metrics}]\ntelemetry: {endpoint: '%s', sample_ratio: %s}\n", collector, ratio)
	}
	audit := func(sync string) string { return "audit: {path: audit.log, sync: " + sync + "}\n" }
	return []variant{
		{name: "nothing"},
		{name: "metrics", file: "middleware: [{type: metrics}]\n"},
		{name: "metrics, and traces of one call in a hundred", file: telemetry("0.01"), what: "metrics and traces", least: 0.85},
		{name: "metrics, and traces of each call", file: telemetry("1")},
		{name: "a record, synced each second", file: audit("interval"), what: "a record, group commit", least: 0.8},
		{name: "a record, synced before the answer", file: audit("always")},
	}
}

// start starts the server in a folder of its own, which it makes.
func (v *variant) start(binary, dir string) error {
	const file = `forge: {name: watched, version: 1.0.0, transport: stdio}
tools:
  - {type: native, name: echo, handler: {path: "ingot::echo"}, params: {text: {type: string, required: true}}}
`
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "forge.yaml"), []byte(file+v.file), 0o600); err != nil {
		return err
	}
	v.cmd = exec.Command(binary, "serve", "--config", "forge.yaml")
	v.cmd.Dir, v.cmd.Stderr = dir, &v.stderr
	stdin, err := v.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := v.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	v.stdin, v.out = stdin, bufio.NewReaderSize(stdout, 1<<16)
	return v.cmd.Start()
}

// stop ends the server.
func (v *variant) stop() {
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait() // which says that it was killed
}

// What stands before and behind the id of a request; no two have the same.
var (
	beforeID = `{"jsonrpc":"2.0","id":`
	behindID = `,"method":"tools/call","params":{"name":"echo","arguments":{"text":"` + strings.Repeat("x", 32) +
		`"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}` + "\n"
)

// phase makes calls for a time and returns how many a second.
func (v *variant) phase(length time.Duration) (float64, error) {
	began := time.Now()
	slots := make(chan struct{}, inFlight)
	sent := make(chan error, 1)
	var calls atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var block []byte
		for time.Since(began) < length {
			block = block[:0]
			for range blockCalls {
				slots <- struct{}{}
				v.lastID++
				block = append(strconv.AppendInt(append(block, beforeID...), v.lastID, 10), behindID...)
			}
			calls.Add(blockCalls)
			if _, err := v.stdin.Write(block); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	answered := int64(0)
	for {
		select {
		case <-ended:
			if answered == calls.Load() {
				return float64(answered) / time.Since(began).Seconds(), <-sent
			}
		default:
		}
		if answered == calls.Load() { // all that was sent is answered: more may come, or the end
			time.Sleep(10 * time.Microsecond)
			continue
		}
		line, err := v.out.ReadSlice('\n')
		if err != nil {
			return 0, fmt.Errorf("reading an answer: %w: %s", err, &v.stderr)
		}
		if !bytes.Contains(line, []byte(`"result"`)) || bytes.Contains(line, []byte(`"isError":true`)) {
			return 0, fmt.Errorf("it is answered with %.300s", line)
		}
		answered++
		<-slots
	}
}

// collector takes the traces.
type collector struct {
	listener net.Listener
	server   *http.Server
	spans    atomic.Int64 // requests with spans
}

func newCollector() (*collector, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &collector{listener: l}
	c.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err == nil && n > 0 {
			c.spans.Add(1)
		}
		w.Header().Set("Content-Type", "application/x-protobuf") // an empty answer says that all is well
	})}
	go c.server.Serve(l) // close ends it
	return c, nil
}

func (c *collector) url() string { return "http://" + c.listener.Addr().String() }

func (c *collector) close() { _ = c.server.Close() }
