// Package web is the page of ingot and its HTTP handler: plain ES modules,
// embedded in the binary, with no build step and nothing loaded from elsewhere.
//
// The page has two panes. "This tab" is an engine that runs in the page as
// WebAssembly; "Connected server" is the state of the server that served the
// page, read and written over MCP by the page itself. Handler serves the page
// at /, the npm package's modules under /js/, and /info.json, which tells the
// page what it runs on. The MCP endpoint is the caller's.
//
// # Caveats
//
//   - Only requests whose Host is a loopback name or address, or one that is
//     allowed, are answered, so that a foreign site cannot reach the page by DNS
//     rebinding.
//   - The files themselves are for everybody. What is behind the endpoint is the
//     endpoint's to guard: the page asks its user for a token, and keeps it in the
//     tab's session storage, which ends with the tab.
//   - All files are read once, when Handler is called. Files of other kinds
//     than a page needs (see contentTypes) are not served.
package web
