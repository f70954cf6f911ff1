// Package builder compiles projects: a folder with a forge.yaml becomes one static
// program that carries what the file names ([Project]), a folder with the source of a
// tool becomes a WebAssembly module ([Guest]).
//
//	built, err := builder.Project(ctx, "shop", builder.Options{})
//	if err != nil { … }
//	fmt.Println(built.Path, built.Bytes)
//
// A project's Go functions are found in its source: every package below the folder, with
// a name other than main, that calls forge.Handle. The generated main package imports
// them; it lives in an overlay of the go command, so that nothing is written into the
// project but the program.
//
// # Caveats
//
// It runs compilers, which it does not bring: an error says what to install. Only names
// that stand in forge.Handle as plain texts can be held against the file; where a project
// makes up names while it runs, the program itself finds out at its start.
package builder
