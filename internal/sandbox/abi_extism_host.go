package sandbox

import (
	"context"
	"log/slog"
	"math"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// moduleExtism is where the functions of Extism come from.
const moduleExtism = "extism:host/env"

// extismVarsBytesMax bounds the variables of one instance: keys, values and 64
// bytes for each.
const extismVarsBytesMax = 1 << 20

// extismUse is what one call of an Extism guest has beside its kernel memory.
type extismUse struct {
	kernel
	inputAt, inputSize   uint64
	outputAt, outputSize uint64
	errorAt              uint64

	httpStatus  int
	httpHeaders []byte // a JSON object; nil before the first request
}

// extismFunction is one function of the module extism:host/env. It runs within a
// call and leaves its result, if it has one, in stack[0].
type extismFunction struct {
	params, results []api.ValueType
	run             func(c *call, e *extismUse, stack []uint64)
}

var (
	extismNone = []api.ValueType{}
	extismI32  = []api.ValueType{i32}
	extismI64  = []api.ValueType{i64}
	extismTwo  = []api.ValueType{i64, i64}
)

// extismFunctions are the functions that Extism documents for guests, with their
// types: kernel/src/lib.rs and runtime/src/pdk.rs of its repository.
var extismFunctions = map[string]extismFunction{
	"alloc":         {extismI64, extismI64, func(_ *call, e *extismUse, s []uint64) { s[0] = e.alloc(s[0]) }},
	"free":          {extismI64, extismNone, func(_ *call, e *extismUse, s []uint64) { e.release(s[0]) }},
	"length":        {extismI64, extismI64, func(_ *call, e *extismUse, s []uint64) { s[0] = e.length(s[0]) }},
	"length_unsafe": {extismI64, extismI64, func(_ *call, e *extismUse, s []uint64) { s[0] = e.length(s[0]) }},
	"load_u8":       {extismI64, extismI32, func(_ *call, e *extismUse, s []uint64) { s[0] = e.loadByte(s[0]) }},
	"load_u64":      {extismI64, extismI64, func(_ *call, e *extismUse, s []uint64) { s[0] = e.loadWord(s[0]) }},
	"store_u8":      {[]api.ValueType{i64, i32}, extismNone, func(_ *call, e *extismUse, s []uint64) { e.storeByte(s[0], s[1]) }},
	"store_u64":     {extismTwo, extismNone, func(_ *call, e *extismUse, s []uint64) { e.storeWord(s[0], s[1]) }},

	"input_length":   {extismNone, extismI64, func(_ *call, e *extismUse, s []uint64) { s[0] = e.inputSize }},
	"input_offset":   {extismNone, extismI64, func(_ *call, e *extismUse, s []uint64) { s[0] = e.inputAt }},
	"input_load_u8":  {extismI64, extismI32, func(_ *call, e *extismUse, s []uint64) { s[0] = e.loadInput(s[0], 1, e.loadByte) }},
	"input_load_u64": {extismI64, extismI64, func(_ *call, e *extismUse, s []uint64) { s[0] = e.loadInput(s[0], 8, e.loadWord) }},
	"output_set":     {extismTwo, extismNone, func(_ *call, e *extismUse, s []uint64) { e.setOutput(s[0], s[1]) }},
	"error_set":      {extismI64, extismNone, func(_ *call, e *extismUse, s []uint64) { e.errorAt = s[0] }},

	"config_get": {extismI64, extismI64, extismConfigGet},
	"var_get":    {extismI64, extismI64, extismVarGet},
	"var_set":    {extismTwo, extismNone, extismVarSet},

	"http_request":     {extismTwo, extismI64, extismHTTPRequest},
	"http_status_code": {extismNone, extismI32, func(_ *call, e *extismUse, s []uint64) { s[0] = uint64(e.httpStatus) }},
	"http_headers":     {extismNone, extismI64, func(_ *call, e *extismUse, s []uint64) { s[0] = e.put(e.httpHeaders) }},

	"log_trace":     {extismI64, extismNone, extismLog(levelDebug)},
	"log_debug":     {extismI64, extismNone, extismLog(levelDebug)},
	"log_info":      {extismI64, extismNone, extismLog(levelInfo)},
	"log_warn":      {extismI64, extismNone, extismLog(levelWarn)},
	"log_error":     {extismI64, extismNone, extismLog(levelError)},
	"get_log_level": {extismNone, extismI32, extismLogLevel},
}

// extismSized are those that take as long as the blocks are large that the guest
// hands over or asks for; the others take some nanoseconds, and are called for each
// word of a block.
var extismSized = map[string]bool{
	"alloc": true, "config_get": true, "var_get": true, "var_set": true, "http_request": true, "http_headers": true,
}

// exportExtism adds the functions of the module "extism:host/env".
func exportExtism(b wazero.HostModuleBuilder) {
	for name, f := range extismFunctions {
		run, sized := f.run, extismSized[name]
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, _ api.Module, stack []uint64) {
			c := callOf(ctx)
			if sized {
				c.stopIfOver()
			}
			run(c, c.extismUse(), stack)
		}), f.params, f.results).Export(name)
	}
}

// extismUse is what an Extism guest has in this call; while an instance starts, it
// is shared memory without input.
func (c *call) extismUse() *extismUse {
	if c.extism == nil {
		c.extism = &extismUse{kernel: kernel{bytesMax: c.policy.Limits.MemoryBytesMax}}
	}
	return c.extism
}

// loadInput reads size bytes at an offset into the input; 0 beyond its end.
func (e *extismUse) loadInput(offset, size uint64, load func(uint64) uint64) uint64 {
	if size > e.inputSize || offset > e.inputSize-size {
		return 0
	}
	return load(e.inputAt + offset)
}

// setOutput notes where the output stands.
func (e *extismUse) setOutput(at, size uint64) {
	if size > 0 && e.view(at, size) == nil {
		panic(failf(ErrABI, "output_set was given offset %d and length %d, which is not all shared memory", at, size))
	}
	e.outputAt, e.outputSize = at, size
}

// putOptional answers a value that may be absent: offset 0.
func (e *extismUse) putOptional(value []byte, ok bool) uint64 {
	if !ok {
		return 0
	}
	return e.put(value)
}

func extismConfigGet(c *call, e *extismUse, stack []uint64) {
	value, ok := c.policy.Config[string(e.take(stack[0], "config_get", "key"))]
	stack[0] = e.putOptional([]byte(value), ok)
}

func extismVarGet(c *call, e *extismUse, stack []uint64) {
	value, ok := c.instance.vars[string(e.take(stack[0], "var_get", "key"))]
	stack[0] = e.putOptional(value, ok)
}

// extismVarSet sets a variable, or removes it when the value's offset is 0.
// Variables live as long as the instance.
func extismVarSet(c *call, e *extismUse, stack []uint64) {
	key := string(e.take(stack[0], "var_set", "key"))
	if stack[1] == 0 {
		delete(c.instance.vars, key)
		return
	}
	value := string(e.take(stack[1], "var_set", "value"))
	total := len(key) + len(value) + 64
	for other, v := range c.instance.vars {
		if other != key {
			total += len(other) + len(v) + 64
		}
	}
	if total > extismVarsBytesMax {
		panic(failf(ErrMemory, "its variables would have %d bytes, at most %d are possible: keep less in them", total, extismVarsBytesMax))
	}
	if c.instance.vars == nil {
		c.instance.vars = map[string][]byte{}
	}
	c.instance.vars[key] = []byte(value)
}

// extismLog is the log function of one level.
func extismLog(level int32) func(*call, *extismUse, []uint64) {
	return func(c *call, e *extismUse, stack []uint64) {
		c.log.line(level, e.take(stack[0], "a log function", "message"))
	}
}

// extismLogLevel answers the least level that is logged: 0 trace, 1 debug, 2
// info, 3 warning, 4 error; the largest number when none is.
func extismLogLevel(c *call, _ *extismUse, stack []uint64) {
	stack[0] = math.MaxInt32
	for n, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if c.log.logger.Enabled(c.ctx, level) {
			stack[0] = uint64(n + 1)
			return
		}
	}
}
