// Package statetools serves a store as MCP tools: state_get, state_set,
// state_delete, state_exists, state_list, state_increment,
// state_compare_and_swap, state_batch_get and state_batch_set.
//
// Register adds them to a server:
//
//	server := mcp.NewServer(mcp.Options{Name: "state", Version: "1"})
//	statetools.Register(server, store)
//
// Values are text, or bytes in value_base64 when they are not valid UTF-8.
// Every answer is a JSON object, as structured content and as text.
//
// # Caveats
//
// A precondition that does not hold is an answer ("stored": false and the
// version found), not an error, since a caller expects it and goes on. Versions
// and counters are JSON numbers: beyond 2^53 a client that keeps numbers as
// doubles loses digits.
package statetools
