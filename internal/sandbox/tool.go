package sandbox

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
)

// Tool is one loaded module. It is safe for concurrent use.
type Tool struct {
	host        *Host
	policy      Policy // complete
	logger      *slog.Logger
	info        Info
	description Description
	abi         abi
	runtime     wazero.Runtime
	compiled    wazero.CompiledModule
	slots       chan struct{} // one element for each call that runs
	done        chan struct{} // closed by Close

	closing sync.Once
}

// Info is what can be said about a module without running it.
type Info struct {
	// File is the name given to Load.
	File string
	// SHA256 is the digest of the file, in lower-case hex.
	SHA256 string
	// ModuleBytes is the size of the file.
	ModuleBytes int
	// ABI is the name of the ABI that was detected, as "native/1".
	ABI string
	// Imports are the functions it wants from the host, in the module's order.
	Imports []Import
	// Functions counts the functions it defines.
	Functions int
	// CompileWork is the estimate that CompileWorkMax bounds.
	CompileWork uint64
	// MemoryBytesMin is the memory an instance starts with; MemoryBytesMax is
	// the most the module itself asks for, 0 when it does not say.
	MemoryBytesMin, MemoryBytesMax uint64
	// TableElements is how many elements its tables start with.
	TableElements uint64
}

// shape takes over what the rewrite found.
func (i *Info) shape(s shape) {
	i.Functions, i.CompileWork, i.TableElements = len(s.functions), s.compileWork, s.tableElements
	i.MemoryBytesMin, i.MemoryBytesMax = s.memoryBytesMin, s.memoryBytesMax
}

// Info is what can be said about the module without running it.
func (t *Tool) Info() Info {
	i := t.info
	i.Imports = slices.Clone(i.Imports)
	return i
}

// Description is what the tool says about itself.
func (t *Tool) Description() Description { return t.description }

// Policy is the policy in force, with its defaults filled in.
func (t *Tool) Policy() Policy { return t.policy }

// readDescription asks an instance what it is.
func (t *Tool) readDescription(caller context.Context) error {
	i, err := t.newInstance(caller, t.policy.Limits.LoadTimeMax)
	if err != nil {
		return err
	}
	defer i.close()
	raw, err := t.abi.describe(i)
	if err != nil {
		return err
	}
	t.description, err = parseDescription(raw)
	return err
}

// Call runs the tool once, on an instance of its own, and returns its result:
// a JSON object of at most OutputBytesMax bytes. args is a JSON object; nil
// means an empty one. The arguments are not checked against the tool's schema
// (see internal/schema).
//
// A failure that the tool reports itself is a [*GuestError]; every other error
// is an [*Error]. The host is unharmed in all cases, and so are other calls.
func (t *Tool) Call(ctx context.Context, args []byte) ([]byte, error) {
	out, err := t.run(ctx, args)
	return out, at(t.description.Name, "call", err)
}

func (t *Tool) run(caller context.Context, args []byte) ([]byte, error) {
	limits := t.policy.Limits
	if args == nil {
		args = []byte("{}")
	}
	if uint64(len(args)) > limits.InputBytesMax {
		return nil, failf(ErrInput, "the arguments have %d bytes, at most %d are allowed: send less, or raise the input limit", len(args), limits.InputBytesMax)
	}
	if fault := objectFault(args); fault != "" {
		return nil, failf(ErrInput, "the arguments %s", fault)
	}
	if err := t.acquire(caller); err != nil {
		return nil, err
	}
	defer func() { <-t.slots }() // partner: acquire
	i, err := t.newInstance(caller, limits.TimeMax)
	if err != nil {
		return nil, err
	}
	defer i.close()
	return t.abi.call(i, args)
}

// acquire takes one of the tool's slots; its partner is a receive from slots.
func (t *Tool) acquire(ctx context.Context) error {
	select {
	case <-t.done:
		return failf(ErrClosed, "the tool was closed; load it again")
	case t.slots <- struct{}{}:
		return t.stillOpen()
	default:
	}
	patience := time.NewTimer(t.policy.Limits.TimeMax)
	defer patience.Stop()
	select {
	case t.slots <- struct{}{}:
		return t.stillOpen()
	case <-t.done:
		return failf(ErrClosed, "the tool was closed; load it again")
	case <-ctx.Done():
		return &failure{ErrCanceled, "the caller gave up while waiting for a free instance", context.Cause(ctx)}
	case <-patience.C:
		return failf(ErrBusy, "all %d instances were in use for %v; try again later, or raise the concurrency limit", cap(t.slots), t.policy.Limits.TimeMax)
	}
}

// stillOpen gives the slot back when Close came first.
func (t *Tool) stillOpen() error {
	select {
	case <-t.done:
		<-t.slots
		return failf(ErrClosed, "the tool was closed; load it again")
	default:
		return nil
	}
}

// Close refuses further calls, waits for those that run (each ends at its own
// deadline, or when ctx ends: then its error is returned and the calls go on to
// their deadlines), and frees the module.
func (t *Tool) Close(ctx context.Context) error {
	var err error
	t.closing.Do(func() {
		close(t.done)
		for range cap(t.slots) {
			select {
			case t.slots <- struct{}{}:
			case <-ctx.Done():
				err = at(t.description.Name, "close", &failure{ErrCanceled, "calls were still running", context.Cause(ctx)})
				return
			}
		}
		t.release(ctx)
		t.host.mu.Lock()
		delete(t.host.tools, t)
		t.host.mu.Unlock()
	})
	return err
}

// release frees the compiled module and the runtime, if they were made.
func (t *Tool) release(ctx context.Context) {
	if t.runtime != nil {
		_ = t.runtime.Close(context.WithoutCancel(ctx)) // memory only: nothing to lose
	}
}
