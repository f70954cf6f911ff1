// Package harness is what the Go clients of this module share: the built
// server, and the table of calls that every client (Go and Node) makes.
//
// The table is calls.json. A script is a list of calls for one fresh server;
// each has the structured content it must answer with, in which
//
//   - "$name" matches any value the first time and the same value from then on.
//     A number bound this way is a version of the store, and must be greater
//     than every number bound before it. In arguments it stands for the value;
//   - "$50..60" matches a whole number from 50 to 60.
//
// A mistake is a call that must come back with isError and a text that holds
// the word in "names". A step that is "alone" needs no step before it: it may
// be made on a server of its own.
//
//	func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
//
//	table := harness.LoadTable(t)
//	server := exec.Command(harness.Binary(t), "--memory")
//
// # Caveats
//
// The server is the built mcp-stdio. INGOT_MCP_STDIO names one to use;
// without it one is built into a temporary directory, once per test binary.
package harness
