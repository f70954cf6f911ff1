package sandbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
)

// instance is one guest at work: its own memory, clock and log. It serves one
// call and is closed.
type instance struct {
	tool    *Tool
	caller  context.Context
	ctx     context.Context // caller's, ended after timeMax
	stop    context.CancelFunc
	timeMax time.Duration
	memory  *memory
	log     *callLog
	module  api.Module
}

// instanceKey finds the instance in the context of a host function.
type instanceKey struct{}

// newInstance starts an instance that lives until caller ends, timeMax is over
// or close is called.
func (t *Tool) newInstance(caller context.Context, timeMax time.Duration) (*instance, error) {
	i := &instance{
		tool:    t,
		caller:  caller,
		timeMax: timeMax,
		memory:  &memory{bytesMax: t.policy.Limits.MemoryBytesMax},
		log:     &callLog{ctx: caller, logger: t.logger, limits: t.policy.Limits},
	}
	i.ctx, i.stop = context.WithTimeout(context.WithValue(caller, instanceKey{}, i), timeMax)
	err := guard(func() (err error) {
		i.module, err = t.runtime.InstantiateModule(
			experimental.WithMemoryAllocator(i.ctx, i.memory), t.compiled, t.policy.moduleConfig(i.ctx, i.log))
		return err
	})
	if err != nil {
		defer i.close()
		return nil, i.explain("starting", err)
	}
	return i, nil
}

// close releases the instance; its partner is newInstance.
func (i *instance) close() {
	defer i.stop()
	i.log.flush()
	if i.module != nil {
		_ = i.module.Close(context.WithoutCancel(i.ctx)) // only reports that it was closed before
	}
}

// call runs an exported function that has at most one result.
func (i *instance) call(export string, params ...uint64) (uint64, error) {
	var stack [2]uint64
	copy(stack[:], params)
	err := guard(func() error {
		return i.module.ExportedFunction(export).CallWithStack(i.ctx, stack[:])
	})
	if err != nil {
		return 0, i.explain(export, err)
	}
	return stack[0], nil
}

// explain says why a guest did not come back from doing.
func (i *instance) explain(doing string, err error) error {
	var exit *sys.ExitError
	var f *failure
	exited := errors.As(err, &exit)
	switch {
	case errors.As(err, &f): // a host function refused
		return f
	case exited && i.caller.Err() != nil:
		return &failure{ErrCanceled, "stopped in " + doing + " because the caller gave up", context.Cause(i.caller)}
	case exited && i.ctx.Err() != nil:
		return failf(ErrDeadline, "still running in %s at its time limit of %v and was stopped; look for a loop that does not end, or raise the limit",
			doing, i.timeMax)
	case i.memory.refused > 0:
		return i.outOfMemory("it failed in %s", doing)
	case exited:
		return failf(ErrExit, "it ended itself in %s with exit code %d%s; a tool returns an error object instead (docs/ABI.md)", doing, exit.ExitCode(), i.lastWords())
	default:
		return &failure{ErrTrap, fmt.Sprintf("in %s: %s%s", doing, trapText(err), i.lastWords()), err}
	}
}

// outOfMemory words a failure for want of memory.
func (i *instance) outOfMemory(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if i.memory.refused == 0 {
		return failf(ErrMemory, "%s (it holds %d bytes and did not ask for more)", what, len(i.memory.buffer))
	}
	return failf(ErrMemory, "%s after asking for %d bytes of memory, and its limit is %d; make it use less, or raise the limit",
		what, i.memory.refused, i.memory.bytesMax)
}

// lastWords is the beginning of what the guest wrote to stderr.
func (i *instance) lastWords() string {
	if len(i.log.stderrHead) == 0 {
		return ""
	}
	return "; stderr: " + strings.TrimSpace(clip(string(i.log.stderrHead), 512))
}

// trapText is the reason and the first functions of wazero's report.
func trapText(err error) string {
	const linesMax = 6 // the reason, a heading, four functions
	lines := strings.SplitN(clip(err.Error(), 2048), "\n", linesMax+1)
	for n := range lines {
		lines[n] = strings.TrimSpace(lines[n])
	}
	return strings.Join(lines[:min(len(lines), linesMax)], " | ")
}

// guard turns a panic of the engine into an error: some malformed modules, and
// nothing says that no running ones, make wazero panic.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &enginePanic{value: r, stack: string(debug.Stack())}
		}
	}()
	return f()
}

// enginePanic is a recovered panic of wazero.
type enginePanic struct {
	value any
	stack string
}

// Error implements error.
func (p *enginePanic) Error() string { return fmt.Sprintf("the engine panicked: %v", p.value) }
