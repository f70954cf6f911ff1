package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"time"
)

// listMillis is how long a client may hold a tool list, or the answer to
// server/discover, for fresh. Lists change only when the server's owner adds a
// tool, and no notification of that is sent yet, so it is short.
const listMillis = 60_000

// respond runs r and appends its response frame, without a line break (none
// for a batch that holds no request). call is scratch space for a tools/call.
func (s *Server) respond(ctx context.Context, r *request, call *CallRequest, out []byte) []byte {
	if r.act == actBatch {
		return s.respondBatch(ctx, r, out)
	}
	start := len(out)
	out = append(out, `{"jsonrpc":"2.0","id":`...)
	out = append(out, r.id...)
	out = append(out, `,"result":{`...)
	if r.modern {
		out = append(out, s.modern...)
	}
	var bad *wireError
	switch r.act {
	case actInitialize:
		out = s.appendInitialize(out, r.client.version)
	case actDiscover:
		out = s.appendDiscover(out)
	case actToolsList:
		out, bad = s.appendTools(out, r)
	case actToolsCall:
		out, bad = s.call(ctx, r, call, out)
	}
	switch {
	case bad == nil:
		return append(out, "}}"...)
	case bad.result != nil:
		out = append(append(out[:start], `{"jsonrpc":"2.0","id":`...), r.id...)
		out = append(append(out, `,"result":{`...), bad.result...)
		return append(out, "}}"...)
	}
	return appendError(out[:start], r.id, bad)
}

// capabilities is what the server offers, in both eras' form.
const capabilities = `"capabilities":{"tools":{}}`

func (s *Server) appendInitialize(out []byte, version string) []byte {
	out = append(out, `"protocolVersion":"`...)
	out = append(out, version...)
	out = append(out, `",`+capabilities+`,"serverInfo":`...)
	out = append(out, s.info...)
	return s.appendInstructions(out)
}

func (s *Server) appendDiscover(out []byte) []byte {
	out = append(out, `,"supportedVersions":[`...)
	for i, v := range supportedVersions {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(out, v)
	}
	out = append(out, `],`+capabilities...)
	return appendCaching(s.appendInstructions(out))
}

func (s *Server) appendInstructions(out []byte) []byte {
	if s.options.Instructions == "" {
		return out
	}
	out = append(out, `,"instructions":`...)
	return appendString(out, s.options.Instructions)
}

// appendCaching appends the hints that modern lists must carry
// (server/utilities/caching). The list is the same for every caller.
func appendCaching(out []byte) []byte {
	out = append(out, `,"ttlMs":`...)
	out = strconv.AppendInt(out, listMillis, 10)
	return append(out, `,"cacheScope":"public"`...)
}

func (s *Server) appendTools(out []byte, r *request) ([]byte, *wireError) {
	page, next, ok := s.tools.Load().page(r.name, s.options.ToolPageSize)
	if !ok {
		return out, invalidCursor()
	}
	if r.modern {
		out = append(out, ',')
	}
	out = append(out, `"tools":[`...)
	for i, t := range page {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, t.listing...)
	}
	out = append(out, ']')
	if next != "" {
		out = append(out, `,"nextCursor":`...)
		out = appendString(out, next)
	}
	if r.modern {
		out = appendCaching(out)
	}
	return out, nil
}

// call runs the tool of r and appends the members of its result.
func (s *Server) call(ctx context.Context, r *request, call *CallRequest, out []byte) ([]byte, *wireError) {
	*call = CallRequest{Name: r.tool.Name, Arguments: r.arguments, Meta: r.meta, ProtocolVersion: r.client.version, handle: handle{from: r, ctx: ctx}}
	if r.retry != nil {
		var bad *wireError
		if call.round, bad = s.readRound(r); bad != nil {
			return out, bad
		}
	}
	result, err := s.runTool(ctx, r.tool, call)
	if call.call != nil {
		call.finish()
		if ask := s.inputRequired(r, call.call); ask != nil {
			return out, ask
		}
	}
	if err != nil {
		if fault := protocolError(err, r.modern); fault != nil {
			return out, fault
		}
		var crash *panicked
		if errors.As(err, &crash) {
			return out, &wireError{code: CodeInternal, message: "tool " + r.tool.Name + " failed unexpectedly; the server's log has the details"}
		}
		result = ErrorResult(err.Error())
	}
	if result == nil {
		result = &CallResult{}
	}
	if r.modern {
		out = append(out, ',')
	}
	out = append(out, `"content":`...)
	out, err = appendContents(out, result.Content, r.client.version)
	if err != nil {
		return out, s.badResult(ctx, r.tool, err)
	}
	if result.Structured != nil {
		if err := checkStructured(result.Structured, s.options.MaxDepth); err != nil {
			return out, s.badResult(ctx, r.tool, err)
		}
		out = append(out, `,"structuredContent":`...)
		out = appendOneLine(out, result.Structured)
	}
	if result.IsError {
		out = append(out, `,"isError":true`...)
	}
	return out, nil
}

// badResult logs a result that cannot be sent, and returns the answer.
func (s *Server) badResult(ctx context.Context, t *tool, err error) *wireError {
	s.options.Logger.ErrorContext(ctx, "a tool's result cannot be sent", slog.String("tool", t.Name), slog.Any("error", err))
	return &wireError{code: CodeInternal, message: "tool " + t.Name + " made a result that cannot be sent: " + err.Error()}
}

// checkStructured makes sure that raw may stand in a frame as it is.
func checkStructured(raw []byte, depthMax int) error {
	s := borrowScanner(depthMax)
	defer s.giveBack()
	if !s.scan(raw) {
		return fmt.Errorf("structured content is not valid JSON: byte %d: %s", s.fault.offset, s.fault.problem)
	}
	if value := raw[s.space(0):]; value[0] != '{' {
		return fmt.Errorf("structured content is a JSON object, not %s", describe(value))
	}
	return nil
}

// panicked is the error of a handler that panicked.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("handler panicked: %v", p.value) }

// runTool validates the arguments and runs the handler under its timeout.
func (s *Server) runTool(ctx context.Context, t *tool, call *CallRequest) (result *CallResult, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.options.Logger.ErrorContext(ctx, "tool handler panicked",
				slog.String("tool", t.Name), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			result, err = nil, &panicked{v}
		}
	}()
	if t.Timeout > 0 {
		timed, stop := context.WithTimeout(ctx, t.Timeout)
		defer stop()
		result, err = s.validated(timed, t, call)
		if err != nil && timed.Err() == context.DeadlineExceeded && ctx.Err() == nil {
			err = fmt.Errorf("tool %s ran longer than its %v: %w", t.Name, t.Timeout.Round(time.Millisecond), err)
		}
		return result, err
	}
	return s.validated(ctx, t, call)
}

func (s *Server) validated(ctx context.Context, t *tool, call *CallRequest) (*CallResult, error) {
	if t.Validate != nil {
		if err := t.Validate(call.Arguments); err != nil {
			return nil, err
		}
	}
	return t.handler(ctx, call)
}
