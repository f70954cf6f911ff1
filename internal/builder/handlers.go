package builder

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/yamlfile"
)

// modulePath is ingot's own, and forgePath the package whose Handle registers functions.
const (
	modulePath = "github.com/ingot-run/ingot"
	forgePath  = modulePath + "/forge"
)

// filesMax bounds how many files of a project are looked at, or carried.
const filesMax = 10_000

// handlers are the functions that a project's Go files register.
type handlers struct {
	packages map[string]bool // folders below the project's, with slashes; "." is itself
	names    []string
	dynamic  bool // some name is no plain text
}

// findHandlers reads the Go files below dir: not those of tests, of other modules, and
// of other platforms.
func findHandlers(dir string) (*handlers, error) {
	h := &handlers{packages: map[string]bool{}}
	fset, seen := token.NewFileSet(), 0
	target := build.Default // follows GOOS and GOARCH, as the go command does
	target.CgoEnabled = false
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != dir && passedOver(path, entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		if seen++; seen > filesMax {
			return fmt.Errorf("%s has more than %d Go files", dir, filesMax)
		}
		if ok, err := target.MatchFile(filepath.Dir(path), entry.Name()); err != nil || !ok {
			return err
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(dir, filepath.Dir(path))
		if err != nil {
			return err
		}
		return h.read(fset, file, filepath.ToSlash(folder))
	})
	slices.Sort(h.names)
	return h, err
}

// passedOver says that a folder has no packages of the project.
func passedOver(path, name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "vendor" || name == "node_modules" {
		return true
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil // another module: a guest's, for one
}

// read notes what one file registers.
func (h *handlers) read(fset *token.FileSet, file *ast.File, folder string) error {
	local := forgeName(file)
	if local == "" {
		return nil
	}
	var err error
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !registers(call.Fun, local) {
			return true
		}
		if file.Name.Name == "main" {
			err = fmt.Errorf("%s: forge.Handle is called in package main, which no program can import: put the function into a package of another name, as handlers/", fset.Position(call.Pos()))
			return false
		}
		h.packages[folder] = true
		name, plain := "", false
		if len(call.Args) > 0 {
			name, plain = plainText(call.Args[0])
		}
		if plain {
			h.names = append(h.names, name)
		} else {
			h.dynamic = true
		}
		return true
	})
	return err
}

// forgeName is what a file calls package forge; empty: it does not import it.
func forgeName(file *ast.File) string {
	for _, i := range file.Imports {
		switch path, err := strconv.Unquote(i.Path.Value); {
		case err != nil || path != forgePath:
		case i.Name != nil:
			return i.Name.Name
		default:
			return "forge"
		}
	}
	return ""
}

// registers says whether a called expression is forge.Handle, with or without its types.
func registers(called ast.Expr, local string) bool {
	switch e := called.(type) {
	case *ast.IndexExpr:
		return registers(e.X, local)
	case *ast.IndexListExpr:
		return registers(e.X, local)
	case *ast.Ident:
		return local == "." && strings.HasPrefix(e.Name, "Handle")
	case *ast.SelectorExpr:
		x, ok := e.X.(*ast.Ident)
		return ok && x.Name == local && strings.HasPrefix(e.Sel.Name, "Handle")
	}
	return false
}

// plainText is the value of a text in the source.
func plainText(e ast.Expr) (string, bool) {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}

// check finds handlers that the file names and nobody registers.
func (h *handlers) check(c *config.Config) error {
	known := slices.Sorted(maps.Keys(h.all()))
	var errs []error
	need := func(what, path string, at config.Pos) {
		if _, ok := slices.BinarySearch(known, path); path != "" && !ok && !h.dynamic {
			errs = append(errs, fmt.Errorf("%s: %s: no Go file of the project registers %q%s", at, what, path, meant(path, known, h.names)))
		}
	}
	for i := range c.Tools {
		if t := &c.Tools[i]; t.Native != nil {
			need("tool "+t.Name, t.Native.Path, t.At("handler"))
		}
	}
	for i := range c.Resources {
		if r := &c.Resources[i]; r.Handler != nil {
			need("resource "+r.URITemplate, r.Handler.Path, r.At("handler"))
		}
	}
	return errors.Join(errs...)
}

// all are the names that the program will know.
func (h *handlers) all() map[string]bool {
	all := map[string]bool{}
	for _, name := range append(forge.Handlers(), h.names...) {
		all[name] = true
	}
	return all
}

// meant guesses the name, or lists what there is.
func meant(path string, known, own []string) string {
	if guess := yamlfile.Closest(path, known); guess != "" {
		return fmt.Sprintf(": did you mean %q?", guess)
	}
	if len(own) == 0 {
		return ": call forge.Handle with that name in a package of the project"
	}
	return "; it registers " + strings.Join(own, ", ")
}
