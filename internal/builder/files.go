package builder

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/program"
)

// carriedBytesMax bounds what a program carries.
const carriedBytesMax = 256 << 20

// testFiles is what files of tests are called, beside the main file.
const testFiles = "*.forge-test.yaml"

// carried are the files that a program takes with it.
type carried struct {
	dir      string            // the project's folder, absolute
	main     string            // the forge.yaml, absolute
	literals []string          // texts of the files that were read, and values of variables
	files    map[string]string // by path in the project, with slashes; a folder ends in a slash
	bytes    int64
}

// gather finds the files that a configuration names inside of its folder. What a server
// writes to is no part: it is made where the program runs.
func gather(dir string, c *config.Config, values []string) (*carried, error) {
	a := &carried{dir: dir, main: c.Files[0], literals: values, files: map[string]string{}}
	for _, file := range c.Files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the project: %w", err)
		}
		a.literals = append(a.literals, string(text))
	}
	tests, err := matching(dir, testFiles)
	if err != nil {
		return nil, fmt.Errorf("looking for the project's tests: %w", err)
	}
	var errs []error
	for _, file := range slices.Concat(c.Files, tests) {
		errs = append(errs, a.add(file))
	}
	for i := range c.Tools {
		errs = append(errs, a.tool(&c.Tools[i]))
	}
	for i := range c.Resources {
		if r := &c.Resources[i]; !r.Write {
			errs = append(errs, a.add(r.File), a.addFolder(r.Root, r.Hidden))
		}
	}
	return a, errors.Join(errs...)
}

// about says what the program has to know before it unpacks the files.
func (a *carried) about(c *config.Config) program.About {
	clean := func(text string) string { return c.Secrets.Redact(text) }
	about := program.About{Name: clean(c.Forge.Name), Version: clean(c.Forge.Version), Description: clean(c.Forge.Description)}
	about.File, _, _ = a.name(a.main)
	written := func(path string) {
		if name, inside, err := a.name(path); path != "" && inside && err == nil {
			about.Folders = append(about.Folders, name)
		}
	}
	written(c.State.Path)
	if c.Audit.Path != "" {
		written(filepath.Dir(c.Audit.Path))
	}
	for i := range c.Resources {
		if r := &c.Resources[i]; r.Write {
			written(r.Root)
			if r.File != "" {
				written(filepath.Dir(r.File))
			}
		}
	}
	for i := range c.Tools {
		if w := c.Tools[i].Wasm; w != nil {
			for _, grant := range w.Policy.Files {
				if grant.Write {
					written(grant.Root)
				}
			}
		}
	}
	return about
}

// tool adds what a tool needs.
func (a *carried) tool(t *config.Tool) error {
	var errs []error
	if w := t.Wasm; w != nil {
		errs = append(errs, a.add(w.Module), a.add(w.Signature), a.add(w.PublicKeyFile))
		for _, grant := range w.Policy.Files {
			if !grant.Write {
				errs = append(errs, a.add(grant.Root))
			}
		}
	}
	if t.CLI == nil {
		return errors.Join(errs...)
	}
	if filepath.IsAbs(t.CLI.Command) {
		errs = append(errs, a.add(t.CLI.Command))
	}
	if t.CLI.Cwd != "" {
		errs = append(errs, a.folder(t))
	}
	return errors.Join(errs...)
}

// folder adds a program's working directory, and the files in it that its arguments
// name: a script, most often.
func (a *carried) folder(t *config.Tool) error {
	name, inside, err := a.name(t.CLI.Cwd)
	if err != nil || !inside {
		return err
	}
	if name != "." {
		a.files[name+"/"] = t.CLI.Cwd
	}
	for _, arg := range t.CLI.Args {
		path := filepath.Join(t.CLI.Cwd, arg)
		if strings.Contains(arg, "{{") || filepath.IsAbs(arg) || arg == "" || path == a.dir {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			continue // an argument like any other
		}
		if err := a.add(path); err != nil {
			return err
		}
	}
	return nil
}

// name is a path as the program has it; not inside: it stays a path of the machine.
func (a *carried) name(path string) (name string, inside bool, err error) {
	name, err = filepath.Rel(a.dir, path)
	if err == nil && filepath.IsLocal(name) {
		return filepath.ToSlash(name), true, nil
	}
	if slices.ContainsFunc(a.literals, func(text string) bool { return strings.Contains(text, path) }) {
		return "", false, nil // written so: it is meant to be there
	}
	return "", false, fmt.Errorf("%s is outside of the project's folder, %s: move it inside, or name it by its whole path if every machine has it there", path, a.dir)
}

// add adds a file, or all files of a folder. An empty path is nothing.
func (a *carried) add(path string) error { return a.addFolder(path, true) }

// addFolder is add: without hidden, it leaves out what has a name that begins with a dot.
func (a *carried) addFolder(path string, hidden bool) error {
	if path == "" {
		return nil
	}
	name, inside, err := a.name(path)
	if err != nil || !inside {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("a file that the project names: %w", err)
	case !info.IsDir():
		return a.note(name, path, info)
	case name == ".":
		return fmt.Errorf("the project serves its whole folder %s, the program that is built included: name a folder in it", a.dir)
	}
	a.files[name+"/"] = path
	root, err := os.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("a folder that the project names: %w", err)
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(below string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !hidden && below != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		info, err := root.Stat(filepath.FromSlash(below)) // a link leads to what is inside, as a server follows it
		if err != nil || !info.Mode().IsRegular() {
			return nil
		}
		return a.note(name+"/"+below, filepath.Join(path, filepath.FromSlash(below)), info)
	})
}

// note takes a file in, within the bounds.
func (a *carried) note(name, path string, info fs.FileInfo) error {
	if _, there := a.files[name]; there {
		return nil
	}
	a.files[name] = path
	if a.bytes += info.Size(); a.bytes > carriedBytesMax || len(a.files) > filesMax {
		return fmt.Errorf("the project names more than %d files or %d MiB to carry, the last one %s: give folders of this size to the server by their whole path", filesMax, carriedBytesMax>>20, path)
	}
	return nil
}

// writeZip writes the files, the same bytes for the same files.
func (a *carried) writeZip(to io.Writer, about program.About) error {
	w := zip.NewWriter(to)
	text, err := json.Marshal(about)
	if err != nil {
		return err
	}
	part, err := w.Create(program.AboutFile)
	if err == nil {
		_, err = part.Write(text)
	}
	if err != nil {
		return err
	}
	names := make([]string, 0, len(a.files))
	for name := range a.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := a.writeFile(w, name); err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
	}
	return w.Close()
}

func (a *carried) writeFile(w *zip.Writer, name string) error {
	head := &zip.FileHeader{Name: name, Method: zip.Deflate}
	if strings.HasSuffix(name, "/") {
		head.SetMode(fs.ModeDir | 0o755)
		_, err := w.CreateHeader(head)
		return err
	}
	f, err := os.Open(a.files[name])
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	head.SetMode(0o644 | info.Mode()&0o111)
	part, err := w.CreateHeader(head)
	if err == nil {
		_, err = io.Copy(part, f)
	}
	return err
}
