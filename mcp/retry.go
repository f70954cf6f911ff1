package mcp

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"
)

// A modern client is asked by a result of type input_required and comes back
// with the same request, its answers, and a request state
// (basic/patterns/mrtr). The state carries what earlier rounds answered, since
// the server keeps nothing. It is sealed:
//
//	base64url( Sealer.Seal( JSON ) )
//	JSON: {"p": principal, "d": digest of the request, "e": Unix ms of its end,
//	       "a": {key: {"q": digest of the question, "r": answer}, …}}
//
// A state is good for its principal, its request and its time. It does not
// stop a client from coming back twice with the same state: a handler whose
// effect must happen once has to see to that.

// Bounds of a request state.
const (
	stateBytesMax = 1 << 20 // sealed and in base64
	stateMillis   = 10 * 60 * 1000
	givenMax      = 4 * questionsMax // answers of all rounds of a call
)

// given is a question's answer, and the digest of the question it belongs to;
// that is "" for one that has just come.
type given struct {
	question string
	raw      []byte
}

// round is what a retried request brings, and what this run of the handler
// still wants.
type round struct {
	given  map[string]given
	wanted map[string][]byte // questions by key: the members method and params
	bad    *wireError        // the request brought what cannot be used
}

// askByResult answers from what the request brought, or notes what is missing.
func (c *Call) askByResult(questions map[string]Question) (map[string]Answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.readRoundLocked(); err != nil {
		return nil, err
	}
	sealer := c.from.link.server.sealer
	answers := make(map[string]Answer, len(questions))
	missing := false
	for key, q := range questions {
		params, err := q.appendParams(nil, true)
		if err != nil {
			return nil, err
		}
		frame := appendQuestion([]byte{'{'}, q.method(), params)
		digest := sealer.Digest(frame)
		have, ok := c.round.given[key]
		if ok && (have.question == "" || have.question == digest) {
			c.round.given[key] = given{digest, have.raw}
			answers[key] = Answer{have.raw}
			continue
		}
		missing = true
		if c.round.wanted == nil {
			c.round.wanted = make(map[string][]byte)
		}
		c.round.wanted[key] = frame
	}
	if missing {
		return nil, ErrInputRequired
	}
	return answers, nil
}

// Keep returns value, or, when the handler is run again after a question, what
// the first run kept under the same key. It is for what must not change from
// one run to the next, such as a random id.
func (c *Call) Keep(key, value string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.from.modern || c.readRoundLocked() != nil {
		return value
	}
	key = "\x00" + key
	if have, ok := c.round.given[key]; ok && have.question == keptDigest {
		return unquoted(have.raw)
	}
	if c.round.given == nil {
		c.round.given = make(map[string]given)
	}
	c.round.given[key] = given{keptDigest, appendString(nil, value)}
	return value
}

// keptDigest marks what Keep keeps among the answers.
const keptDigest = "kept"

// readRoundLocked reads what the request brought back, once. From then on the
// request is answered by the questions that are open, or by what is wrong with
// what it brought, whatever the handler makes of the error.
func (c *Call) readRoundLocked() error {
	if c.from.link.server.sealer == nil {
		return errNoSealer
	}
	if c.round == nil {
		c.round = &round{}
		c.end = c.inputRequired
		if c.from.retry != nil {
			in, bad := c.from.link.server.readRound(c.from)
			in.bad = bad
			c.round = in
		}
	}
	if c.round.bad != nil {
		return c.round.bad
	}
	return nil
}

// inputRequired returns the members of an input_required result, when the
// handler's run ended with questions open.
func (c *Call) inputRequired() *wireError {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.round.bad != nil || len(c.round.wanted) == 0 {
		return c.round.bad
	}
	s, r := c.from.link.server, c.from
	state, err := s.seal(r, c.round.given)
	if err != nil {
		return refuse(CodeInternal, err.Error())
	}
	out := add([]byte(`"resultType":"input_required",`), s.metaMember)
	out = add(out, `,"inputRequests":{`)
	for i, key := range slices.Sorted(maps.Keys(c.round.wanted)) {
		if i > 0 {
			out = addByte(out, ',')
		}
		out = add(addByte(appendString(out, key), ':'), c.round.wanted[key])
	}
	return &wireError{result: addByte(add(add(out, `},"requestState":"`), state), '"')}
}

// readRound reads inputResponses and requestState of a request; bad when they
// are not what this server gave out for it.
func (s *Server) readRound(r *request) (*round, *wireError) {
	in := &round{}
	var responses, state []byte
	for name, value := range membersOf(r.retry) {
		switch name {
		case "inputResponses":
			responses = value
		case "requestState":
			state = value
		}
	}
	if state != nil {
		if state[0] != '"' {
			return in, refuse(CodeInvalidParams, "params.requestState is a string, not "+describe(state))
		}
		opened, err := s.unseal(r, unquoted(state))
		if err != nil {
			return in, refuse(CodeInvalidParams, "params.requestState: "+err.Error()+"; begin again without it")
		}
		in.given = opened
	}
	if responses == nil {
		return in, nil
	}
	if responses[0] != '{' {
		return in, refuse(CodeInvalidParams, "params.inputResponses is an object, not "+describe(responses))
	}
	if in.given == nil {
		in.given = make(map[string]given)
	}
	for key, value := range membersOf(responses) {
		if value[0] != '{' {
			return in, refuse(CodeInvalidParams, "params.inputResponses: each response is an object, not "+describe(value))
		}
		if len(in.given) < givenMax && in.given[key].question != keptDigest {
			in.given[key] = given{raw: value}
		}
	}
	return in, nil
}

// seal makes a request state.
func (s *Server) seal(r *request, answers map[string]given) (string, error) {
	text := appendString([]byte(`{"p":`), r.link.principal)
	text = appendString(add(text, `,"d":`), s.requestDigest(r))
	text = strconv.AppendInt(add(text, `,"e":`), s.now().Add(stateMillis*time.Millisecond).UnixMilli(), 10)
	text = add(text, `,"a":{`)
	first := true
	for _, key := range slices.Sorted(maps.Keys(answers)) {
		a := answers[key]
		if a.question == "" {
			continue // an answer to what nobody asked
		}
		if !first {
			text = addByte(text, ',')
		}
		first = false
		text = add(add(appendString(text, key), `:{"q":"`), a.question)
		text = addByte(add(add(text, `","r":`), a.raw), '}')
	}
	text = add(text, "}}")
	sealed := base64.RawURLEncoding.EncodeToString(s.sealer.Seal(text))
	if len(sealed) > stateBytesMax {
		return "", newError("the answers of this call make a request state of " + itoa(len(sealed)) + " bytes; at most " + itoa(stateBytesMax) + " are allowed")
	}
	return sealed, nil
}

// unseal checks a request state and returns the answers in it.
func (s *Server) unseal(r *request, state string) (map[string]given, error) {
	if len(state) > stateBytesMax {
		return nil, errBadState
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(state)
	if err != nil {
		return nil, errBadState
	}
	text, err := s.sealer.Open(raw)
	if err != nil {
		return nil, errBadState
	}
	answers := make(map[string]given)
	var principal, digest string
	var ends int64
	for name, value := range membersOf(text) {
		switch name {
		case "p":
			principal = unquoted(value)
		case "d":
			digest = unquoted(value)
		case "e":
			ends, _ = strconv.ParseInt(string(value), 10, 64) // written by seal
		case "a":
			for key, entry := range membersOf(value) {
				var g given
				for name, value := range membersOf(entry) {
					switch name {
					case "q":
						g.question = unquoted(value)
					case "r":
						g.raw = value
					}
				}
				answers[key] = g
			}
		}
	}
	switch {
	case principal != r.link.principal:
		return nil, errBadState
	case digest != s.requestDigest(r):
		return nil, newError("it belongs to another request")
	case s.now().UnixMilli() >= ends:
		return nil, newError("it has expired")
	}
	return answers, nil
}

var errBadState = errors.New("it was not made by this server for this client")

// requestDigest tells apart requests that must not share a state.
func (s *Server) requestDigest(r *request) string {
	var text []byte
	for _, part := range [][]byte{{byte(r.act)}, []byte(r.target()), r.arguments} {
		text = strconv.AppendInt(text, int64(len(part)), 10)
		text = append(addByte(text, ':'), part...)
	}
	return s.sealer.Digest(text)
}

// Sealer protects what a client carries for a server that keeps nothing. Package
// seal has one; see [Options]. It is safe for concurrent use.
type Sealer interface {
	// Seal encrypts text so that nobody but Open can read it, and nobody can
	// change it.
	Seal(text []byte) []byte
	// Open undoes Seal; an error for what Seal did not make.
	Open(sealed []byte) ([]byte, error)
	// Digest returns a short text that no other text has, in ASCII without
	// quotes and backslashes.
	Digest(text []byte) string
	// Name returns a new name that nobody can guess, likewise in ASCII.
	Name() string
}

var errNoSealer = errors.New("mcp: asking a modern client takes Options.Sealer in a wasm build; set it to seal.New(nil)")
