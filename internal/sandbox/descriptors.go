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

// fileWatch sees the WASI functions that change the table.
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
