package mcp

import "bytes"

// client is what a client says of itself, in initialize or in a request's
// _meta. It is never changed.
type client struct {
	version string // the protocol version to serve it by
	can     ability
	info    []byte // clientInfo as sent, or nil
}

// ability is a set of things that a client can do for a server.
type ability uint16

const (
	canElicit ability = 1 << iota // by a form
	canElicitURL
	canSample
	canSampleTools
	canRoots
	canTasks
)

// unknownClient is a client that has not said anything yet.
var unknownClient = &client{}

// newClient reads a scanned capabilities object and clientInfo; either may be
// nil. Nothing of them points into the frame afterwards.
func newClient(version string, capabilities, info []byte) *client {
	c := &client{version: version, info: bytes.Clone(info)}
	for name, value := range membersOf(capabilities) {
		switch name {
		case "elicitation":
			c.can |= elicitation(value)
		case "sampling":
			c.can |= canSample
			for inner := range membersOf(value) {
				if inner == "tools" {
					c.can |= canSampleTools
				}
			}
		case "roots":
			c.can |= canRoots
		case "extensions":
			for inner := range membersOf(value) {
				if inner == extensionTasks {
					c.can |= canTasks
				}
			}
		}
	}
	return c
}

// elicitation reads the modes: an empty object means forms only
// (client/elicitation, "Capabilities").
func elicitation(value []byte) (can ability) {
	modes := 0
	for mode := range membersOf(value) {
		modes++
		switch mode {
		case "form":
			can |= canElicit
		case "url":
			can |= canElicitURL
		}
	}
	if modes == 0 {
		return canElicit
	}
	return can
}

// extensionTasks names the tasks extension (SEP-2663).
const extensionTasks = metaPrefix + "tasks"

// membersOf yields the members of raw, a scanned value; none unless it is an
// object. It is kept out of line: ten copies of the scan would be 15 KB of wasm.
//
//go:noinline
func membersOf(raw []byte) func(yield func(name string, value []byte) bool) {
	return func(yield func(string, []byte) bool) {
		if len(raw) == 0 || raw[0] != '{' {
			return
		}
		s := borrowScanner(len(raw))
		defer s.giveBack()
		s.scan(raw)
		for _, m := range s.top {
			if !yield(string(s.at(m.name)), s.at(m.value)) {
				return
			}
		}
	}
}
