package forge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// native is a function for tools of the type native: JSON in, any value out.
type native func(ctx context.Context, args []byte) (any, error)

// registered is a function, and where its arguments are a struct, their schema with the
// function that takes arguments as the struct's tags have them.
type registered struct {
	call   native
	schema []byte // nil: none
	typed  native
}

var (
	registryMu sync.RWMutex
	registry   = map[string]registered{}
)

// Handle registers f under a path, for tools whose handler names it. In is decoded
// from the arguments, which fit the tool's parameters; Out is what the tool answers:
// an object becomes structured content, another value its JSON text, a string the
// text itself. A function may also answer a resource, whose handler names it, and
// returns a [Content] to say the media type. [StateOf] is the state that it sees.
//
// A tool without the key params has the fields of In as its parameters, where In is a
// struct as [mcp.AddTool] takes it, and the tool keeps no state by handle. Tags give
// descriptions, bounds and defaults, and are listed at [mcp.DecodeArguments].
//
// Handle panics when the path is taken: call it in an init function.
func Handle[In, Out any](path string, f func(ctx context.Context, in In) (Out, error)) {
	r := registered{schema: schemaOf[In]()}
	r.call = func(ctx context.Context, args []byte) (any, error) {
		var in In
		if err := json.Unmarshal(args, &in); err != nil {
			return nil, fault.Because(err, fault.InvalidInput, "the arguments do not fit: %v", err)
		}
		return f(ctx, in)
	}
	if r.schema != nil {
		r.typed = func(ctx context.Context, args []byte) (any, error) {
			var in In
			if err := mcp.DecodeArguments(args, &in); err != nil {
				return nil, fault.Because(err, fault.InvalidInput, "%v", err)
			}
			return f(ctx, in)
		}
	}
	register(path, r)
}

// schemaOf is the schema of arguments; nil for a type that makes none.
func schemaOf[In any]() (schema []byte) {
	defer func() {
		if recover() != nil { // not a struct, or one that contains itself or is embedded
			schema = nil
		}
	}()
	schema = mcp.SchemaOf[In]()
	var probe In
	_ = mcp.DecodeArguments([]byte("{}"), &probe) // panics at what the schema lets pass; that arguments are missing is no matter
	return schema
}

func register(path string, r registered) {
	registryMu.Lock()
	defer registryMu.Unlock()
	if registry[path].call != nil {
		panic("forge: Handle: there is already a function under " + path)
	}
	registry[path] = r
}

// function finds a registered function.
func function(path string) (registered, error) {
	registryMu.RLock()
	f, names := registry[path], slices.Sorted(maps.Keys(registry))
	registryMu.RUnlock()
	if f.call == nil {
		return f, fmt.Errorf("there is no function %q here; built in are %s. A project with Go functions is served by the program that \"ingot build\" makes of its folder", path, strings.Join(names, ", "))
	}
	return f, nil
}

// takesFields says whether the type of a tool's function says its parameters.
func takesFields(t *config.Tool) bool {
	return t.Kind == config.KindNative && t.Native.Path != "" && !t.Has("params") && (t.State == nil || !t.State.Handle)
}

// withFields is the tool with the parameters of its function, where the file says none.
func withFields(t *config.Tool) *config.Tool {
	if !takesFields(t) {
		return t
	}
	f, err := function(t.Native.Path)
	if err != nil || f.schema == nil {
		return t
	}
	typed := *t
	typed.InputSchema = f.schema
	return &typed
}

// nativeTool makes the handler of a native tool.
func nativeTool(t *config.Tool) (mcp.Handler, error) {
	f, err := function(t.Native.Path)
	if err != nil {
		return nil, fmt.Errorf("tool %s: %w", t.Name, err)
	}
	call := f.call
	if takesFields(t) && f.schema != nil {
		call = f.typed
	}
	return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		out, err := call(ctx, r.Arguments)
		if err != nil {
			return nil, err
		}
		return answer(out)
	}, nil
}

// answer is a value as a result.
func answer(out any) (*mcp.CallResult, error) {
	if text, ok := out.(string); ok {
		return mcp.TextResult(text), nil
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, fault.Because(err, fault.Internal, "the answer cannot be written as JSON: %v", err)
	}
	if len(raw) > 0 && raw[0] == '{' {
		return mcp.StructuredJSON(raw), nil
	}
	return mcp.TextResult(string(raw)), nil
}

func init() {
	register("ingot::echo", registered{call: func(_ context.Context, args []byte) (any, error) { return rawJSON(args), nil }})
	Handle("ingot::time", func(context.Context, struct{}) (map[string]string, error) {
		return map[string]string{"time": time.Now().UTC().Format(time.RFC3339Nano)}, nil
	})
	registerState()
}

// rawJSON is JSON that is answered as it is.
type rawJSON []byte

// MarshalJSON implements json.Marshaler.
func (r rawJSON) MarshalJSON() ([]byte, error) { return slices.Clone(r), nil }
