// Package httpguard decides which HTTP requests reach an MCP server. It knows
// HTTP only, and has no dependencies.
//
// A [Gate] lets in requests for names that are ours, from pages that may call
// us; the transports have one each. [Principal] is who a request is from, as
// whatever authenticated it has left it in the request's context
// ([WithPrincipal]).
//
//	gate := httpguard.NewGate([]string{"mcp.example"}, nil)
//	status, problem := gate.Check(request)
//
// # Caveats
//
// There is no authentication here.
package httpguard
