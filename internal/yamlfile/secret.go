package yamlfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secretFileMax bounds a file whose text stands for a value.
const secretFileMax = 64 << 10

// variable finds a variable of the environment, or where it is not set the file that
// NAME_FILE names: so are secrets handed to containers.
func (s *Set) variable(name string) (value string, set bool, err error) {
	if value, set = s.lookup(name); set {
		return value, true, nil
	}
	file, named := s.lookup(name + "_FILE")
	if !named || file == "" {
		return "", false, nil
	}
	if value, err = readSecret(file); err != nil {
		return "", false, fmt.Errorf("the variable %s is not set, and the file that %s_FILE names cannot be read: %w", name, name, err)
	}
	return value, true, nil
}

// secretFile is the text of a file that a value names; a relative path is relative to the
// file's folder. It is a secret from then on.
func (r *Reader) secretFile(name string) (string, error) {
	if name == "" {
		return "", errors.New("it has no path")
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(r.Dir, name)
	}
	value, err := readSecret(name)
	if err == nil {
		r.Secret(value, "${file:"+filepath.Base(name)+"}")
	}
	return value, err
}

// readSecret reads a file without the line end at its end. Its errors hold nothing of it.
func readSecret(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", plainCause(err)
	}
	if !info.Mode().IsRegular() { // a pipe would never end
		return "", errors.New("it is no plain file")
	}
	f, err := os.Open(name)
	if err != nil {
		return "", plainCause(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, secretFileMax+1))
	switch {
	case err != nil:
		return "", plainCause(err)
	case len(text) > secretFileMax:
		return "", fmt.Errorf("it has more than %d bytes", secretFileMax)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// plainCause is an error without its path.
func plainCause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
