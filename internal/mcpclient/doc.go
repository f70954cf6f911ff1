// Package mcpclient is a client of MCP servers for ingot's own commands: of a server in
// this process, or of one at a URL over streamable HTTP.
//
// The main type is [Client]; [InProcess] and [Dial] make one.
//
//	client, err := mcpclient.Dial(ctx, "http://127.0.0.1:7070/mcp", mcpclient.HTTPOptions{})
//	if err != nil { … }
//	defer client.Close()
//	result, err := client.CallTool(ctx, "state_get", json.RawMessage(`{"key":"a"}`), nil)
//
// It begins as a client of the legacy era (initialize, 2025-11-25 and before), which all
// servers speak today, and goes on as one of 2026-07-28 where a server refuses that.
// What a server sends is a stranger's: messages, pages and streams are bounded.
//
// # Caveats
//
//   - It has no capabilities: a tool that wants to ask its user, its model or for
//     directories is refused by the server, or its question ends the call.
//   - Tools that run as tasks only are refused by their servers.
//   - Of a server that speaks 2026-07-28 alone nothing can be listened to.
//   - Redirects are not followed: a token would go where nobody sent it.
package mcpclient
