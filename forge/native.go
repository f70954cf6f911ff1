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

var (
	registryMu sync.RWMutex
	registry   = map[string]native{}
)

// Handle registers f under a path, for tools whose handler names it. In is decoded
// from the arguments, which fit the tool's parameters; Out is what the tool answers:
// an object becomes structured content, another value its JSON text, a string the
// text itself. A function may also answer a resource, whose handler names it, and
// returns a [Content] to say the media type. [StateOf] is the state that it sees.
// Handle panics when the path is taken: call it in an init function.
func Handle[In, Out any](path string, f func(ctx context.Context, in In) (Out, error)) {
	register(path, func(ctx context.Context, args []byte) (any, error) {
		var in In
		if err := json.Unmarshal(args, &in); err != nil {
			return nil, fault.Because(err, fault.InvalidInput, "the arguments do not fit: %v", err)
		}
		return f(ctx, in)
	})
}

func register(path string, f native) {
	registryMu.Lock()
	defer registryMu.Unlock()
	if registry[path] != nil {
		panic("forge: Handle: there is already a function under " + path)
	}
	registry[path] = f
}

// function finds a registered function.
func function(path string) (native, error) {
	registryMu.RLock()
	f, names := registry[path], slices.Sorted(maps.Keys(registry))
	registryMu.RUnlock()
	if f == nil {
		return nil, fmt.Errorf("there is no function %q here; built in are %s. A project with Go functions is served by the program that \"ingot build\" makes of its folder", path, strings.Join(names, ", "))
	}
	return f, nil
}

// nativeTool makes the handler of a native tool.
func nativeTool(t *config.Tool) (mcp.Handler, error) {
	f, err := function(t.Native.Path)
	if err != nil {
		return nil, fmt.Errorf("tool %s: %w", t.Name, err)
	}
	return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		out, err := f(ctx, r.Arguments)
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
	register("ingot::echo", func(_ context.Context, args []byte) (any, error) { return rawJSON(args), nil })
	Handle("ingot::time", func(context.Context, struct{}) (map[string]string, error) {
		return map[string]string{"time": time.Now().UTC().Format(time.RFC3339Nano)}, nil
	})
	registerState()
}

// rawJSON is JSON that is answered as it is.
type rawJSON []byte

// MarshalJSON implements json.Marshaler.
func (r rawJSON) MarshalJSON() ([]byte, error) { return slices.Clone(r), nil }
