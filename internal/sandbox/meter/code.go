package meter

import (
	"fmt"
	"math"
)

// coder rewrites the code section.
type coder struct {
	w         *writer
	functions []function
	plan      plan
	out       []byte

	yield, fuel []byte // instructions: call the yield function; get the fuel
	setFuel     []byte
}

// codeSection scans all functions and then writes them.
func (w *writer) codeSection(content []byte) ([]byte, error) {
	r := reader{b: content}
	if n := r.u32(); n != w.m.Functions {
		return nil, fmt.Errorf("it has %d functions, but %d are declared", n, w.m.Functions)
	}
	c := coder{w: w, functions: make([]function, w.m.Functions)}
	for i := range c.functions {
		code := r.bytes(r.u32())
		if r.err != nil {
			return nil, r.err
		}
		var err error
		if c.functions[i], err = w.scan(i, code); err != nil {
			return nil, fmt.Errorf("function %d: %w", i, err)
		}
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	c.yield = appendU32([]byte{opCall}, w.yield())
	c.fuel = appendU32([]byte{opGlobalGet}, w.fuel())
	c.setFuel = appendU32([]byte{opGlobalSet}, w.fuel())
	out := appendU32(make([]byte, 0, len(content)+len(content)/4), w.m.Functions)
	for i := range c.functions {
		c.out = c.out[:0]
		c.function(uint32(i))
		out = append(appendU32(out, uint32(len(c.out))), c.out...)
	}
	return out, nil
}

// function writes one function.
func (c *coder) function(index uint32) {
	f := &c.functions[index]
	e := emitter{coder: c, f: f, r: reader{b: f.code, at: f.bodyAt}, copied: f.bodyAt}
	if c.isFree(index, 0) {
		c.plan.loops, c.plan.edges = nil, nil // it has none
		c.out = append(c.out, f.code[:f.bodyAt]...)
		e.instructions()
		return
	}
	c.plan.make(c, f)
	e.declare()
	e.charge(c.plan.entry)
	e.instructions()
}

// emitter writes the instructions of one function.
type emitter struct {
	*coder
	f      *function
	r      reader
	copied int // up to here the body is written

	frames   []byte // of the blocks that are open: 1 for the outermost loop of those that keep the fuel in a local
	local    bool   // inside of such a loop
	nextLoop int
	nextEdge int
	last     instruction
}

// Local variables that are added: the fuel, a length, and a result.
func (e *emitter) fuelLocal() uint32   { return e.f.locals }
func (e *emitter) lengthLocal() uint32 { return e.f.locals + 1 }
func (e *emitter) resultLocal() uint32 { return e.f.locals + 2 }

// declare copies the declarations of locals and adds its own.
func (e *emitter) declare() {
	r := reader{b: e.f.code}
	groups := r.u32()
	added := uint32(1)
	if e.f.needsLength {
		added = 2
	}
	e.out = append(appendU32(e.out, groups+added), e.f.code[r.at:e.f.bodyAt]...)
	e.out = append(e.out, 1, typeI64)
	if e.f.needsLength {
		e.out = append(e.out, 2, typeI32)
	}
}

// flush copies the body up to an offset.
func (e *emitter) flush(to int) {
	e.out = append(e.out, e.f.code[e.copied:to]...)
	e.copied = to
}

// instructions writes the instructions, and the charges between them.
func (e *emitter) instructions() {
	for e.r.more() {
		i := e.r.next()
		switch i.op {
		case opBlock, opIf, opTryTable:
			e.frames = append(e.frames, 0)
		case opLoop:
			e.loop(i)
		case opBr, opBrIf:
			e.branch(i)
		case opEnd:
			e.end()
		case opCall, opReturnCall, opRefFunc:
			if moved := e.w.moved(i.index); moved != i.index {
				e.flush(i.at)
				e.out = appendU32(append(e.out, byte(i.op)), moved)
				e.copied = e.r.at
			}
		case opMemoryInit, opMemoryCopy, opMemoryFill:
			e.bulk(i, bytesFree, bytesPerFuelLog2)
		case opTableInit, opTableCopy, opTableFill:
			e.bulk(i, elementsFree, 0)
		case opMemoryGrow:
			e.grow(i, 0, opI64Shl, pageCostLog2)
		case opTableGrow:
			e.grow(i, elementsFree, opI64ShrU, 0)
		}
		e.last = i
	}
	e.flush(len(e.f.code))
}

// loop opens a loop, which may pay at its header.
func (e *emitter) loop(i instruction) {
	l := e.plan.loops[e.nextLoop]
	e.nextLoop++
	frame := byte(0)
	if l.local && l.cost > 0 && !e.local {
		e.flush(i.at)
		e.out = appendU32(append(append(e.out, e.fuel...), opLocalSet), e.fuelLocal())
		e.local, frame = true, 1
	}
	e.frames = append(e.frames, frame)
	if l.atHeader {
		e.flush(e.r.at)
		e.charge(l.cost)
	}
}

// branch writes a branch that pays, or that leads elsewhere.
func (e *emitter) branch(i instruction) {
	if e.nextEdge == len(e.plan.edges) || e.plan.edges[e.nextEdge].at != i.at {
		return
	}
	edge := e.plan.edges[e.nextEdge]
	e.nextEdge++
	if edge.loop >= 0 {
		if !e.plan.loops[edge.loop].atHeader {
			e.flush(i.at)
			e.charge(edge.cost)
		}
		return
	}
	e.flush(i.at)
	e.out = appendU32(append(e.out, opBr), edge.label)
	e.copied = e.r.at
}

// end closes a block.
func (e *emitter) end() {
	if n := len(e.frames) - 1; n >= 0 {
		if e.frames[n] == 1 {
			e.local = false
		}
		e.frames = e.frames[:n]
	}
}

// charge takes a known cost off the fuel.
func (e *emitter) charge(cost uint64) {
	if cost == 0 {
		return
	}
	e.take(appendSigned([]byte{opI64Const}, int64(min(cost, math.MaxInt64>>1))))
}

// take takes the i64 that some instructions compute off the fuel, and yields
// where that leaves less than nothing.
//
// In a loop that makes no calls the fuel is also in a local variable, which is a
// register after compiling: reading back the global, which was just written, would
// make each iteration wait for the last one's store. The yield is in the else
// branch of an empty if: so wazero puts it out of the way (docs/RATIONALE.md).
func (e *emitter) take(amount []byte) {
	t := e.fuelLocal()
	if e.local {
		e.out = appendU32(append(e.out, opLocalGet), t)
	} else {
		e.out = append(e.out, e.fuel...)
	}
	e.out = append(append(e.out, amount...), opI64Sub)
	e.out = appendU32(append(e.out, opLocalTee), t)
	e.out = append(e.out, e.setFuel...)
	e.out = appendU32(append(e.out, opLocalGet), t)
	e.out = append(e.out, opI64Const, 0, opI64GeS, opIf, blockVoid, opElse)
	e.out = append(e.out, e.yield...)
	if e.local {
		e.out = appendU32(append(append(e.out, e.fuel...), opLocalSet), t)
	}
	e.out = append(e.out, opEnd)
}

// bulk charges an instruction whose last operand is a length, in front of it. A
// constant length is charged there too, and not with the code around it: a row
// of such instructions would run for seconds after one charge.
func (e *emitter) bulk(i instruction, lengthFree uint32, shift int64) {
	if e.last.op == opI32Const {
		if e.last.index > lengthFree {
			e.flush(i.at)
			e.charge(uint64(e.last.index >> shift))
		}
		return
	}
	e.flush(i.at)
	n := e.lengthLocal()
	e.out = appendU32(append(e.out, opLocalTee), n)
	e.takeLength(lengthFree, opI64ShrU, shift)
}

// takeLength charges the length in its local variable, if it is above a bound.
func (e *emitter) takeLength(above uint32, shiftOp byte, shift int64) {
	n := e.lengthLocal()
	e.out = appendU32(append(e.out, opLocalGet), n)
	e.out = appendSigned(append(e.out, opI32Const), int64(above))
	e.out = append(e.out, opI32GtU, opIf, blockVoid)
	amount := append(appendU32([]byte{opLocalGet}, n), opI64ExtendI32U)
	if shift != 0 {
		amount = append(appendSigned(append(amount, opI64Const), shift), shiftOp)
	}
	e.take(amount)
	e.out = append(e.out, opEnd)
}

// grow charges an instruction that makes memory or a table longer, once it has
// done so: a refusal costs nothing, and the host bounds what can be had.
func (e *emitter) grow(i instruction, above uint32, shiftOp byte, shift int64) {
	e.flush(i.at)
	n, result := e.lengthLocal(), e.resultLocal()
	e.out = appendU32(append(e.out, opLocalTee), n)
	e.flush(e.r.at)
	e.out = appendU32(append(e.out, opLocalTee), result)
	e.out = appendU32(append(e.out, opLocalGet), result)
	e.out = append(e.out, opI32Const, 0x7f, opI32Ne, opIf, blockVoid)
	e.takeLength(above, shiftOp, shift)
	e.out = append(e.out, opEnd)
}
