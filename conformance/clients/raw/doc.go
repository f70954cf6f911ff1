// Package raw drives the built mcp-stdio frame by frame, without an SDK
// between: both eras of the protocol, each answer checked against that era's
// JSON Schema, and the inputs that a server has to survive. It holds tests only.
//
//	go -C conformance/clients test ./raw
//
// # Caveats
//
// The schemas are the published ones, read from mcp/testdata/schema. They
// allow members that they do not name, so the tests also say which must be there.
package raw
