package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/ingot-run/ingot/internal/yamlfile"
)

// Options say how a file is read. The zero value works.
type Options = yamlfile.Options

// Bounds of includes.
const (
	filesMax        = 100
	includeDepthMax = 8
)

// loader reads one file of a configuration; all files of it share the pointers.
type loader struct {
	*yamlfile.Reader
	*shared
	depth  int // of parameters, steps and fallbacks
	hidden []Tool
}

// shared is what the files of a configuration have in common.
type shared struct {
	config *Config
	bytes  int // of the files that are included
	hidden int // how many hidden tools there are
	// incomplete: there are tools whose names could not be read.
	incomplete bool
	// modules: there are wasm tools, whose names their modules know.
	modules bool
}

// top is what the main file may hold; a file that is included has the lists alone.
type top struct {
	*Config
	Place
	tools     []Tool
	resources []Resource
	prompts   []Prompt
	tests     []Test
	includes  []include
}

// include is a file to read, and where it is named.
type include struct {
	path string
	at   Pos
}

var (
	topTable      = table[top]{name: "file", what: "the file", doc: "A forge.yaml."}
	includedTable = table[top]{name: "included_file", what: "an included file", doc: "A file that another one includes: it adds to the lists."}
	testFileTable = table[top]{name: "test_file", what: "a file of tests", doc: "NAME.forge-test.yaml: tests beside the main file, which ingot test runs with its own."}
)

func topTables() {
	lists := []field[top]{
		{name: "include", doc: "Other files, whose tools, resources, prompts and tests are added; their paths are relative to this one.", value: includes()},
		{name: "tools", doc: "What clients call.", value: toolsList()},
		{name: "resources", doc: "What clients read.", value: many(&resourceTable, resourcesMax, func(t *top) *[]Resource { return &t.resources }, (*loader).resource)},
		{name: "prompts", doc: "What people choose.", value: many(&promptTable, promptsMax, func(t *top) *[]Prompt { return &t.prompts }, (*loader).prompt)},
		{name: "tests", doc: "Calls with what they have to answer, which ingot test makes.", value: many(&testTable, testsMax, func(t *top) *[]Test { return &t.tests }, func(l *loader, n *node, to *Test) { testTable.read(l, n, to, &to.Place) })},
	}
	includedTable.fields = lists
	testFileTable.fields = lists[len(lists)-1:]
	testFileTable.ready()
	topTable.fields = append([]field[top]{
		{name: "forge", required: true, doc: "What the server is.", value: value[top]{
			form{human: "mapping", schema: ref("forge"), uses: []described{&metaTable}},
			func(l *loader, n *node, t *top, _ string) { metaTable.read(l, n, &t.Forge, &t.Forge.Place) },
		}},
		{name: "state", doc: "Where the state is kept; in memory otherwise.", value: value[top]{
			form{human: "mapping", schema: ref("state"), uses: []described{&stateTable}},
			func(l *loader, n *node, t *top, _ string) { l.state(n, &t.State) },
		}},
		{name: "middleware", doc: "What stands around every tool, the first entry outermost.", value: middlewares(func(t *top) *[]Middleware { return &t.Middleware })},
		{name: "fault_tolerance", doc: "Circuit breakers, retries and the record of errors for every tool.", value: value[top]{
			form{human: "mapping", schema: ref("fault_tolerance"), uses: []described{&faultTable}},
			func(l *loader, n *node, t *top, _ string) {
				faultTable.read(l, n, &t.FaultTolerance, &t.FaultTolerance.Place)
			},
		}},
	}, lists...)
	topTable.ready()
	includedTable.ready()
}

func toolsList() value[top] {
	v := many(&nativeTable, toolsMax, func(t *top) *[]Tool { return &t.tools }, (*loader).tool)
	v.form = form{human: "list of tools", schema: map[string]any{"type": "array", "items": ref("tool")}, uses: []described{&nativeTable, &cliTable, &httpTable, &pipelineTable, wasmDescribed{}}}
	read := v.read
	v.read = func(l *loader, n *node, t *top, what string) {
		l.incomplete = l.incomplete || !l.IsList(n)
		read(l, n, t, what)
	}
	return v
}

func includes() value[top] {
	f := form{human: "path, or list of paths", schema: map[string]any{"anyOf": []any{map[string]any{"type": "string"}, map[string]any{"type": "array", "items": map[string]any{"type": "string"}}}}}
	return value[top]{f, func(l *loader, n *node, t *top, what string) {
		add := func(n *node) {
			name, ok := l.text(n, what)
			switch {
			case !ok:
				return
			case name == "":
				l.Fault(n, "%s is empty", what)
				return
			case !filepath.IsAbs(name):
				name = filepath.Join(filepath.Dir(l.File), name)
			}
			t.includes = append(t.includes, include{filepath.Clean(name), l.Pos(n)})
		}
		if !l.IsList(n) {
			add(n)
		} else if l.bounded(n, what, filesMax) {
			l.List(n, what, add)
		}
	}}
}

// Load reads a file and what it includes. What is wrong in them is a [*Problems]; a
// main file that cannot be read is another error.
func Load(path string, o Options) (*Config, error) {
	text, err := yamlfile.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text, o)
}

// Parse is Load for the text of a file called path: relative paths in it are relative
// to path's folder, and what it includes is read from the disk.
func Parse(path string, text []byte, o Options) (*Config, error) {
	set := yamlfile.NewSet(o)
	c := &Config{
		Forge: Meta{Version: "0.1.0", Transport: TransportStdio, Host: "127.0.0.1", Port: 7070},
		State: State{Backend: BackendMemory}, Telemetry: Telemetry{SampleRatio: 1},
	}
	l := &loader{Reader: absolute(set.Reader(path)), shared: &shared{config: c}}
	l.file(text, &topTable, nil)
	l.checkAll()
	if set.Faults() == 0 {
		l.schemas(c)
	}
	if err := set.Err(); err != nil {
		return nil, err
	}
	c.Secrets = Secrets{set.Secrets()}
	return c, nil
}

// LoadTests reads a file that holds tests of c and nothing else, as
// NAME.forge-test.yaml does. What is wrong in it is a [*Problems].
func LoadTests(path string, c *Config, o Options) ([]Test, error) {
	text, err := yamlfile.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := yamlfile.NewSet(o)
	l := &loader{Reader: absolute(set.Reader(path)), shared: &shared{config: c}}
	l.modules = slices.ContainsFunc(c.Tools, func(t Tool) bool { return t.Kind == KindWasm })
	var read top
	if root := l.Document(text, "a list of tests"); root != nil {
		testFileTable.read(l, root, &read, nil)
	}
	byName := map[string]*Tool{}
	for i := range c.Tools {
		byName[c.Tools[i].Name] = &c.Tools[i]
	}
	l.checkTests(read.tests, byName)
	return read.tests, set.Err()
}

// file reads one file and then what it includes. over are the files that include it.
func (l *loader) file(text []byte, t *table[top], over []string) {
	l.config.Files = append(l.config.Files, l.File)
	root := l.Document(text, "a forge block with a name, and a list of tools")
	if root == nil {
		l.incomplete = true
		return
	}
	read := top{Config: l.config}
	t.read(l, root, &read, &read.Place)
	c := l.config
	c.Tools = append(append(c.Tools, read.tools...), l.hidden...)
	c.Resources = append(c.Resources, read.resources...)
	c.Prompts = append(c.Prompts, read.prompts...)
	c.Tests = append(c.Tests, read.tests...)
	for _, i := range read.includes {
		l.include(i, append(slices.Clip(over), l.File))
	}
}

// include reads a file that another one names.
func (l *loader) include(i include, over []string) {
	clean := i.path
	before := l.Faults()
	defer func() { l.incomplete = l.incomplete || l.Faults() > before }()
	switch {
	case slices.ContainsFunc(over, func(f string) bool { return filepath.Clean(f) == clean }):
		l.Note(i.at, "%s includes itself, by way of this line", i.path)
		return
	case slices.Contains(l.config.Files, clean):
		l.Note(i.at, "%s is included twice: leave this one out", i.path)
		return
	case len(over) > includeDepthMax:
		l.Note(i.at, "files include one another more than %d deep", includeDepthMax)
		return
	case len(l.config.Files) == filesMax:
		l.Note(i.at, "more than %d files", filesMax)
		return
	}
	l.Expect(clean)
	info, err := os.Stat(clean)
	switch {
	case errors.Is(err, os.ErrNotExist):
		l.Note(i.at, "there is no file %s; the path is relative to the file that includes it", i.path)
		return
	case err == nil && !info.Mode().IsRegular(): // a pipe would never end
		l.Note(i.at, "%s is a folder or a device, and no file", i.path)
		return
	}
	text, err := yamlfile.ReadFile(clean)
	if err == nil && l.shared.bytes+len(text) > yamlfile.FileBytesMax {
		l.Note(i.at, "the files have more than %d bytes in all", yamlfile.FileBytesMax)
		return
	}
	if err != nil {
		l.Note(i.at, "%s cannot be read: %v", i.path, cause(err))
		return
	}
	l.shared.bytes += len(text)
	below := &loader{Reader: absolute(l.Set.Reader(clean)), shared: l.shared}
	below.file(text, &includedTable, over)
}

// absolute makes the paths that are read absolute: the file's name, which errors
// show, stays as it was given.
func absolute(r *yamlfile.Reader) *yamlfile.Reader {
	if dir, err := filepath.Abs(r.Dir); err == nil {
		r.Dir = dir
	}
	return r
}

// cause is an error without the path that package os puts in front.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
