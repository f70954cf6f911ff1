package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	goccy "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"go.yaml.in/yaml/v3"
)

// Node is a node of a file.
type Node = yaml.Node

// FileBytesMax bounds a file: a thousand tools take a tenth of it.
const FileBytesMax = 4 << 20

// syntaxBytesMax bounds what the thorough parser is given, as depthMax does: it calls
// itself for each level of nesting, and counts none. (The fast one stops at 10,000.)
const syntaxBytesMax = 64 << 10

// stepsMax bounds the nodes looked at: a file of references to references ends here.
const stepsMax = 1 << 20

// Reader goes through the nodes of a file and notes problems in its set.
type Reader struct {
	*Set
	// File is the file's name, Dir its folder.
	File, Dir string
	// Escape, when not nil, is applied to what comes from the environment, for texts
	// that are read again as something else.
	Escape func(value string) string
	place  *Place // of the mapping that is being read
}

// Fault notes a problem at a node; nil is the file as a whole.
func (r *Reader) Fault(n *Node, format string, args ...any) {
	r.Note(r.Pos(n), format, args...)
}

// Pos is where a node begins; the file's beginning for nil.
func (r *Reader) Pos(n *Node) Pos {
	if n == nil {
		return Pos{r.File, 1, 1}
	}
	return Pos{r.File, n.Line, n.Column}
}

// ReadFile reads a file of at most FileBytesMax.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, FileBytesMax+1))
	if err != nil {
		return nil, err
	}
	if len(text) > FileBytesMax {
		return nil, fmt.Errorf("%s is longer than %d bytes: at most that many are read", name, FileBytesMax)
	}
	return text, nil
}

// Document parses the text and returns its one root; nil after a fault. wanted says
// what an empty file lacks.
func (r *Reader) Document(text []byte, wanted string) *Node {
	if len(text) > FileBytesMax {
		r.Fault(nil, "the file has %d bytes, at most %d are read", len(text), FileBytesMax)
		return nil
	}
	var root, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	err := d.Decode(&root)
	if err == nil {
		if more := d.Decode(&second); more == nil {
			r.Fault(second.Content[0], "the file holds a second document: one file, one document")
			return nil
		} else if !errors.Is(more, io.EOF) {
			err = more
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		r.Fault(nil, "the file is empty: it needs %s", wanted)
		return nil
	case err != nil:
		r.syntax(text, err)
		return nil
	case root.Content[0].Tag == "!!null" && root.Content[0].Value == "":
		r.Fault(nil, "the file is empty: it needs %s", wanted)
		return nil
	}
	return root.Content[0]
}

// flowDepth is how deep brackets may be nested: those in texts and comments count, too.
func flowDepth(text []byte) (most int) {
	depth := 0
	for _, c := range text {
		switch c {
		case '[', '{':
			depth++
			most = max(most, depth)
		case ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return most
}

var (
	unknownAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
	errorLine     = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)
)

// syntax notes what the parser did not understand. The fast parser knows the line at
// best; where the thorough one (about three times slower) agrees that there is a
// fault, it says where.
func (r *Reader) syntax(text []byte, err error) {
	if len(text) > syntaxBytesMax || flowDepth(text) > depthMax {
		text = nil
	}
	parsed, second := parser.ParseBytes(text, 0)
	var at goccy.Error
	if errors.As(second, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		p := at.GetToken().Position
		message := at.GetMessage()
		if strings.Contains(message, "character '\t'") {
			message += ": lines are indented with spaces"
		}
		r.Note(Pos{r.File, p.Line, p.Column}, "not valid YAML: %s", message)
		return
	}
	if m := unknownAnchor.FindStringSubmatch(err.Error()); m != nil && second == nil {
		find := &aliasFinder{name: m[1], at: Pos{File: r.File}}
		for _, d := range parsed.Docs {
			if d.Body != nil {
				ast.Walk(find, d.Body)
			}
		}
		r.Note(find.at, "nothing is named &%s before this *%s", m[1], m[1])
		return
	}
	place, message := Pos{File: r.File}, err.Error()
	if m := errorLine.FindStringSubmatch(message); m != nil {
		message = m[2]
		if line, err := strconv.Atoi(m[1]); err == nil {
			place.Line, place.Column = line, 1
		}
	}
	r.Note(place, "not valid YAML: %s", message)
}

// aliasFinder finds the first reference of a name.
type aliasFinder struct {
	name string
	at   Pos
}

// Visit implements ast.Visitor.
func (f *aliasFinder) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AliasNode); ok && f.at.Line == 0 && a.Value.GetToken().Value == f.name {
		f.at.Line, f.at.Column = a.GetToken().Position.Line, a.GetToken().Position.Column
	}
	return f
}

// Resolve goes from a reference to what it stands for; nil after a fault.
func (r *Reader) Resolve(n *Node) *Node {
	r.steps++
	if r.steps == stepsMax+1 {
		r.Fault(n, "the file's references multiply beyond measure: write it out")
	}
	if r.steps > stepsMax {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.Fault(n, "the tag %s cannot be used here: write the value without it", n.Tag)
		return nil
	}
	return n
}

// IsMapping says what a node is; false after a fault of [Reader.Resolve].
func (r *Reader) IsMapping(n *Node) bool {
	x := r.Resolve(n)
	return x != nil && x.Kind == yaml.MappingNode
}

// IsList says what a node is.
func (r *Reader) IsList(n *Node) bool {
	x := r.Resolve(n)
	return x != nil && x.Kind == yaml.SequenceNode
}

// Key is one member that a mapping may have.
type Key struct {
	Name     string
	Required bool
	Read     func(*Node) // nil: the value is passed over
}

// Object reads a mapping by its keys. what names it in errors, as "a file grant";
// p, when not nil, learns the places.
func (r *Reader) Object(n *Node, what string, p *Place, keys []Key) {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	seen := make([]bool, len(keys))
	ok := r.Members(n, what, p, func(key, value *Node) {
		for i, k := range keys {
			if k.Name == key.Value {
				seen[i] = true
				if k.Read != nil && !r.Blanks(what, k.Name) {
					k.Read(value)
				}
				return
			}
		}
		r.Unknown(key, what, names)
	})
	if !ok {
		return
	}
	for i, k := range keys {
		if k.Required && !seen[i] {
			r.Lacks(n, what, k.Name)
		}
	}
}

// Unknown notes that a mapping has no such key.
func (r *Reader) Unknown(key *Node, what string, names []string) {
	if r.Full() {
		names = nil
	}
	r.Fault(key, "%s has no key %q%s", what, key.Value, Nearest(key.Value, names))
}

// Lacks notes that a mapping lacks a key.
func (r *Reader) Lacks(n *Node, what, key string) {
	r.Fault(n, "%s lacks the key %q", what, key)
}

// Members calls read for each member of a mapping; false after a fault of the mapping
// as a whole. A key that stands twice is a fault.
func (r *Reader) Members(n *Node, what string, p *Place, read func(key, value *Node)) bool {
	x := r.Resolve(n)
	if x == nil {
		return false
	}
	if x.Kind != yaml.MappingNode {
		r.Fault(n, "%s has to be a mapping of keys to values, not %s", what, kindOf(x))
		return false
	}
	outer := r.place
	if p != nil {
		p.Pos = r.Pos(n)
		p.keys = make([]keyPos, 0, len(x.Content)/2)
		r.place = p
	}
	seen := stoodBefore(len(x.Content) / 2)
	for i := 0; i+1 < len(x.Content); i += 2 {
		key, value := x.Content[i], x.Content[i+1]
		switch {
		case key.Tag == "!!merge":
			r.Fault(key, "merge keys (<<) cannot be used here: write the keys out")
			continue
		case key.Kind != yaml.ScalarNode:
			r.Fault(key, "this key is not a name")
			continue
		case seen(x.Content[:i], key.Value):
			r.Fault(key, "%s has the key %q twice", what, key.Value)
			continue
		}
		if p != nil {
			p.note(key.Value, value)
		}
		read(key, value)
	}
	r.place = outer
	return true
}

// stoodBefore says whether a name is among the keys that a mapping's content begins
// with: by looking at all of them where the mapping is short, which most are.
func stoodBefore(members int) func(content []*Node, name string) bool {
	const short = 32
	if members > short {
		names := map[string]bool{}
		return func(_ []*Node, name string) bool {
			before := names[name]
			names[name] = true
			return before
		}
	}
	return func(content []*Node, name string) bool {
		for i := 0; i < len(content); i += 2 {
			if content[i].Kind == yaml.ScalarNode && content[i].Value == name {
				return true
			}
		}
		return false
	}
}

// List calls read for each element of a list.
func (r *Reader) List(n *Node, what string, read func(*Node)) {
	x := r.Resolve(n)
	if x == nil {
		return
	}
	if x.Kind != yaml.SequenceNode {
		r.Fault(n, "%s has to be a list, not %s: write it as - … lines or as […]", what, kindOf(x))
		return
	}
	for i, v := range x.Content {
		r.noteElement(what, i, v)
		read(v)
	}
}

// noteElement keeps the place of an element, as "args[2]", with the mapping that is
// being read.
func (r *Reader) noteElement(list string, i int, n *Node) {
	if r.place != nil {
		r.place.note(list+"["+strconv.Itoa(i)+"]", n)
	}
}

// kindOf names what a node is, for errors.
func kindOf(n *Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	}
	return "a single value"
}
