// Package js carries the browser modules of the npm package ingot-state, and
// engine.wasm beside them, so that a Go program can serve them without files of
// its own:
//
//	http.Handle("/ingot/", http.StripPrefix("/ingot/", http.FileServerFS(js.Files())))
//
// A page then imports "/ingot/index.js", which fetches "/ingot/dist/engine.wasm".
//
// # Caveats
//
// dist/engine.wasm is built by `make wasm`. A program that is built before it
// lacks the file: HasEngine tells.
package js

import (
	"embed"
	"io/fs"
)

//go:embed *.js persist/*.js tools/*.js mcp/*.js worker/*.js *.d.ts all:dist
var files embed.FS

// Files is the file tree of the package: index.js and its modules, tools/, mcp/, their
// types, dist/engine.wasm, and dist/mcp.wasm for mcp/.
func Files() fs.FS { return files }

// HasEngine reports whether dist/engine.wasm was there when this program was
// built.
func HasEngine() bool {
	_, err := fs.Stat(files, "dist/engine.wasm")
	return err == nil
}
