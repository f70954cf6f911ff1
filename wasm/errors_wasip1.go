package main

import (
	"errors"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// The codes of docs/ABI.md. They never change their meaning.
const (
	codeAbsent   = -1  // no error: the key is not there
	codeInternal = -2  // an error that has no code of its own
	codeHandle   = -3  // no store, watcher or stream has this handle
	codeRequest  = -4  // the request does not fit its encoding or the area
	codeBusy     = -5  // another snapshot of the store is being read
	codeStorage  = -29 // a file could not be read or written
)

// errorCodes gives each of the engine's errors its code.
var errorCodes = [...]struct {
	err  error
	code int32
}{
	{engine.ErrConflict, -10},
	{engine.ErrClosed, -11},
	{engine.ErrKeySize, -12},
	{engine.ErrValueSize, -13},
	{engine.ErrTTL, -14},
	{engine.ErrFull, -15},
	{engine.ErrNotNumber, -16},
	{engine.ErrOverflow, -17},
	{engine.ErrOptions, -18},
	{engine.ErrDuplicateKey, -19},
	{engine.ErrBatchSize, -20},
	{engine.ErrSnapshot, -21},
	{engine.ErrWatcherClosed, -22},
	{storage.ErrLocked, -23},
	{engine.ErrCorrupt, -24},
	{engine.ErrFormatVersion, -25},
	{engine.ErrKey, -26},
	{engine.ErrReadOnly, -28}, // before ErrSpace, which may be why
	{engine.ErrDegraded, -27},
	{storage.ErrSpace, -27},
}

var (
	errHandle  = errors.New("wasm: no open store, watcher or stream has this handle")
	errRequest = errors.New("wasm: the request does not fit its encoding or the area")
	errBusy    = errors.New("wasm: another snapshot of the store is being read; read it to its end or close it")
)

// lastError is what ingot_error tells about.
var lastError error

// fail notes err and returns its code. Of a conflict, the registers tell the
// version found and the operation's index.
func fail(err error) int32 {
	lastError = err
	if conflict, ok := errors.AsType[*engine.ConflictError](err); ok {
		registers[0], registers[1] = conflict.Version, uint64(conflict.Index)
	}
	for _, known := range errorCodes {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	switch err {
	case errHandle:
		return codeHandle
	case errRequest:
		return codeRequest
	case errBusy:
		return codeBusy
	}
	return codeInternal
}

// failStorage is fail for calls that read or write files: what has no code of its
// own comes from there.
func failStorage(err error) int32 {
	if code := fail(err); code != codeInternal {
		return code
	}
	return codeStorage
}

// errorText writes the text of the last error at the start of the area, in
// UTF-8, and returns its length in bytes.
//
//go:wasmexport ingot_error
func errorText() int32 {
	if lastError == nil {
		return 0
	}
	return reply(append(area[:0], lastError.Error()...), 0)
}
