package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// call is one use of an instance: its start, a question what it is, or a call of
// a tool. Everything that must be fresh in each use lies here. It runs on one
// goroutine at a time. Host functions find it by [callOf].
type call struct {
	// ctx ends at the deadline, when the caller gives up, and when the call has
	// ended: host functions that wait, wait on it too.
	ctx      context.Context
	instance *instance
	policy   *Policy
	log      *callLog
	progress func(progress, total float64, message string) // nil: nobody listens
	reply    []byte                                        // what waits for ingot.reply
	args     []string                                      // what args_get answers; a command has some
	stdin    []byte                                        // what fd_read has not read yet
	stdout   func([]byte)                                  // nil: what is written is logged
	extism   *extismUse                                    // what an Extism guest has in a call; nil outside one
	grants   grantUse

	context callContext
	logged  callLog
	timeMax time.Duration
	fuel    fuelUse
	stack   [4]uint64 // parameters and results of invoke
	failed  bool      // the guest did not come back from an export
}

// callKey finds the call in the context of a host function.
type callKey struct{}

// callOf is the call that a host function serves; ctx is what wazero gave it.
func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// begin starts a use of the instance, which ends after timeMax and when it has
// burnt fuelMax at the latest. Its partner is end.
func (i *instance) begin(caller context.Context, logger *slog.Logger, timeMax time.Duration, fuelMax uint64) *call {
	c := i.spare
	if i.spare = nil; c == nil {
		c = &call{}
	}
	*c = call{instance: i, policy: &i.owner.policy, timeMax: timeMax}
	c.log = &c.logged
	c.log.open(caller, logger, &c.policy.Limits)
	c.context = callContext{Context: caller, call: c, deadline: time.Now().Add(timeMax)}
	c.ctx = &c.context
	i.call = c
	i.memory.refused = 0
	c.fill(fuelMax)
	return c
}

// end ends the use: what still waits on its context stops. The instance's next
// use takes the same memory, unless something outside may still hold the context:
// a state store, an HTTP client, or whoever asked for its Done.
func (c *call) end() {
	c.context.end()
	c.log.flush()
	owner := c.instance.owner
	owner.stats.fuel.Add(c.burnt())
	if c.grants.state != nil || c.grants.requests > 0 {
		owner.looked.Store(true)
	} else if !c.context.waitedFor() {
		c.instance.spare = c
	}
	c.instance.call = nil
}

// memory is the guest's memory.
func (c *call) memory() api.Memory { return c.instance.module.Memory() }

// invoke runs an exported function that has at most one result. The error, if
// any, says why the guest did not come back; the instance must not be used again.
func (c *call) invoke(export string, params ...uint64) (uint64, error) {
	f := c.instance.function(export)
	if f == nil {
		return 0, failf(ErrABI, "it does not export %s", export)
	}
	clear(c.stack[:])
	copy(c.stack[:], params)
	f.busy = true
	err := guard(func() error { return f.CallWithStack(c.ctx, c.stack[:]) })
	f.busy = false
	if err != nil {
		c.failed = true
		return 0, c.explain(export, err)
	}
	return c.stack[0], nil
}

// explain says why a guest did not come back from doing.
func (c *call) explain(doing string, err error) error {
	var exit *sys.ExitError
	var f *failure
	exited := errors.As(err, &exit)
	stopped := errors.Is(err, errStopped) || exited && c.ctx.Err() != nil
	switch {
	case errors.As(err, &f): // a host function refused
		return f
	case stopped && c.context.Context.Err() != nil:
		return &failure{ErrCanceled, "stopped in " + doing + " because the caller gave up", context.Cause(c.context.Context)}
	case stopped:
		return failf(ErrDeadline, "still running in %s at its time limit of %v and was stopped; look for a loop that does not end, or raise the limit",
			doing, c.timeMax)
	case c.instance.memory.refused > 0:
		return c.outOfMemory("it failed in %s", doing)
	case exited:
		return failf(ErrExit, "it ended itself in %s with exit code %d%s; a tool returns an error object instead (docs/ABI.md)", doing, exit.ExitCode(), c.lastWords())
	default:
		return &failure{ErrTrap, fmt.Sprintf("in %s: %s%s", doing, trapText(err), c.lastWords()), err}
	}
}

// outOfMemory words a failure for want of memory.
func (c *call) outOfMemory(format string, args ...any) error {
	what, memory := fmt.Sprintf(format, args...), c.instance.memory
	if memory.refused == 0 {
		return failf(ErrMemory, "%s (it holds %d bytes and did not ask for more)", what, len(memory.buffer))
	}
	return failf(ErrMemory, "%s after asking for %d bytes of memory, and its limit is %d; make it use less, or raise the limit",
		what, memory.refused, memory.bytesMax)
}

// lastWords is the beginning of what the guest wrote to stderr.
func (c *call) lastWords() string {
	if len(c.log.stderrHead) == 0 {
		return ""
	}
	return "; stderr: " + strings.TrimSpace(clip(string(c.log.stderrHead), 512))
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

// callContext is a call's context: the caller's, with the call as a value and
// the call's deadline. The timer is made when something first waits on it, since
// most calls wait on nothing and a timer costs more than a small call.
type callContext struct {
	context.Context // the caller's
	call            *call
	deadline        time.Time

	mu    sync.Mutex
	timed context.Context // the caller's with the deadline; nil until somebody asks
	stop  context.CancelFunc
	ended bool
}

var _ context.Context = (*callContext)(nil)

// Value implements context.Context.
func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.call
	}
	return c.Context.Value(key)
}

// Deadline implements context.Context.
func (c *callContext) Deadline() (time.Time, bool) {
	if d, ok := c.Context.Deadline(); ok && d.Before(c.deadline) {
		return d, true
	}
	return c.deadline, true
}

// Done implements context.Context.
func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.stop = context.WithDeadline(c.Context, c.deadline)
		if c.ended {
			c.stop()
		}
	}
	return c.timed.Done()
}

// Err implements context.Context.
func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.timed != nil:
		return c.timed.Err()
	case c.Context.Err() != nil:
		return c.Context.Err()
	case c.ended:
		return context.Canceled
	case !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// waitedFor says whether somebody asked for Done.
func (c *callContext) waitedFor() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timed != nil
}

// end stops whatever waits on the context.
func (c *callContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.stop != nil {
		c.stop()
	}
}
