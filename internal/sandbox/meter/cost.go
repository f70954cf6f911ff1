package meter

// What fuel is counted in: one unit for each instruction that computes, none for
// those that only structure the code.
const (
	costIndirect = 4 // a call whose target is known only when it runs
	costHost     = 16
	costBulk     = 8 // a bulk instruction of a short length

	bytesPerFuelLog2       = 3   // of bulk instructions on memory
	bytesFree              = 512 // the length up to which they cost no more than costBulk
	elementsFree           = 64  // the same for tables, whose elements cost 1 each
	pageBytesLog2          = 16  // memory.grow counts pages of this size
	pageCostLog2     int64 = pageBytesLog2 - bytesPerFuelLog2
)

// cost is what one instruction costs, apart from what depends on its operands.
func cost(op uint32) uint64 {
	switch op {
	case opNop, opBlock, opLoop, opElse, opEnd, opDrop, opTryTable:
		return 0
	case opCallIndirect, opReturnCallIndirect, opCallRef, opReturnCallRef:
		return costIndirect
	case opMemoryInit, opMemoryCopy, opMemoryFill, opTableInit, opTableCopy, opTableGrow, opTableFill, opMemoryGrow:
		return costBulk
	default:
		return 1
	}
}
