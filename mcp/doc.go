// Package mcp is a server core for the Model Context Protocol: JSON-RPC 2.0
// messages in, tool calls run, answers out.
//
// A [Server] holds [Tool]s, [Resource]s, [ResourceTemplate]s and [Prompt]s with
// their handlers; they may come and go while it serves ([Server.Update]), and
// clients hear of it. [Server.ServeStdio] serves one connection of lines. One server speaks both eras of the protocol at once and
// tells them apart message by message: a request whose _meta carries a
// per-request protocol field is modern (2026-07-28) and served on its own; any
// other belongs to the legacy version that initialize agreed on (2024-11-05 to
// 2025-11-25).
//
// # Calls
//
// A handler's context ends when the client cancels the call or goes away, or at
// the tool's Timeout. Its request has a [Call], by which it reports progress,
// logs to the client and asks it: the user (Elicit), the model (Sample), or for
// its directories (Roots). It is written once for both eras; see [Call.Ask] for
// what that takes.
//
// # Transports
//
// What goes to a client goes through a [Stream], which a transport implements.
// One that carries messages both ways (a WebSocket, an in-memory pair, HTTP with
// SSE) makes a [Conn] by [Server.Connect] and gives it what comes in. One whose
// messages come one by one (streamable HTTP) makes an [Exchange] of each, with a
// Stream for what belongs to that request, and a [Session] per session id for
// clients of the legacy era; package streamable is that.
//
// # Strictness
//
// A message is scanned once, before anything acts on it. Member names are
// case-sensitive ("METHOD" is refused, not run), a name may occur once in an
// object, strings must be UTF-8, nesting and length are bounded. What fails is
// answered with -32700 or -32600 and the connection goes on.
//
// # Caveats
//
//   - Tasks are those of the extension io.modelcontextprotocol/tasks, and, for clients
//     of version 2025-11-25, the experimental ones of that version, of which a session
//     lists its own only. Requests to clients do not become tasks.
//   - A server whose tools make tasks has to be closed ([Server.Close]): tasks go
//     on when the connection that began them has ended.
//   - A request's method without an id is a notification by JSON-RPC and is
//     never answered; it is logged and not run.
//   - JSON-RPC batches exist in version 2025-03-26 only; elsewhere an array is
//     answered with -32600.
//   - Where the id of a broken message cannot be read, the error has none: MCP's
//     schemas know no null id, unlike JSON-RPC 2.0 section 5.
//   - Answers may come in another order than the requests: inline tools do not
//     wait for those on workers.
//   - An inline tool holds up its connection while it runs, cannot be
//     cancelled and cannot ask a legacy client.
//   - A handler that ignores its context keeps its worker until it returns.
//   - A modern client may come back twice with the same answers: what must happen
//     once, a handler has to see to itself.
//   - URI templates are matched up to level 3 of RFC 6570; what a variable holds
//     comes from the client, and may be "..".
//   - Telling of a change looks at each listener, under the server's mutex.
package mcp
