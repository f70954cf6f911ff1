package meter

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// custom writes a custom section.
//
// The functions in the name section move. Sections that speak of places in the
// code are dropped, since those move too: the debug sections of DWARF, maps to
// the source, branch hints, and what a linker would need. All others stay.
func (w *writer) custom(content []byte) error {
	r := reader{b: content}
	name := r.name()
	switch {
	case r.err != nil:
		return r.err
	case !utf8.ValidString(name):
		return errors.New("its name is not UTF-8")
	case name == "name":
		moved, err := w.names(content[r.at:])
		if err != nil {
			return fmt.Errorf("names: %w", err)
		}
		content = append(appendName(nil, name), moved...)
	case speaksOfCode(name):
		return nil
	case r.at == len(content):
		w.held = appendSection(w.held, sectionCustom, content)
		return nil
	}
	w.write(sectionCustom, content)
	return nil
}

// write appends a section to the module. An empty custom section waits for one
// that is not: wazero 1.12 takes no module that ends in one.
func (w *writer) write(id byte, content []byte) {
	w.out = appendSection(append(w.out, w.held...), id, content)
	w.held = w.held[:0]
}

// speaksOfCode says whether the custom section of this name holds offsets into
// the code section.
func speaksOfCode(name string) bool {
	for _, prefix := range []string{".debug_", "reloc.", "metadata.code."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "linking" || name == "sourceMappingURL" || name == "external_debug_info" || name == ".gnu_debugdata"
}

// Subsections of the name section. The maps have functions as keys.
const (
	nameOfModule     = 0
	namesOfFunctions = 1
	namesOfLocals    = 2
	namesOfLabels    = 3
)

// names moves the functions in a name section.
func (w *writer) names(content []byte) ([]byte, error) {
	r := reader{b: content}
	out := make([]byte, 0, len(content)+len(content)/16)
	for r.more() {
		id := r.byte()
		sub := r.bytes(r.u32())
		s := reader{b: sub}
		switch id {
		case nameOfModule:
			s.name()
			r.err = cmp.Or(r.err, s.done())
		case namesOfFunctions, namesOfLocals:
			sub = w.nameMap(&s, id == namesOfFunctions)
			r.err = cmp.Or(r.err, s.done())
		case namesOfLabels: // which the compiler does not read
			if sub = w.nameMap(&s, false); s.done() != nil {
				continue
			}
		}
		out = appendSection(out, id, sub)
	}
	return out, r.err
}

// nameMap copies a map from functions to names, or to maps of names.
func (w *writer) nameMap(r *reader, flat bool) []byte {
	n := r.u32()
	out := appendU32(make([]byte, 0, len(r.b)+len(r.b)/16), n)
	for ; n > 0 && r.err == nil; n-- {
		out = appendU32(out, w.moved(r.u32()))
		at := r.at
		if flat {
			r.bytes(r.u32())
		} else {
			for k := r.u32(); k > 0 && r.err == nil; k-- {
				r.u32()
				r.bytes(r.u32())
			}
		}
		if r.err == nil {
			out = append(out, r.b[at:r.at]...)
		}
	}
	return out
}
