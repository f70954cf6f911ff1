// Package wasmtools serves modules of WebAssembly over MCP: it finds their files,
// keeps them loaded in the sandbox, and puts their tools, resources and prompts
// into a server. A module whose file changes is replaced while the server runs,
// and no call is lost.
//
// The main types are [Origin], where modules come from (a file, a folder, an OCI
// image layout, the entries of a forge.yaml), [Shelf], which holds those that are
// served and replaces one after the other, and [Set], for who replaces all that it
// serves at once.
//
//	origin, err := wasmtools.Open("tools", sandbox.Policy{})
//	if err != nil { … }
//	shelf := wasmtools.New(wasmtools.Options{Host: host, Server: server, Origins: []wasmtools.Origin{origin}})
//	if err := shelf.Load(ctx); err != nil { … }
//	go shelf.Watch(ctx, time.Second)
//
// # Caveats
//
// Changes are found by looking at the files' times and sizes every so often. A
// writer that renames a finished file into place is never seen halfway; one that
// writes in place may be, and then the module before it serves on until the file
// is whole.
//
// Resources and prompts of a module are those that it lists when it is loaded.
package wasmtools
