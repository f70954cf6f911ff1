// Package gosdk drives the built mcp-stdio with the client of the official Go
// SDK. It holds tests only; the calls they make are harness.Table.
//
//	go -C conformance/clients test ./gosdk
//
// # Caveats
//
// The SDK asks for 2026-07-28 by default and falls back to 2025-11-25 without
// a word, so each test names its version and checks what was agreed on.
package gosdk
