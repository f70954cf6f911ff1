// Package netguard sends HTTP requests that somebody else thought up, to the
// hosts that were granted and to no others: the defence against server-side
// request forgery of the sandbox and of the http tools.
//
// The main types are [Rule], a host with the methods that may be used on it, and
// [Guard], an HTTP client that follows a set of rules. What it refuses is a
// [*DeniedError].
//
//	guard, err := netguard.New([]netguard.Rule{{Host: "api.example.org"}}, netguard.Options{})
//	if err != nil { … }
//	defer guard.Close()
//	response, err := guard.Do(request)
//
// # What is checked, and when
//
//   - Scheme, host, port and method against the rules: of the request, and of each
//     redirect before it is followed.
//   - The address: at the moment of connecting, on the number that is connected to.
//     What a name resolved to earlier plays no part, so a name that changes its
//     address (DNS rebinding) gains nothing. Only public unicast addresses pass,
//     whatever way they are written; addresses of this machine and of private
//     networks pass with Rule.Private; link-local addresses, where clouds keep
//     their credentials, only if the rule's host is that very number.
//   - A redirect to another origin loses the headers that may hold secrets, and one
//     from https to http is not followed.
//
// Proxies of the environment are not used, cookies are not kept, and bodies are
// not decompressed.
//
// # Caveats
//
// The response's body is not bounded here: read it through a limit.
//
// A public address may still lead home: a router can forward its own public
// address to the inside, and a granted host can be a proxy.
package netguard
