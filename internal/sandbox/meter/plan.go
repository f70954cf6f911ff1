package meter

// plan says what is charged where in one function.
//
// Each place in the code has a height: the cost of the longest path to it from
// the function's start that goes over no backward branch. A step forward costs at
// most what it gains in height. So the function pays for the greatest height at
// its entry, and each backward branch for the height it loses: then whatever
// runs has been paid for, every cycle of the code passes through a charge, and
// the count depends on nothing but the code that runs.
//
// The header of a loop pays for the most that a branch to it costs: that is
// quicker than to pay in front of the branches. Where that would be a lot more
// than some of them cost, which happens in dispatch loops only, each pays for
// itself.
//
// # Dispatch loops
//
// Go compiles a function with jumps to a loop around nested blocks, in which a
// br_table on a local variable picks the block to leave:
//
//	loop  block block block  local.get p  br_table …  end … end … end  end
//
// and a jump to `i32.const k, local.set p, br loop`. The height of its target is
// known: the end of the block that k picks. Where that comes later, the branch is
// made to lead there at once, which is the same and quicker; so a Go guest wins
// back some of what the meter costs it.
type plan struct {
	entry uint64
	loops []loopPlan // in the order of their headers
	edges []edge     // in the order of their branches

	c      *coder
	r      reader
	frames []frame
	labels []uint32 // of the tables of dispatch loops
	ends   []int64  // the heights of the ends of their blocks
	height int64    // of this place, or dead
	most   int64
	last   [2]instruction // the ones before
	catch  bool           // the function has a try_table
}

// loopPlan is the plan of one loop.
type loopPlan struct {
	cost     uint64 // the most that a branch to it costs
	least    uint64 // the least, 0 without branches
	local    bool   // it makes no call that changes the fuel
	atHeader bool   // it pays at its header, not at its branches
	caught   bool   // what is thrown may lead to it

	dispatch *dispatch
}

// dispatch is what a dispatch loop has more than others.
type dispatch struct {
	variable uint32   // the local
	labels   []uint32 // of the table, the default last
	header   int      // the frame of the loop
	inner    int      // the frame of the innermost block of the chain
	open     int      // the frame of the innermost that is open still
	ends     []int64  // the heights of the ends of the others, the outermost first
}

// edge is a branch that is charged or changed.
type edge struct {
	at    int
	loop  int    // the loop it leads back to, or -1
	cost  uint64 // what it loses in height
	label uint32 // its new label, or noLabel
}

const noLabel = 1<<32 - 1

// dead is the height of a place that no path leads to.
const dead = -1

// frame is one open block.
type frame struct {
	loop  int       // index in loops, or -1
	outer int       // the frame of the innermost loop around it, or -1
	chain *dispatch // the dispatch loop it is part of, or nil
	label int64     // the height that branches bring to its end
	start int64     // the height of its start
	cond  bool      // an if without else so far
}

// make plans one function.
func (p *plan) make(c *coder, f *function) {
	*p = plan{c: c, loops: p.loops[:0], edges: p.edges[:0], frames: p.frames[:0], labels: p.labels[:0], ends: p.ends[:0], r: reader{b: f.code, at: f.bodyAt}}
	p.frames = append(p.frames, frame{loop: -1, outer: -1, label: dead})
	for len(p.frames) > 0 && p.r.more() {
		i := p.r.next()
		p.step(i)
		p.last = [2]instruction{p.last[1], i}
	}
	p.entry = max(uint64(p.most), 1)
}

// add climbs by the cost of an instruction.
func (p *plan) add(cost uint64) {
	if p.height != dead {
		p.height += int64(cost)
		p.most = max(p.most, p.height)
	}
}

// step follows the paths over one instruction.
func (p *plan) step(i instruction) {
	p.add(cost(i.op))
	switch i.op {
	case opBlock, opIf, opTryTable, opLoop:
		p.open(i)
	case opElse:
		top := &p.frames[len(p.frames)-1]
		top.label, top.cond = max(top.label, p.height), false
		p.height = top.start
	case opEnd:
		p.close()
	case opBr, opBrIf:
		p.branch(i)
	case opBrOnNull, opBrOnNonNull:
		p.lead(i.index)
	case opBrTable:
		p.table(i)
	case opUnreachable, opReturn, opThrow, opThrowRef, opReturnCall, opReturnCallIndirect, opReturnCallRef:
		p.height = dead
	case opCallIndirect, opCallRef:
		p.call()
	case opCall:
		p.callFunction(i.index)
	}
}

// open opens a block.
func (p *plan) open(i instruction) {
	n := len(p.frames)
	top := &p.frames[n-1]
	f := frame{loop: -1, outer: top.outer, label: dead, start: p.height, cond: i.op == opIf}
	if top.loop >= 0 {
		f.outer = n - 1
	}
	switch i.op {
	case opLoop:
		f.loop = len(p.loops)
		p.loops = append(p.loops, loopPlan{local: true, dispatch: p.findDispatch(i)})
	case opBlock:
		if p.last[1].op == opLoop && top.loop >= 0 {
			f.chain = p.loops[top.loop].dispatch
		} else if p.last[1].op == opBlock {
			f.chain = top.chain
		}
	case opTryTable:
		p.catches(i)
	}
	p.frames = append(p.frames, f)
}

// findDispatch looks ahead whether a loop that opens is a dispatch loop.
func (p *plan) findDispatch(i instruction) *dispatch {
	r := p.r
	d := dispatch{header: len(p.frames), inner: len(p.frames)}
	if !i.void {
		return nil
	}
	for i = r.next(); i.op == opBlock && i.void; i = r.next() {
		d.inner++
	}
	table := r.next()
	if r.err != nil || d.inner == d.header || i.op != opLocalGet || table.op != opBrTable {
		return nil
	}
	d.variable, d.open = i.index, d.inner
	at := len(p.labels)
	r.at = table.labels
	for range uint64(table.index) + 1 {
		p.labels = append(p.labels, r.u32())
	}
	d.labels = p.labels[at:]
	at = len(p.ends)
	p.ends = append(p.ends, make([]int64, d.inner-d.header)...)
	d.ends = p.ends[at:]
	return &d
}

// close closes a block.
func (p *plan) close() {
	n := len(p.frames) - 1
	top := p.frames[n]
	p.frames = p.frames[:n]
	if top.cond {
		p.height = max(p.height, top.start)
	}
	p.height = max(p.height, top.label)
	if p.catch { // what is thrown may come from anywhere
		p.height = p.most
	}
	if d := top.chain; d != nil {
		d.open, d.ends[n-d.header-1] = n-1, p.height
	}
	if top.loop >= 0 {
		l := &p.loops[top.loop]
		if l.caught {
			l.pay(uint64(max(p.most-top.start, 1)))
		}
		l.atHeader = l.atHeader || l.dispatch == nil || l.cost <= 2*l.least
	}
}

// branch follows a br or br_if.
func (p *plan) branch(i instruction) {
	n := len(p.frames) - 1 - int(i.index)
	if n >= 0 && p.frames[n].loop >= 0 {
		p.back(i, n)
	} else {
		p.lead(i.index)
	}
	if i.op == opBr {
		p.height = dead
	}
}

// back follows a branch to the loop at a frame.
func (p *plan) back(i instruction, n int) {
	if p.height == dead {
		return
	}
	l := &p.loops[p.frames[n].loop]
	target := p.frames[n].start
	if to := p.dispatched(l.dispatch, i); to > 0 {
		if to <= l.dispatch.open {
			label := uint32(len(p.frames) - 1 - to)
			p.edges = append(p.edges, edge{at: i.at, loop: -1, label: label})
			p.lead(label)
			return
		}
		target = max(target, l.dispatch.ends[to-n-1])
	}
	// A conditional branch would pay even when it is not taken.
	l.atHeader = l.atHeader || i.op == opBrIf
	cost := uint64(max(p.height-target, 1))
	l.pay(cost)
	p.edges = append(p.edges, edge{at: i.at, loop: p.frames[n].loop, cost: cost, label: noLabel})
}

// pay notes what a branch to the loop costs.
func (l *loopPlan) pay(cost uint64) {
	l.cost = max(l.cost, cost)
	if l.least == 0 || cost < l.least {
		l.least = cost
	}
}

// dispatched says which frame's end a br to a dispatch loop leads to in the end,
// or 0 if that is not known.
func (p *plan) dispatched(d *dispatch, i instruction) int {
	value, set := p.last[0], p.last[1]
	if d == nil || i.op != opBr || set.op != opLocalSet || set.index != d.variable || value.op != opI32Const {
		return 0
	}
	label := d.labels[min(uint64(value.index), uint64(len(d.labels)-1))]
	if uint64(label) >= uint64(d.inner-d.header) {
		return 0
	}
	return d.inner - int(label)
}

// lead brings the height to a label; to a loop's, it is a branch that cannot
// pay for itself.
func (p *plan) lead(label uint32) {
	n := len(p.frames) - 1 - int(label)
	if n < 0 || p.height == dead {
		return
	}
	to := &p.frames[n]
	if to.loop >= 0 {
		l := &p.loops[to.loop]
		l.atHeader = true
		l.pay(uint64(max(p.height-to.start, 1)))
		return
	}
	to.label = max(to.label, p.height)
}

// table follows a br_table.
func (p *plan) table(i instruction) {
	r := reader{b: p.r.b, at: i.labels}
	for range uint64(i.index) + 1 {
		p.lead(r.u32())
	}
	p.height = dead
}

// catches leads what is caught to its labels.
func (p *plan) catches(i instruction) {
	p.catch = true
	r := reader{b: p.r.b, at: i.labels}
	for range i.count {
		if kind := r.byte(); kind < 2 {
			r.u32()
		}
		label := r.u32()
		if n := len(p.frames) - 1 - int(label); n >= 0 && p.frames[n].loop >= 0 {
			p.loops[p.frames[n].loop].caught = true
		}
		p.lead(label)
	}
}

// call notes a call of a function that changes the fuel.
func (p *plan) call() {
	n := len(p.frames) - 1
	if p.frames[n].loop < 0 {
		n = p.frames[n].outer
	}
	for ; n >= 0 && p.loops[p.frames[n].loop].local; n = p.frames[n].outer {
		p.loops[p.frames[n].loop].local = false // and so it is with those inside of others that are not
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
