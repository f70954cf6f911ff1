package program

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ingot-run/ingot/internal/command"
)

// AboutFile is the archive's entry that says what the project is: an [About] as JSON.
const AboutFile = "ingot-program.json"

// About is what a program knows of its project before it is unpacked.
type About struct {
	File        string `json:"file"` // the forge.yaml, as a path in the archive
	Name        string `json:"name"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
	// Folders are made where they are not there: those that the project writes to.
	Folders []string `json:"folders,omitempty"`
}

// project is an archive and what it says of itself.
type project struct {
	about About
	files *zip.Reader
}

// read opens an archive.
func read(archive []byte) (*project, error) {
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, fmt.Errorf("the program's project cannot be read: %w: build it again", err)
	}
	p := &project{files: files}
	text, err := fs.ReadFile(files, AboutFile)
	if err == nil {
		err = json.Unmarshal(text, &p.about)
	}
	if err == nil && (p.about.File == "" || p.about.Name == "") {
		err = errors.New("it has no name")
	}
	if err != nil {
		return nil, fmt.Errorf("the program's project does not say what it is: %w: build it again", err)
	}
	return p, nil
}

// version is the line that --version prints.
func (p *project) version() string {
	return fmt.Sprintf("%s %s, by %s", p.about.Name, p.about.Version, command.VersionLine("ingot"))
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// command is the project's name as a command's.
func (p *project) command() string {
	if name := strings.Trim(unfit.ReplaceAllString(p.about.Name, "-"), "-"); name != "" {
		return name
	}
	return "project"
}

// unpack writes the files into a folder, and returns the path of the forge.yaml. done
// removes what is not to stay.
func (p *project) unpack(data string) (file string, done func() error, err error) {
	if data == "" && len(p.about.Folders) == 0 {
		return p.unpackAside()
	}
	if data == "" {
		if data, err = command.DefaultData(filepath.Join("projects", p.command())); err != nil {
			return "", nil, err
		}
	}
	file, err = p.unpackTo(data)
	return file, func() error { return nil }, err
}

// unpackAside is unpack into a folder that done removes.
func (p *project) unpackAside() (file string, done func() error, err error) {
	dir, err := os.MkdirTemp("", p.command()+"-")
	if err != nil {
		return "", nil, fmt.Errorf("making a folder for the project: %w", err)
	}
	done = func() error { return os.RemoveAll(dir) }
	if file, err = p.unpackTo(dir); err != nil {
		return "", nil, errors.Join(err, done())
	}
	return file, done, nil
}

// unpackTo writes the files below dir.
func (p *project) unpackTo(dir string) (file string, err error) {
	if err := p.write(dir); err != nil {
		return "", fmt.Errorf("unpacking the project to %s: %w", dir, err)
	}
	return filepath.Join(dir, filepath.FromSlash(p.about.File)), nil
}

func (p *project) write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // no link that somebody made leads a file out of it
	if err != nil {
		return err
	}
	defer root.Close()
	for _, folder := range p.about.Folders {
		if err := root.MkdirAll(filepath.FromSlash(folder), 0o700); err != nil {
			return err
		}
	}
	for _, f := range p.files.File {
		if f.Name == AboutFile {
			continue
		}
		if err := place(root, f); err != nil {
			return err
		}
	}
	return nil
}

// place writes one file, if it is not there already.
func place(root *os.Root, f *zip.File) error {
	name := filepath.FromSlash(f.Name)
	if strings.HasSuffix(f.Name, "/") {
		return root.MkdirAll(strings.TrimSuffix(name, string(filepath.Separator)), 0o700)
	}
	if folder := path.Dir(f.Name); folder != "." {
		if err := root.MkdirAll(filepath.FromSlash(folder), 0o700); err != nil {
			return err
		}
	}
	part, err := f.Open()
	if err != nil {
		return err
	}
	defer part.Close()
	content, err := io.ReadAll(part)
	if err != nil {
		return err
	}
	mode := 0o600 | f.Mode()&0o100
	if there, err := root.ReadFile(name); err == nil && bytes.Equal(there, content) {
		return root.Chmod(name, mode)
	}
	// Another process may be reading the old file, or writing the new one.
	fresh := fmt.Sprintf("%s.%d", name, os.Getpid())
	if err = root.WriteFile(fresh, content, mode); err == nil {
		err = root.Rename(fresh, name)
	}
	if err != nil {
		_ = root.Remove(fresh) // it may never have been there
	}
	return err
}
