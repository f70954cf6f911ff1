// Package statetools serves state over MCP: as tools (state_get, state_set,
// state_delete, state_exists, state_list, state_increment, state_compare_and_swap,
// state_batch_get, state_batch_set and state_wait), as resources (each key is one,
// state:///{+key}), and as the place where a server keeps its tasks.
//
// Register and RegisterResources add them to a server, NewTasks is for its options:
//
//	server := mcp.NewServer(mcp.Options{Name: "state", Version: "1", Tasks: statetools.NewTasks(m)})
//	statetools.Register(server, state.Public(m))
//	statetools.RegisterResources(server, state.Public(m), statetools.ResourceOptions{})
//
// Values are text, or bytes in value_base64 when they are not valid UTF-8. Every
// answer of a tool is a JSON object, as structured content and as text.
//
// # Caveats
//
//   - A precondition that does not hold is an answer ("stored": false and the
//     version found), not an error, since a caller expects it and goes on.
//   - Versions and counters are JSON numbers: beyond 2^53 a client that keeps
//     numbers as doubles loses digits.
//   - The list of resources is that of the keys, and it changes with every key that
//     comes or goes: clients are not told of that, only of changes of the entries
//     that they listen to. While one does, all writes cost a little more.
//   - A client that writes a URI in another way than this package lists it, RFC 6570
//     expands it or a strict encoder makes it can read it, and hears of no changes.
//   - An entry that ends is told of when its bytes are freed, which is up to a
//     second later where the owner of the store ticks once a second.
package statetools
