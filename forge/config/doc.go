// Package config reads forge.yaml: what a server is called, its tools, resources and
// prompts, its state, and how it bears faults.
//
// The main types are [Config], which [Load] returns, [Tool] and its kinds, and
// [Param]. Whatever is wrong with a file and those that it includes comes back at
// once, each with its place.
//
//	c, err := config.Load("forge.yaml", config.Options{})
//	if err != nil { … } // a *yamlfile.Problems: FILE:LINE:COLUMN: MESSAGE, by lines
//	for _, tool := range c.Tools {
//		…
//	}
//
// docs/CONFIG.md lists every key.
//
// # Caveats
//
// Templates and variables of the environment are two things: "${NAME}" is put in
// when the file is loaded, "{{name}}" when a tool is called.
package config
