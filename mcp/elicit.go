package mcp

import (
	"context"
	"maps"
	"slices"
)

// ElicitParams asks the user for something, by a form or by a page to visit.
type ElicitParams struct {
	Message string // why it is asked, for the user
	// Schema is the JSON Schema of the form: an object whose properties are
	// strings, numbers, booleans or enums (client/elicitation, "Requested
	// Schema"). Empty asks for no more than consent.
	Schema []byte
	// URL, when not empty, asks the user to visit it instead of filling in a
	// form. It is for what must not pass through the client, such as secrets.
	URL string
	// ID names what is asked at the URL, for the server's own use; needed with
	// URL. Make it unguessable, and keep it by [Call.Keep].
	ID string
}

func (*ElicitParams) method() string { return methodElicit }

func (p *ElicitParams) needs(of *client) error {
	switch {
	case p.URL != "" && of.can&canElicitURL == 0:
		return &CapabilityError{"elicitation.url"}
	case p.URL == "" && of.can&canElicit == 0:
		return &CapabilityError{"elicitation"}
	}
	return nil
}

func (p *ElicitParams) appendParams(dst []byte, modern bool) ([]byte, error) {
	if p.Message == "" {
		return nil, newError("mcp: ElicitParams: Message is missing; tell the user why you ask")
	}
	if p.URL != "" {
		if p.ID == "" || len(p.Schema) > 0 {
			return nil, newError("mcp: ElicitParams: a URL goes with an ID and without a Schema")
		}
		dst = appendString(add(dst, `{"mode":"url","url":`), p.URL)
		if !modern { // where the request state ties the two together
			dst = appendString(add(dst, `,"elicitationId":`), p.ID)
		}
	} else {
		schema, err := oneLineObject(p.Schema, `{"type":"object","properties":{}}`)
		if err != nil {
			return nil, wrap("mcp: ElicitParams: Schema: ", err)
		}
		dst = add(add(dst, `{"requestedSchema":`), schema)
	}
	return addByte(appendString(add(dst, `,"message":`), p.Message), '}'), nil
}

// ElicitAction is what the user did.
type ElicitAction string

// The actions of a user.
const (
	ElicitAccept  ElicitAction = "accept"
	ElicitDecline ElicitAction = "decline" // said no
	ElicitCancel  ElicitAction = "cancel"  // said nothing
)

// ElicitResult is the user's answer.
type ElicitResult struct {
	Action ElicitAction
	// Content is the filled in form, a JSON object, when the action is accept
	// and there was a form. It comes from the client: check it
	// ([DecodeArguments] does).
	Content []byte
}

// Elicit reads the answer to an [*ElicitParams].
func (a Answer) Elicit() (*ElicitResult, error) {
	r := &ElicitResult{}
	for name, value := range membersOf(a.raw) {
		switch {
		case name == "action" && value[0] == '"':
			r.Action = ElicitAction(unquoted(value))
		case name == "content" && value[0] == '{':
			r.Content = value
		}
	}
	switch r.Action {
	case ElicitAccept, ElicitDecline, ElicitCancel:
		return r, nil
	}
	return nil, badAnswer(methodElicit, "action is one of accept, decline, cancel")
}

// Elicit asks the user p. See [Call.Ask] for what that means for the handler.
func (c *Call) Elicit(ctx context.Context, p *ElicitParams) (*ElicitResult, error) {
	a, err := c.askOne(ctx, p)
	if err != nil {
		return nil, err
	}
	return a.Elicit()
}

// ElicitationComplete tells the client that was asked to visit a URL with this
// [ElicitParams.ID] that the visit has done what it was for: the client may call
// again what had to wait for it (notifications/elicitation/complete, SEP-1036). It
// does not wait for the client, and does nothing when none was asked: modern
// clients find out when they come back.
func (s *Server) ElicitationComplete(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		if _, asked := l.visits[id]; !asked {
			continue
		}
		delete(l.visits, id)
		if l.visited == nil {
			l.visited = make(map[string]struct{})
		}
		l.visited[id] = struct{}{}
		s.wake(l)
	}
}

// expectVisit notes that q has a legacy client visit a URL, if it does. Of what was
// never completed a session keeps as much as of its subscriptions.
func (c *Call) expectVisit(q Question) {
	p, ok := q.(*ElicitParams)
	if !ok || p.URL == "" || c.from.link.session == nil {
		return
	}
	l := c.from.link.session.hear()
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	if l.visits == nil {
		l.visits = make(map[string]struct{})
	}
	for id := range l.visits {
		if len(l.visits) < subscribedMax {
			break
		}
		delete(l.visits, id)
	}
	l.visits[p.ID] = struct{}{}
}

// sendVisited sends notifications/elicitation/complete.
func (l *listener) sendVisited(out sender, ids map[string]struct{}) error {
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		frame := appendString([]byte(`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":`), id)
		if err := out.send(l.ctx, add(frame, "}}")); err != nil {
			return err
		}
	}
	return nil
}

// RootsParams asks for the directories that the client works in.
type RootsParams struct{}

func (*RootsParams) method() string { return methodRoots }

func (*RootsParams) needs(of *client) error {
	if of.can&canRoots == 0 {
		return &CapabilityError{"roots"}
	}
	return nil
}

func (*RootsParams) appendParams(dst []byte, _ bool) ([]byte, error) { return dst, nil }

// Root is a directory that the client works in.
type Root struct {
	URI  string // file://…
	Name string // may be empty
}

// Roots reads the answer to a [*RootsParams].
func (a Answer) Roots() ([]Root, error) {
	roots, found := []Root{}, false
	for name, value := range membersOf(a.raw) {
		if name != "roots" || value[0] != '[' {
			continue
		}
		found = true
		for element := range elementsOf(value) {
			var root Root
			for name, value := range membersOf(element) {
				switch {
				case name == "uri" && value[0] == '"':
					root.URI = unquoted(value)
				case name == "name" && value[0] == '"':
					root.Name = unquoted(value)
				}
			}
			roots = append(roots, root)
		}
	}
	if !found {
		return nil, badAnswer(methodRoots, "roots is an array")
	}
	return roots, nil
}

// Roots asks for the directories that the client works in. See [Call.Ask].
func (c *Call) Roots(ctx context.Context) ([]Root, error) {
	a, err := c.askOne(ctx, &RootsParams{})
	if err != nil {
		return nil, err
	}
	return a.Roots()
}

// badAnswer is the error for an answer of the wrong form.
func badAnswer(method, rule string) error {
	return &ClientError{Code: CodeInvalidParams, Message: "an answer to " + method + " that cannot be read: " + rule}
}

// oneLineObject returns raw, which must be a strict JSON object, without line
// breaks; or instead when it is empty.
func oneLineObject(raw []byte, instead string) ([]byte, error) {
	if len(raw) == 0 {
		return []byte(instead), nil
	}
	s := borrowScanner(depthDefault)
	defer s.giveBack()
	if !s.scan(raw) {
		return nil, newError("not valid JSON: " + s.fault.text())
	}
	if value := raw[s.space(0):]; value[0] != '{' {
		return nil, newError("must be a JSON object, not " + describe(value))
	}
	return appendOneLine(nil, raw), nil
}
