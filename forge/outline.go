package forge

import (
	"strings"

	"github.com/ingot-run/ingot/internal/yamlfile"
)

// Bounds of an outline: what is beyond is not told apart.
const (
	outlineNodesMax = 200_000
	outlineDepthMax = 40
)

// outline is what some files say, as they write it: variables of the environment are
// not put in. It is kept to be told apart from what they say later.
type outline struct {
	names []string           // of items, in the order of the files: "tool weather"
	items map[string]*branch // by their names
}

// branch is a value of a file: a scalar, a list or a mapping.
type branch struct {
	scalar string
	list   []*branch
	keys   []string // of a mapping, in the file's order
	values map[string]*branch
}

// listed are the lists of a file whose elements are items, with what one is called.
var listed = map[string]string{"tools": "tool", "resources": "resource", "prompts": "prompt"}

// single are the blocks that are one item each.
var single = []string{"forge", "state", "access", "audit", "middleware", "fault_tolerance"}

// outliner reads outlines.
type outliner struct {
	*yamlfile.Reader
	nodes int
}

// outlineOf reads the outline of files that can be read; those that cannot are left out.
func outlineOf(files []string) *outline {
	o := &outline{items: map[string]*branch{}}
	r := &outliner{}
	for _, file := range files {
		text, err := yamlfile.ReadFile(file)
		if err != nil {
			continue
		}
		r.Reader = yamlfile.NewSet(yamlfile.Options{}).Reader(file)
		root := r.Document(text, "")
		if root == nil {
			continue
		}
		o.add(r.branch(root, 0))
	}
	return o
}

// add adds the items of one file.
func (o *outline) add(file *branch) {
	for _, key := range single {
		if block := file.values[key]; block != nil {
			o.put(key, block)
		}
	}
	for _, key := range file.keys {
		what, ok := listed[key]
		if !ok {
			continue
		}
		for _, entry := range file.values[key].list {
			if name := entry.name(); name != "" {
				o.put(what+" "+name, entry)
			}
		}
	}
}

func (o *outline) put(name string, b *branch) {
	if o.items[name] == nil {
		o.names = append(o.names, name)
	}
	o.items[name] = b
}

// name is what an element of a list is known by: its name, or what stands for one.
func (b *branch) name() string {
	for _, key := range []string{"name", "uri_template", "uri", "module", "type"} {
		if v := b.values[key]; v != nil && v.scalar != "" {
			return v.scalar
		}
	}
	return ""
}

// branch reads a node. What is too deep or too much is an empty branch.
func (r *outliner) branch(n *yamlfile.Node, depth int) *branch {
	b := &branch{}
	if r.nodes++; r.nodes > outlineNodesMax || depth > outlineDepthMax {
		return b
	}
	x := r.Resolve(n)
	switch {
	case x == nil:
	case r.IsMapping(x):
		b.values = map[string]*branch{}
		for i := 0; i+1 < len(x.Content); i += 2 {
			key := x.Content[i].Value
			if b.values[key] == nil {
				b.keys = append(b.keys, key)
			}
			b.values[key] = r.branch(x.Content[i+1], depth+1)
		}
	case r.IsList(x):
		b.list = make([]*branch, len(x.Content))
		for i, element := range x.Content {
			b.list[i] = r.branch(element, depth+1)
		}
	default:
		b.scalar = strings.TrimSpace(x.Value)
	}
	return b
}

// byName is a list whose elements have names as a mapping; nil for every other list.
func (b *branch) byName() *branch {
	m := &branch{values: map[string]*branch{}}
	for _, element := range b.list {
		name := element.name()
		if name == "" || m.values[name] != nil {
			return nil
		}
		m.keys = append(m.keys, name)
		m.values[name] = element
	}
	if len(m.keys) == 0 {
		return nil
	}
	return m
}
