package sandbox

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"
)

// The host functions that can take their time look at the deadline when they begin:
// a guest that calls one in a row burns so little fuel that the yields come too late.
// Here the caller has given up already, and the fuel ends before the first yield, so
// that the only way to hear of the caller is the function itself.
func TestHostFunctionsLookAtTheDeadline(t *testing.T) {
	four := []api.ValueType{i32, i32, i32, i32}
	for _, f := range []struct {
		module, name    string
		params, results []api.ValueType
	}{
		{moduleIngot, "reply", []api.ValueType{i32}, nil},
		{moduleWASI, "poll_oneoff", four, []api.ValueType{i32}},
		{moduleWASI, "fd_write", four, []api.ValueType{i32}},
		{moduleWASI, "fd_read", four, []api.ValueType{i32}},
		{moduleWASI, "environ_get", four[:2], []api.ValueType{i32}},
		{moduleExtism, "alloc", extismI64, extismI64},
		{moduleExtism, "config_get", extismI64, extismI64},
		{moduleExtism, "var_get", extismI64, extismI64},
		{moduleExtism, "var_set", extismTwo, nil},
		{moduleExtism, "http_headers", nil, extismI64},
		{moduleExtismUser, "notify_progress", extismI64, nil},
		{moduleExtismUser, "notify_logging_message", extismI64, nil},
	} {
		t.Run(f.module+"."+f.name, func(t *testing.T) {
			m := load(t, callsInARow(f.module, f.name, f.params, f.results), Policy{Limits: Limits{FuelMax: fuelSlice}}, nil)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := m.Call(ctx, CallRequest{})
			require.ErrorIs(t, err, ErrCanceled)
		})
	}
}

// callsInARow is a guest whose call does nothing but call one function of the host,
// with 0 for all its parameters.
func callsInARow(module, name string, params, results []api.ValueType) []byte {
	b := &builder{}
	f := b.importFunction(module, name, params, results)
	plugin := module == moduleExtism || module == moduleExtismUser
	var describe []byte
	if plugin {
		describe = describePlugin(b)
	}
	row := []byte{opLoop, opVoid}
	for _, p := range params {
		if p == i32 {
			row = append(row, i32Const(0)...)
		} else {
			row = append(row, i64Const(0)...)
		}
	}
	row = appendU32(append(row, opCall), f)
	for range results {
		row = append(row, opDrop)
	}
	row = append(row, opBr, 0, opEnd, opUnreachable)
	if plugin {
		b.function("describe", nil, extismI32, describe...)
		b.function("call", nil, extismI32, row...)
	} else {
		b.native(row...)
	}
	return b.bytes()
}

// describePlugin is the code of a plug-in's describe, which writes its output byte by
// byte into the first block of the shared memory.
func describePlugin(b *builder) []byte {
	const text = `{"tools":[{"name":"built","description":"A test guest.","inputSchema":{"type":"object"}}]}`
	alloc := b.importFunction(moduleExtism, "alloc", extismI64, extismI64)
	store := b.importFunction(moduleExtism, "store_u8", []api.ValueType{i64, i32}, nil)
	output := b.importFunction(moduleExtism, "output_set", extismTwo, nil)
	out := code(i64Const(uint64(len(text))), appendU32([]byte{opCall}, alloc), []byte{opDrop})
	for i, c := range []byte(text) {
		out = code(out, i64Const(kernelOffsetMin+uint64(i)), i32Const(uint32(c)), appendU32([]byte{opCall}, store))
	}
	return code(out, i64Const(kernelOffsetMin), i64Const(uint64(len(text))), appendU32([]byte{opCall}, output), i32Const(0))
}
