package main

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/ingot-run/ingot/internal/statetools"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/seal"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/wasm/mcp/hoststate"
)

// options are what mcp_start is given, as a JSON object. What is left out is the
// default of mcp.Options.
type options struct {
	Name            string `json:"name,omitzero"`
	Title           string `json:"title,omitzero"`
	Version         string `json:"version,omitzero"`
	Instructions    string `json:"instructions,omitzero"`
	Prefix          string `json:"prefix,omitzero"`
	ReadOnly        bool   `json:"readOnly,omitzero"`
	MaxMessageBytes int    `json:"maxMessageBytes,omitzero"`
	MaxInFlight     int    `json:"maxInFlight,omitzero"`
}

var (
	server  *mcp.Server
	manager *hoststate.Manager
)

// start makes the server. Request: options.
//
//go:wasmexport mcp_start
func start(optionsBytes uint32) int32 {
	if int(optionsBytes) > len(area) || server != nil {
		return fail(errors.New("mcp: the options are longer than the area, or it has started already"))
	}
	var o options
	if err := mcp.DecodeArguments(area[:optionsBytes], &o); err != nil {
		return fail(err)
	}
	m := hoststate.New(host{}, o.ReadOnly)
	visible, err := part(m, o)
	if err != nil {
		return fail(err)
	}
	s := mcp.NewServer(mcp.Options{
		Name: o.Name, Title: o.Title, Version: o.Version, Instructions: o.Instructions,
		MaxMessageBytes: o.MaxMessageBytes, MaxInFlight: o.MaxInFlight,
		Logger: hostLogger{}, Sealer: seal.New(nil),
	})
	statetools.Register(s, visible)
	statetools.RegisterResources(s, visible, statetools.ResourceOptions{Logger: hostLogger{}})
	if o.ReadOnly {
		s.RemoveTool(writers...)
	}
	server, manager = s, m
	return 0
}

// writers are the tools that a server which is readOnly does not offer.
var writers = []string{"state_set", "state_delete", "state_increment", "state_compare_and_swap", "state_batch_set"}

// part is what clients see of the store.
func part(m state.Manager, o options) (state.Manager, error) {
	m = state.Public(m)
	if o.Prefix == "" {
		return m, nil
	}
	return state.Scope(m, state.Namespace{Prefix: o.Prefix, BudgetKept: true})
}

// changed says that the store may have changed.
//
//go:wasmexport mcp_changed
func changed() { manager.Changed() }

// hostLogger is the log: one line of text a message.
type hostLogger struct{}

var _ mcp.Logger = hostLogger{}

// The levels of hostLog.
const (
	levelDebug = 0
	levelWarn  = 2
	levelError = 3
)

// DebugContext implements mcp.Logger.
func (hostLogger) DebugContext(_ context.Context, message string, args ...any) {
	writeLog(levelDebug, message, args)
}

// WarnContext implements mcp.Logger.
func (hostLogger) WarnContext(_ context.Context, message string, args ...any) {
	writeLog(levelWarn, message, args)
}

// ErrorContext implements mcp.Logger.
func (hostLogger) ErrorContext(_ context.Context, message string, args ...any) {
	writeLog(levelError, message, args)
}

// writeLog writes a message and the pairs of name and value that follow it.
func writeLog(level uint32, message string, args []any) {
	line := []byte(message)
	for i := 0; i+1 < len(args); i += 2 {
		line = fmt.Appendf(line, " %v=%v", args[i], args[i+1])
	}
	hostLog(level, unsafe.Pointer(unsafe.SliceData(line)), uint32(len(line)))
}
