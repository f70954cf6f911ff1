package meter

// Instructions that are named below. Prefixed ones are prefix<<8 | sub-opcode.
const (
	opUnreachable, opNop                           = 0x00, 0x01
	opBlock, opLoop, opIf, opElse, opEnd           = 0x02, 0x03, 0x04, 0x05, 0x0b
	opThrow, opThrowRef, opTryTable                = 0x08, 0x0a, 0x1f
	opBr, opBrIf, opBrTable, opReturn              = 0x0c, 0x0d, 0x0e, 0x0f
	opCall, opCallIndirect                         = 0x10, 0x11
	opReturnCall, opReturnCallIndirect             = 0x12, 0x13
	opCallRef, opReturnCallRef                     = 0x14, 0x15
	opDrop, opSelect, opSelectTyped                = 0x1a, 0x1b, 0x1c
	opLocalGet, opLocalSet, opLocalTee             = 0x20, 0x21, 0x22
	opGlobalGet, opGlobalSet                       = 0x23, 0x24
	opTableGet, opTableSet                         = 0x25, 0x26
	opMemorySize, opMemoryGrow                     = 0x3f, 0x40
	opI32Const, opI64Const, opF32Const             = 0x41, 0x42, 0x43
	opF64Const                                     = 0x44
	opI32GtU, opI32Ne, opI64GeS                    = 0x4b, 0x47, 0x59
	opI64Sub, opI64Shl, opI64ShrU                  = 0x7d, 0x86, 0x88
	opI64ExtendI32U                                = 0xad
	opRefNull, opRefIsNull, opRefFunc              = 0xd0, 0xd1, 0xd2
	opRefAsNonNull, opBrOnNull, opBrOnNonNull      = 0xd4, 0xd5, 0xd6
	prefixBulk, prefixVector, prefixAtomic         = 0xfc, 0xfd, 0xfe
	opMemoryInit, opDataDrop                       = 0xfc08, 0xfc09
	opMemoryCopy, opMemoryFill                     = 0xfc0a, 0xfc0b
	opTableInit, opElemDrop, opTableCopy           = 0xfc0c, 0xfc0d, 0xfc0e
	opTableGrow, opTableSize, opTableFill          = 0xfc0f, 0xfc10, 0xfc11
	opV128Const, opShuffle                         = 0xfd0c, 0xfd0d
	opAtomicFence                                  = 0xfe03
	refNullable, refNonNullable               byte = 0x63, 0x64
	blockVoid                                      = 0x40
)

// instruction is one instruction of a function body.
type instruction struct {
	op uint32
	at int // its first byte, in the body
	// index is the first immediate of an instruction that has one: a label, or
	// a function, type, local, global or table; of i32.const, the value.
	index uint32
	// labels is where the labels of a br_table start, of which there are index and
	// the default; or the catches of a try_table, of which there are count.
	labels int
	count  uint32
	void   bool // a block without parameters and results
}

// next reads one instruction. It takes the bytes for what wazero takes them:
// if the two disagreed on where an instruction ends, a loop could hide from the
// meter. So a sub-opcode of 0xfd and 0xfe is one byte, although WebAssembly
// makes it a LEB128 number: the second byte of the longer ones is 1, which wazero
// then reads as a nop.
//
// It knows WebAssembly 2.0 and the proposals threads, tail calls, exception
// handling and typed function references. Whether those are enabled is for the
// compiler to say. Source: https://www.w3.org/TR/wasm-core-2/, section 5.4, and
// the proposals' binary formats.
func (r *reader) next() (i instruction) {
	i.at = r.at
	i.op = uint32(r.byte())
	switch op := i.op; {
	case op >= opBlock && op <= opIf:
		r.blockType(&i)
	case op == opBr, op == opBrIf, op == opBrOnNull, op == opBrOnNonNull,
		op == opCall, op == opReturnCall, op == opCallRef, op == opReturnCallRef,
		op >= opLocalGet && op <= opTableSet, op == opRefFunc, op == opRefNull, op == opThrow:
		i.index = r.u32()
	case op == opCallIndirect, op == opReturnCallIndirect:
		i.index = r.u32()
		r.u32()
	case op >= 0x28 && op <= 0x3e: // load, store
		r.u32()
		r.u32()
	case op == opMemorySize, op == opMemoryGrow:
		r.byte()
	case op == opI32Const:
		i.index = uint32(r.s33())
	case op == opI64Const:
		r.skipLEB()
	case op == opF32Const:
		r.bytes(4)
	case op == opF64Const:
		r.bytes(8)
	case op == opBrTable:
		i.index = r.u32()
		i.labels = r.at
		for n := i.index; n > 0 && r.err == nil; n-- {
			r.u32()
		}
		r.u32()
	case op == opSelectTyped:
		if n := r.byte(); n != 1 {
			r.fail("a select with %d types", n)
		}
		_, t := r.valueType()
		i.index = uint32(t)
	case op == opTryTable:
		r.blockType(&i)
		r.catches(&i)
	case op == prefixBulk:
		r.bulk(&i)
	case op == prefixVector:
		r.vector(&i)
	case op == prefixAtomic:
		r.atomic(&i)
	case op <= opNop, op == opElse, op == opEnd, op == opReturn, op == opThrowRef, op == opDrop, op == opSelect,
		op >= 0x45 && op <= 0xc4, op == opRefIsNull, op == opRefAsNonNull:
	default:
		r.at--
		r.fail("unknown instruction 0x%02x", op)
	}
	return i
}

// blockType reads the type of a block. index is 1 more than the type index, or
// 0 where the type is written out.
func (r *reader) blockType(i *instruction) {
	switch t := r.s33(); {
	case t == -64:
		i.void = true
	case t == -29, t == -28: // a reference to a type
		if h := r.s33(); h >= 0 {
			i.index = uint32(h) + 1
		}
	case t >= 0:
		i.index = uint32(t) + 1
	}
}

// valueType reads a value type and returns its first byte, and 1 more than the
// type index if it refers to one.
func (r *reader) valueType() (kind byte, typeIndex int64) {
	kind = r.byte()
	if kind == refNullable || kind == refNonNullable {
		typeIndex = max(r.s33()+1, 0)
	}
	return kind, typeIndex
}

// catches reads the catch clauses of a try_table.
func (r *reader) catches(i *instruction) {
	i.count = r.u32()
	i.labels = r.at
	for n := i.count; n > 0 && r.err == nil; n-- {
		switch kind := r.byte(); kind {
		case 0, 1: // catch, catch_ref: tag, label
			r.u32()
			r.u32()
		case 2, 3: // catch_all, catch_all_ref: label
			r.u32()
		default:
			r.fail("unknown catch clause 0x%02x", kind)
		}
	}
}

// bulk reads what follows 0xfc.
func (r *reader) bulk(i *instruction) {
	sub := r.u32()
	i.op = prefixBulk<<8 | sub
	switch {
	case sub <= 7: // saturating conversions
	case sub == 9, sub == 11, sub == 13, sub >= 15 && sub <= 17:
		i.index = r.u32()
	case sub == 8, sub == 10, sub == 12, sub == 14:
		i.index = r.u32()
		r.u32()
	default:
		r.fail("unknown instruction 0xfc %d", sub)
	}
}

// vector reads what follows 0xfd.
func (r *reader) vector(i *instruction) {
	sub := uint32(r.byte())
	i.op = prefixVector<<8 | sub
	switch {
	case sub <= 11, sub == 92, sub == 93: // load, store
		r.u32()
		r.u32()
	case i.op == opV128Const, i.op == opShuffle:
		r.bytes(16)
	case sub >= 21 && sub <= 34: // lanes
		r.byte()
	case sub >= 84 && sub <= 91: // load and store one lane
		r.u32()
		r.u32()
		r.byte()
	}
}

// atomic reads what follows 0xfe.
func (r *reader) atomic(i *instruction) {
	sub := uint32(r.byte())
	i.op = prefixAtomic<<8 | sub
	if i.op == opAtomicFence {
		r.byte()
		return
	}
	r.u32()
	r.u32()
}
