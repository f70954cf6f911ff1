package grants

import (
	"github.com/ingot-run/ingot/internal/yamlfile"
)

// Options say how a file is read. The zero value works.
type Options = yamlfile.Options

// Problems are all that is wrong with a file, in its order: at least one.
type Problems = yamlfile.Problems

// File is a file that was read.
type File struct {
	// Tools are the entries of type wasm, in the file's order.
	Tools []Tool
	// Others are the names of tools of other types.
	Others []string
}

// Read reads a file. What is wrong in it is a [*Problems].
func Read(name string, o Options) (*File, error) {
	text, err := yamlfile.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, text, o)
}

// Parse reads the text of a file called name; relative paths in it are relative
// to name's folder. What is wrong in it is a [*Problems].
func Parse(name string, text []byte, o Options) (*File, error) {
	set := yamlfile.NewSet(o)
	r := reader{set.Reader(name)}
	file := &File{}
	if root := r.Document(text, "a list of tools, as tools: [{type: wasm, module: tool.wasm}]"); root != nil {
		r.top(root, file)
	}
	if err := set.Err(); err != nil {
		return nil, err
	}
	return file, nil
}

// Entry reads one entry of type wasm, which may have other keys beside those of this
// package. Its problems are noted in the reader's set.
func Entry(r *yamlfile.Reader, n *yamlfile.Node, p *yamlfile.Place, others []yamlfile.Key) Tool {
	return reader{r}.tool(n, p, others)
}

// reader reads grants.
type reader struct{ *yamlfile.Reader }

// key is one member that an object may have.
type key struct {
	name     string
	required bool
	read     func(*yamlfile.Node)
}

// object reads a mapping by its keys. what names it in errors, as "a file grant".
func (r reader) object(n *yamlfile.Node, what string, keys []key) {
	r.Object(n, what, nil, exported(keys))
}

func exported(keys []key) []yamlfile.Key {
	all := make([]yamlfile.Key, len(keys))
	for i, k := range keys {
		all[i] = yamlfile.Key{Name: k.name, Required: k.required, Read: k.read}
	}
	return all
}
