package sandbox

import (
	"context"
	"io"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/ingot-run/ingot/internal/sandbox/meter"
)

// instance is one guest at work: its own memory, clock and random source. It
// serves one call at a time.
type instance struct {
	owner       *Module
	module      api.Module
	memory      *memory
	fuel        api.MutableGlobal
	globals     []api.MutableGlobal // of owner.mutable
	clock       virtualClock
	random      guestRandom
	descriptors descriptors
	call        *call // the one it serves, or nil
	spare       *call // one that ended, for the next; see call.end

	vars      map[string][]byte // of an Extism guest
	functions []*exportedFunction
	idleSince time.Time // while it idles
	resting   bool      // it idled long enough to rest
}

// exportedFunction is a function of the guest with the stack that wazero runs it
// on, 10 KB at first, which is why it is kept between calls.
type exportedFunction struct {
	name string
	api.Function
	busy bool
}

// initializeExport is the function that a WASI reactor wants called once,
// before anything else.
const initializeExport = "_initialize"

// newInstance starts an instance within timeMax, from the snapshot if there is
// one. Its partner is close.
func (m *Module) newInstance(caller context.Context, timeMax time.Duration) (*instance, error) {
	i := &instance{owner: m, memory: newMemory(m.policy.Limits.MemoryBytesMax), random: m.policy.random()}
	c := i.begin(caller, m.logger, timeMax, m.policy.Limits.fuelOf(timeMax))
	defer c.end()
	if err := i.instantiate(c); err != nil {
		i.close()
		return nil, err
	}
	m.stats.started.Add(1)
	if m.snapshot != nil {
		if err := i.adopt(m.snapshot); err != nil {
			i.close()
			return nil, failf(ErrMemory, "starting: %v", err)
		}
		return i, nil
	}
	if i.module.ExportedFunction(initializeExport) != nil {
		if _, err := c.invoke(initializeExport); err != nil {
			i.close()
			return nil, err
		}
	}
	return i, nil
}

// instantiate makes the guest's module, whose start function runs if it has one.
func (i *instance) instantiate(c *call) error {
	err := guard(func() (err error) {
		i.module, err = i.owner.runtime.InstantiateModule(
			experimental.WithMemoryAllocator(c.ctx, i.memory), i.owner.compiled, i.owner.policy.moduleConfig(i))
		return err
	})
	if err != nil {
		return c.explain("starting", err)
	}
	fuel := i.module.ExportedGlobal(meter.ExportFuel).(api.MutableGlobal)
	i.fuel = fuel
	i.findGlobals()
	return nil
}

// function is an exported function, or nil.
func (i *instance) function(export string) *exportedFunction {
	for _, f := range i.functions {
		if f.name == export && !f.busy {
			return f
		}
	}
	guest := i.module.ExportedFunction(export)
	if guest == nil {
		return nil
	}
	f := &exportedFunction{name: export, Function: guest}
	i.functions = append(i.functions, f)
	return f
}

// settle notes that the instance idles from now on.
func (i *instance) settle() time.Time {
	i.idleSince, i.resting = time.Now(), false
	return i.idleSince
}

// rest gives back what an instance that idles for a while need not hold: the
// stacks, and its own copies of pages that are the image's.
func (i *instance) rest(s *snapshot) {
	i.functions = nil
	if s != nil && s.image != nil {
		i.memory.backing.trim()
	}
}

// close frees the instance; its partner is newInstance.
func (i *instance) close() {
	if i.module != nil {
		_ = i.module.Close(context.Background()) // only reports that it was closed before
	}
	i.memory.backing.free()
}

// The files 0 to 2 of the guest are its call's.

// guestStdin is what the guest reads from file 0.
type guestStdin struct{ instance *instance }

// Read implements io.Reader.
func (s guestStdin) Read(p []byte) (int, error) {
	c := s.instance.call
	if len(c.stdin) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.stdin)
	c.stdin = c.stdin[n:]
	return n, nil
}

// guestStdout and guestStderr are where files 1 and 2 go.
type (
	guestStdout struct{ instance *instance }
	guestStderr struct{ instance *instance }
)

// Write implements io.Writer.
func (s guestStdout) Write(p []byte) (int, error) {
	c := s.instance.call
	if c.stdout == nil {
		return c.log.stdout.Write(p)
	}
	c.stdout(p)
	return len(p), nil
}

// Write implements io.Writer.
func (s guestStderr) Write(p []byte) (int, error) { return s.instance.call.log.stderr.Write(p) }
