package sandbox

import (
	"context"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// descriptors is what a guest did to its table of file descriptors, which lies in
// the engine and is not put back by a reset: an instance whose table differs
// from what it started with must not serve another caller.
type descriptors struct {
	open    map[uint32]struct{} // what it opened and has not closed
	altered bool                // it changed a descriptor that it did not open

	descriptor, result uint32 // of the function that runs
}

// clean says that the table is as it was at the start.
func (u *descriptors) clean() bool { return len(u.open) == 0 && !u.altered }

// fileWatch sees the WASI functions that change the table, and has timeWatch see
// those that are sized by the guest.
type fileWatch struct{}

// watchedFiles are these functions. fd_readdir is one since a position in a
// folder is remembered.
var watchedFiles = map[string]struct{}{
	"path_open": {}, "fd_close": {}, "fd_renumber": {}, "fd_readdir": {}, "fd_fdstat_set_flags": {}, "sock_accept": {},
}

var (
	_ experimental.FunctionListenerFactory = fileWatch{}
	_ experimental.FunctionListener        = fileWatch{}
)

// NewFunctionListener implements experimental.FunctionListenerFactory.
func (w fileWatch) NewFunctionListener(f api.FunctionDefinition) experimental.FunctionListener {
	for _, name := range f.ExportNames() {
		if _, ok := watchedFiles[name]; ok {
			return w
		}
		if _, ok := sizedCalls[name]; ok {
			return timeWatch{}
		}
	}
	return nil
}

// Before implements experimental.FunctionListener.
func (fileWatch) Before(ctx context.Context, _ api.Module, f api.FunctionDefinition, params []uint64, _ experimental.StackIterator) {
	u := &callOf(ctx).instance.descriptors
	u.descriptor = uint32(params[0])
	if f.Name() == "path_open" {
		u.result = uint32(params[8])
	}
}

// After implements experimental.FunctionListener.
func (fileWatch) After(ctx context.Context, m api.Module, f api.FunctionDefinition, results []uint64) {
	u := &callOf(ctx).instance.descriptors
	if uint32(results[0]) != 0 { // it failed and changed nothing
		return
	}
	_, own := u.open[u.descriptor]
	switch f.Name() {
	case "path_open":
		opened, _ := m.Memory().ReadUint32Le(u.result)
		if u.open == nil {
			u.open = map[uint32]struct{}{}
		}
		u.open[opened] = struct{}{}
	case "fd_close":
		delete(u.open, u.descriptor)
		u.altered = u.altered || !own
	case "fd_readdir", "fd_fdstat_set_flags":
		u.altered = u.altered || !own
	default:
		u.altered = true
	}
}

// Abort implements experimental.FunctionListener. The instance is discarded.
func (fileWatch) Abort(context.Context, api.Module, api.FunctionDefinition, error) {}

// sizedCalls are the WASI functions that take as long as the guest makes their lists
// or buffers, and reach nothing that looks at the deadline itself, as folders and the
// random source do: 600,000 subscriptions of poll_oneoff take a quarter of a second.
var sizedCalls = map[string]struct{}{
	"poll_oneoff": {}, "fd_write": {}, "fd_read": {}, "environ_get": {},
}

// timeWatch ends a guest at its deadline when it calls the host; see stopIfOver.
type timeWatch struct{}

var _ experimental.FunctionListener = timeWatch{}

// Before implements experimental.FunctionListener.
func (timeWatch) Before(ctx context.Context, _ api.Module, _ api.FunctionDefinition, _ []uint64, _ experimental.StackIterator) {
	callOf(ctx).stopIfOver()
}

// After implements experimental.FunctionListener.
func (timeWatch) After(context.Context, api.Module, api.FunctionDefinition, []uint64) {}

// Abort implements experimental.FunctionListener.
func (timeWatch) Abort(context.Context, api.Module, api.FunctionDefinition, error) {}
