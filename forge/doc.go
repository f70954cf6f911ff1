// Package forge makes an MCP server of a forge.yaml: native, cli, http, pipeline and
// wasm tools behind their middleware, resources, prompts, and state.
//
// The main type is [Project], a file that was opened. [Handle] registers Go functions
// for tools of the type native and for resources; [StateOf] is the state that one sees,
// [Content] what it may answer for a resource.
//
//	forge.Handle("greet::hello", func(ctx context.Context, in struct{ Name string }) (struct{ Text string }, error) { … })
//	project, err := forge.Open(ctx, "forge.yaml", forge.Options{})
//	if err != nil { … }
//	defer project.Close()
//	err = project.Server().ServeStdio(ctx, os.Stdin, os.Stdout)
//
// docs/CONFIG.md lists every key of the file.
//
// [Project.Reload] reads the file again and puts what it says into the place of what
// serves, in one step; [Options].WatchFiles does that at each change, and without it
// modules alone are replaced when their files change.
//
// Resources are served with what they support: clients are told of changes of files and
// keys, and write by the tool resource_write.
//
// # Caveats
//
// Middleware stands around tools, and not around the reading of resources, which has 30
// seconds.
//
// The redis backend of the state is not built yet: a file that asks for it is refused.
//
// The state, the server's name, version and description, and its transport and address
// are those of the start: [Diff].Restart says so where the file asks for others. Files
// that tools read themselves, such as programs, are not watched, and a key that a
// module is checked with is, where it stands in a file of its own.
//
// Functions that [Handle] registers belong to the process: a project with some of its own
// is served by the program that "ingot build" makes of it.
package forge
