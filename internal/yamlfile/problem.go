package yamlfile

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Pos is a place in a file. Line and Column count from 1; the zero value is none.
type Pos struct {
	File         string
	Line, Column int
}

// String is FILE:LINE:COLUMN.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Place is where a mapping of a file stands, and each of its values.
type Place struct {
	// Pos is where the mapping begins; the zero value when no file writes it.
	Pos  Pos `json:"-"`
	keys []keyPos
}

type keyPos struct {
	key          string
	line, column int32
}

func (p *Place) note(key string, n *Node) {
	p.keys = append(p.keys, keyPos{key, int32(n.Line), int32(n.Column)})
}

// At is where the value of a key stands; where the mapping begins when it has no such
// key.
func (p *Place) At(key string) Pos {
	for _, k := range p.keys {
		if k.key == key {
			return Pos{p.Pos.File, int(k.line), int(k.column)}
		}
	}
	return p.Pos
}

// Has says whether the file writes that key.
func (p *Place) Has(key string) bool {
	return slices.ContainsFunc(p.keys, func(k keyPos) bool { return k.key == key })
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	// File is the file's name.
	File string
	// Line and Column count from 1; 0 when the problem has no place.
	Line, Column int
	// Message says what is wrong and how to mend it.
	Message string
}

// Problems are all that is wrong with some files, by file and place: at least one.
type Problems struct {
	List []Problem
	// LeftOut counts those beyond ProblemsMax.
	LeftOut int
	// Files are those that were looked at, also ones that are not there: when one of
	// them changes, there may be fewer problems.
	Files []string
}

// Error is a line for each problem, FILE:LINE:COLUMN: MESSAGE.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List), len(p.List)+1)
	for i, x := range p.List {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", x.File, x.Line, x.Column, x.Message)
	}
	if p.LeftOut > 0 {
		lines = append(lines, fmt.Sprintf("and %d more problems: mend these first", p.LeftOut))
	}
	return strings.Join(lines, "\n")
}

// Options say how files are read. The zero value works.
type Options struct {
	// LookupEnv finds environment variables; nil: os.LookupEnv.
	LookupEnv func(name string) (value string, found bool)
}

// ProblemsMax is how many problems are noted; the rest is counted and left out.
const ProblemsMax = 100

// Set is the files of one configuration: their problems and secrets come together.
type Set struct {
	lookup   func(string) (string, bool)
	expanded map[string]string // values of variables, and how they are written
	files    []string          // the order of files
	problems []Problem
	faults   int // problems, with those that are left out
	steps    int
}

// NewSet begins with no file.
func NewSet(o Options) *Set {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	return &Set{lookup: o.LookupEnv, expanded: map[string]string{}}
}

// Reader reads the file called name; relative paths in it are relative to its folder.
func (s *Set) Reader(name string) *Reader {
	s.files = append(s.files, name)
	return &Reader{Set: s, File: name, Dir: filepath.Dir(name)}
}

// Expect notes a file that another one names, which may not be there.
func (s *Set) Expect(name string) { s.files = append(s.files, name) }

// Faults is how many problems there are so far, those that are left out counted.
func (s *Set) Faults() int { return s.faults }

// Full says whether further problems are left out: finding a good text for one is
// wasted then.
func (s *Set) Full() bool { return s.faults >= ProblemsMax }

// Note adds a problem at a place.
func (s *Set) Note(at Pos, format string, args ...any) {
	s.faults++
	if s.faults > ProblemsMax {
		return
	}
	message := fmt.Sprintf(format, args...)
	for _, value := range s.secrets() {
		message = strings.ReplaceAll(message, value, s.expanded[value])
	}
	s.problems = append(s.problems, Problem{at.File, at.Line, at.Column, message})
}

// secrets are the values that were put in, the longest first: a short one may be a
// part of a long one.
func (s *Set) secrets() []string {
	values := make([]string, 0, len(s.expanded))
	for v := range s.expanded {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	return values
}

// Secrets are the values of variables of the environment that were put in, and what
// Secret was told, the longest first.
func (s *Set) Secrets() []string { return s.secrets() }

// secretBytesMin is from which length on a value is kept out of errors; a shorter one
// could be a part of any word.
const secretBytesMin = 4

// Secret keeps a value out of errors: shown stands in its place.
func (s *Set) Secret(value, shown string) {
	if len(value) >= secretBytesMin {
		s.expanded[value] = shown
	}
}

// Err is a [*Problems] with all that was noted, or nil.
func (s *Set) Err() error {
	if len(s.problems) == 0 {
		return nil
	}
	list := slices.Clone(s.problems)
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(slices.Index(s.files, a.File), slices.Index(s.files, b.File)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Problems{list, s.faults - len(list), slices.Clone(s.files)}
}
