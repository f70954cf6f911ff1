package clitool

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/internal/trace"
)

const (
	// graceTime is how long a program has between SIGTERM and SIGKILL.
	graceTime = time.Second
	// pipeTime is how long its output is waited for once it has ended: what it
	// started may hold the pipes open.
	pipeTime = 500 * time.Millisecond
)

// run is one program at work.
type run struct {
	tool   *tool
	args   []string
	env    []string
	report func(sent int, text string) // nil: nobody listens

	stdout, stderr output
	exitCode       int
}

// do runs the program to its end, or to the end of ctx, as a span of its own.
func (r *run) do(ctx context.Context) error {
	ctx, span := trace.Start(ctx, trace.Internal, "run")
	err := r.toItsEnd(ctx)
	if span != nil {
		span.Set("process.executable.name", filepath.Base(r.tool.program))
		span.Set("process.exit.code", int64(r.exitCode))
		span.End(string(fault.ClassOf(err)))
	}
	return err
}

func (r *run) toItsEnd(ctx context.Context) error {
	cmd := exec.Command(r.tool.program, r.args...)
	cmd.Dir, cmd.Env = r.tool.cwd, r.env
	cmd.WaitDelay = pipeTime
	inOwnGroup(cmd)
	full := make(chan struct{})
	var once sync.Once
	overflow := func() { once.Do(func() { close(full) }) }
	bytesMax := int(r.tool.options.OutputBytesMax)
	r.stdout = output{bytesMax: bytesMax, overflow: overflow, report: r.report}
	r.stderr = output{bytesMax: bytesMax, overflow: overflow}
	cmd.Stdout, cmd.Stderr = &r.stdout, &r.stderr
	if err := cmd.Start(); err != nil {
		return r.tool.unstarted(err)
	}
	ended := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { // until the program has ended
		select {
		case <-ended:
		case <-full:
			killGroup(cmd)
		case <-ctx.Done():
			r.stop(cmd, ended)
		}
	})
	err := cmd.Wait()
	close(ended)
	watching.Wait()
	killGroup(cmd) // what it has started and left behind
	return r.outcome(ctx, cmd, err)
}

// stop ends the program in order, and if that does not help by force.
func (r *run) stop(cmd *exec.Cmd, ended <-chan struct{}) {
	endGroup(cmd)
	grace := time.NewTimer(graceTime)
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
		killGroup(cmd)
	}
}

// outcome says how the program ended.
func (r *run) outcome(ctx context.Context, cmd *exec.Cmd, err error) error {
	command := r.tool.options.Command
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		class := fault.ClassOf(ctx.Err())
		what := "was ended, since the caller gave up"
		if class == fault.Timeout {
			what = "was still running at the end of its time and was ended: raise the tool's timeout, or give it less to do"
		}
		return fault.Because(ctx.Err(), class, "%s %s%s", command, what, r.tool.said(r.stdout.text(), r.stderr.text()))
	case r.stdout.full || r.stderr.full:
		return fault.New(fault.Failed, "%s printed more than %d bytes and was ended: have it print less, or raise the output limit", command, r.tool.options.OutputBytesMax)
	case err == nil, errors.Is(err, exec.ErrWaitDelay), errors.As(err, &exit) && cmd.ProcessState.Exited():
		r.exitCode = cmd.ProcessState.ExitCode()
		return nil
	default:
		return fault.Because(err, fault.Failed, "%s was ended by somebody else: %v%s", command, err, r.tool.said(r.stdout.text(), r.stderr.text()))
	}
}

// output keeps what a program prints, up to a bound. It is written by one
// goroutine, and read when that has ended.
type output struct {
	bytesMax int
	overflow func()
	report   func(sent int, text string)

	kept []byte
	tail []byte // of what was reported: the beginning of a character
	sent int
	full bool
}

// Write implements io.Writer. It takes everything, so that the program does not
// meet an error of its own before it is ended.
func (o *output) Write(data []byte) (int, error) {
	room := o.bytesMax - len(o.kept)
	taken := data
	if len(data) > room {
		taken = data[:room]
		o.full = true
		o.overflow()
	}
	o.kept = append(o.kept, taken...)
	if o.report != nil && len(taken) > 0 {
		o.sent += len(taken)
		o.report(o.sent, o.whole(taken))
	}
	return len(data), nil
}

// whole is text up to the last character that is all there; the rest waits.
func (o *output) whole(data []byte) string {
	text := append(o.tail, data...)
	end := len(text)
	for i := 1; i <= min(utf8.UTFMax-1, len(text)); i++ {
		if start := len(text) - i; utf8.RuneStart(text[start]) {
			if !utf8.FullRune(text[start:]) {
				end = start
			}
			break
		}
	}
	said := strings.ToValidUTF8(string(text[:end]), "\ufffd")
	o.tail = append([]byte(nil), text[end:]...)
	return said
}

// text is what was kept. What is not UTF-8 is shown as U+FFFD.
func (o *output) text() string { return strings.ToValidUTF8(string(o.kept), "\ufffd") }
