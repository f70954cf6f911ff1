// Package mcp is a server core for the Model Context Protocol: JSON-RPC 2.0
// messages in, tool calls run, answers out.
//
// A [Server] holds [Tool]s and their [Handler]s. [Server.ServeStdio] serves one
// connection of lines; an [Exchange] serves one frame for transports without a
// connection, of which package streamable has HTTP. One server speaks both eras of the protocol at once and
// tells them apart message by message: a request whose _meta carries a
// per-request protocol field is modern (2026-07-28) and served on its own; any
// other belongs to the legacy version that initialize agreed on (2024-11-05 to
// 2025-11-25).
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
//   - Tools only: no resources, prompts, completion, progress or tasks yet.
//   - A request's method without an id is a notification by JSON-RPC and is
//     never answered; it is logged and not run.
//   - JSON-RPC batches exist in version 2025-03-26 only; elsewhere an array is
//     answered with -32600.
//   - Where the id of a broken message cannot be read, the error has none: MCP's
//     schemas know no null id, unlike JSON-RPC 2.0 section 5.
//   - Answers may come in another order than the requests: inline tools do not
//     wait for those on workers.
//   - An inline tool holds up its connection while it runs and cannot be
//     cancelled.
//   - A handler that ignores its context keeps its worker until it returns.
package mcp
