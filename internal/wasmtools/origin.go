package wasmtools

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/internal/grants"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/signature"
)

// Origin is a place where modules come from.
type Origin interface {
	// Sources are the modules that are there now, in a stable order.
	Sources() ([]Source, error)
}

// Source is one module that can be loaded.
type Source struct {
	// Name is what logs and errors call it: the path of its file.
	Name string
	// Files are what the module and its policy are read from; when one of them
	// changes, Open is asked again.
	Files []string
	// Open reads the module and the policy that it is to have.
	Open func() (module []byte, p sandbox.Policy, err error)
}

// sourcesMax bounds the modules of one origin.
const sourcesMax = 1000

// Open returns the origin at path: a file of WebAssembly, a folder with such
// files (*.wasm), or an OCI image layout. All of its modules get the policy; a
// signature beside a file (see [signature]) is read when the policy has a key.
func Open(path string, p sandbox.Policy) (Origin, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return file{path, p}, nil
	}
	if _, err := os.Stat(filepath.Join(path, layoutFile)); err == nil {
		return layout{path, p}, nil
	}
	return folder{path, p}, nil
}

// Config returns the tools of type wasm of a forge.yaml as an origin. The file is
// read again for each look.
func Config(path string, o grants.Options) Origin { return config{path, o} }

// file is one module.
type file struct {
	path   string
	policy sandbox.Policy
}

// Sources implements Origin.
func (f file) Sources() ([]Source, error) { return []Source{fileSource(f.path, f.policy)}, nil }

func fileSource(path string, p sandbox.Policy) Source {
	s := Source{Name: path, Files: []string{path}}
	signed := p.PublicKey != nil && p.Signature == nil
	if signed {
		s.Files = append(s.Files, path+signature.FileSuffix)
	}
	s.Open = func() ([]byte, sandbox.Policy, error) {
		p := p
		if signed {
			var err error
			p.Signature, err = os.ReadFile(path + signature.FileSuffix)
			if err != nil {
				return nil, p, fmt.Errorf("reading the signature of %s: %w", path, err)
			}
		}
		module, err := readModule(path, p)
		return module, p, err
	}
	return s
}

// readModule reads a file, or as much of it as is enough for the sandbox to
// refuse it.
func readModule(path string, p sandbox.Policy) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(moduleBytesMax(p))+1))
}

// moduleBytesMax is the longest module that the policy lets in.
func moduleBytesMax(p sandbox.Policy) uint64 {
	if p.Limits.ModuleBytesMax == 0 {
		return sandbox.DefaultLimits().ModuleBytesMax
	}
	return p.Limits.ModuleBytesMax
}

// folder is each *.wasm in a folder; what lies in folders below is left alone.
type folder struct {
	path   string
	policy sandbox.Policy
}

// Sources implements Origin.
func (f folder) Sources() ([]Source, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, err
	}
	var all []Source
	for _, e := range entries {
		// A file that is being written often has a name with a dot in front.
		if e.IsDir() || filepath.Ext(e.Name()) != ".wasm" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if len(all) == sourcesMax {
			return nil, fmt.Errorf("%s has more than %d modules: split it, and name those to serve", f.path, sourcesMax)
		}
		all = append(all, fileSource(filepath.Join(f.path, e.Name()), f.policy))
	}
	return all, nil
}

// config is the tools of a forge.yaml.
type config struct {
	path    string
	options grants.Options
}

// Sources implements Origin.
func (c config) Sources() ([]Source, error) {
	read, err := grants.Read(c.path, c.options)
	if err != nil {
		return nil, err
	}
	if len(read.Tools) == 0 {
		return nil, fmt.Errorf("%s: there is no tool of type wasm", c.path)
	}
	seen := map[string]int{}
	all := make([]Source, len(read.Tools))
	for i, t := range read.Tools {
		if line, twice := seen[t.Module]; twice {
			return nil, fmt.Errorf("%s:%d:%d: the module %s is named before, in line %d", c.path, t.Line, t.Column, t.Module, line)
		}
		seen[t.Module] = t.Line
		all[i] = Source{Name: t.Module, Files: []string{c.path, t.Module}, Open: t.Open}
		if t.Signature != "" {
			all[i].Files = append(all[i].Files, t.Signature)
		}
	}
	return all, nil
}

// origins is several of them as one.
type origins []Origin

// Sources implements Origin. A module that two origins name is an error.
func (o origins) Sources() ([]Source, error) {
	var all []Source
	for _, origin := range o {
		sources, err := origin.Sources()
		if err != nil {
			return nil, err
		}
		for _, s := range sources {
			if slices.ContainsFunc(all, func(t Source) bool { return t.Name == s.Name }) {
				return nil, fmt.Errorf("%s is named twice", s.Name)
			}
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there is no module to serve: name a .wasm file, a folder that has some, an OCI image layout, or a forge.yaml")
	}
	return all, nil
}
