package mcp

import (
	"context"
	"strconv"
)

// completionsMax is the most values that one answer may have
// (server/utilities/completion, "Completion Results").
const completionsMax = 100

// CompleteRequest asks for values of an argument of a prompt, or of a variable
// of a resource template.
type CompleteRequest struct {
	Prompt      string            // the prompt's name, or
	URITemplate string            // the template as written
	Argument    string            // the argument's name
	Value       string            // what was typed so far
	Arguments   map[string]string // those that are filled in already
}

// CompleteResult suggests values, the best first. Of more than 100 the first
// 100 are sent.
type CompleteResult struct {
	Values []string
	Total  int  // of all matches; 0 when unknown
	More   bool // there are more than Values
}

// CompleteHandler suggests values. Errors are answered as a [PromptHandler]'s
// are.
type CompleteHandler func(ctx context.Context, req *CompleteRequest) (*CompleteResult, error)

// complete serves completion/complete; r.arguments are its params.
func (s *Server) complete(ctx context.Context, r *request, out []byte) ([]byte, *wireError) {
	req, handler, bad := s.readCompletion(r.arguments)
	if bad != nil {
		return out, bad
	}
	result := &CompleteResult{}
	if handler != nil {
		h := handle{from: r, ctx: ctx}
		made, bad := run(ctx, s, "completion of "+req.Argument, &h, func(ctx context.Context) (*CompleteResult, error) { return handler(ctx, req) })
		if bad != nil {
			return out, bad
		}
		if made != nil {
			result = made
		}
	}
	if r.modern {
		out = addByte(out, ',')
	}
	values, more := result.Values, result.More
	if s.guard != nil {
		values = s.guard.complete(ctx, s.guard.guard, req, values)
		result.Total = 0 // of values that the caller may not see too
	}
	if len(values) > completionsMax {
		values, more = values[:completionsMax], true
	}
	out = appendStrings(add(out, `"completion":{"values":`), values)
	if result.Total > 0 {
		out = strconv.AppendInt(add(out, `,"total":`), int64(result.Total), 10)
	}
	return addByte(strconv.AppendBool(add(out, `,"hasMore":`), more), '}'), nil
}

// readCompletion reads the params of a completion/complete, and finds who
// completes: nobody, for what is known and has no handler.
func (s *Server) readCompletion(params []byte) (*CompleteRequest, CompleteHandler, *wireError) {
	req := &CompleteRequest{Arguments: map[string]string{}}
	kind, named := "", false
	for name, value := range membersOf(params) {
		switch name {
		case "ref":
			texts := textsOf(value)
			kind, req.Prompt, req.URITemplate = texts["type"], texts["name"], texts["uri"]
		case "argument":
			texts := textsOf(value)
			req.Argument, named = texts["name"]
			req.Value = texts["value"]
		case "context":
			for inner, arguments := range membersOf(value) {
				if inner == "arguments" {
					req.Arguments = textsOf(arguments)
				}
			}
		}
	}
	if !named {
		return nil, nil, refuse(CodeInvalidParams, "completion/complete: params.argument is an object with name and value")
	}
	now := s.offers()
	switch kind {
	case "ref/prompt":
		req.URITemplate = ""
		if p := now.prompts.byKey[req.Prompt]; p != nil {
			return req, p.Complete, nil
		}
		return nil, nil, refuse(CodeInvalidParams, "completion/complete: there is no prompt "+shown([]byte(req.Prompt)))
	case "ref/resource":
		req.Prompt = ""
		if t := now.templates.byKey[req.URITemplate]; t != nil {
			return req, t.Complete, nil
		}
		if now.resources.byKey[req.URITemplate] != nil {
			return req, nil, nil // it has no variables
		}
		return nil, nil, refuse(CodeInvalidParams, "completion/complete: there is no resource template "+shown([]byte(req.URITemplate)))
	}
	return nil, nil, refuse(CodeInvalidParams, "completion/complete: params.ref.type is ref/prompt or ref/resource")
}

// textsOf returns the members of an object that are strings.
func textsOf(raw []byte) map[string]string {
	texts := map[string]string{}
	for name, value := range membersOf(raw) {
		if value[0] == '"' {
			texts[name] = unquoted(value)
		}
	}
	return texts
}
