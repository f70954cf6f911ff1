// Package web is the page of ingot and its HTTP handler: plain ES modules,
// embedded in the binary, with no build step and nothing loaded from elsewhere.
//
// The page has four views. State is two panes over the same code: "This tab" is an
// engine that runs in the page as WebAssembly; "Connected server" is the state of the
// server that served the page, read and written over MCP by the page itself. Tools
// calls what the server offers. Traffic draws what it tells at /status. Local has a
// store that the browser keeps and its tabs share, runs WebAssembly tools in the tab,
// and measures it. Handler serves the page at /, the npm package's modules under /js/,
// and /info.json, which tells the page what it runs on. The MCP endpoint is the caller's.
//
// # Caveats
//
//   - Only requests whose Host is a loopback name or address, or one that is
//     allowed, are answered, so that a foreign site cannot reach the page by DNS
//     rebinding.
//   - The files themselves are for everybody. What is behind the endpoint is the
//     endpoint's to guard: the page asks its user for a token, and keeps it in the
//     tab's session storage, which ends with the tab.
//   - No tool tells of changes by prefix: the page reads the server's keys anew while
//     it is looked at, 4,000 of them unless asked for more, and its history of them is
//     what two readings differ in. Several changes of a key in between are one.
//   - No tool sets the time to live alone: the page stores the same value anew, at the
//     version that it has read.
//   - A browser keeps stores for loopback addresses and over HTTPS only.
//   - All files are read once, when Handler is called. Files of other kinds
//     than a page needs (see contentTypes) are not served.
package web
