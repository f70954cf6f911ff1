// Package forge makes an MCP server of a forge.yaml: native, cli, http, pipeline and
// wasm tools behind their middleware, prompts, and state.
//
// The main type is [Project], a file that was opened. [Handle] registers Go functions
// for tools of the type native.
//
//	forge.Handle("greet::hello", func(ctx context.Context, in struct{ Name string }) (struct{ Text string }, error) { … })
//	project, err := forge.Open(ctx, "forge.yaml", forge.Options{})
//	if err != nil { … }
//	defer project.Close()
//	err = project.Server().ServeStdio(ctx, os.Stdin, os.Stdout)
//
// docs/CONFIG.md lists every key of the file.
//
// # Caveats
//
// Resources, hot reload of the file itself, and "ingot dev", "test" and "call" are
// not built yet: a file with resources is refused. Wasm modules are replaced when
// their files change.
package forge
