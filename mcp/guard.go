package mcp

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Kind says what the name of a request or of an entry of a list is the name of.
type Kind string

// The kinds. A resource's name is its URI, a template's its URI template.
const (
	KindTool     Kind = "tool"
	KindPrompt   Kind = "prompt"
	KindResource Kind = "resource"
	KindTemplate Kind = "template"
)

// Guard decides what callers may have, and hears what became of each request; see
// [Server.SetGuard]. All methods are called from many goroutines.
type Guard interface {
	// Begin is asked before a well-formed request is acted upon; its error refuses it.
	// record says that Record is to be called.
	Begin(ctx context.Context) (record bool, err error)
	// Allow is asked before a tool is called, a prompt is filled in, a resource is read
	// or listened to, and an argument of a prompt or template is completed: by name, and
	// before anybody looks whether there is such a thing. Its error is the answer.
	Allow(ctx context.Context, kind Kind, name string) error
	// Shows says whether lists and suggestions may have an entry.
	Shows(ctx context.Context, kind Kind, name string) bool
	// Record is told of a request when its answer is ready, and is waited for. Its error
	// takes the answer's place.
	Record(ctx context.Context, r *Record) error
	// Waits says whether Record may take longer than microseconds.
	Waits() bool
}

// Committer is a Guard that can record many requests in one go: those of a connection
// whose answers leave together.
type Committer interface {
	Guard
	// Hold is Record for an answer that does not leave before a Commit that begins
	// after Hold has returned.
	Hold(ctx context.Context, r *Record) error
	// Commit sees to what was held before it. Its error takes the place of the answers
	// that wait for it.
	Commit() error
}

// Record is one request and what became of it. Its slices are good until
// Guard.Record returns.
type Record struct {
	Method    string
	Kind      Kind   // empty where Name is that of a task, or nothing's
	Name      string // of the tool, prompt, resource or task; empty: it has none
	ID        []byte // the JSON-RPC id as raw JSON
	Session   string // see [Call.Session]
	Arguments []byte // of a tool or prompt, what is completed, or what is listened to; nil: none
	Began     time.Time
	Took      time.Duration
	Code      int  // of the error that was answered; 0: none
	Failed    bool // a tool answered with isError
	Task      bool // the call went on as a task
}

// SetGuard has a guard asked about all requests. Call it before the server is served.
// What a guard hides is not told to exist: by lists, by suggestions, or by errors that
// differ from those for what is not there.
//
// It is a method and no option, so that a build that calls it not does not carry it.
func (s *Server) SetGuard(g Guard) {
	s.guard = &guarding{guard: g, respond: (*Server).respondGuarded, listen: (*Server).listenGuarded, complete: shownCompletions}
	if committer, ok := g.(Committer); ok {
		s.guard.committer, s.guard.commit = committer, s.guard.commitHeld
	}
}

// guarding is a guard with the code that asks it.
type guarding struct {
	guard     Guard
	committer Committer // the same guard; nil: it is none
	respond   func(s *Server, ctx context.Context, r *request, call *CallRequest, out []byte) []byte
	listen    func(s *Server, ctx context.Context, r *request) (*listener, *wireError)
	complete  func(ctx context.Context, g Guard, req *CompleteRequest, values []string) []string
	commit    func(frames []byte, held []heldAnswer) []byte // nil: it is no Committer
}

// heldAnswer is an answer among frames that waits for Commit.
type heldAnswer struct {
	from, to int // its frame, with the line break
	id       int // the length of its id
}

// commitHeld commits what is held of the answers that are to leave, and puts errors in
// their place where that fails. It keeps nothing of frames.
func (g *guarding) commitHeld(frames []byte, held []heldAnswer) []byte {
	err := g.committer.Commit()
	if err == nil {
		return frames
	}
	bad := guardError(err)
	var out []byte
	at := 0
	for _, h := range held {
		id := frames[h.from+len(answerHead):][:h.id]
		out = append(appendError(append(out, frames[at:h.from]...), id, bad), '\n')
		at = h.to
	}
	return append(out, frames[at:]...)
}

// respondGuarded is answer with the guard asked.
func (s *Server) respondGuarded(ctx context.Context, r *request, call *CallRequest, out []byte) []byte {
	start, g := len(out), s.guard.guard
	kind, name := r.about()
	recorded, err := g.Begin(ctx)
	var began time.Time
	if recorded {
		began = s.now()
	}
	if err == nil && kind != "" {
		err = g.Allow(ctx, kind, name)
	}
	if err == nil && r.act == actToolsCall && r.tool == nil {
		err = &Error{Code: CodeInvalidParams, Message: "Unknown tool: " + shown([]byte(name))}
	}
	if err == nil {
		switch r.act {
		case actToolsList, actPromptsList, actResourcesList, actTemplatesList:
			r.shows = func(kind Kind, name string) bool { return g.Shows(ctx, kind, name) }
		}
		out = s.answer(ctx, r, call, out)
	} else {
		r.failed = guardError(err)
		out = appendError(out, r.id, r.failed)
	}
	if !recorded {
		return out
	}
	record := s.record(r, kind, name, began)
	if r.holds = r.mayHold && s.guard.committer != nil; r.holds {
		err = s.guard.committer.Hold(ctx, record)
	} else {
		err = g.Record(ctx, record)
	}
	if err != nil {
		r.failed = guardError(err)
		out = appendError(out[:start], r.id, r.failed)
	}
	return out
}

// guardError is what a guard's error is answered with.
func guardError(err error) *wireError {
	if bad := protocolError(err, true); bad != nil {
		return bad
	}
	return refuse(CodeInvalidRequest, err.Error())
}

// record is what the guard hears of a request.
func (s *Server) record(r *request, kind Kind, name string, began time.Time) *Record {
	record := &Record{
		Method: r.act.method(), Kind: kind, Name: name, ID: r.id, Arguments: r.arguments,
		Began: began, Took: s.now().Sub(began), Failed: r.toolFailed, Task: r.becameTask,
	}
	if kind == "" && r.act >= actTasksGet && r.act <= actTasksResult {
		record.Name = r.name
	}
	if r.link.session != nil {
		record.Session = strconv.FormatUint(r.link.session.number, 36)
	}
	if r.failed != nil {
		record.Code = r.failed.code
	}
	return record
}

// about is what a request names.
func (r *request) about() (Kind, string) {
	switch r.act {
	case actToolsCall:
		return KindTool, r.target()
	case actPromptsGet:
		return KindPrompt, r.name
	case actResourcesRead, actSubscribe:
		return KindResource, r.name
	case actComplete:
		for name, value := range membersOf(r.arguments) {
			if name != "ref" {
				continue
			}
			switch ref := textsOf(value); ref["type"] {
			case "ref/prompt":
				return KindPrompt, ref["name"]
			case "ref/resource":
				return KindTemplate, ref["uri"]
			}
		}
	}
	return "", ""
}

// method is the name of an action on the wire.
func (a action) method() string {
	return [...]string{
		actInitialize: methodInitialize, actPing: methodPing, actDiscover: methodDiscover,
		actToolsList: methodToolsList, actToolsCall: methodToolsCall, actSetLevel: methodSetLevel,
		actPromptsList: methodPromptsList, actPromptsGet: methodPromptsGet,
		actResourcesList: methodResourcesList, actTemplatesList: methodTemplatesList, actResourcesRead: methodResourcesRead,
		actSubscribe: methodSubscribe, actUnsubscribe: methodUnsubscribe, actComplete: methodComplete, actListen: methodListen,
		actTasksGet: methodTasksGet, actTasksUpdate: methodTasksUpdate, actTasksCancel: methodTasksCancel,
		actTasksResult: methodTasksResult, actTasksList: methodTasksList, actBatch: "",
	}[a]
}

// listenGuarded is makeListener with the guard asked; mayListen asks it for each
// resource.
func (s *Server) listenGuarded(ctx context.Context, r *request) (*listener, *wireError) {
	began, g := s.now(), s.guard.guard
	recorded, err := g.Begin(ctx)
	if err != nil {
		return nil, guardError(err)
	}
	l, bad := s.makeListener(ctx, r)
	if !recorded {
		return l, bad
	}
	r.failed = bad
	if err := g.Record(ctx, s.record(r, "", "", began)); err != nil {
		if l != nil {
			s.unwatch(l)
		}
		return nil, guardError(err)
	}
	return l, bad
}

// shownOf is the set of those entries that a list may have.
func shownOf[E entry](s *set[E], r *request, kind Kind) *set[E] {
	if r.shows == nil {
		return s
	}
	seen := &set[E]{byKey: s.byKey, used: s.used}
	for _, e := range s.sorted {
		if r.shows(kind, e.key()) {
			seen.sorted = append(seen.sorted, e)
		}
	}
	return seen
}

// shownCompletions are those values of a template's variable that lead to a resource
// which the caller may see, as far as that is told by what is filled in.
func shownCompletions(ctx context.Context, g Guard, req *CompleteRequest, values []string) []string {
	if req.URITemplate == "" {
		return values
	}
	var kept []string
	for _, value := range values {
		uri, whole := partlyExpanded(req, value)
		if whole && g.Shows(ctx, KindResource, uri) || !whole && g.Shows(ctx, KindTemplate, uri+"{rest}") {
			kept = append(kept, value)
		}
	}
	return kept
}

// partlyExpanded is the template with what is known filled in, up to the first
// expression that is not; whole says that there is none.
func partlyExpanded(req *CompleteRequest, value string) (uri string, whole bool) {
	rest := req.URITemplate
	for {
		before, expression, found := strings.Cut(rest, "{")
		uri += before
		inner, after, closed := strings.Cut(expression, "}")
		if !found || !closed {
			return uri, true
		}
		name := strings.TrimLeft(inner, "+#/?&.;")
		filled, known := req.Arguments[name]
		if name == req.Argument {
			filled, known = value, true
		}
		if !known || strings.ContainsAny(inner[:len(inner)-len(name)], "?&;#.") {
			return uri, false
		}
		if strings.HasPrefix(inner, "/") {
			uri += "/"
		}
		uri += escapedValue(filled, strings.HasPrefix(inner, "+"))
		rest = after
	}
}

// escapedValue percent-encodes what a value may not hold in a URI (RFC 6570 section
// 3.2.2 and 3.2.3).
func escapedValue(value string, reserved bool) string {
	const digits, also = "0123456789ABCDEF", ":/?#[]@!$&'()*+,;="
	var out []byte
	for i := range len(value) {
		c := value[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 || reserved && strings.IndexByte(also, c) >= 0 {
			out = addByte(out, c)
			continue
		}
		out = append(out, '%', digits[c>>4], digits[c&15])
	}
	return string(out)
}

// sealCursor keeps the place in a family's list from who may not see what is there.
// (That among what was added one by one names what the caller was shown.)
func (s *Server) sealCursor(r *request, cursor string) string {
	if r.shows == nil || s.sealer == nil {
		return base64.RawURLEncoding.EncodeToString([]byte(cursor))
	}
	return base64.RawURLEncoding.EncodeToString(s.sealer.Seal([]byte(cursor)))
}

// openCursor undoes sealCursor.
func (s *Server) openCursor(r *request, cursor string) (string, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && r.shows != nil && s.sealer != nil && len(raw) > 0 && !strings.HasPrefix(string(raw), cursorAdded) {
		raw, err = s.sealer.Open(raw)
	}
	return string(raw), err == nil
}
