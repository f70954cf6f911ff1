package mcp

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"time"
)

// respond runs r and appends its response frame, without a line break (none
// for a batch that holds no request). call is scratch space for a tools/call.
func (s *Server) respond(ctx context.Context, r *request, call *CallRequest, out []byte) []byte {
	switch {
	case r.act == actBatch:
		return s.respondBatch(ctx, r, out)
	case s.guard != nil:
		return s.guard.respond(s, ctx, r, call, out)
	}
	return s.answer(ctx, r, call, out)
}

// answerHead begins each answer to a request, before its id.
const answerHead = `{"jsonrpc":"2.0","id":`

// answer is respond for one request that may be served.
func (s *Server) answer(ctx context.Context, r *request, call *CallRequest, out []byte) []byte {
	start := len(out)
	out = append(out, answerHead...)
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
	case actToolsCall:
		out, bad = s.call(ctx, r, call, out)
	case actToolsList:
		if out, bad = appendPage(out, &s.offers().tools, r, s.options.PageSize, kindTools); bad == nil && r.modern {
			out = s.appendListCaching(out)
		}
	case actListen:
		bad = refuse(CodeInvalidRequest, "subscriptions/listen needs a transport with a stream")
	case actPing, actSetLevel:
	default:
		out, bad = s.offers().serve.of(r.act)(s, ctx, r, out)
	}
	switch {
	case bad == nil:
		return append(out, "}}"...)
	case bad.result != nil:
		out = append(append(out[:start], answerHead...), r.id...)
		out = append(append(out, `,"result":{`...), bad.result...)
		return append(out, "}}"...)
	}
	r.failed = bad
	return appendError(out[:start], r.id, bad)
}

func (s *Server) appendInitialize(out []byte, version string) []byte {
	out = append(out, `"protocolVersion":"`...)
	out = append(out, version...)
	now := s.offers()
	out = append(append(out, `",`...), now.legacy...)
	if now.serve.task != nil && version == versionTasks {
		out = append(out, `,"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}`...)
	}
	out = append(out, '}')
	out = append(out, `,"serverInfo":`...)
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
	out = append(append(out, `],`...), s.offers().modern...)
	return s.appendListCaching(s.appendInstructions(out))
}

func (s *Server) appendInstructions(out []byte) []byte {
	if s.options.Instructions == "" {
		return out
	}
	out = append(out, `,"instructions":`...)
	return appendString(out, s.options.Instructions)
}

// appendCaching appends the hints that modern results of reading must carry
// (server/utilities/caching).
func appendCaching(out []byte, fresh time.Duration, scope string) []byte {
	out = append(out, `,"ttlMs":`...)
	out = strconv.AppendInt(out, max(fresh.Milliseconds(), 0), 10)
	return append(append(append(out, `,"cacheScope":"`...), scope...), '"')
}

// appendListCaching appends the hints of a list, which is the same for every
// caller where there is no guard.
func (s *Server) appendListCaching(out []byte) []byte {
	if s.guard != nil { // who asks decides what it has
		return appendCaching(out, s.options.ListFresh, "private")
	}
	return appendCaching(out, s.options.ListFresh, "public")
}

// of returns who serves requests of this kind; there is somebody, since
// snapshot.offered was asked.
func (s *servers) of(act action) serveFunc {
	switch act {
	case actPromptsGet:
		return s.prompt
	case actResourcesRead:
		return s.resource
	case actComplete:
		return s.complete
	case actSubscribe, actUnsubscribe:
		return s.subscribe
	case actTasksGet, actTasksUpdate, actTasksCancel, actTasksResult, actTasksList:
		return s.task
	}
	return s.list
}

// appendList serves the lists other than that of the tools.
func (s *Server) appendList(ctx context.Context, r *request, out []byte) ([]byte, *wireError) {
	now, size := s.offers(), s.options.PageSize
	var bad *wireError
	switch r.act {
	case actPromptsList:
		out, bad = appendPage(out, &now.prompts, r, size, kindPrompts)
	case actResourcesList:
		if now.serve.family != nil {
			return now.serve.family(s, ctx, r, out)
		}
		out, bad = appendPage(out, &now.resources, r, size, kindResources)
	case actTemplatesList:
		out, bad = appendPage(out, &now.templates, r, size, kindTemplates)
	}
	if bad == nil && r.modern {
		out = s.appendListCaching(out)
	}
	return out, bad
}

// call runs the tool of r and appends the members of its result.
func (s *Server) call(ctx context.Context, r *request, call *CallRequest, out []byte) ([]byte, *wireError) {
	var (
		result *CallResult
		handle *Call
		err    error
	)
	if r.wantsTask || r.tool.Task.kind != nil && r.modern && r.client.can&canTasks != 0 {
		serve := &s.offers().serve
		result, handle, err = serve.callTask(s, ctx, r)
		if task := serve.created(s, err); task != nil {
			r.becameTask = true
			return out, task
		}
	} else if r.modern && r.tool.Task.kind != nil && r.tool.Task.kind.required {
		return out, errNeedsTasks()
	} else {
		call.reset(ctx, r)
		result, err = s.runTool(ctx, r.tool, call)
		if handle = call.call; handle != nil {
			call.finish()
		}
	}
	if ask := handle.ending(); ask != nil {
		return out, ask
	}
	if r.modern {
		out = append(out, ',')
	}
	out, bad := s.appendOutcome(ctx, r, result, err, out)
	if call.text.Content != nil {
		call.text = textResult{} // its text may be long
	}
	return out, bad
}

// reset readies the request for a call; see request.reset for how.
func (c *CallRequest) reset(ctx context.Context, r *request) {
	if c.from != r {
		c.from = r
	}
	if c.Name != r.tool.Name {
		c.Name = r.tool.Name
	}
	if c.ProtocolVersion != r.client.version {
		c.ProtocolVersion = r.client.version
	}
	if c.ctx != ctx {
		c.ctx = ctx
	}
	c.Arguments = r.arguments
	if r.meta != nil || c.Meta != nil {
		c.Meta = r.meta
	}
	if c.call != nil {
		c.call = nil
	}
}

// appendOutcome appends the members of a tool's result.
func (s *Server) appendOutcome(ctx context.Context, r *request, result *CallResult, err error, out []byte) ([]byte, *wireError) {
	if err != nil {
		if fault := protocolError(err, r.modern); fault != nil {
			return out, fault
		}
		var crash *panicked
		if errors.As(err, &crash) {
			return out, crashedUnseen("tool " + r.tool.Name)
		}
		result = ErrorResult(err.Error())
	}
	if result == nil {
		result = &CallResult{}
	}
	if bad := s.checkResult(ctx, r.tool, result); bad != nil {
		return out, bad
	}
	out = append(out, `"content":`...)
	out, err = appendContents(out, result.Content, r.client.version)
	if err != nil {
		return out, s.badResult(ctx, "tool "+r.tool.Name, err)
	}
	if result.Structured != nil {
		isObject, err := checkStructured(result.Structured, s.options.MaxDepth)
		if err != nil {
			return out, s.badResult(ctx, "tool "+r.tool.Name, err)
		}
		if isObject || r.modern {
			out = append(out, `,"structuredContent":`...)
			out = appendOneLine(out, result.Structured)
		}
	}
	if result.IsError {
		r.toolFailed = true
		out = append(out, `,"isError":true`...)
	}
	return out, nil
}

// checkResult makes sure that a tool with an output schema has kept to it.
func (s *Server) checkResult(ctx context.Context, t *tool, result *CallResult) *wireError {
	if t.OutputSchema == nil || result.IsError {
		return nil
	}
	if result.Structured == nil {
		return s.badResult(ctx, "tool "+t.Name, newError("it has an OutputSchema, but its result has no Structured"))
	}
	if t.checkOutput == nil {
		return nil
	}
	if err := t.checkOutput(result.Structured); err != nil {
		return s.badResult(ctx, "tool "+t.Name, wrap("structured content does not fit the OutputSchema: ", err))
	}
	return nil
}

// badResult logs a result that cannot be sent, and returns the answer.
func (s *Server) badResult(ctx context.Context, what string, err error) *wireError {
	s.options.Logger.ErrorContext(ctx, "a result cannot be sent", "of", what, "error", err)
	return refuse(CodeInternal, what+" made a result that cannot be sent: "+err.Error())
}

// checkStructured makes sure that raw may stand in a frame as it is, and says
// whether it is an object.
func checkStructured(raw []byte, depthMax int) (isObject bool, err error) {
	s := borrowScanner(depthMax)
	defer s.giveBack()
	if !s.scan(raw) {
		return false, newError("structured content is not valid JSON: " + s.fault.text())
	}
	return raw[s.space(0)] == '{', nil
}

// stackBytesMax bounds the stack that is logged with a panic.
const stackBytesMax = 64 << 10

// ownStack returns the stack of the goroutine that calls it, like debug.Stack,
// whose package brings os with it.
func ownStack() string {
	stack := make([]byte, stackBytesMax)
	return string(stack[:runtime.Stack(stack, false)])
}

// panicked is the error of a handler that panicked.
type panicked struct{}

func (*panicked) Error() string { return "the handler panicked" }

// runTool validates the arguments and runs the handler under its timeout.
func (s *Server) runTool(ctx context.Context, t *tool, call *CallRequest) (result *CallResult, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.options.Logger.ErrorContext(ctx, "tool handler panicked",
				"tool", t.Name, "panic", v, "stack", ownStack())
			result, err = nil, &panicked{}
		}
	}()
	if t.Timeout > 0 {
		timed, stop := context.WithTimeout(ctx, t.Timeout)
		defer stop()
		result, err = s.validated(timed, t, call)
		if err != nil && timed.Err() == context.DeadlineExceeded && ctx.Err() == nil {
			err = wrap("tool "+t.Name+" ran longer than its "+t.Timeout.Round(time.Millisecond).String()+": ", err)
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
