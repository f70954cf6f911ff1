//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// client speaks MCP with a served forge.yaml over stdio, many requests at once. What
// it waits for, it waits for until the deadline of a test.
type client struct {
	t      *testing.T
	in     io.Writer
	stderr *lockedBuffer

	mu      sync.Mutex
	changed *sync.Cond
	next    int
	answers map[int]string
	ended   bool // the server's stdout
}

// nobody is where answers are kept to requests that could not be read.
const nobody = -1

func newClient(t *testing.T, in io.Writer, out io.Reader, stderr *lockedBuffer) *client {
	c := &client{t: t, in: in, stderr: stderr, answers: map[int]string{}}
	c.changed = sync.NewCond(&c.mu)
	go c.read(out)
	fmt.Fprintln(in, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	c.wait(0)
	return c
}

// read takes answers until the server's stdout ends.
func (c *client) read(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		var head struct{ ID *int }
		if json.Unmarshal([]byte(line), &head) == nil && (head.ID != nil || strings.Contains(line, `"error"`)) {
			id := nobody
			if head.ID != nil {
				id = *head.ID
			}
			c.mu.Lock()
			c.answers[id] = line
			c.mu.Unlock()
			c.changed.Broadcast()
		}
		if err != nil {
			c.mu.Lock()
			c.ended = true
			c.mu.Unlock()
			c.changed.Broadcast()
			return
		}
	}
}

// send sends a request and returns its id.
func (c *client) send(request string) int {
	c.mu.Lock()
	c.next++
	id := c.next
	c.mu.Unlock()
	fmt.Fprintf(c.in, `{"jsonrpc":"2.0","id":%d,%s}`+"\n", id, request)
	return id
}

// cancel takes a request back.
func (c *client) cancel(id int) {
	fmt.Fprintf(c.in, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}`+"\n", id)
}

// answered says whether there is an answer yet.
func (c *client) answered(id int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answers[id] != ""
}

// wait returns an answer once it is there.
func (c *client) wait(id int) string {
	c.t.Helper()
	timer := time.AfterFunc(deadline, func() {
		c.mu.Lock()
		c.ended = true
		c.mu.Unlock()
		c.changed.Broadcast()
	})
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.answers[id] == "" && !c.ended {
		c.changed.Wait()
	}
	if c.answers[id] == "" {
		c.t.Fatalf("request %d was never answered; stderr: %s", id, c.stderr)
	}
	return c.answers[id]
}

// reply is what a call of a tool came to.
type reply struct {
	text    string // of its first content, or of the protocol's error
	isError bool
}

// call calls a tool and waits for what comes of it.
func (c *client) call(tool, arguments string) reply {
	c.t.Helper()
	line := c.wait(c.send(toolCall(tool, arguments)))
	var a struct {
		Result struct {
			Content []struct{ Text string }
			IsError bool
		}
		Error *struct{ Message string }
	}
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	if a.Error != nil {
		return reply{a.Error.Message, true}
	}
	if len(a.Result.Content) == 0 {
		c.t.Fatalf("an answer without content: %s", line)
	}
	return reply{a.Result.Content[0].Text, a.Result.IsError}
}

// fails calls a tool, whose error has to say something.
func (c *client) fails(tool, arguments, says string) {
	c.t.Helper()
	if r := c.call(tool, arguments); !r.isError || !strings.Contains(r.text, says) {
		c.t.Errorf("%s %.200s: %q, error %t; want an error that says %q", tool, arguments, r.text, r.isError, says)
	}
}

// refuses sends a call that is no JSON of the protocol, and waits for the word of it.
func (c *client) refuses(tool, arguments, says string) {
	c.t.Helper()
	c.mu.Lock()
	delete(c.answers, nobody)
	c.mu.Unlock()
	c.send(toolCall(tool, arguments))
	if line := c.wait(nobody); !strings.Contains(line, says) {
		c.t.Errorf("%s; want %q", line, says)
	}
}

// succeeds calls a tool, whose answer has to be a text.
func (c *client) succeeds(tool, arguments, want string) {
	c.t.Helper()
	if r := c.call(tool, arguments); r.isError || r.text != want {
		c.t.Errorf("%s %.200s: %q, error %t; want %q", tool, arguments, r.text, r.isError, want)
	}
}

// process is the built binary, serving a forge.yaml.
type process struct {
	*client
	dir   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// serveFile starts the built binary on a file, with variables of the environment. DIR
// in the text is the file's folder, which has an empty folder data.
func serveFile(t *testing.T, text string, env ...string) *process {
	t.Helper()
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "forge.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(binariesDir, "ingot"), "serve", "--config", file)
	cmd.Env = append(os.Environ(), env...)
	stderr := new(lockedBuffer)
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return &process{newClient(t, stdin, stdout, stderr), dir, cmd, stdin}
}

// files is how many files the process has open.
func (p *process) files() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(entries)
}

// children are the processes that the process has started and that live.
func (p *process) children() string {
	var all []byte
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	for _, t := range tasks {
		some, _ := os.ReadFile(t) // of a thread that has ended meanwhile: none
		all = append(all, some...)
	}
	return string(bytes.TrimSpace(all))
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > deadline {
			t.Fatalf("%s: not in %v", what, deadline)
		}
	}
}

// alive says whether a process runs; one that nobody waited for does not.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + strings.TrimSpace(pid) + "/stat")
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

// leavesNothing checks that no call has left a process, a file or a goroutine behind:
// the process ends with the stacks of all its goroutines (SIGQUIT).
func (p *process) leavesNothing(files int) {
	p.t.Helper()
	eventually(p.t, "no children", func() bool { return p.children() == "" })
	eventually(p.t, fmt.Sprintf("%d open files or less", files), func() bool { return p.files() <= files })
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		p.t.Fatal(err)
	}
	p.cmd.Wait()
	stacks := p.stderr.String()
	if !strings.Contains(stacks, "goroutine ") {
		p.t.Fatalf("no stacks: %s", stacks)
	}
	for _, part := range []string{"forge/clitool.", "forge/httptool.", "forge/pipeline.", "forge/middleware.", "os/exec."} {
		if i := strings.Index(stacks, part); i >= 0 {
			p.t.Errorf("a goroutine is left in %s…", stacks[max(0, i-200):min(len(stacks), i+300)])
		}
	}
}
