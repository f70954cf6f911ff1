package sandbox

// variablesMax is wazero's bound of local variables in a function.
const variablesMax = 50_000

// Instructions that are named below. Prefixed ones are prefix<<8 | sub-opcode.
const (
	opBlock, opLoop, opIf, opElse, opEnd = 0x02, 0x03, 0x04, 0x05, 0x0b
	opBrIf, opBrTable                    = 0x0d, 0x0e
	opCall, opCallIndirect               = 0x10, 0x11

	opMemoryInit = 0xfc<<8 | 8
	opMemoryCopy = 0xfc<<8 | 10
	opMemoryFill = 0xfc<<8 | 11
	opTableInit  = 0xfc<<8 | 12
	opTableCopy  = 0xfc<<8 | 14
	opTableGrow  = 0xfc<<8 | 15
	opTableFill  = 0xfc<<8 | 17
)

// instruction reads one instruction with its immediates and returns its opcode.
// It knows all of WebAssembly 2.0, SIMD included. Source:
// https://www.w3.org/TR/wasm-core-2/, section 5.4.
func (r *reader) instruction() uint32 {
	op := uint32(r.byte())
	switch {
	case op == 0xfc:
		sub := r.u32()
		r.bulkImmediates(sub)
		return op<<8 | sub
	case op == 0xfd:
		sub := r.u32()
		r.vectorImmediates(sub)
		return op<<8 | sub
	default:
		r.immediates(op)
		return op
	}
}

// immediates passes over what follows a one-byte opcode.
func (r *reader) immediates(op uint32) {
	switch {
	case op == opBlock, op == opLoop, op == opIf, // block type
		op == 0x0c, op == opBrIf, // br
		op == opCall,
		op >= 0x20 && op <= 0x26, // local, global, table access
		op == 0x3f, op == 0x40,   // memory.size, memory.grow
		op == 0x41, op == 0x42, // i32.const, i64.const
		op == 0xd0, op == 0xd2: // ref.null, ref.func
		r.skipLEB()
	case op == opCallIndirect, op >= 0x28 && op <= 0x3e: // type and table; alignment and offset
		r.skipLEB()
		r.skipLEB()
	case op == opBrTable:
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			r.skipLEB()
		}
		r.skipLEB()
	case op == 0x1c: // select with types
		r.bytes(r.u32())
	case op == 0x43: // f32.const
		r.bytes(4)
	case op == 0x44: // f64.const
		r.bytes(8)
	case op <= 0x01, op == opElse, op == opEnd, op == 0x0f, op == 0x1a, op == 0x1b,
		op >= 0x45 && op <= 0xc4, op == 0xd1:
	default:
		r.fail("unknown instruction 0x%02x", op)
	}
}

// bulkImmediates passes over what follows a 0xfc opcode.
func (r *reader) bulkImmediates(sub uint32) {
	switch {
	case sub <= 7: // saturating conversions
	case sub == 9, sub == 11, sub == 13, sub >= 15 && sub <= 17:
		r.skipLEB()
	case sub == 8, sub == 10, sub == 12, sub == 14:
		r.skipLEB()
		r.skipLEB()
	default:
		r.fail("unknown instruction 0xfc %d", sub)
	}
}

// vectorImmediates passes over what follows a 0xfd opcode.
func (r *reader) vectorImmediates(sub uint32) {
	switch {
	case sub <= 11, sub == 92, sub == 93: // load, store
		r.skipLEB()
		r.skipLEB()
	case sub == 12, sub == 13: // v128.const, i8x16.shuffle
		r.bytes(16)
	case sub >= 21 && sub <= 34: // lanes
		r.byte()
	case sub >= 84 && sub <= 91: // load and store one lane
		r.skipLEB()
		r.skipLEB()
		r.byte()
	case sub > 255:
		r.fail("unknown instruction 0xfd %d", sub)
	}
}
