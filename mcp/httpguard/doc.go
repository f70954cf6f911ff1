// Package httpguard decides which HTTP requests reach an MCP server, and what
// they may cost. It knows HTTP only, and has no dependencies.
//
// A [Gate] lets in requests for names that are ours, from pages that may call
// us; the transports have one each. [Require] puts an [Authenticator] in front
// of a handler: [Tokens] is one, package oauth has another. [LimitRate] bounds
// the requests of one client, [Limit] the connections, [NewServer] what a
// connection may take, and [SelfSigned] makes a certificate for development.
//
//	tokens, err := httpguard.ReadTokens("/etc/ingot/token")
//	handler = httpguard.Require(tokens, handler)
//	handler = httpguard.LimitRate(handler, httpguard.Rate{PerSecond: 50, Burst: 200})
//	server := httpguard.NewServer(handler, logger)
//
// # Caveats
//
//   - A client is the address of its connection, unless that is one of [Proxies],
//     which is then to write the header it is configured with: a header that the
//     proxy only passes on is the client's own word.
//   - A token is as good as the way it travels. Off loopback use TLS.
package httpguard
