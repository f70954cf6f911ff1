package grants

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// fileBytesMax bounds a file: a thousand tools take a tenth of it.
const fileBytesMax = 4 << 20

// Options say how a file is read. The zero value works.
type Options struct {
	// LookupEnv finds environment variables; nil: os.LookupEnv.
	LookupEnv func(name string) (value string, found bool)
}

// File is a file that was read.
type File struct {
	// Tools are the entries of type wasm, in the file's order.
	Tools []Tool
	// Others are the names of tools of other types.
	Others []string
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	// Line and Column count from 1; 0 when the problem has no place.
	Line, Column int
	// Message says what is wrong and how to mend it.
	Message string
}

// Problems are all that is wrong with a file, in its order: at least one.
type Problems struct {
	// File is the file's name.
	File string
	List []Problem
}

// Error is a line for each problem, FILE:LINE:COLUMN: MESSAGE.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, x := range p.List {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", p.File, x.Line, x.Column, x.Message)
	}
	return strings.Join(lines, "\n")
}

// Read reads a file. What is wrong in it is a [*Problems].
func Read(name string, o Options) (*File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > fileBytesMax {
		return nil, fmt.Errorf("%s has %d bytes, and a file of tools at most %d", name, info.Size(), fileBytesMax)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, text, o)
}

// Parse reads the text of a file called name; relative paths in it are relative
// to name's folder. What is wrong in it is a [*Problems].
func Parse(name string, text []byte, o Options) (*File, error) {
	r := newReader(filepath.Dir(name), o)
	file := &File{}
	if root := r.document(text); root != nil {
		r.top(root, file)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &Problems{name, r.problems}
	}
	return file, nil
}

// reader goes through the nodes of a file and gathers problems.
type reader struct {
	dir      string
	lookup   func(string) (string, bool)
	anchors  map[string]ast.Node
	expanded map[string]string // values of variables, and how they are written
	problems []Problem
	steps    int
}

func newReader(dir string, o Options) *reader {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	return &reader{dir: dir, lookup: o.LookupEnv, anchors: map[string]ast.Node{}, expanded: map[string]string{}}
}

const (
	problemsMax = 100
	stepsMax    = 1 << 20 // nodes looked at: a file of references to references ends here
)

// fault notes a problem at a node.
func (r *reader) fault(n ast.Node, format string, args ...any) {
	if len(r.problems) >= problemsMax {
		return
	}
	p := Problem{Message: fmt.Sprintf(format, args...)}
	for value, name := range r.expanded {
		p.Message = strings.ReplaceAll(p.Message, value, name)
	}
	p.Line, p.Column = position(n)
	r.problems = append(r.problems, p)
}

// position is where a node begins; 0 when it has no place.
func position(n ast.Node) (line, column int) {
	switch x := n.(type) { // whose own token is a colon
	case nil:
		return 0, 0
	case *ast.MappingNode:
		if !x.IsFlowStyle && len(x.Values) > 0 {
			return position(x.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return position(x.Key)
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line, t.Position.Column
	}
	return 0, 0
}

// document parses the text and returns its one root.
func (r *reader) document(text []byte) ast.Node {
	if len(text) > fileBytesMax {
		r.fault(nil, "the file has %d bytes, at most %d are read", len(text), fileBytesMax)
		return nil
	}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
			p := at.GetToken().Position
			r.problems = append(r.problems, Problem{p.Line, p.Column, "not valid YAML: " + at.GetMessage()})
		} else {
			r.fault(nil, "not valid YAML: %v", err)
		}
		return nil
	}
	var root ast.Node
	for _, d := range parsed.Docs {
		if d.Body == nil {
			continue
		}
		if root != nil {
			r.fault(d.Body, "the file holds a second document: one file, one document")
			return nil
		}
		root = d.Body
	}
	if root == nil {
		r.fault(nil, "the file is empty: it needs a list of tools, as tools: [{type: wasm, module: tool.wasm}]")
		return nil
	}
	ast.Walk(r, root)
	return root
}

// Visit implements ast.Visitor: it notes the anchors.
func (r *reader) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		r.anchors[a.Name.GetToken().Value] = a.Value
	}
	return r
}

// resolve goes from an anchor or a reference to what it stands for.
func (r *reader) resolve(n ast.Node) ast.Node {
	for range 16 {
		r.steps++
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.AliasNode:
			to, ok := r.anchors[x.Value.GetToken().Value]
			if !ok {
				r.fault(x, "nothing is named &%s before this *%s", x.Value.GetToken().Value, x.Value.GetToken().Value)
				return nil
			}
			n = to
		case *ast.TagNode:
			r.fault(x, "the tag %s cannot be used here: write the value without it", x.Start.Value)
			return nil
		default:
			if r.steps > stepsMax {
				r.fault(n, "the file's references multiply beyond measure: write it out")
				return nil
			}
			return n
		}
	}
	r.fault(n, "this reference leads to itself")
	return nil
}

// key is one member that an object may have.
type key struct {
	name     string
	required bool
	read     func(ast.Node)
}

// object reads a mapping by its keys. what names it in errors, as "a file grant".
func (r *reader) object(n ast.Node, what string, keys []key) {
	where := n
	values, ok := r.mapping(n, what)
	if !ok {
		return
	}
	seen := map[string]bool{}
	for _, v := range values {
		name, ok := r.keyName(v)
		if !ok {
			continue
		}
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
		switch {
		case i < 0:
			r.fault(v.Key, "%s has no key %q%s", what, name, nearest(name, keys))
		case seen[name]:
			r.fault(v.Key, "%s has the key %q twice", what, name)
		case keys[i].read != nil:
			keys[i].read(v.Value)
		}
		seen[name] = true
	}
	for _, k := range keys {
		if k.required && !seen[k.name] {
			r.fault(where, "%s lacks the key %q", what, k.name)
		}
	}
}

// mapping is the members of a mapping.
func (r *reader) mapping(n ast.Node, what string) ([]*ast.MappingValueNode, bool) {
	switch x := r.resolve(n).(type) {
	case nil:
		return nil, false
	case *ast.MappingNode:
		return x.Values, true
	case *ast.MappingValueNode: // a mapping with one member
		return []*ast.MappingValueNode{x}, true
	default:
		r.fault(n, "%s is a mapping of keys to values, not %s", what, kindOf(x))
		return nil, false
	}
}

// keyName is the name of a member.
func (r *reader) keyName(v *ast.MappingValueNode) (string, bool) {
	if v.Key.IsMergeKey() {
		r.fault(v.Key, "merge keys (<<) cannot be used here: write the keys out")
		return "", false
	}
	if s, ok := v.Key.(ast.ScalarNode); ok && s.GetToken() != nil {
		return s.GetToken().Value, true
	}
	r.fault(v.Key, "this key is not a name")
	return "", false
}

// list calls read for each element of a list.
func (r *reader) list(n ast.Node, what string, read func(ast.Node)) {
	switch x := r.resolve(n).(type) {
	case nil:
	case *ast.SequenceNode:
		for _, v := range x.Values {
			read(v)
		}
	default:
		r.fault(n, "%s is a list, not %s: write it as - … lines or as […]", what, kindOf(x))
	}
}

// kindOf names what a node is, for errors.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	}
	return "a single value"
}

// nearest proposes the name that was probably meant, or lists all.
func nearest(name string, keys []key) string {
	best, bestDistance := "", 3
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
		if d := distance(strings.ToLower(name), k.name); d < bestDistance && d < len(k.name) {
			best, bestDistance = k.name, d
		}
	}
	if best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	return ": it has " + strings.Join(names, ", ")
}

// distance is how many letters have to be added, removed, changed or swapped to
// make a of b (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// isMissing says that a file is not there.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
