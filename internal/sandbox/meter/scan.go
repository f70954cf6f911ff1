package meter

import "fmt"

// wazero cannot be interrupted while it compiles, and its time and memory grow
// with products: a module of 31 KB took a minute and 2 GB. So the work is
// estimated first, function by function, as
//
//	b*b + b*d*v + b*v*v/4 + t*t/16 + sum of w*w/4
//
// with b branches (blocks, conditional branches, and two for each bulk
// instruction), d the deepest nesting, v local variables, t labels in all
// br_tables, and w the values that go into and out of one block or call.
// Measured on one core: 10 to 25 ns per unit, for Go programs of 3 to 49 MB (hello
// world with encoding/json 6e7, cmd/gofmt 1e8, cmd/link 7e8, cmd/compile 5e9) as
// for modules made to be slow. It counts the code as it comes: what the meter adds
// made a Go program compile no slower.
func (s *scanner) work(variables uint64) uint64 {
	b, v, t := s.branches, variables, s.labels
	return b*b + b*s.depthMax*v + b*v*v/4 + t*t/16 + s.passed
}

// freeCostMax is the most that a function may cost that is charged where it is
// called.
const freeCostMax = 64

// function is what the scan learns about one function that the module defines.
type function struct {
	code   []byte // declarations of locals and instructions
	bodyAt int    // where the instructions start
	locals uint32 // parameters included

	cost        uint64 // of its instructions, without the functions it calls
	calls       []uint32
	unbounded   bool // it has loops, or calls that are not known
	needsLength bool // it has instructions whose length is known only when they run
	state       byte // of the search for free functions
}

// States of the search for free functions.
const (
	unknown = iota
	inSearch
	charged // at its entry
	free    // where it is called; cost then includes the functions it calls
)

// scanner goes through the code a first time.
type scanner struct {
	w *writer
	f *function
	r reader

	branches, depth, depthMax uint64
	labels                    uint64 // of br_table
	passed                    uint64 // the squares of the widths of blocks and calls, by 4
	calls                     []uint32
}

// scan reads one function body.
func (w *writer) scan(index int, code []byte) (function, error) {
	f := function{code: code}
	s := scanner{w: w, f: &f, r: reader{b: code}}
	own := w.functions[int(w.m.ImportedFunctions)+index]
	variables := uint64(w.types[own].params)
	s.pass(own)
	for n := s.r.u32(); n > 0 && s.r.err == nil; n-- {
		variables += uint64(s.r.u32())
		w.checkValueType(&s.r)
	}
	if variables > w.options.LocalsMax {
		return f, fmt.Errorf("%d parameters and local variables, at most %d are allowed", variables, w.options.LocalsMax)
	}
	f.bodyAt, f.locals = s.r.at, uint32(variables)
	for s.depth = 1; s.depth > 0 && s.r.err == nil; {
		i := s.r.next()
		s.check(i)
		s.count(i)
		f.cost += cost(i.op)
		if s.work(variables) > w.options.CompileWorkMax {
			break
		}
	}
	work := s.work(variables)
	if w.m.CompileWork += work; work > w.options.CompileWorkMax || w.m.CompileWork > w.options.CompileWorkMax {
		return f, fmt.Errorf("compiling the module would take more work than the %d units allowed (this function itself %d): build it with smaller functions, or raise the compile limit", w.options.CompileWorkMax, work)
	}
	if !f.unbounded {
		f.calls = s.calls
	}
	return f, s.r.done()
}

// check sees that the indices which the meter adds to are the module's own.
func (s *scanner) check(i instruction) {
	switch i.op {
	case opBlock, opLoop, opIf, opTryTable:
		if i.index > 0 {
			s.w.checkType(&s.r, i.index-1)
		}
	case opCallIndirect, opReturnCallIndirect, opCallRef, opReturnCallRef:
		s.w.checkType(&s.r, i.index)
	case opCall, opReturnCall, opRefFunc:
		if s.r.err == nil && int(i.index) >= len(s.w.functions) {
			s.r.fail("there is no function %d", i.index)
		}
	case opGlobalGet, opGlobalSet:
		s.w.checkGlobal(&s.r, i.index)
	case opLocalGet, opLocalSet, opLocalTee:
		if s.r.err == nil && i.index >= s.f.locals {
			s.r.fail("there is no local variable %d", i.index)
		}
	case opRefNull:
		s.w.checkHeapType(&s.r, i.index)
	case opSelectTyped:
		if i.index > 0 {
			s.w.checkType(&s.r, i.index-1)
		}
	case opBr, opBrIf, opBrOnNull, opBrOnNonNull:
		if s.r.err == nil && uint64(i.index) >= s.depth {
			s.r.fail("a branch out of %d blocks, but it is in %d", i.index+1, s.depth)
		}
	}
}

// count notes what an instruction means for the function.
func (s *scanner) count(i instruction) {
	switch i.op {
	case opBlock, opIf, opTryTable, opLoop:
		s.branches++
		s.depth++
		s.depthMax = max(s.depth-1, s.depthMax)
		if i.op == opLoop {
			s.f.unbounded = true
		}
		if i.index > 0 {
			s.pass(i.index - 1)
		}
	case opElse, opBrIf, opBrTable, opBrOnNull, opBrOnNonNull:
		s.branches++
		if i.op == opBrTable {
			s.labels += uint64(i.index) + 1
		}
	case opEnd:
		s.depth--
	case opCall, opReturnCall:
		if i.index < s.w.m.ImportedFunctions || len(s.calls) >= freeCostMax {
			s.f.unbounded = true
		} else if !s.f.unbounded {
			s.calls = append(s.calls, i.index-s.w.m.ImportedFunctions)
		}
		if s.r.err == nil {
			s.pass(s.w.functions[i.index])
		}
	case opCallIndirect, opReturnCallIndirect, opCallRef, opReturnCallRef:
		s.f.unbounded = true
		s.pass(i.index)
	case opMemoryGrow:
		s.f.unbounded, s.f.needsLength = true, true
	case opMemoryInit, opMemoryCopy, opMemoryFill, opTableInit, opTableCopy, opTableFill, opTableGrow:
		s.branches += 2
		s.f.unbounded, s.f.needsLength = true, true
	}
	s.reset(i)
}

// pass notes that values go into and out of a block or call of some type.
func (s *scanner) pass(index uint32) {
	if s.r.err == nil {
		w := s.w.types[index].width()
		s.passed = min(s.passed+w*w/4, 1<<60)
	}
}

// reset notes what an instruction means for resetting an instance.
func (s *scanner) reset(i instruction) {
	switch i.op {
	case opTableSet, opTableInit, opTableCopy, opTableGrow, opTableFill:
		s.w.unresettable("its code changes a table")
	case opDataDrop, opElemDrop:
		s.w.unresettable("its code drops a data or element segment")
	}
}

// isFree says whether a function is charged where it is called: it has a known
// and small cost, since it has no loop, calls only functions of that kind, and
// not itself. Exported functions are always charged, so that each call from the
// host burns fuel. Source of the bound on depth: a chain of calls costs at least
// its length.
func (c *coder) isFree(index uint32, depth int) bool {
	f := &c.functions[index]
	if f.state == unknown {
		f.state = inSearch
		f.state = c.search(f, index, depth)
	}
	return f.state == free
}

func (c *coder) search(f *function, index uint32, depth int) byte {
	if f.unbounded || f.cost > freeCostMax || depth > freeCostMax || c.w.exports[c.w.m.ImportedFunctions+index] {
		return charged
	}
	total := f.cost
	for _, callee := range f.calls {
		if !c.isFree(callee, depth+1) {
			return charged
		}
		if total += c.functions[callee].cost; total > freeCostMax {
			return charged
		}
	}
	f.cost = total
	return free
}
