package forge

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/expression"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

const (
	// handleTime is how long a handle is good where the tool does not say.
	handleTime = 24 * time.Hour
	// handlesPerPrincipal bounds the handles of one caller at a time; all callers that
	// do not say who they are count as one.
	handlesPerPrincipal = 1000
	// shownBytesMax bounds a value of the state in a template or an expression.
	shownBytesMax = 1 << 20
)

// seen is the state that a tool sees: whole for functions, and key by key for templates
// and expressions.
type seen struct{ state.Manager }

// StateOf returns the state that a tool sees, for its function: all of it, or its
// namespace, or what is kept under the caller's handle, as the file says. It is nil where
// ctx is not that of a call.
func StateOf(ctx context.Context) state.Manager {
	if s, ok := expression.StateOf(ctx).(*seen); ok {
		return s.Manager
	}
	return nil
}

// Read implements expression.State.
func (s *seen) Read(ctx context.Context, key string) (jsontext.Value, error) {
	e, err := s.Get(ctx, key)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, stateFault(err)
	case len(e.Value) > shownBytesMax:
		return nil, fault.New(fault.Failed, "the state's %.80q has %d bytes, and at most %d can be shown", key, len(e.Value), shownBytesMax)
	}
	return storedValue(e.Value)
}

// storedValue is what a key holds as JSON: JSON as it is, a text as a string, other
// bytes as base64.
func storedValue(value []byte) (jsontext.Value, error) {
	if v := jsontext.Value(value); v.IsValid() {
		return v, nil
	}
	if utf8.Valid(value) {
		return jsontext.AppendQuote(nil, value)
	}
	return jsontext.AppendQuote(nil, base64.StdEncoding.EncodeToString(value))
}

// stateful gives the calls of a tool its state.
func (g *generation) stateful(t *config.Tool, h mcp.Handler) (mcp.Handler, error) {
	s := t.State
	if s == nil {
		s = &config.ToolState{}
	}
	shows := t.StateKeys
	switch t.Kind {
	case config.KindPipeline: // which looks for its keys step by step
		shows = nil
	case config.KindCLI, config.KindHTTP:
		if len(shows) == 0 {
			return h, nil
		}
	}
	if s.Handle {
		return g.byHandle(t, s, shows, h), nil
	}
	public := state.Public(g.project.state)
	if s.ByCaller {
		public = g.project.ofCaller(public)
	}
	m, err := within(public, s.Namespace)
	if err != nil {
		return nil, fmt.Errorf("tool %s: %w", t.Name, err)
	}
	if s.TTL > 0 {
		m = &mortal{m, s.TTL}
	}
	sees := &seen{g.project.tracer.State(m)}
	return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		if len(shows) > 0 {
			given := r.Arguments // which the next attempt begins with
			defer func() { r.Arguments = given }()
			args, err := membersOf(r.Arguments)
			if err == nil {
				err = show(ctx, args, shows, sees)
			}
			if err == nil {
				r.Arguments, err = json.Marshal(args, json.Deterministic(true))
			}
			if err != nil {
				return nil, err
			}
		}
		return h(expression.WithState(ctx, sees), r)
	}, nil
}

// within is the namespace of a state; all of it where the name is empty.
func within(m state.Manager, namespace string) (state.Manager, error) {
	if namespace == "" {
		return m, nil
	}
	scoped, err := state.Scope(m, state.Namespace{Prefix: namespace + "/", BudgetKept: true})
	if err != nil {
		return nil, err
	}
	return scoped, nil
}

// byHandle keeps the state of a tool under the handle that a call brings, or that it
// gets.
func (g *generation) byHandle(t *config.Tool, s *config.ToolState, shows []string, h mcp.Handler) mcp.Handler {
	handles, life := g.project.handles, s.TTL
	if life == 0 {
		life = handleTime
	}
	function := t.Native != nil && t.Native.Path != ""
	return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		given := r.Arguments // which the next attempt begins with
		defer func() { r.Arguments = given }()
		args, err := membersOf(given)
		if err != nil {
			return nil, err
		}
		principal := principalOf(r)
		handle, minted, err := g.handle(ctx, args[config.HandleParam], principal, life)
		if err != nil {
			return nil, err
		}
		m, err := handles.Open(ctx, principal, handle)
		if err == nil {
			m, err = within(m, s.Namespace)
		}
		if err != nil {
			return nil, handleFault(err)
		}
		if delete(args, config.HandleParam); !function {
			args[config.HandleParam] = jsontext.Value(`"` + handle + `"`) // letters and digits
		}
		sees := &seen{m}
		if err := show(ctx, args, shows, sees); err != nil {
			return nil, err
		}
		if r.Arguments, err = json.Marshal(args, json.Deterministic(true)); err != nil {
			return nil, fault.Because(err, fault.InvalidInput, "%v", err)
		}
		result, err := h(expression.WithState(ctx, sees), r)
		if !minted {
			return result, handleFault(err)
		}
		if err != nil || result == nil || result.IsError { // the caller does not learn it
			if bad := handles.Revoke(context.WithoutCancel(ctx), principal, handle); bad != nil {
				g.project.note("revoking a handle", bad)
			}
			return result, err
		}
		return answerHandle(result, handle)
	}
}

// handle is the handle of a call: the one that it brings, or a new one.
func (g *generation) handle(ctx context.Context, given jsontext.Value, principal string, life time.Duration) (handle string, minted bool, err error) {
	if len(given) > 0 {
		if err := json.Unmarshal(given, &handle); err != nil {
			return "", false, fault.Because(err, fault.InvalidInput, "%s is a text", config.HandleParam)
		}
		return handle, false, nil
	}
	handle, err = g.project.handles.Mint(ctx, principal, life)
	switch {
	case errors.Is(err, state.ErrFull):
		return "", false, fault.Because(err, fault.Unavailable, "no new handle: %v", err)
	case err != nil:
		return "", false, stateFault(err)
	}
	return handle, true, nil
}

// handleFault words the error of a handle that is not good.
func handleFault(err error) error {
	if errors.Is(err, state.ErrHandle) {
		return fault.Because(err, fault.InvalidInput, "%s is unknown, has expired, or is another caller's: leave it out to begin anew", config.HandleParam)
	}
	return err
}

// principalOf names the caller for handles, which want a name.
func principalOf(r *mcp.CallRequest) string {
	if r.ProtocolVersion == "" { // nobody called: no server made the request
		return "caller:"
	}
	return "caller:" + r.Call().Principal()
}

// answerHandle adds a new handle to an answer: to its object, or as a text behind.
func answerHandle(result *mcp.CallResult, handle string) (*mcp.CallResult, error) {
	if result.Structured == nil || jsontext.Value(result.Structured).Kind() != '{' {
		out := *result
		out.Content = append(out.Content[:len(out.Content):len(out.Content)], mcp.Content{Type: mcp.ContentText, Text: config.HandleParam + ": " + handle})
		return &out, nil
	}
	members, err := membersOf(result.Structured)
	if err != nil {
		return nil, err
	}
	members[config.HandleParam] = jsontext.Value(`"` + handle + `"`)
	raw, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return nil, fault.Because(err, fault.Internal, "the answer cannot be written")
	}
	with := mcp.StructuredJSON(raw)
	for _, c := range result.Content { // what is not the object's own text stays
		if c.Type != mcp.ContentText {
			with.Content = append(with.Content, c)
		}
	}
	return with, nil
}

// membersOf reads a JSON object; never nil.
func membersOf(object []byte) (map[string]jsontext.Value, error) {
	members := map[string]jsontext.Value{}
	if len(object) == 0 {
		return members, nil
	}
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, fault.Because(err, fault.InvalidInput, "the arguments are no JSON object: %v", err)
	}
	if members == nil { // null
		members = map[string]jsontext.Value{}
	}
	return members, nil
}

// show puts what templates show of the state beside the arguments.
func show(ctx context.Context, args map[string]jsontext.Value, keys []string, sees *seen) error {
	if len(keys) == 0 {
		return nil
	}
	shown, err := stateObject(ctx, keys, sees)
	if err == nil {
		args["state"] = shown
	}
	return err
}

// stateObject is an object of some keys of a state; one that is not there is left out.
func stateObject(ctx context.Context, keys []string, sees *seen) (jsontext.Value, error) {
	found := map[string]jsontext.Value{}
	for _, key := range keys {
		value, err := sees.Read(ctx, key)
		if err != nil {
			return nil, err
		}
		if value != nil {
			found[key] = value
		}
	}
	return json.Marshal(found, json.Deterministic(true))
}
