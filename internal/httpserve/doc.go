// Package httpserve serves an MCP server over HTTP as the commands do it: flags that
// say who may come in, a listener that holds to them, and all transports behind it.
//
// The main types are [Flags], part of a command line, and [Door], an address that is
// listened on.
//
//	door, err := flags.Open("--listen", "127.0.0.1:7070", logger)
//	if err != nil { … }
//	defer door.Close()
//	err = door.Serve(ctx, server, nil) // until ctx ends and what is in flight is answered
//
// MCP is at /mcp (streamable HTTP, both eras), /sse (HTTP+SSE, for clients of
// 2024-11-05) and /ws (WebSocket). What a server tells about
// itself ([Door.Tell]) is for the same clients. /healthz and /readyz are for everybody who
// can connect, as load balancers have no token; only the clients hear more than "ok" or
// "unavailable" (see [Door.Checks] and package health).
//
// # Caveats
//
// An address that other machines can reach is refused without a token, OAuth or
// an explicit word that everybody may come in.
package httpserve
