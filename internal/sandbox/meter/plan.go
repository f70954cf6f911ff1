package meter

// plan says what is charged where in one function: at its entry, the cost of the
// longest path through it, and at each loop header, that of the longest path
// through one iteration; what is inside of an inner loop is charged there. So a
// charge is an upper bound of what runs until the next one, it depends on
// nothing but the code, and every cycle of the code passes through one.
type plan struct {
	entry uint64
	loops []loopPlan // in the order of their headers

	c      *coder
	r      reader
	frames []frame
	cost   int64 // of the longest path from the region's start to here, or dead
	last   instruction
	catch  bool // the function has a try_table
}

// loopPlan is the plan of one loop.
type loopPlan struct {
	cost  uint64
	local bool // it makes no call that changes the fuel
}

// dead is the cost of a path that does not exist.
const dead = -1

// frame is one open block. A loop, and the function as a whole, is a region: the
// code that one charge pays for.
type frame struct {
	loop   int   // index in loops, or -1
	region int   // index in frames of the innermost region, this one included
	label  int64 // the longest path to its end by a branch
	start  int64 // that to its start, in the enclosing region
	most   int64 // the longest path in a region so far
	cond   bool  // an if without else so far
}

// make plans one function.
func (p *plan) make(c *coder, f *function) {
	*p = plan{c: c, loops: p.loops[:0], frames: p.frames[:0], r: reader{b: f.code, at: f.bodyAt}}
	p.frames = append(p.frames, frame{loop: -1, label: dead})
	for len(p.frames) > 0 && p.r.more() {
		i := p.r.next()
		p.step(i)
		p.last = i
	}
}

// add puts the cost of an instruction onto the path.
func (p *plan) add(cost uint64) {
	if p.cost == dead {
		return
	}
	p.cost += int64(cost)
	region := &p.frames[p.frames[len(p.frames)-1].region]
	region.most = max(region.most, p.cost)
}

// step follows the paths over one instruction.
func (p *plan) step(i instruction) {
	p.add(cost(i.op))
	switch i.op {
	case opBlock, opTryTable:
		p.push(frame{loop: -1, label: dead, start: p.cost})
		p.catch = p.catch || i.op == opTryTable
	case opIf:
		p.push(frame{loop: -1, label: dead, start: p.cost, cond: true})
	case opLoop:
		p.loops = append(p.loops, loopPlan{local: true})
		p.push(frame{loop: len(p.loops) - 1, label: dead, start: p.cost})
		p.cost = 0
	case opElse:
		top := &p.frames[len(p.frames)-1]
		top.label, top.cond = max(top.label, p.cost), false
		p.cost = top.start
	case opEnd:
		p.pop()
	case opBr:
		p.branch(i.index)
		p.cost = dead
	case opBrIf, opBrOnNull, opBrOnNonNull:
		p.branch(i.index)
	case opBrTable:
		r := reader{b: p.r.b, at: i.labels}
		for range i.index + 1 {
			p.branch(r.u32())
		}
		p.cost = dead
	case opUnreachable, opReturn, opThrow, opThrowRef, opReturnCall, opReturnCallIndirect, opReturnCallRef:
		p.cost = dead
	case opCallIndirect, opCallRef:
		p.call()
	case opCall:
		p.callFunction(i.index)
	case opMemoryInit, opMemoryCopy, opMemoryFill:
		p.bulk(bytesFree, bytesPerFuelLog2)
	case opTableInit, opTableCopy, opTableFill:
		p.bulk(elementsFree, 0)
	}
}

// push opens a block.
func (p *plan) push(f frame) {
	f.region = len(p.frames)
	if f.loop < 0 {
		f.region = p.frames[len(p.frames)-1].region
	}
	p.frames = append(p.frames, f)
}

// pop closes a block.
func (p *plan) pop() {
	n := len(p.frames) - 1
	top := p.frames[n]
	p.frames = p.frames[:n]
	switch {
	case n == 0:
		p.entry = max(uint64(top.most), 1)
		return
	case top.loop >= 0:
		l := &p.loops[top.loop]
		l.cost = max(uint64(top.most), 1)
		if p.cost != dead { // the rest of the path is in the enclosing region
			p.cost = top.start
		}
	case top.cond:
		p.cost = max(p.cost, top.start)
	}
	p.cost = max(p.cost, top.label)
	if p.catch { // what is thrown may come from anywhere
		p.cost = p.frames[p.frames[n-1].region].most
	}
}

// branch leads the path to a label.
func (p *plan) branch(label uint32) {
	n := len(p.frames) - 1 - int(label)
	if n <= 0 || p.frames[n].loop >= 0 || p.cost == dead {
		return // out of the function, or back to a header
	}
	to := &p.frames[n]
	cost := p.cost
	for region := p.frames[len(p.frames)-1].region; region != to.region; {
		cost = p.frames[region].start // where the inner loop started
		region = p.frames[region-1].region
	}
	to.label = max(to.label, cost)
}

// call notes a call of a function that changes the fuel.
func (p *plan) call() {
	for n := p.frames[len(p.frames)-1].region; p.frames[n].loop >= 0; n = p.frames[n-1].region {
		l := &p.loops[p.frames[n].loop]
		if !l.local {
			return // and so it is with those outside
		}
		l.local = false
	}
}

// callFunction adds what a called function costs here.
func (p *plan) callFunction(index uint32) {
	imported := p.c.w.m.ImportedFunctions
	switch {
	case index < imported:
		p.add(costHost)
		p.call()
	case p.c.isFree(index-imported, 0):
		p.add(p.c.functions[index-imported].cost)
	default:
		p.call()
	}
}

// bulk adds what a bulk instruction of a constant length costs.
func (p *plan) bulk(lengthFree uint32, shift int) {
	if p.last.op == opI32Const && p.last.index > lengthFree {
		p.add(uint64(p.last.index >> shift))
	}
}
