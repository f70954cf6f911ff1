package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/ingot-run/ingot/guest"
	"github.com/ingot-run/ingot/internal/command"
)

// projectTemplate is a kind of project that "ingot new" begins. A further one is an
// element of projectTemplates with a folder of its name in templates.
type projectTemplate struct {
	name string
	// forge: a folder with a forge.yaml, not the source of one WebAssembly tool. Its
	// templates have [[ and ]] around what is filled in, since {{ and }} are forge.yaml's.
	forge bool
	// sdk copies files of the guest SDKs beside the tool: what is there in
	// guest.Sources, and where it goes.
	sdk map[string]string
	// guests are tools inside of the project: the template of each by its folder.
	guests map[string]string
	// ignore are lines of its .gitignore; NAME stands for the project's name.
	ignore string
	// next are the commands that a person runs first, those of a forge.yaml until it
	// serves; NAME stands for the project's name.
	next []string
}

// projectTemplates are all kinds, in the order in which they are listed.
var projectTemplates = []projectTemplate{
	{name: "minimal", forge: true, next: []string{"ingot test", "ingot dev"}},
	{name: "full", forge: true, guests: map[string]string{"guests/loud": "wasm-go"}, ignore: "/NAME\n/data/\n", next: []string{"ingot build", "./NAME test", "./NAME"}},
	{name: "wasm-go", sdk: map[string]string{"go": "guest"}},
	{name: "wasm-rust", sdk: map[string]string{"rust": "ingot-guest"}, next: []string{"rustup target add wasm32-unknown-unknown"}},
	{name: "wasm-c", sdk: map[string]string{"c": "."}},
	{name: "wasm-as", sdk: map[string]string{"as": "ingot-guest"}, next: []string{"npm install"}},
	{name: "http", forge: true, next: []string{"ingot test", "ingot dev"}},
	{name: "cli", forge: true, next: []string{"ingot test", "ingot dev"}},
}

// templateFiles has the files of the templates; each name ends in .tmpl.
//
//go:embed all:templates
var templateFiles embed.FS

// newCommand is "ingot new".
type newCommand struct {
	Name     string `arg:"" help:"Name of the project and of its folder: a-z, 0-9 and -, beginning with a letter."`
	Template string `default:"minimal" placeholder:"TEMPLATE" help:"What to begin with: minimal, full, wasm-go, wasm-rust, wasm-c, wasm-as, http or cli. (${default})"`
	Dir      string `placeholder:"DIR" help:"Where to write it; NAME in the current folder by default."`
	Source   string `env:"INGOT_SOURCE" placeholder:"DIR" help:"Folder with ingot's own source, which the go.mod of the template full is to use in place of a released version."`
}

// Help ends "ingot new --help".
func (*newCommand) Help() string {
	return `minimal, http and cli are servers that need nothing but ingot; full has a tool of every kind, with Go functions that ingot build makes a program of; wasm-… are single tools, compiled to WebAssembly.

Examples:

  ingot new shop
  ingot new shop --template full
  ingot new my-tool --template wasm-go --dir tools/my-tool`
}

// projectName is what Go modules, crates, npm packages and MCP tools all take.
var projectName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Run writes the project.
func (c *newCommand) Run(out streams) error {
	if !projectName.MatchString(c.Name) || len(c.Name) > 40 {
		return command.Usage(fmt.Sprintf("the name is %q: it must have a-z, 0-9 and single - in between, begin with a letter and have at most 40 characters", c.Name))
	}
	t, err := findTemplate(c.Template)
	if err != nil {
		return err
	}
	dir := c.Dir
	if dir == "" {
		dir = c.Name
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is there and not empty: choose another name, or another folder with --dir", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking at the folder: %w", err)
	}
	files, err := c.files(t)
	if err != nil {
		return err
	}
	if err := writeProject(dir, files); err != nil {
		return err
	}
	next := append([]string{"cd " + dir}, t.next...)
	if !t.forge {
		next = append(next, "ingot build", "ingot guest test NAME.wasm", "wasm-host serve NAME.wasm")
	}
	steps := strings.ReplaceAll(strings.Join(next, "\n    "), "NAME", c.Name)
	_, err = fmt.Fprintf(out.stdout, "%s is ready in %s. Next:\n\n    %s\n", c.Name, dir, steps)
	return err
}

// filled is what the templates fill in.
type filled struct {
	Name string
	// Version of ingot that a go.mod requires, and Source a folder in its place; empty:
	// none.
	Version, Source string
}

// files are the project's files by their path in it, with slashes.
func (c *newCommand) files(t projectTemplate) (map[string][]byte, error) {
	values := filled{Name: c.Name, Version: "v0.0.0"}
	if v := command.Version(); strings.HasPrefix(v, "v") {
		values.Version = v
	}
	if c.Source != "" {
		source, err := filepath.Abs(c.Source)
		if err != nil {
			return nil, fmt.Errorf("finding ingot's source: %w", err)
		}
		values.Source = source
	}
	files, err := t.files(values)
	if err != nil {
		return nil, err
	}
	for folder, name := range t.guests {
		inside, err := findTemplate(name)
		if err != nil {
			return nil, err
		}
		values.Name = path.Base(folder)
		guests, err := inside.files(values)
		if err != nil {
			return nil, err
		}
		for file, content := range guests {
			files[path.Join(folder, file)] = content
		}
	}
	return files, nil
}

func findTemplate(name string) (projectTemplate, error) {
	var names []string
	for _, t := range projectTemplates {
		if t.name == name {
			return t, nil
		}
		names = append(names, t.name)
	}
	return projectTemplate{}, command.Usage(fmt.Sprintf("there is no template %q: it can be %s", name, strings.Join(names, ", ")))
}

// files are the template's own files, with the SDK.
func (t projectTemplate) files(values filled) (map[string][]byte, error) {
	left, right := "", "" // text/template's own
	files := map[string][]byte{}
	if t.forge {
		left, right = "[[", "]]"
	} else {
		t.ignore += "*.wasm\n"
	}
	root := path.Join("templates", t.name)
	err := eachFile(templateFiles, root, func(file string, content []byte) error {
		parsed, err := template.New(file).Delims(left, right).Parse(string(content))
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := parsed.Execute(&b, values); err != nil {
			return err
		}
		files[strings.TrimSuffix(file, ".tmpl")] = b.Bytes()
		return nil
	})
	if err != nil {
		return nil, err
	}
	for from, to := range t.sdk {
		err := eachFile(guest.Sources, from, func(file string, content []byte) error {
			if !strings.HasSuffix(file, "_test.go") {
				files[path.Join(to, file)] = content
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, unwanted := range []struct{ sdk, lines string }{
		{"rust", "target/\nCargo.lock\n"}, {"as", "node_modules/\n"},
	} {
		if t.sdk[unwanted.sdk] != "" {
			t.ignore += unwanted.lines
		}
	}
	if t.ignore != "" {
		files[".gitignore"] = []byte(strings.ReplaceAll(t.ignore, "NAME", values.Name))
	}
	return files, nil
}

// eachFile visits the files below root by their paths in it.
func eachFile(files fs.FS, root string, visit func(file string, content []byte) error) error {
	return fs.WalkDir(files, root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		return visit(strings.TrimPrefix(file, root+"/"), content)
	})
}

// writeProject writes files; one that is there already is an error.
func writeProject(dir string, files map[string][]byte) error {
	for file, content := range files {
		target := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return fmt.Errorf("making a folder of the project: %w", err)
		}
		f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("writing the project: %w", err)
		}
		_, err = f.Write(content)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("writing the project: %w", err)
		}
	}
	return nil
}
