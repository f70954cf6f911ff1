package meter

import "strings"

// custom writes a custom section.
//
// The functions in the name section move. Sections that speak of places in the
// code are dropped, since those move too: the debug sections of DWARF, maps to
// the source, branch hints, and what a linker would need. All others stay.
func (w *writer) custom(content []byte) {
	r := reader{b: content}
	name := r.name()
	switch {
	case r.err != nil: // for the compiler to find
	case name == "name":
		if moved, ok := w.names(content[r.at:]); ok {
			content = append(appendName(nil, name), moved...)
		}
	case speaksOfCode(name):
		return
	}
	w.out = appendSection(w.out, sectionCustom, content)
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

// Subsections of the name section whose maps have functions as keys.
const (
	namesOfFunctions = 1
	namesOfLocals    = 2
	namesOfLabels    = 3
)

// names moves the functions in a name section. A section that is not well formed
// is left to the compiler as it is.
func (w *writer) names(content []byte) ([]byte, bool) {
	r := reader{b: content}
	out := make([]byte, 0, len(content)+len(content)/16)
	for r.more() {
		id := r.byte()
		sub := r.bytes(r.u32())
		switch id {
		case namesOfFunctions, namesOfLocals, namesOfLabels:
			s := reader{b: sub}
			sub = w.nameMap(&s, id == namesOfFunctions)
			if s.done() != nil {
				return nil, false
			}
		}
		out = appendSection(out, id, sub)
	}
	return out, r.err == nil
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
