// Package guests tests tools in every language of the guest SDKs as their users meet
// them: begun by ingot new, compiled by ingot build, passed by ingot guest test, served
// by wasm-host, and called by the client of the official Go SDK.
//
// It has tests only; run them with
//
//	go test ./guests
//
// # Caveats
//
// A language whose compiler is missing is skipped, unless INGOT_GUESTS_REQUIRE names it
// (go, c, rust, as): then it fails. AssemblyScript's compiler is looked for in PATH,
// in guest/examples/as-count, and where the sandbox's own tests keep it.
package guests
