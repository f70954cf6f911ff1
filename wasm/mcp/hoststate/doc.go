// Package hoststate is a state.Manager whose store is the host's: another instance
// of engine.wasm, which JavaScript holds beside this module. Each operation is one
// Call of a Host, bytes in and bytes out, so that this package needs no imports of
// its own and runs natively too:
//
//	m := hoststate.New(host, false)
//	version, err := m.Set(ctx, "k", []byte("v"), state.SetOptions{})
//	m.Changed() // the host says that the store was written: watchers look
//
// The requests and replies are those of the exports of engine.wasm (docs/ABI.md), so
// that the host passes them on as they are:
//
//	request:  u32 operation | u64 R0 | u64 R1 | 4 × u32 parameter | body
//	reply:    i32 result | u64 R0 | u64 R1 | body
//
// docs/ABI.md, section "mcp.wasm", lists the operations. A negative result is an
// error's code, with its text as the body.
//
// # Caveats
//
//   - Changed has to be called for a Watcher to go on: nothing polls by itself.
//   - Tokens of events are those of the embedded backends: they resume with
//     state.EventLagged.
//   - Close ends this Manager and its watchers, and leaves the host's store open.
package hoststate
