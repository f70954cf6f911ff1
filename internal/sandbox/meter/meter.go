package meter

import (
	"fmt"
)

// Names that the host and an instrumented module share.
const (
	// ImportModule and ImportYield name the function that the module imports and
	// calls, without parameters and results, whenever its fuel is below zero.
	// The host adds fuel and returns, or ends the instance by a panic or by
	// closing it. When it returns with the fuel still below zero, the guest runs
	// on to its next charge.
	ImportModule, ImportYield = "ingot:meter", "yield"
	// ExportFuel names the global that holds the fuel: a mutable i64, which
	// starts at 0.
	ExportFuel = "ingot:fuel"

	// reservedPrefix starts the names that only this package gives.
	reservedPrefix = "ingot:"
)

// Options bound what a module may be. Zero means the default.
type Options struct {
	// ModuleBytesMax is the size of the module: 32 MiB.
	ModuleBytesMax uint64
	// FunctionsMax is the number of functions, imported ones included: 1,000,000.
	FunctionsMax uint64
	// LocalsMax is the number of parameters and local variables of one function:
	// 50,000. wazero takes 4 billion, at 8 bytes each.
	LocalsMax uint64
	// CompileWorkMax bounds what compiling the module may cost, in the units of
	// work.go: 1e9, about 20 seconds.
	CompileWorkMax uint64
	// TableElementsMax is the number of elements in all tables that the module
	// defines, however they grow: 2^20. wazero takes 2^27 for each.
	TableElementsMax uint64
}

// complete fills in the defaults.
func (o Options) complete() Options {
	for _, f := range []struct {
		v   *uint64
		def uint64
	}{
		{&o.ModuleBytesMax, 32 << 20},
		{&o.FunctionsMax, 1_000_000},
		{&o.LocalsMax, 50_000},
		{&o.CompileWorkMax, 1_000_000_000},
		{&o.TableElementsMax, 1 << 20},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
	}
	return o
}

// Module is an instrumented module and what was learnt about it on the way.
type Module struct {
	// Bytes is the instrumented module.
	Bytes []byte
	// Imports are what the module itself wants from the host, in its order;
	// ImportModule is not among them.
	Imports []Import
	// ImportedFunctions and Functions count the functions it imports and defines.
	ImportedFunctions, Functions uint32
	// MemoryBytesMin is the memory it defines and starts with; MemoryBytesMax is
	// the most it asks for, 0 when it does not say.
	MemoryBytesMin, MemoryBytesMax uint64
	// TableElements is how many elements the tables it defines start with.
	TableElements uint64
	// CompileWork is the estimate that CompileWorkMax bounds.
	CompileWork uint64
	// Resettable says that writing back the memory and the Globals of an
	// instance gives back its state. Memory that has grown stays grown: compare
	// its size too. NotResettable is the reason why not.
	Resettable    bool
	NotResettable string
	// Globals are the mutable globals it defines, apart from those of reference
	// and vector types, which the host cannot write.
	Globals []Global
}

// Global is a mutable global of a number type.
type Global struct {
	Index uint32
	// Type is its value type in the binary format, as of api.ValueType.
	Type byte
	// Export is the name under which the host reaches it: the module's own or
	// one that was added.
	Export string
}

// Kind is what an import is, as in the binary format and api.ExternType.
type Kind byte

// Kinds of imports.
const (
	KindFunction Kind = iota
	KindTable
	KindMemory
	KindGlobal
	KindTag
)

// String is the word that the text format has for it.
func (k Kind) String() string {
	return [...]string{"function", "table", "memory", "global", "tag"}[k]
}

// Import is one thing that a module wants from its host.
type Import struct {
	Module, Name string
	Kind         Kind
}

// Instrument returns a module that does what module does and counts fuel. Its
// time and memory are proportional to the module's size.
//
// An error says where and what the fault is. A module that passes may still be
// invalid, which is for the compiler to find; one that was invalid stays so.
func Instrument(module []byte, o Options) (*Module, error) {
	o = o.complete()
	if uint64(len(module)) > o.ModuleBytesMax {
		return nil, fmt.Errorf("the module has %d bytes, at most %d are allowed: raise the module limit or build a smaller one", len(module), o.ModuleBytesMax)
	}
	all, err := sections(module)
	if err != nil {
		return nil, err
	}
	w := writer{options: o, yieldType: noType, out: make([]byte, 0, len(module)+len(module)/4+256)}
	w.out = append(w.out, wasmHeader...)
	last := 0
	for _, s := range all {
		if s.id != sectionCustom {
			if err := w.missing(last, rank(s.id)); err != nil {
				return nil, err
			}
			last = rank(s.id)
		}
		if err := w.section(s.id, s.content); err != nil {
			return nil, err
		}
	}
	if err := w.missing(last, len(sectionOrder)); err != nil {
		return nil, err
	}
	return w.finish()
}
