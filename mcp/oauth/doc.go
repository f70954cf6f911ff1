// Package oauth makes an MCP server a resource server of OAuth 2.1: it lets in
// who brings an access token of one authorization server, and tells clients where
// to get one (MCP 2026-07-28 and 2025-11-25, basic/authorization).
//
// [New] makes a [Server], which is an authenticator of package httpguard. Tokens
// are JWTs (RFC 9068). Their keys come from the issuer's own metadata (RFC 8414 or
// OpenID Connect Discovery). A client without a token finds the issuer by the
// document that [Server.Metadata] serves (RFC 9728).
//
//	access, err := oauth.New(oauth.Options{
//		Issuer:   "https://login.example",
//		Audience: "https://mcp.example/mcp",
//		Scopes:   []string{"mcp"},
//	})
//	mux.Handle("/mcp", httpguard.Require(access, handler))
//	for _, path := range access.MetadataPaths() {
//		mux.Handle(path, access.Metadata())
//	}
//
// A handler asks [TokenOf] who is calling, and [Allow] whether the token has what
// it needs. Where it has not, the client is told by a 403 which scopes to ask for
// (as long as the answer is not a stream that has begun).
//
// # Caveats
//
//   - A token that was revoked is good until it expires: nothing asks the issuer
//     about it (no introspection). Short lifetimes are the remedy.
//   - Tokens bound to a key (DPoP, mutual TLS) are refused: the binding is not
//     checked here.
//   - Over HTTP+SSE and WebSocket the token that opened the stream counts for all
//     its messages. A stream ends when its token expires.
//   - The first request after the start waits for the keys.
package oauth
