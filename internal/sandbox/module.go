package sandbox

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
)

// Module is one loaded file of WebAssembly with the tools it holds. It is safe
// for concurrent use.
//
// A server that puts a new module in the place of an old one makes the new one
// known first and then closes the old one: calls that run end in peace, and one
// that comes too late gets [ErrClosed], which says that it has not begun and may
// be given to the new module.
type Module struct {
	host     *Host
	policy   Policy // complete
	logger   *slog.Logger
	info     Info
	tools    []Description
	loggers  map[string]*slog.Logger // by the tool's name
	abi      abi
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	slots    chan struct{} // one element for each call that runs
	done     chan struct{} // closed by Close

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

// CallRequest is one call of a tool.
type CallRequest struct {
	// Tool is the tool's name; it may be empty when the module has one tool.
	Tool string
	// Arguments is a JSON object; nil means an empty one. It is not checked
	// against the tool's schema (see internal/schema).
	Arguments []byte
	// Session names the session that the call belongs to, as the protocol knows
	// it; it matters under the isolation "session" only.
	Session string
	// Progress gets what the tool reports while it works, in the call's
	// goroutine; total is 0 when it is not known. Nil: nobody listens.
	Progress func(progress, total float64, message string)
}

// Result is what a tool returned: exactly one of its fields is set.
type Result struct {
	// JSON is a JSON object of at most OutputBytesMax bytes.
	JSON []byte
	// MCP is a whole tools/call result of the Model Context Protocol as the
	// guest wrote it, of at most OutputBytesMax bytes; its shape was checked.
	MCP []byte
}

// Info is what can be said about the module without running it.
func (m *Module) Info() Info {
	i := m.info
	i.Imports = slices.Clone(i.Imports)
	return i
}

// Tools are the tools of the module as it describes them, in its order: at
// least one, and no name twice.
func (m *Module) Tools() []Description { return slices.Clone(m.tools) }

// Policy is the policy in force, with its defaults filled in.
func (m *Module) Policy() Policy { return m.policy }

// readDescription asks an instance what it is.
func (m *Module) readDescription(caller context.Context) error {
	i, err := m.newInstance(caller, m.policy.Limits.LoadTimeMax)
	if err != nil {
		return err
	}
	defer i.close()
	c := i.begin(caller, m.policy.Limits.LoadTimeMax, m.logger)
	defer c.end()
	if m.tools, err = m.abi.describe(c); err != nil {
		return err
	}
	if len(m.tools) == 0 {
		return failf(ErrABI, "it describes no tool")
	}
	m.loggers = make(map[string]*slog.Logger, len(m.tools))
	for _, d := range m.tools {
		if m.loggers[d.Name] != nil {
			return failf(ErrABI, "it describes two tools named %q: give one another name", d.Name)
		}
		m.loggers[d.Name] = m.host.logger.With("tool", d.Name)
	}
	return nil
}

// Call runs a tool once and returns its result.
//
// A failure that the tool reports itself is a [*GuestError]; every other error
// is an [*Error]. The host is unharmed in all cases, and so are other calls.
func (m *Module) Call(ctx context.Context, r CallRequest) (Result, error) {
	if r.Tool == "" {
		r.Tool = m.tools[0].Name
		if len(m.tools) > 1 {
			return Result{}, at(m.info.File, "call", failf(ErrInput, "the module has %d tools: name one of %s", len(m.tools), m.toolNames()))
		}
	}
	logger := m.loggers[r.Tool]
	if logger == nil {
		return Result{}, at(m.info.File, "call", failf(ErrInput, "the module has no tool %q: it has %s", clip(r.Tool, nameBytesMax), m.toolNames()))
	}
	out, err := m.run(ctx, logger, r)
	return out, at(r.Tool, "call", err)
}

// toolNames lists the tools for an error.
func (m *Module) toolNames() string {
	names := make([]string, len(m.tools))
	for i, d := range m.tools {
		names[i] = d.Name
	}
	return clip(strings.Join(names, ", "), 512)
}

func (m *Module) run(caller context.Context, logger *slog.Logger, r CallRequest) (Result, error) {
	limits := m.policy.Limits
	if r.Arguments == nil {
		r.Arguments = []byte("{}")
	}
	if uint64(len(r.Arguments)) > limits.InputBytesMax {
		return Result{}, failf(ErrInput, "the arguments have %d bytes, at most %d are allowed: send less, or raise the input limit", len(r.Arguments), limits.InputBytesMax)
	}
	if fault := objectFault(r.Arguments); fault != "" {
		return Result{}, failf(ErrInput, "the arguments %s", fault)
	}
	if err := m.acquire(caller); err != nil {
		return Result{}, err
	}
	defer func() { <-m.slots }() // partner: acquire
	i, err := m.newInstance(caller, limits.TimeMax)
	if err != nil {
		return Result{}, err
	}
	defer i.close()
	c := i.begin(caller, limits.TimeMax, logger)
	defer c.end()
	c.progress = r.Progress
	return m.abi.call(c, r.Tool, r.Arguments)
}

// acquire takes one of the module's slots; its partner is a receive from slots.
func (m *Module) acquire(ctx context.Context) error {
	select {
	case <-m.done:
		return failf(ErrClosed, "the module was closed; load it again")
	case m.slots <- struct{}{}:
		return m.stillOpen()
	default:
	}
	patience := time.NewTimer(m.policy.Limits.TimeMax)
	defer patience.Stop()
	select {
	case m.slots <- struct{}{}:
		return m.stillOpen()
	case <-m.done:
		return failf(ErrClosed, "the module was closed; load it again")
	case <-ctx.Done():
		return &failure{ErrCanceled, "the caller gave up while waiting for a free instance", context.Cause(ctx)}
	case <-patience.C:
		return failf(ErrBusy, "all %d instances were in use for %v; try again later, or raise the concurrency limit", cap(m.slots), m.policy.Limits.TimeMax)
	}
}

// stillOpen gives the slot back when Close came first.
func (m *Module) stillOpen() error {
	select {
	case <-m.done:
		<-m.slots
		return failf(ErrClosed, "the module was closed; load it again")
	default:
		return nil
	}
}

// Close refuses further calls, waits for those that run (each ends at its own
// deadline, or when ctx ends: then its error is returned and the calls go on to
// their deadlines), and frees the module.
func (m *Module) Close(ctx context.Context) error {
	var err error
	m.closing.Do(func() {
		close(m.done)
		for range cap(m.slots) {
			select {
			case m.slots <- struct{}{}:
			case <-ctx.Done():
				err = at(m.info.File, "close", &failure{ErrCanceled, "calls were still running", context.Cause(ctx)})
				return
			}
		}
		m.release(ctx)
		m.host.mu.Lock()
		delete(m.host.modules, m)
		m.host.mu.Unlock()
	})
	return err
}

// release frees the compiled module and the runtime, if they were made.
func (m *Module) release(ctx context.Context) {
	if m.runtime != nil {
		_ = m.runtime.Close(context.WithoutCancel(ctx)) // memory only: nothing to lose
	}
}
