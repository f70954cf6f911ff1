package meter

import (
	"fmt"
	"strings"
)

// The sections that come behind the globals, apart from the code.

// exportSection adds the fuel, and the mutable globals that have no name yet.
func (w *writer) exportSection(content []byte) ([]byte, error) {
	r := reader{b: content}
	entries := r.u32()
	out := make([]byte, 0, len(content)+64)
	w.exported, w.exports = map[uint32]string{}, make([]bool, len(w.functions))
	for n := entries; n > 0 && r.err == nil; n-- {
		at := r.at
		name, kind := r.name(), Kind(r.byte())
		if strings.HasPrefix(name, reservedPrefix) {
			r.fail("it exports %q, but names that start with %q are reserved: was it instrumented before?", clip(name), reservedPrefix)
		}
		head := r.at
		index := r.u32()
		if r.err != nil {
			break
		}
		out = append(out, content[at:head]...)
		switch kind {
		case KindFunction:
			if int(index) < len(w.exports) {
				w.exports[index] = true
			}
			index = w.moved(index)
		case KindGlobal:
			w.checkGlobal(&r, index)
			if _, ok := w.exported[index]; !ok {
				w.exported[index] = name
			}
		}
		out = appendU32(out, index)
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	return w.exportGlobals(entries, out), nil
}

// exportGlobals puts the added exports behind the module's own.
func (w *writer) exportGlobals(entries uint32, own []byte) []byte {
	for i, g := range w.globals {
		if !g.mutable || g.imported || !isNumber(g.kind) {
			continue
		}
		name, ok := w.exported[uint32(i)]
		if !ok {
			name = fmt.Sprintf("%sglobal:%d", reservedPrefix, i)
			own = appendU32(append(appendName(own, name), byte(KindGlobal)), uint32(i))
			entries++
		}
		w.m.Globals = append(w.m.Globals, Global{uint32(i), g.kind, name})
	}
	own = appendU32(append(appendName(own, ExportFuel), byte(KindGlobal)), w.fuel())
	return append(appendU32(nil, entries+1), own...)
}

// startSection moves the start function.
func (w *writer) startSection(content []byte) ([]byte, error) {
	r := reader{b: content}
	index := r.u32()
	return appendU32(nil, w.moved(index)), r.done()
}

// elementSection moves the functions in the element segments.
func (w *writer) elementSection(content []byte) ([]byte, error) {
	r := reader{b: content}
	entries := r.u32()
	out := appendU32(make([]byte, 0, len(content)+len(content)/8), entries)
	for n := entries; n > 0 && r.err == nil; n-- {
		out = w.segment(out, &r)
	}
	return out, r.done()
}

// segment copies one element segment. Bit 0 of its flags: it is not active; bit
// 1: a table index, or declarative; bit 2: it holds expressions, not indices.
func (w *writer) segment(out []byte, r *reader) []byte {
	flags := r.u32()
	if flags > 7 {
		r.fail("an element segment of the unknown form %d", flags)
	}
	out = appendU32(out, flags)
	if flags&1 == 0 {
		if flags&2 != 0 {
			out = appendU32(out, r.u32())
		}
		out = w.constant(out, r, false)
	}
	typed := false
	if flags&3 != 0 { // the kind or type of the elements
		at := r.at
		if flags&4 != 0 {
			typed = r.more() && isTyped(r.b[at:])
			w.checkValueType(r)
		} else {
			r.byte()
		}
		if r.err == nil {
			out = append(out, r.b[at:r.at]...)
		}
	}
	count := r.u32()
	out = appendU32(out, count)
	for ; count > 0 && r.err == nil; count-- {
		if flags&4 != 0 {
			out = w.constant(out, r, typed)
		} else {
			out = appendU32(out, w.moved(r.u32()))
		}
	}
	return out
}

// dataSection sees that the lengths in the data segments are true: the compiler
// would allocate what they say.
func (w *writer) dataSection(content []byte) error {
	r := reader{b: content}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		flags := r.u32()
		if flags > 2 {
			r.fail("a data segment of the unknown form %d", flags)
		}
		if flags == 2 {
			r.u32() // the memory
		}
		if flags != 1 {
			w.constant(nil, &r, false)
		}
		r.bytes(r.u32())
	}
	return r.done()
}

// tagSection does the same for the tags of exceptions.
func (w *writer) tagSection(content []byte) error {
	r := reader{b: content}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		r.byte()
		w.checkType(&r, r.u32())
	}
	return r.done()
}
