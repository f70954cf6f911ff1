// Command mcp is the MCP core as a WebAssembly module: a WASI preview 1 reactor that
// JavaScript loads as mcp.wasm, beside engine.wasm. It serves a store that another
// instance keeps: frames go in and out, and what the tools do to the state goes to
// the host (package hoststate). Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" \
//	    -o js/dist/mcp.wasm ./wasm/mcp
//
// Built for anything else it is a program that prints how to build it.
//
// docs/ABI.md, section "mcp.wasm", specifies imports and exports. An instance is one
// server with any number of connections:
//
//	x.mcp_start(options.length);
//	const c = x.mcp_connect();
//	x.mcp_receive(c, frame.length); // taken, not yet served
//	x.mcp_run();                    // serves; answers come by the import send
//
// # Caveats
//
// Nothing runs between calls. mcp_run serves what there is to do and returns when
// each goroutine waits: for the host, or for a time that the host's poll_oneoff is
// told. The host calls it again after each call that gives it something to do, and
// at that time. No other export but mcp_run does any work, and none may be called
// from an import.
package main
