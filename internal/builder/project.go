package builder

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
)

// Options say how a project is built. The zero value works.
type Options struct {
	// Out is the program to write; empty: the folder's name, in the folder.
	Out string
	// Source is a folder with ingot's own source, to build with; empty: the version that
	// the project's go.mod requires, or this program's own.
	Source string
	// Log gets a line for what is worth one; nil discards.
	Log io.Writer
}

// Built is what [Project] made.
type Built struct {
	Path    string // absolute
	Bytes   int64
	Release bool // it has no symbols
	Files   int  // how many files it carries
	Guests  int  // how many modules were compiled for it
}

// File returns the path of a folder's forge.yaml or pforge.yaml; empty: it has none.
func File(dir string) string {
	for _, name := range []string{"forge.yaml", "pforge.yaml"} {
		if path := filepath.Join(dir, name); isFile(path) {
			return path
		}
	}
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Project makes one static program of a folder with a forge.yaml. What is wrong with the
// file is a [*config.Problems]; a handler that nobody registers, source that does not
// compile, and a compiler that is missing are other errors.
func Project(ctx context.Context, dir string, o Options) (*Built, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the folder: %w", err)
	}
	out, err := target(dir, o.Out)
	if err != nil {
		return nil, err
	}
	if err := need("go", "a project is compiled with Go 1.26 or newer (from go.dev)"); err != nil {
		return nil, err
	}
	c, values, err := read(File(dir))
	if err != nil {
		return nil, err
	}
	found, err := findHandlers(dir)
	if err == nil {
		err = found.check(c)
	}
	if err != nil {
		return nil, err
	}
	built := &Built{Path: out, Release: c.Forge.Release}
	if built.Guests, err = buildGuests(ctx, dir, c, o.Log); err != nil {
		return nil, err
	}
	files, err := gather(dir, c, values)
	if err != nil {
		return nil, err
	}
	built.Files = len(files.files)
	if err := link(ctx, &glue{dir: dir, out: out, source: o.Source, release: c.Forge.Release, handlers: found, files: files, about: files.about(c)}); err != nil {
		return nil, err
	}
	info, err := os.Stat(out)
	if err != nil {
		return nil, fmt.Errorf("looking at what was built: %w", err)
	}
	built.Bytes = info.Size()
	return built, nil
}

// target is the program's path.
func target(dir, out string) (string, error) {
	if out == "" {
		out = filepath.Join(dir, filepath.Base(dir))
		if os.Getenv("GOOS") == "windows" {
			out += ".exe"
		}
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return "", fmt.Errorf("finding the program's place: %w", err)
	}
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		return "", fmt.Errorf("the program cannot be written: %s is a folder: name a file with --out", out)
	}
	return out, nil
}

// unset finds the variable in the loader's complaint about one.
var unset = regexp.MustCompile(`^the environment variable (\w+) is not set`)

// read loads the file. Variables that are not set here, but will be where the program
// runs, stand for the text "unset". values are those of the variables that are set.
func read(path string) (c *config.Config, values []string, err error) {
	missing := map[string]bool{}
	for {
		values = nil
		lookup := func(name string) (string, bool) {
			value, ok := os.LookupEnv(name)
			if ok && filepath.IsAbs(value) {
				values = append(values, value)
			}
			if !ok && missing[name] {
				return "unset", true
			}
			return value, ok
		}
		c, err = config.Load(path, config.Options{LookupEnv: lookup})
		problems, wrong := errors.AsType[*config.Problems](err)
		if !wrong {
			return c, values, err
		}
		before := len(missing)
		for _, p := range problems.List {
			if m := unset.FindStringSubmatch(p.Message); m != nil {
				missing[m[1]] = true
			}
		}
		if len(missing) > before {
			continue
		}
		if before > 0 {
			return nil, nil, fmt.Errorf("%w\nVariables that are not set here were read as \"unset\": set them to what they may be", err)
		}
		return nil, nil, err
	}
}

// buildGuests compiles the modules that the file names and whose source is beside them,
// those that are older than it. Where a compiler is missing, a module that is there is used as it is.
func buildGuests(ctx context.Context, dir string, c *config.Config, log io.Writer) (built int, err error) {
	for i := range c.Tools {
		w := c.Tools[i].Wasm
		if w == nil {
			continue
		}
		folder := filepath.Dir(w.Module)
		if inside, err := filepath.Rel(dir, folder); err != nil || !filepath.IsLocal(inside) || inside == "." {
			continue
		}
		old, err := stale(folder, w.Module)
		if err != nil {
			return built, err
		}
		if l, _ := findLanguage(folder); l != nil && old {
			_, err := Guest(ctx, folder, w.Module)
			missing, ok := errors.AsType[*MissingError](err)
			switch {
			case ok && isFile(w.Module):
				fmt.Fprintf(log, "%s is used as it is: %v\n", w.Module, missing)
			case err != nil:
				return built, fmt.Errorf("building %s: %w", folder, err)
			default:
				built++
			}
		}
		if err := pinned(w.Module, w.Policy.SHA256); err != nil {
			return built, err
		}
	}
	return built, nil
}

// stale says whether a module is older than a file of its folder, or missing.
func stale(folder, module string) (old bool, err error) {
	info, err := os.Stat(module)
	if err != nil {
		return true, nil // whatever is wrong, building it is the answer
	}
	seen := 0
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if seen++; err != nil || seen > filesMax {
			return err
		}
		if entry.IsDir() && (entry.Name() == "target" || entry.Name() == "node_modules") {
			return fs.SkipDir // what builds leave
		}
		if file, err := entry.Info(); err == nil && entry.Type().IsRegular() && file.ModTime().After(info.ModTime()) {
			old = true
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("looking at the source of %s: %w", module, err)
	}
	return old, nil
}

// pinned holds a module to the hash that the file gives.
func pinned(path, want string) error {
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no module %s, and beside it no source that ingot build knows: put one of the two there", path)
	case err != nil:
		return fmt.Errorf("reading a module: %w", err)
	case want == "":
		return nil
	}
	want = strings.ToLower(strings.TrimPrefix(want, "sha256:"))
	if got := fmt.Sprintf("%x", sha256.Sum256(content)); got != want {
		return fmt.Errorf("%s has the hash %s, and the file asks for sha256: %s", path, got, want)
	}
	return nil
}

// unreleased is the version in the go.mod of a project that was begun by an ingot that is
// no release.
const unreleased = "v0.0.0"

// version is the one of ingot to build with where no source is given.
func version() (string, error) {
	if v := command.Version(); strings.HasPrefix(v, "v") {
		return v, nil
	}
	return "", errors.New("this ingot is no release: say where its source is with --source DIR or the environment variable INGOT_SOURCE")
}
