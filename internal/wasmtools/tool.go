package wasmtools

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/schema"
	"github.com/ingot-run/ingot/mcp"
)

// tool joins a sandboxed tool to the protocol.
type tool struct {
	logger        *slog.Logger
	module        *sandbox.Module
	description   sandbox.Description
	input, output *schema.Schema // output is nil when the tool has none
	sessions      bool           // each session has an instance of its own
}

func newTool(logger *slog.Logger, m *sandbox.Module, d sandbox.Description) (*tool, error) {
	t := &tool{logger: logger, module: m, description: d, sessions: m.Policy().Isolation == sandbox.IsolationSession}
	var err error
	if t.input, err = schema.Compile(d.InputSchema); err != nil {
		return nil, fmt.Errorf("its inputSchema: %w", err)
	}
	if len(d.OutputSchema) > 0 {
		if t.output, err = schema.Compile(d.OutputSchema); err != nil {
			return nil, fmt.Errorf("its outputSchema: %w", err)
		}
	}
	return t, nil
}

// listing is the tool as the protocol lists it. It has no Timeout, since the sandbox
// enforces one, and no Validate, since call does that: not all calls come from clients.
func (t *tool) listing() mcp.Tool {
	d := t.description
	listed := mcp.Tool{
		Name: d.Name, Title: d.Title, Description: d.Description,
		InputSchema: d.InputSchema, OutputSchema: d.OutputSchema,
		SelfChecked: true,
	}
	if a := d.Annotations; a != nil {
		listed.Annotations = &mcp.ToolAnnotations{
			Title: a.Title, ReadOnlyHint: a.ReadOnlyHint, DestructiveHint: a.DestructiveHint,
			IdempotentHint: a.IdempotentHint, OpenWorldHint: a.OpenWorldHint,
		}
	}
	return listed
}

// call runs the tool that has a name now: a call may begin while a new module takes
// the place of the old one, which refuses what comes too late.
func (s *Shelf) call(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
	for {
		now := s.tool(r.Name)
		if now == nil {
			return nil, errGone
		}
		result, err := now.call(ctx, r)
		if !errors.Is(err, sandbox.ErrClosed) || s.tool(r.Name) == now {
			return result, err
		}
	}
}

// call checks the arguments and runs the tool.
func (t *tool) call(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
	if err := t.input.Validate(r.Arguments); err != nil {
		return nil, err
	}
	return t.run(ctx, r)
}

// errGone says that a module left the shelf without a successor.
var errGone = errors.New("the module was taken away while it was called")

// run calls the module. Its error becomes an isError result: all of them are
// about this one call, and the text says what the caller can do.
func (t *tool) run(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
	request := sandbox.CallRequest{
		Tool: r.Name, Arguments: r.Arguments,
		Progress: func(progress, total float64, message string) { // runs on this goroutine
			_ = r.Call().Progress(ctx, &mcp.Progress{Progress: progress, Total: total, Message: message}) // a client that is gone is found out by the call's end
		},
	}
	if t.sessions {
		request.Session = session(r.Call())
	}
	out, err := t.module.Call(ctx, request)
	if err == nil && t.output != nil && out.JSON != nil {
		err = t.checkResult(out.JSON)
	}
	var reported *sandbox.GuestError
	switch {
	case err == nil && out.MCP != nil:
		return ownResult(out.MCP)
	case err == nil:
		result := r.Text(string(out.JSON))
		result.Structured = out.JSON
		return result, nil
	case !errors.As(err, &reported) && !errors.Is(err, sandbox.ErrClosed) && ctx.Err() == nil:
		t.logger.WarnContext(ctx, "a tool failed", "tool", r.Name, "error", err)
	}
	return nil, err
}

// session names what the caller's calls have in common: the protocol's session, and
// where it has none the principal. Callers that nobody can tell apart share nothing:
// each of their calls is a session of its own.
func session(c *mcp.Call) string {
	if name := c.Session(); name != "" {
		return "session " + name
	}
	if name := c.Principal(); name != "" {
		return "principal " + name
	}
	return "call " + strconv.FormatUint(anonymousCalls.Add(1), 36)
}

// anonymousCalls numbers the calls of nobody.
var anonymousCalls atomic.Uint64

// checkResult holds the tool to its own outputSchema: clients refuse results
// that break it, and then nobody sees why.
func (t *tool) checkResult(out []byte) error {
	err := t.output.Validate(out)
	var wrong *schema.Error
	if !errors.As(err, &wrong) {
		return err
	}
	problems := make([]string, len(wrong.Problems))
	for i, p := range wrong.Problems {
		problems[i] = strings.TrimSpace(fmt.Sprintf("%s %s", p.Argument, p.Message))
	}
	return fmt.Errorf("tool %s returned a result that breaks its own outputSchema: %s; mend the tool or its schema",
		t.description.Name, strings.Join(problems, "; "))
}
