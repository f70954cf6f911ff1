package sandbox

import (
	"context"
	"io"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// instance is one guest at work: its own memory, clock and random source. It
// serves one call at a time.
type instance struct {
	owner  *Module
	module api.Module
	memory *memory
	clock  virtualClock
	random io.Reader
	call   *call // the one it serves, or nil
}

// newInstance starts an instance within timeMax. Its partner is close.
func (m *Module) newInstance(caller context.Context, timeMax time.Duration) (*instance, error) {
	i := &instance{
		owner:  m,
		memory: &memory{bytesMax: m.policy.Limits.MemoryBytesMax},
		random: m.policy.random(),
	}
	c := i.begin(caller, timeMax, m.logger)
	defer c.end()
	err := guard(func() (err error) {
		i.module, err = m.runtime.InstantiateModule(
			experimental.WithMemoryAllocator(c.ctx, i.memory), m.compiled, m.policy.moduleConfig(i))
		return err
	})
	if err != nil {
		defer i.close()
		return nil, c.explain("starting", err)
	}
	if i.module.ExportedFunction(initializeExport) != nil {
		if _, err := c.invoke(initializeExport); err != nil {
			defer i.close()
			return nil, err
		}
	}
	return i, nil
}

// initializeExport is the function that a WASI reactor wants called once,
// before anything else.
const initializeExport = "_initialize"

// close frees the instance; its partner is newInstance.
func (i *instance) close() {
	if i.module != nil {
		_ = i.module.Close(context.Background()) // only reports that it was closed before
	}
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
