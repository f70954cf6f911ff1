package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
)

// The function table of Go 1.26 on wasm, whose pointers have 8 bytes (runtime/symtab.go,
// pcHeader and moduledata; runtime/runtime2.go, _func; internal/abi/symtab.go):
//
//	header  0  4  magic          24  8  -
//	        4  4  0, 0, 1, 8     32  8  offset of the names
//	        8  8  functions      40  8  of the table of compilation units
//	       16  8  files          48  8  of the file names
//	                             56  8  of the tables by instruction
//	                             64  8  of the functions
//
//	function 0  4  entry         20  4  table of files         40  1  id
//	         4  4  name          24  4  table of lines         41  1  flags
//	         8  4  arguments     28  4  number of pcdata       43  1  number of funcdata
//	        12  4  deferreturn   32  4  compilation unit       44     4 each: pcdata
//	        16  4  stack sizes   36  4  first line                    4 each: funcdata
//
// A pcdata is the offset of a table by instruction, 0 for none; a funcdata one behind the
// symbol go:func.*, which begins where the functions end.
const (
	headerMagic = "\xf1\xff\xff\xff\x00\x00\x01\x08"

	functionBytes = 44
	offEntryName  = 4
	offStackSizes = 16
	offFiles      = 20
	offLines      = 24
	offPcdata     = 28
	offUnit       = 32
	offFirstLine  = 36
	offFuncdata   = 43

	pcdataInlined   = 2 // which inlined function an instruction is of
	pcdataLiveArgs  = 3 // which arguments a trace may show there
	funcdataInlined = 3
	inlinedBytes    = 16 // of an inlined function
	funcdataArgs    = 5  // how a trace shows arguments
	argsEnd         = 0xff
	funcdataLive    = 6
	funcdataNone    = 1<<32 - 1
)

var errTable = errors.New("no function table as Go 1.26 writes it was found")

// table is the function table within a memory.
type table struct {
	memory []byte
	names  []byte
	units  []byte // and file names
	byPC   []byte
	funcs  []byte // the index, and the functions
	data   []byte // go:func.* and what is behind it
	count  int
}

var le = binary.LittleEndian

// findTable finds the function table.
func findTable(memory []byte) (t *table, err error) {
	at := bytes.Index(memory, []byte(headerMagic))
	if at < 0 || at+72 > len(memory) {
		return nil, errTable
	}
	var ends [6]int // of the header's parts, as addresses
	for i := range 5 {
		ends[i] = at + int(uint32(le.Uint64(memory[at+32+8*i:])))
	}
	t = &table{memory: memory, count: int(uint32(le.Uint64(memory[at+8:])))}
	// The moduledata tells where the functions end: its first fields are the header's
	// address and the slices of the five parts.
	var head [16]byte
	le.PutUint64(head[:], uint64(at))
	le.PutUint64(head[8:], uint64(ends[0]))
	md := bytes.Index(memory, head[:])
	if md < 0 || md+8+6*24 > len(memory) {
		return nil, errTable
	}
	last := md + 8 + 4*24
	ends[5] = int(uint32(le.Uint64(memory[last:]))) + int(uint32(le.Uint64(memory[last+8:])))
	for i := range 5 {
		if ends[i] < at || ends[i] > ends[i+1] || ends[i+1] > len(memory) {
			return nil, errTable
		}
	}
	t.names, t.units = memory[ends[0]:ends[1]], memory[ends[1]:ends[3]]
	t.byPC, t.funcs = memory[ends[3]:ends[4]], memory[ends[4]:ends[5]]
	t.data = memory[ends[5]:]
	return t, nil
}

// slimTable takes out of the function table what only the text of a panic needs.
func slimTable(memory []byte) error {
	t, err := findTable(memory)
	if err != nil {
		return err
	}
	kept := make([]bool, len(t.byPC))
	names := &nameTable{offsets: map[string]uint32{}, bytes: []byte{0}}
	for i := range t.count {
		f, err := t.function(i)
		if err != nil {
			return err
		}
		if err := t.slim(f, names, kept); err != nil {
			return err
		}
	}
	for i, keep := range kept {
		if !keep {
			t.byPC[i] = 0
		}
	}
	clear(t.units)
	if len(names.bytes) > len(t.names) {
		return errTable
	}
	clear(t.names[copy(t.names, names.bytes):])
	return nil
}

// function is the i-th function, to the end of the functions.
func (t *table) function(i int) ([]byte, error) {
	if 8*i+8 > len(t.funcs) {
		return nil, errTable
	}
	at := uint64(le.Uint32(t.funcs[8*i+4:]))
	if at+functionBytes > uint64(len(t.funcs)) {
		return nil, errTable
	}
	f := t.funcs[at:]
	if size := functionBytes + 4*(uint64(le.Uint32(f[offPcdata:]))+uint64(f[offFuncdata])); size > uint64(len(f)) {
		return nil, errTable
	}
	return f, nil
}

// slim does one function, and marks what it keeps of the tables by instruction.
func (t *table) slim(f []byte, names *nameTable, kept []bool) error {
	name, err := t.name(le.Uint32(f[offEntryName:]))
	if err != nil {
		return err
	}
	le.PutUint32(f[offEntryName:], names.add(shownName(name)))
	pcdata := int(le.Uint32(f[offPcdata:]))
	inlined := 0
	for i := range pcdata {
		p := f[functionBytes+4*i:]
		switch at := le.Uint32(p); {
		case i == pcdataInlined:
			if inlined, err = t.inlinedCount(at); err != nil {
				return err
			}
			le.PutUint32(p, 0)
		case i == pcdataLiveArgs:
			le.PutUint32(p, 0)
		default:
			if err := t.keep(at, kept); err != nil {
				return err
			}
		}
	}
	for i := range int(f[offFuncdata]) {
		p := f[functionBytes+4*(pcdata+i):]
		switch at := le.Uint32(p); {
		case at == funcdataNone:
		case i == funcdataInlined:
			if uint64(at)+uint64(inlined)*inlinedBytes > uint64(len(t.data)) {
				return errTable
			}
			clear(t.data[at:][:inlined*inlinedBytes])
			le.PutUint32(p, funcdataNone)
		case i == funcdataArgs:
			if uint64(at) > uint64(len(t.data)) {
				return errTable
			}
			clear(t.data[at:][:max(0, bytes.IndexByte(t.data[at:], argsEnd))])
			le.PutUint32(p, funcdataNone)
		case i == funcdataLive:
			le.PutUint32(p, funcdataNone)
		}
	}
	for _, off := range []int{offFiles, offLines, offUnit, offFirstLine} {
		le.PutUint32(f[off:], 0)
	}
	return t.keep(le.Uint32(f[offStackSizes:]), kept)
}

// keep marks the table by instruction at an offset.
func (t *table) keep(at uint32, kept []bool) error {
	if at == 0 {
		return nil
	}
	end, _, err := t.walk(at)
	for i := int(at); i < end; i++ {
		kept[i] = true
	}
	return err
}

// inlinedCount is how many inlined functions a table by instruction names.
func (t *table) inlinedCount(at uint32) (int, error) {
	if at == 0 {
		return 0, nil
	}
	_, most, err := t.walk(at)
	return most + 1, err
}

// walk reads a table by instruction: steps of a value, from -1, and of the address, as
// varints of which the former is zigzag; a step of the value by 0 ends it, save the first.
func (t *table) walk(at uint32) (end, most int, err error) {
	i, value := int(at), -1
	most = -1
	for first := true; ; first = false {
		if i >= len(t.byPC) {
			return i, most, errTable
		}
		step, n := binary.Varint(t.byPC[i:])
		if n <= 0 {
			return i, most, errTable
		}
		if i += n; step == 0 && !first {
			return i, most, nil
		}
		_, n = binary.Uvarint(t.byPC[i:])
		if n <= 0 {
			return i, most, errTable
		}
		i += n
		value += int(step)
		most = max(most, value)
	}
}

// name is the name at an offset.
func (t *table) name(at uint32) (string, error) {
	if uint64(at) >= uint64(len(t.names)) {
		return "", errTable
	}
	name, _, found := bytes.Cut(t.names[at:], []byte{0})
	if !found {
		return "", errTable
	}
	return string(name), nil
}

// shownName is what stays of a function's name: all of it where a module's own packages
// begin with a host name or main, and else the package with its dot. The runtime goes by
// that: what begins with "runtime." are its own goroutines and mistakes.
func shownName(name string) string {
	path, _, _ := strings.Cut(name, "[")
	dir := strings.LastIndexByte(path, '/') + 1
	pkg, _, found := strings.Cut(path[dir:], ".")
	first, _, isPath := strings.Cut(path, "/")
	if isPath && strings.Contains(first, ".") && !strings.HasPrefix(name, "type:") || name == "main" || dir == 0 && pkg == "main" {
		return name
	}
	if !found {
		return name
	}
	return path[:dir] + pkg + "."
}

// nameTable is a new table of names, with each once.
type nameTable struct {
	offsets map[string]uint32
	bytes   []byte
}

func (n *nameTable) add(name string) uint32 {
	at, known := n.offsets[name]
	if !known {
		at = uint32(len(n.bytes))
		n.offsets[name] = at
		n.bytes = append(append(n.bytes, name...), 0)
	}
	return at
}
