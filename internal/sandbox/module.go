package sandbox

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/ingot-run/ingot/internal/sandbox/meter"
	"github.com/ingot-run/ingot/internal/trace"
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
	cached   *cached         // nil: not in the cache
	wanted   map[string]bool // the modules it imports from; nil: not known
	mutable  []meter.Global  // what a reset writes beside the memory
	snapshot *snapshot       // nil: it cannot be reset
	loaded   time.Time
	pool     *pool
	stats    counters
	grants   granted
	life     context.Context // ends when the module is freed
	endLife  context.CancelFunc
	freed    chan struct{} // closed at the end of Close
	asleep   *sleeper      // nil: it is loaded; else what loads it when it is called
	looked   atomic.Bool   // a guest used state or HTTP

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
	// NotResettable says why each call of the module takes a new instance at the
	// isolation "call"; it is empty for most modules, whose instances are reset.
	NotResettable string
}

// shape takes over what the meter found.
func (i *Info) shape(m *meter.Module) {
	i.Functions, i.CompileWork, i.TableElements = int(m.Functions), m.CompileWork, m.TableElements
	i.MemoryBytesMin, i.MemoryBytesMax = m.MemoryBytesMin, m.MemoryBytesMax
	i.NotResettable = m.NotResettable
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

// newModule is a module that is still to be loaded. Its partner is release.
func newModule(h *Host, file string, p Policy) *Module {
	m := &Module{
		host: h, policy: p, logger: h.logger.With("module", file), info: Info{File: file},
		loaded: time.Now(), freed: make(chan struct{}),
	}
	m.life, m.endLife = context.WithCancel(context.Background())
	m.pool = newPool(m)
	return m
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

// prepare starts the first instance, takes the snapshot that further ones start
// from, asks it what tools there are, and keeps it for the first call.
func (m *Module) prepare(caller context.Context) error {
	limits := &m.policy.Limits
	i, err := m.newInstance(caller, limits.LoadTimeMax)
	if err != nil {
		return err
	}
	if m.info.NotResettable == "" {
		if m.snapshot, err = i.snapshot(); err != nil {
			m.info.NotResettable = err.Error()
		}
	}
	c := i.begin(caller, m.logger, limits.LoadTimeMax, limits.fuelOf(limits.LoadTimeMax))
	m.tools, err = m.abi.describe(c)
	c.end()
	if err == nil && !c.failed && m.snapshot != nil && i.reset(m.snapshot) {
		m.pool.add(i)
		m.pool.makeAhead()
		return m.nameTools()
	}
	i.close()
	if err != nil {
		return err
	}
	m.stats.discarded.Add(1)
	m.pool.makeAhead()
	return m.nameTools()
}

// nameTools checks the names of the tools and makes their loggers.
func (m *Module) nameTools() error {
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
	awake, err := m.wake(ctx)
	if err != nil {
		m.stats.count(err)
		return Result{}, err
	}
	return awake.callTool(ctx, r)
}

// callTool is Call on a module that is loaded.
func (m *Module) callTool(ctx context.Context, r CallRequest) (Result, error) {
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
	ctx, span := trace.Start(ctx, trace.Internal, "sandbox")
	out, err := m.run(ctx, logger, r)
	if span != nil {
		span.Set("gen_ai.tool.name", r.Tool)
		span.End(classOf(err))
	}
	err = at(r.Tool, "call", err)
	m.stats.count(err)
	return out, err
}

// toolNames lists the tools for an error.
func (m *Module) toolNames() string {
	names := make([]string, len(m.tools))
	for i, d := range m.tools {
		names[i] = d.Name
	}
	return clip(strings.Join(names, ", "), 512)
}

func (m *Module) run(caller context.Context, logger *slog.Logger, r CallRequest) (out Result, err error) {
	err = m.use(caller, logger, r, func(c *call, args []byte) error {
		out, err = m.abi.call(c, r.Tool, args)
		return err
	})
	return out, err
}

// use checks the arguments of a request and does something with them on an
// instance of the pool.
func (m *Module) use(caller context.Context, logger *slog.Logger, r CallRequest, do func(c *call, args []byte) error) error {
	limits := &m.policy.Limits
	if r.Arguments == nil {
		r.Arguments = []byte("{}")
	}
	if uint64(len(r.Arguments)) > limits.InputBytesMax {
		return failf(ErrInput, "the arguments have %d bytes, at most %d are allowed: send less, or raise the input limit", len(r.Arguments), limits.InputBytesMax)
	}
	if fault := objectFault(r.Arguments); fault != "" {
		return failf(ErrInput, "the arguments %s", fault)
	}
	l, err := m.pool.take(caller, r.Session)
	if err != nil {
		return err
	}
	fit := false // a panic of the host leaves it so
	defer func() { m.pool.give(l, fit) }()
	c := l.begin(caller, logger, limits.TimeMax, limits.FuelMax)
	defer c.end()
	c.progress = r.Progress
	err = do(c, r.Arguments)
	if span := trace.Current(caller); span != nil {
		span.Set("ingot.sandbox.fuel", int64(c.burnt()))
	}
	fit = !c.failed
	return err
}

// Close refuses further calls, waits for those that run (each ends at its own
// deadline), and frees the module. When ctx ends first its error is returned;
// the module is freed all the same when the last call has ended.
func (m *Module) Close(ctx context.Context) error {
	m.closing.Do(func() {
		go func() { // until the last call's deadline at most
			m.pool.drain()
			if m.asleep != nil {
				m.endLife()
				m.asleep.close()
			}
			m.release()
			m.host.forget(m)
			close(m.freed)
		}()
	})
	select {
	case <-m.freed:
		return nil
	default:
	}
	select {
	case <-m.freed:
		return nil
	case <-ctx.Done():
		return at(m.info.File, "close", &failure{ErrCanceled, "calls were still running", context.Cause(ctx)})
	}
}

// release frees what the module holds; no call runs any more.
func (m *Module) release() {
	m.endLife()
	m.pool.free()
	m.snapshot.free()
	if m.runtime != nil {
		_ = m.runtime.Close(context.Background()) // memory only: nothing to lose
	}
	m.cached.close()
	m.grants.close()
}
