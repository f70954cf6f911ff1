package mcp

import (
	"context"
)

// Prompt describes one prompt. Name is required.
type Prompt struct {
	Name        string // as a tool's
	Title       string // for people
	Description string
	Arguments   []PromptArgument
	Icons       []Icon
	// Complete, when not nil, suggests values for the arguments.
	Complete CompleteHandler
}

// PromptArgument is one argument of a prompt; its value is a text.
type PromptArgument struct {
	Name        string
	Title       string // for people
	Description string
	Required    bool
}

// PromptRequest is one request for a prompt. It is valid only until the handler
// returns.
type PromptRequest struct {
	Name            string            // the prompt's
	Arguments       map[string]string // known ones; the required ones are there
	Meta            []byte            // the request's _meta object; nil when there was none
	ProtocolVersion string

	handle
}

// Call returns the handle of this request; see [CallRequest.Call].
func (r *PromptRequest) Call() *Call { return r.open() }

// PromptResult is a prompt that is filled in.
type PromptResult struct {
	Description string
	Messages    []PromptMessage
}

// PromptMessage is one message of a prompt.
type PromptMessage struct {
	Role    Role
	Content Content
}

// PromptHandler fills in a prompt. An [*Error] is answered as it is, any other
// with -32603 and its text; a panic is answered with -32603 and logged.
type PromptHandler func(ctx context.Context, req *PromptRequest) (*PromptResult, error)

// prompt is a registered prompt.
type prompt struct {
	Prompt
	handler PromptHandler
	listing []byte
}

func (p *prompt) key() string          { return p.Name }
func (p *prompt) listed(string) []byte { return p.listing }

func newPrompt(p Prompt, h PromptHandler) (*prompt, error) {
	if err := checkName(p.Name); err != nil {
		return nil, err
	}
	if h == nil {
		return nil, newError("prompt " + quote(p.Name) + " has no handler")
	}
	made := &prompt{Prompt: p, handler: h}
	out := appendString([]byte(`{"name":`), p.Name)
	out = appendOptional(out, "title", p.Title)
	out = appendOptional(out, "description", p.Description)
	seen := map[string]bool{}
	for i, a := range p.Arguments {
		if a.Name == "" || seen[a.Name] {
			return nil, newError("prompt " + quote(p.Name) + ": argument " + itoa(i) + " has no name, or that of another")
		}
		seen[a.Name] = true
		if i == 0 {
			out = add(out, `,"arguments":[`)
		} else {
			out = addByte(out, ',')
		}
		out = appendString(add(out, `{"name":`), a.Name)
		out = appendOptional(out, "title", a.Title)
		out = appendOptional(out, "description", a.Description)
		if a.Required {
			out = add(out, `,"required":true`)
		}
		out = addByte(out, '}')
	}
	if len(p.Arguments) > 0 {
		out = addByte(out, ']')
	}
	made.listing = addByte(appendIcons(out, p.Icons), '}')
	return made, nil
}

// readArguments reads the arguments of a prompts/get.
func (p *prompt) readArguments(raw []byte) (map[string]string, *wireError) {
	arguments := map[string]string{}
	names := func(yield func(string) bool) {
		for _, a := range p.Arguments {
			if !yield(a.Name) {
				return
			}
		}
	}
	bad := func(name, problem string) *wireError {
		return refuse(CodeInvalidParams, "prompt "+p.Name+": "+(&ArgumentError{shown([]byte(name)), problem}).Error())
	}
	for name, value := range membersOf(raw) {
		known := false
		for _, a := range p.Arguments {
			known = known || a.Name == name
		}
		switch {
		case !known:
			problem := "is not known"
			if near := nearest(name, names); near != "" {
				problem += "; did you mean " + near + "?"
			}
			return nil, bad(name, problem)
		case value[0] != '"':
			return nil, bad(name, "must be a string, not "+describe(value))
		}
		arguments[name] = unquoted(value)
	}
	for _, a := range p.Arguments {
		if _, ok := arguments[a.Name]; a.Required && !ok {
			return nil, bad(a.Name, "is missing")
		}
	}
	return arguments, nil
}

// getPrompt serves prompts/get.
func (s *Server) getPrompt(ctx context.Context, r *request, out []byte) ([]byte, *wireError) {
	now := s.offers()
	p := now.prompts.byKey[r.name]
	if p == nil {
		message := "Unknown prompt: " + shown([]byte(r.name))
		if near := nearest(r.name, now.prompts.keys); near != "" && s.guard == nil {
			message += "; did you mean " + near + "?"
		}
		return out, refuse(CodeInvalidParams, message)
	}
	arguments, bad := p.readArguments(r.arguments)
	if bad != nil {
		return out, bad
	}
	req := &PromptRequest{Name: p.Name, Arguments: arguments, Meta: r.meta, ProtocolVersion: r.client.version, handle: handle{from: r, ctx: ctx}}
	result, bad := run(ctx, s, "prompt "+p.Name, &req.handle, func(ctx context.Context) (*PromptResult, error) { return p.handler(ctx, req) })
	if bad != nil {
		return out, bad
	}
	if result == nil {
		result = &PromptResult{}
	}
	if r.modern {
		out = addByte(out, ',')
	}
	if result.Description != "" {
		out = addByte(appendString(add(out, `"description":`), result.Description), ',')
	}
	out = add(out, `"messages":[`)
	for i := range result.Messages {
		m := &result.Messages[i]
		if i > 0 {
			out = addByte(out, ',')
		}
		out = add(appendString(add(out, `{"role":`), string(m.Role)), `,"content":`)
		var err error
		if out, err = appendContent(out, &m.Content, r.client.version); err != nil {
			return out, s.badResult(ctx, "prompt "+p.Name, wrap("message "+itoa(i)+": content ", err))
		}
		out = addByte(out, '}')
	}
	return addByte(out, ']'), nil
}
