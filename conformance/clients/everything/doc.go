// Package everything tries MCP clients on examples/everything: each SDK's client
// and the inspector's command line, in both eras, over stdio and streamable HTTP,
// and over HTTP+SSE and WebSocket where the client can. It holds tests only.
//
//	go -C conformance/clients test ./everything -v
//
// Each client takes the same steps: connect, list, call, read, get, complete,
// progress, ask (the server asks the user), subscribe, cancel and close. The test
// prints a table, a row for each client, era and transport.
//
// The Go SDK's client runs in the test. Those of other languages are drivers: programs
// run as
//
//	DRIVER stdio|http|sse|websocket legacy|modern PATH|URL
//
// that print a line of JSON for each step, {"step":"call","error":null}, with
// what went wrong in error.
//
// # Caveats
//
// The Node drivers need the packages of ../node, and the Python driver those of
// ../python/requirements.txt; make clients-deps installs both, the latter in
// .cache/clients-venv. Without Node or Python a client's test is skipped, and fails
// when the environment variable CI is set.
package everything
