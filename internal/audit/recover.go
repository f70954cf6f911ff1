package audit

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// lineBytesMax bounds a line: what is kept of a request is bounded.
const lineBytesMax = 64 << 10

// rotatedFile is a file that a log has grown out of.
type rotatedFile struct {
	name   string
	number uint64
}

// rotated lists the files of a log that are not written any more, the oldest first.
func rotated(name string) ([]rotatedFile, error) {
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	var all []rotatedFile
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), filepath.Base(name)+".")
		if !ok || len(digits) != 10 {
			continue
		}
		if n, err := strconv.ParseUint(digits, 10, 64); err == nil {
			all = append(all, rotatedFile{filepath.Join(filepath.Dir(name), e.Name()), n})
		}
	}
	slices.SortFunc(all, func(a, b rotatedFile) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// Files are the files of a log that are there, in the order of their records.
func Files(name string) ([]string, error) {
	older, err := rotated(name)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, f := range older {
		all = append(all, f.name)
	}
	if _, err := os.Stat(name); err == nil {
		all = append(all, name)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no audit log %s: %w", name, os.ErrNotExist)
	}
	return all, nil
}

// lines reads a file line by line, with where each begins. A line that is longer than any
// record is cut. whole says that it ends as a line does.
func lines(r io.Reader, yield func(at int64, line []byte, whole bool) bool) error {
	in := bufio.NewReaderSize(r, lineBytesMax)
	for at := int64(0); ; {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 && !yield(at, line, err == nil) {
			return nil
		}
		at += int64(len(line))
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// recover finds the end of the chain, cuts off what a crash has torn, and opens the file
// to go on with. note says what was cut off.
func (l *Log) recover() (note string, err error) {
	l.head = zeros
	files, err := Files(l.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	current := len(files) > 0 && files[len(files)-1] == l.path
	var good int64
	for i := len(files) - 1; i >= 0; i-- {
		end, torn, bytes, err := l.scan(files[i])
		if err != nil {
			return "", err
		}
		if files[i] == l.path {
			good, note = end, torn
		} else if bytes > 0 {
			return "", fmt.Errorf("%s ends in the middle of a record, and is not the last file: \"ingot audit verify %s\" says more", files[i], l.path)
		}
		if l.seq > 0 {
			break
		}
	}
	l.writeds, l.onDisk = l.seq, l.head
	if l.file, err = l.create(l.path); err != nil {
		return "", err
	}
	if !current {
		return note, syncFolder(l.path)
	}
	if err := os.Chmod(l.path, 0o600); err != nil {
		return "", err
	}
	if note != "" {
		if err := l.file.Truncate(good); err != nil {
			return "", err
		}
	}
	l.size, err = l.file.Seek(good, io.SeekStart)
	return note, err
}

// scan reads a file to the end of its chain, which l.seq and l.head then are. Behind it
// there may be what a crash has torn: bytes that hold no whole record.
func (l *Log) scan(name string) (good int64, note string, torn int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, "", 0, err
	}
	defer f.Close()
	sum := sha256.New()
	first := true
	damage := func(at int64, why string) error {
		return fmt.Errorf("%s is damaged at byte %d: %s. \"ingot audit verify %s\" says more; move the log away to begin another", name, at, why, l.path)
	}
	readErr := lines(f, func(at int64, line []byte, whole bool) bool {
		e, bad := parse(line)
		switch {
		case bad != nil || !whole:
			torn += int64(len(line))
			sum.Write(line)
			return true
		case torn > 0:
			err = damage(good, "a record is missing or changed, and whole ones follow")
			return false
		case !first && (e.Seq != l.seq+1 || e.Prev != l.head):
			err = damage(at, fmt.Sprintf("record %d does not follow record %d", e.Seq, l.seq))
			return false
		}
		first = false
		l.seq, l.head = e.Seq, e.Hash
		good = at + int64(len(line))
		return true
	})
	if err = errors.Join(err, readErr); err != nil {
		return 0, "", 0, err
	}
	if torn > 0 {
		note = fmt.Sprintf("%d bytes at the end were no whole record and are cut off; their SHA-256 was %x", torn, sum.Sum(nil))
	}
	return good, note, torn, nil
}

// syncFolder makes names in a file's folder last.
func syncFolder(name string) error {
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(syncDir(dir), dir.Close())
}
