package message

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// taken are the types that verb.append takes.
var taken = map[string]bool{
	"string": true, "error": true, "int": true, "int64": true, "uint64": true, "uint32": true, "uint16": true, "byte": true, "uint8": true,
}

// Every argument that the engine puts into a text is of a type that is taken. What hands
// its arguments on, as []any, is looked at where it is called.
func TestCallersGiveWhatIsTaken(t *testing.T) {
	fset := token.NewFileSet()
	packages := importer.ForCompiler(fset, "source", nil)
	for _, dir := range []string{"../../engine", "../../engine/storage"} {
		listed, err := build.ImportDir(dir, 0)
		require.NoError(t, err)
		var files []*ast.File
		for _, name := range listed.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, 0)
			require.NoError(t, err)
			files = append(files, f)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		_, err = (&types.Config{Importer: packages}).Check(dir, fset, files, info)
		require.NoError(t, err)
		for _, f := range files {
			for call := range ast.Preorder(f) {
				if c, ok := call.(*ast.CallExpr); ok && c.Ellipsis == token.NoPos {
					checkArguments(t, fset, info, c)
				}
			}
		}
	}
}

func checkArguments(t *testing.T, fset *token.FileSet, info *types.Info, c *ast.CallExpr) {
	signature, ok := info.Types[c.Fun].Type.(*types.Signature)
	if !ok || !signature.Variadic() {
		return
	}
	fixed := signature.Params().Len() - 1
	if signature.Params().At(fixed).Type().String() != "[]any" {
		return
	}
	if called, ok := c.Fun.(*ast.SelectorExpr); ok {
		if x, ok := called.X.(*ast.Ident); ok && x.Name == "fmt" {
			return
		}
	}
	for _, arg := range c.Args[fixed:] {
		name := types.Default(info.Types[arg].Type).String()
		if !taken[name] {
			t.Errorf("%s: an argument of type %s: convert it to one that package message takes", fset.Position(arg.Pos()), name)
		}
	}
}
