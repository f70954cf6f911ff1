package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/ingot-run/ingot/internal/sandbox/meter"
)

// abi is how the host and one kind of guest talk. Its methods get an instance
// that has run _initialize. detectABI chooses it.
type abi interface {
	// name is what reports call it.
	name() string
	// describe asks an instance what tools it holds: at least one.
	describe(c *call) ([]Description, error)
	// call runs a tool once. args is a JSON object.
	call(c *call, tool string, args []byte) (Result, error)
}

// Import is one function that a module wants from the host.
type Import struct{ Module, Name string }

// Modules of the host.
const (
	moduleIngot = "ingot"
	moduleWASI  = "wasi_snapshot_preview1"
)

// detectABI finds the ABI of a module by its imports and exports, and says what is
// missing if none fits. module is the file.
func detectABI(m wazero.CompiledModule, module []byte) (abi, error) {
	if importsExtism(m) {
		return detectExtism(m)
	}
	exports := m.ExportedFunctions()
	var missing []string
	for _, want := range nativeExports {
		got, ok := exports[want.name]
		if !ok {
			missing = append(missing, want.String())
		} else if !slices.Equal(got.ParamTypes(), want.params) || !slices.Equal(got.ResultTypes(), want.results) {
			return nil, failf(ErrABI, "its export %s has another signature: it must be %s (docs/ABI.md)", want.name, want)
		}
	}
	if _, ok := m.ExportedMemories()["memory"]; !ok {
		missing = append(missing, "memory")
	}
	switch {
	case len(missing) == 0:
		return native{}, nil
	case isCommand(m):
		return command{customSection(module, commandSection)}, nil
	default:
		return nil, failf(ErrABI, "it does not export %s: a tool exports all of memory, alloc, describe and call, or _start alone (docs/ABI.md)", strings.Join(missing, ", "))
	}
}

// isCommand says whether a module is a WASI command.
func isCommand(m wazero.CompiledModule) bool {
	start := m.ExportedFunctions()[commandExport]
	return start != nil && len(start.ParamTypes())+len(start.ResultTypes()) == 0 && m.ExportedMemories()["memory"] != nil
}

// signature is an exported function that an ABI asks for.
type signature struct {
	name            string
	params, results []api.ValueType
}

// String is the signature as docs/ABI.md writes it.
func (s signature) String() string {
	list := func(types []api.ValueType) string {
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = api.ValueTypeName(t)
		}
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s(%s) %s", s.name, list(s.params), list(s.results))
}

// checkForeignImports refuses modules that want a memory, table or global from
// the host: there is none to give.
func checkForeignImports(imports []meter.Import) error {
	for _, i := range imports {
		if i.Kind != meter.KindFunction {
			return failf(ErrModule, "it imports the %s %q.%q, but the host offers functions only: define the %s in the module and export it (wasm-ld without --import-%s)",
				i.Kind, clip(i.Module, 64), clip(i.Name, 64), i.Kind, i.Kind)
		}
	}
	return nil
}

// checkFunctionImports refuses a module that wants a function which no host
// module offers, before the engine says so less clearly.
func checkFunctionImports(m wazero.CompiledModule, offered map[string]map[string]api.FunctionDefinition) ([]Import, error) {
	var all []Import
	for _, f := range m.ImportedFunctions() {
		module, name, _ := f.Import()
		if module == meter.ImportModule { // not the module's own
			continue
		}
		all = append(all, Import{module, name})
		functions, ok := offered[module]
		if !ok {
			return nil, failf(ErrABI, "it imports %s.%s, but there is no host module %q: a tool may import from %q and %q (docs/ABI.md)",
				clip(module, 64), clip(name, 64), clip(module, 64), moduleIngot, moduleWASI)
		}
		def, ok := functions[name]
		if !ok {
			return nil, failf(ErrABI, "it imports %s.%s, which the host does not offer (docs/ABI.md lists what it does)", module, clip(name, 64))
		}
		if !slices.Equal(f.ParamTypes(), def.ParamTypes()) || !slices.Equal(f.ResultTypes(), def.ResultTypes()) {
			return nil, failf(ErrABI, "it imports %s.%s with another signature: the host's is %s", module, name,
				signature{name, def.ParamTypes(), def.ResultTypes()})
		}
	}
	return all, nil
}
