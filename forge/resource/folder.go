package resource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// Bounds of folders.
const (
	depthMax         = 32      // folders inside of folders
	folderEntriesMax = 10_000  // of one folder, that are listed
	visitedMax       = 100_000 // entries that are looked at for one page
	completionsMax   = 100
)

// folderSource is the files of a folder. The folder is opened for each request, so that
// one that was put in its place, as by a link that names another release, is seen.
type folderSource struct {
	path     string
	root     *os.Root // of one request; nil before it
	entry    *entry
	hidden   bool
	bytesMax uint64
	logger   *slog.Logger
}

func openFolder(c *config.Resource, e *entry, logger *slog.Logger) (*folderSource, error) {
	f := &folderSource{path: c.Root, entry: e, hidden: c.Hidden, bytesMax: c.ContentBytesMax, logger: logger}
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, fmt.Errorf("its folder cannot be opened: %w: make it, or name another in root", err)
	}
	return f, root.Close()
}

// opened is the source for one request, which closes it.
func (f *folderSource) opened() (*folderSource, error) {
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, fault.Because(err, fault.Unavailable, "the folder cannot be opened")
	}
	of := *f
	of.root = root
	return &of, nil
}

func (f *folderSource) close() {
	if err := f.root.Close(); err != nil {
		f.logger.Error("closing a folder of resources", "error", err)
	}
}

// name is the file that a resource is, or false where there can be none.
func (f *folderSource) name(at *place) (string, bool) {
	name := f.entry.variable(at)
	if !fs.ValidPath(name) || name == "." || !f.serves(name) {
		return "", false
	}
	return name, true
}

// serves says whether a path may be a resource: no deeper than the template, and no
// deeper than is listed, and without a name that begins with a dot.
func (f *folderSource) serves(name string) bool {
	slashes := strings.Count(name, "/")
	if slashes > 0 && !f.entry.greedy() || slashes > depthMax || strings.ContainsAny(name, "\\\x00") {
		return false
	}
	return f.hidden || !strings.HasPrefix(name, ".") && !strings.Contains(name, "/.")
}

func (f *folderSource) read(_ context.Context, at *place) (*Content, error) {
	name, ok := f.name(at)
	if !ok {
		return nil, mcp.ErrNoResource
	}
	f, err := f.opened()
	if err != nil {
		return nil, err
	}
	defer f.close()
	return readFile(f.root, name, f.bytesMax)
}

func (f *folderSource) write(_ context.Context, at *place, c *Content) error {
	name, ok := f.name(at)
	if !ok {
		return fault.New(fault.InvalidInput, "this path cannot be written: it is to be relative and plain, without . and .., and without names that begin with a dot")
	}
	f, err := f.opened()
	if err != nil {
		return err
	}
	defer f.close()
	dir := path.Dir(name)
	if err := f.root.MkdirAll(dir, 0o755); err != nil {
		return unwritten(err)
	}
	return replaceFile(f.root, name, dir, c.Bytes)
}

func (f *folderSource) stamp(at *place) stamp {
	name, ok := f.name(at)
	if !ok {
		return stamp{}
	}
	f, err := f.opened()
	if err != nil {
		return stamp{}
	}
	defer f.close()
	return stampOf(f.root.Stat(name))
}

// list lists the files in the order of a walk: folder by folder, names in byte order.
// Its cursors are paths.
func (f *folderSource) list(ctx context.Context, r *mcp.ListRequest) (*mcp.ListResult, error) {
	var after []string
	if r.Cursor != "" {
		if !fs.ValidPath(r.Cursor) {
			return nil, mcp.ErrCursor
		}
		after = strings.Split(r.Cursor, "/")
	}
	f, err := f.opened()
	if err != nil {
		return nil, err
	}
	defer f.close()
	w := &walk{folder: f, ctx: ctx, limit: r.Limit}
	err = w.dir(".", after, 0)
	if err != nil && !errors.Is(err, errFull) {
		return nil, err
	}
	return &w.result, nil
}

// walk is one page of a list.
type walk struct {
	folder  *folderSource
	ctx     context.Context
	limit   int
	visited int
	last    string // the path that was looked at last
	result  mcp.ListResult
}

var errFull = errors.New("the page is full")

// dir walks a folder from behind the path after on, which is relative to it.
func (w *walk) dir(dir string, after []string, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	entries, err := w.folder.entries(dir)
	if err != nil {
		if dir == "." {
			return fault.Because(err, fault.Unavailable, "the folder cannot be listed")
		}
		return nil // it has gone, or may not be read
	}
	for _, e := range entries {
		rest := after
		if len(after) > 0 {
			switch strings.Compare(e.Name(), after[0]) {
			case -1:
				continue
			case 0:
				if rest = after[1:]; len(rest) == 0 && !e.IsDir() {
					continue
				}
			default:
				rest = nil
			}
		}
		if err := w.one(path.Join(dir, e.Name()), e, rest, depth); err != nil {
			return err
		}
	}
	return nil
}

// one looks at an entry of a folder.
func (w *walk) one(name string, e fs.DirEntry, rest []string, depth int) error {
	if !utf8.ValidString(name) || !w.folder.serves(name) {
		return nil
	}
	if w.visited++; w.visited > visitedMax {
		w.result.Next = w.last
		return errFull
	}
	if e.IsDir() {
		if !w.folder.entry.greedy() || depth >= depthMax {
			return nil
		}
		return w.dir(name, rest, depth+1)
	}
	info, err := w.folder.root.Stat(name) // of what a link leads to, inside
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	uri := w.folder.entry.spelled(name)[0]
	if len(uri) > uriBytesMax {
		return nil
	}
	if len(w.result.Resources) == w.limit {
		w.result.Next = w.last
		return errFull
	}
	media := w.folder.entry.config.MIMEType
	if media == "" {
		media = mimeOfName(name)
	}
	w.last = name
	w.result.Resources = append(w.result.Resources, mcp.Resource{URI: uri, Name: shown(name, uri), MIMEType: media, Size: info.Size()})
	return nil
}

// entries are those of a folder, by name. Of very many the first that the system gives
// are told.
func (f *folderSource) entries(dir string) ([]fs.DirEntry, error) {
	file, err := f.root.OpenFile(dir, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	entries, err := file.ReadDir(folderEntriesMax + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(entries) > folderEntriesMax {
		f.logger.Warn("a folder of resources is listed in part", "resource", f.entry.config.Name, "folder", dir, "entries", folderEntriesMax)
		entries = entries[:folderEntriesMax]
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// complete suggests the files and folders of one folder whose paths begin with value.
func (f *folderSource) complete(_ context.Context, value string) (*mcp.CompleteResult, error) {
	dir, start := path.Split(value)
	dir = strings.TrimSuffix(dir, "/")
	result := &mcp.CompleteResult{}
	if dir == "" {
		dir = "."
	}
	if !fs.ValidPath(dir) || dir != "." && !f.serves(dir) {
		return result, nil
	}
	f, err := f.opened()
	if err != nil {
		return nil, err
	}
	defer f.close()
	entries, err := f.entries(dir)
	if err != nil {
		return result, nil // there is no such folder
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if !strings.HasPrefix(e.Name(), start) || !utf8.ValidString(name) || !f.serves(name) {
			continue
		}
		if e.IsDir() {
			if !f.entry.greedy() {
				continue
			}
			name += "/"
		} else if info, err := f.root.Stat(name); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if len(result.Values) == completionsMax {
			result.More = true
			break
		}
		result.Values = append(result.Values, name)
	}
	return result, nil
}
