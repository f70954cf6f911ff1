package mcp

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// Question is what a handler asks its client: an [*ElicitParams], a
// [*SampleParams] or a [*RootsParams].
type Question interface {
	method() string
	needs(of *client) error // nil when the client can answer it
	// appendParams appends a JSON object; nothing when there are no params.
	appendParams(dst []byte, modern bool) ([]byte, error)
}

// Answer is a client's answer to a Question; use the method that belongs to
// the question's type.
type Answer struct{ raw []byte }

// Bounds of what one call may ask.
const (
	questionsMax = 32
	keyLengthMax = 128
)

var (
	errTooManyAsks = errors.New("mcp: too many questions wait for this client")
	errInlineAsk   = errors.New("mcp: an Inline tool cannot ask: it runs where the answer would be read")
)

// ErrInputRequired is what a handler gets from a question that a modern client
// has not answered yet, and returns: it is run again when there are answers.
var ErrInputRequired = errors.New("mcp: the client has to be asked; return this error")

// Ask asks the client several questions at once and returns the answers by the
// questions' keys, which are up to 128 bytes and name a question within its
// call. Elicit, Sample and Roots ask one.
//
// A legacy client is asked while the handler waits. A modern one is asked by
// ending the request: Ask returns [ErrInputRequired], the handler returns, and when
// the client comes back with its answers the handler is run again, from the
// start. What it does before it asks should therefore be free of effects, and
// ask the same questions in the same order. (A call that has become a task is
// not run again; it waits.)
//
// The error may be a [*CapabilityError], a [*ClientError], [ErrNoStream], that
// of ctx, or one of the questions themselves.
func (c *Call) Ask(ctx context.Context, questions map[string]Question) (map[string]Answer, error) {
	if len(questions) == 0 || len(questions) > questionsMax {
		return nil, newError("mcp: Ask: " + itoa(len(questions)) + " questions; 1 to " + itoa(questionsMax) + " are allowed")
	}
	for _, key := range slices.Sorted(maps.Keys(questions)) {
		q := questions[key]
		if key == "" || len(key) > keyLengthMax {
			return nil, newError("mcp: Ask: the key " + quote(shown([]byte(key))) + " has " + itoa(len(key)) + " bytes; 1 to " + itoa(keyLengthMax) + " are allowed")
		}
		if err := q.needs(c.from.client); err != nil {
			return nil, err
		}
	}
	if t := c.ofTask(); t != nil {
		return c.askByTask(ctx, t, questions)
	}
	if c.from.modern {
		return c.askByResult(questions)
	}
	return c.askBySession(ctx, questions)
}

// askOne is Ask for one question without a key of its own.
func (c *Call) askOne(ctx context.Context, q Question) (Answer, error) {
	c.mu.Lock()
	c.asked++
	key := "question-" + itoa(c.asked)
	c.mu.Unlock()
	answers, err := c.Ask(ctx, map[string]Question{key: q})
	return answers[key], err
}

// askBySession asks a legacy client.
func (c *Call) askBySession(ctx context.Context, questions map[string]Question) (map[string]Answer, error) {
	session := c.from.link.session
	switch {
	case session == nil || c.from.link.out == nil:
		return nil, ErrNoStream
	case c.from.inline:
		return nil, errInlineAsk
	}
	var (
		mu      sync.Mutex
		failure error
		waiting sync.WaitGroup
	)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	answers := make(map[string]Answer, len(questions))
	for _, key := range slices.Sorted(maps.Keys(questions)) {
		q := questions[key]
		params, err := q.appendParams(nil, false)
		if err != nil {
			return nil, err
		}
		c.expectVisit(q)
		waiting.Go(func() {
			raw, err := session.request(ctx, c.from.link.out, q.method(), params)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failure == nil {
				failure = wrap("asking "+q.method()+": ", err)
				stop()
			}
			answers[key] = Answer{raw}
		})
	}
	waiting.Wait()
	if failure != nil {
		return nil, failure
	}
	return answers, nil
}

// appendQuestion appends the members method and params.
func appendQuestion(dst []byte, method string, params []byte) []byte {
	dst = addByte(add(add(dst, `"method":"`), method), '"')
	if len(params) > 0 {
		dst = add(add(dst, `,"params":`), params)
	}
	return addByte(dst, '}')
}
