// Package worker runs the child processes of the bench commands: a child answers
// each line it is sent with one line. ResidentBytes tells how much memory one holds.
//
//	w, err := worker.Start(ctx, worker.Command{Path: path, Args: []string{"run", "map"}})
//	answer, err := w.Ask("measure copy 0 1000 1") // "ok ops=1000 ns=20000", "no"
//	fields, err := worker.Fields(answer)
//	err = w.Quit()
//
// # Caveats
//
// A child that does not answer within AnswerTimeout is killed: after an error
// from Ask the worker is of no more use.
package worker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// AnswerTimeout is how long a child may take for one answer. Loading ten million
// keys is the longest of them.
const AnswerTimeout = 10 * time.Minute

// stderrMax bounds what is kept of what a child says on its standard error.
const stderrMax = 8 << 10

// Command says what to start.
type Command struct {
	Path string
	Args []string
	Env  []string // added to this process's own, "NAME=value"
}

// Worker is a running child. It serves one caller at a time.
type Worker struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  *bufio.Scanner
	stderr *tail
	cancel context.CancelFunc
}

// Start starts a child, which ends with ctx at the latest.
func Start(ctx context.Context, c Command) (*Worker, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	w := &Worker{name: strings.Join(c.Args, " "), cmd: cmd, stderr: &tail{}, cancel: cancel}
	cmd.Stderr = w.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	w.stdin, w.lines = stdin, bufio.NewScanner(stdout)
	return w, nil
}

// Ask sends a line and returns the line that answers it. An answer that begins
// with "error" is an error, and so is a child that has ended or takes too long.
func (w *Worker) Ask(line string) (string, error) {
	late := time.AfterFunc(AnswerTimeout, w.cancel)
	defer late.Stop()
	if _, err := io.WriteString(w.stdin, line+"\n"); err != nil {
		return "", w.failed(line, err)
	}
	if !w.lines.Scan() {
		err := w.lines.Err()
		if err == nil {
			err = errors.New("it ended, or took too long and was killed")
		}
		return "", w.failed(line, err)
	}
	if text, ok := strings.CutPrefix(w.lines.Text(), "error "); ok {
		return "", w.failed(line, errors.New(text))
	}
	return w.lines.Text(), nil
}

func (w *Worker) failed(line string, err error) error {
	// The child is waited for first: only then is its standard error complete.
	w.cancel()
	w.cmd.Wait()
	return fmt.Errorf("worker %q, asked %q: %w%s", w.name, line, err, w.stderr)
}

// Quit asks the child to end and waits until it has.
func (w *Worker) Quit() error {
	defer w.cancel()
	late := time.AfterFunc(AnswerTimeout, w.cancel)
	defer late.Stop()
	_, writeErr := io.WriteString(w.stdin, "quit\n")
	w.stdin.Close()
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("worker %q: %w%s", w.name, err, w.stderr)
	}
	return writeErr
}

// Kill ends the child without asking it.
func (w *Worker) Kill() {
	w.cancel()
	w.cmd.Wait()
}

// Fields reads the name=number pairs of an answer "ok name=number …".
func Fields(answer string) (map[string]uint64, error) {
	words := strings.Fields(answer)
	if len(words) == 0 || words[0] != "ok" {
		return nil, fmt.Errorf("want an answer that begins with ok, got %q", answer)
	}
	fields := make(map[string]uint64, len(words)-1)
	for _, word := range words[1:] {
		name, text, found := strings.Cut(word, "=")
		number, err := strconv.ParseUint(text, 10, 64)
		if !found || err != nil {
			return nil, fmt.Errorf("want name=number, got %q in %q", word, answer)
		}
		fields[name] = number
	}
	return fields, nil
}

// tail keeps the last stderrMax bytes written to it. exec writes from one
// goroutine, and Wait ends before anyone reads.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - stderrMax; extra > 0 {
		t.kept = t.kept[extra:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	if text := bytes.TrimSpace(t.kept); len(text) > 0 {
		return "; it said: " + string(text)
	}
	return ""
}
