package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// WASI commands as tools: a program that reads its arguments, a JSON object, from
// stdin, writes its answer to stdout and ends. docs/ABI.md has the rules.

const (
	// commandExport is the function that runs the program.
	commandExport = "_start"
	// commandSection is the custom section that may hold the description.
	commandSection = "ingot:description"
	// commandDescribe is the argument with which a program without that section
	// prints its description.
	commandDescribe = "--describe"
	// commandName is the program's name, its argument 0.
	commandName = "tool"
)

// command implements abi.
type command struct {
	description []byte // of the custom section; nil when there is none
}

func (command) name() string { return "command/1" }

func (a command) describe(c *call) ([]Description, error) {
	if c.policy.Isolation != IsolationCall {
		return nil, failf(ErrPolicy, "it is a WASI command, which runs once in an instance: its isolation must be %q, not %q", IsolationCall, c.policy.Isolation)
	}
	raw, source := a.description, "its custom section "+commandSection
	if raw == nil {
		out, err := a.run(c, []string{commandName, commandDescribe}, nil, descriptionBytesMax)
		if err != nil {
			return nil, err
		}
		raw, source = out, "what it printed when it was run with "+commandDescribe
	}
	d, err := parseDescription(raw)
	if err != nil {
		return nil, failf(ErrABI, "%s is no description: %v", source, err)
	}
	return []Description{d}, nil
}

func (a command) call(c *call, tool string, args []byte) (Result, error) {
	limits := &c.policy.Limits
	if uint64(len(args)) > limits.StdinBytesMax {
		return Result{}, failf(ErrInput, "the arguments have %d bytes, at most %d go to stdin: send less, or raise the stdin limit", len(args), limits.StdinBytesMax)
	}
	out, err := a.run(c, []string{commandName}, args, limits.OutputBytesMax)
	if err != nil {
		return Result{}, err
	}
	fault := objectFault(out)
	if fault == "" {
		return Result{JSON: out}, nil
	}
	for _, d := range c.instance.owner.tools {
		if d.Name == tool && len(d.OutputSchema) > 0 {
			return Result{}, failf(ErrABI, "it printed %d bytes that %s, and its outputSchema promises one", len(out), fault)
		}
	}
	return textResult(out, limits.OutputBytesMax)
}

// textResult is a result whose content is one text.
func textResult(text []byte, bytesMax uint64) (Result, error) {
	if !utf8.Valid(text) {
		return Result{}, failf(ErrABI, "it printed %d bytes that are neither a JSON object nor text in UTF-8", len(text))
	}
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return Result{}, failf(ErrABI, "it printed text that JSON cannot hold: %v", err)
	}
	mcp := fmt.Appendf(nil, `{"content":[{"type":"text","text":%s}]}`, quoted)
	if uint64(len(mcp)) > bytesMax {
		return Result{}, failf(ErrOutput, "its text takes %d bytes as JSON, at most %d are allowed: print less, or raise the output limit", len(mcp), bytesMax)
	}
	return Result{MCP: mcp}, nil
}

// run runs the program to its end and returns what it printed. An exit code other
// than 0 is the tool's own failure, with stderr as the message.
func (command) run(c *call, args []string, stdin []byte, outputBytesMax uint64) ([]byte, error) {
	var out bytes.Buffer
	printed := uint64(0)
	c.args, c.stdin = args, stdin
	c.stdout = func(p []byte) {
		printed += uint64(len(p))
		if room := outputBytesMax - uint64(out.Len()); uint64(len(p)) > room {
			p = p[:room]
		}
		out.Write(p)
	}
	code, err := c.runCommand()
	switch {
	case err != nil:
		return nil, err
	case code != 0:
		message := strings.TrimSpace(string(c.log.stderrHead))
		if message == "" {
			message = fmt.Sprintf("it ended with exit code %d and said nothing on stderr", code)
		}
		return nil, &GuestError{Message: clip(message, 4<<10), Code: fmt.Sprintf("exit_%d", code)}
	case printed > outputBytesMax:
		return nil, failf(ErrOutput, "it printed %d bytes, at most %d are allowed: print less, or raise the output limit", printed, outputBytesMax)
	}
	return out.Bytes(), nil
}

// runCommand runs the program and returns its exit code.
func (c *call) runCommand() (code uint32, err error) {
	f := c.instance.function(commandExport)
	f.busy = true
	err = guard(func() error { return f.CallWithStack(c.ctx, c.stack[:]) })
	f.busy = false
	var exit *sys.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit) && c.ctx.Err() == nil:
		return exit.ExitCode(), nil
	default:
		c.failed = true
		return 0, c.explain(commandExport, err)
	}
}

// exportCommand replaces the functions of WASI that must differ from call to call.
func exportCommand(b wazero.HostModuleBuilder) {
	two := []api.ValueType{i32, i32}
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(argsSizesGet), two, []api.ValueType{i32}).
		WithParameterNames("argc", "argv_buf_size").Export("args_sizes_get")
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(argsGet), two, []api.ValueType{i32}).
		WithParameterNames("argv", "argv_buf").Export("args_get")
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(procExit), []api.ValueType{i32}, nil).
		WithParameterNames("rval").Export("proc_exit")
}

// The errors of WASI that args_get gives.
const (
	errnoSuccess = 0
	errnoFault   = 21
)

// argsSizesGet is args_sizes_get(argc, argv_buf_size).
func argsSizesGet(ctx context.Context, m api.Module, stack []uint64) {
	size := 0
	args := callOf(ctx).args
	for _, arg := range args {
		size += len(arg) + 1
	}
	ok := m.Memory().WriteUint32Le(uint32(stack[0]), uint32(len(args))) && m.Memory().WriteUint32Le(uint32(stack[1]), uint32(size))
	stack[0] = errno(ok)
}

// argsGet is args_get(argv, argv_buf): pointers to the arguments, and the
// arguments, each with a 0 behind it.
func argsGet(ctx context.Context, m api.Module, stack []uint64) {
	argv, buf, ok := uint32(stack[0]), uint32(stack[1]), true
	for _, arg := range callOf(ctx).args {
		ok = ok && m.Memory().WriteUint32Le(argv, buf) && m.Memory().Write(buf, append([]byte(arg), 0))
		argv += 4
		buf += uint32(len(arg)) + 1
	}
	stack[0] = errno(ok)
}

func errno(ok bool) uint64 {
	if ok {
		return errnoSuccess
	}
	return errnoFault
}

// procExit is proc_exit(code). Unlike wazero's it leaves the module open, so that
// a command's instance can be put back like any other.
func procExit(_ context.Context, _ api.Module, stack []uint64) {
	panic(sys.NewExitError(uint32(stack[0])))
}

// customSection is the content of the first custom section of a name, or nil. The
// module is one that was compiled, so its sections are sound.
func customSection(module []byte, name string) []byte {
	const header = 8 // magic number and version
	for rest := module[header:]; len(rest) > 0; {
		id := rest[0]
		content, tail, ok := cutBlock(rest[1:])
		if !ok {
			return nil
		}
		if id == 0 {
			if have, value, ok := cutBlock(content); ok && string(have) == name {
				return value
			}
		}
		rest = tail
	}
	return nil
}

// cutBlock cuts off bytes that have their length, LEB128, in front.
func cutBlock(b []byte) (block, rest []byte, ok bool) {
	size := uint64(0)
	for i, c := range b {
		if i == 5 {
			return nil, nil, false
		}
		size |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			b = b[i+1:]
			if size > uint64(len(b)) {
				return nil, nil, false
			}
			return b[:size], b[size:], true
		}
	}
	return nil, nil, false
}
