package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/internal/trace"
	"github.com/ingot-run/ingot/mcp"
)

// depthKey is the key of a context: how many pipelines are around the call.
type depthKey struct{}

// call is the tool's mcp.Handler.
func (p *pipeline) call(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
	depth, _ := ctx.Value(depthKey{}).(int)
	if depth >= depthMax {
		return nil, fault.New(fault.Failed, "pipelines call each other %d deep, at most %d are allowed", depth+1, depthMax)
	}
	values, err := template.ReadValues(r.Arguments)
	if err != nil {
		return nil, fault.Because(err, fault.InvalidInput, "%v", err)
	}
	if values == nil {
		values = template.Values{}
	}
	if p.input {
		values[nameInput] = r.Arguments
	}
	run := &run{pipeline: p, request: r}
	if r.ProtocolVersion != "" { // a server made the request: it has a client
		call := r.Call() // before the request is copied, so that all copies share it
		if depth == 0 {
			run.call = call
		}
	}
	last, err := run.steps(context.WithValue(ctx, depthKey{}, depth+1), p.steps, values)
	if err != nil {
		return nil, err
	}
	return run.result(ctx, last, values)
}

// run is one call of a pipeline.
type run struct {
	*pipeline
	request *mcp.CallRequest
	call    *mcp.Call // nil: there is nobody to report to

	mu    sync.Mutex
	done  int // steps that are over
	bytes int // of all answers
}

// answer is what a step gave. Of a group, result is nil.
type answer struct {
	value  jsontext.Value
	result *mcp.CallResult
}

// steps runs a list of steps in order. It puts their answers into values, and
// returns the last one; nil when all were left out.
func (r *run) steps(ctx context.Context, steps []*step, values template.Values) (last *answer, err error) {
	for _, s := range steps {
		a, err := r.step(ctx, s, values)
		if err != nil {
			return nil, err
		}
		if a != nil {
			last = a
		}
	}
	return last, nil
}

// step runs a step and obeys its condition, timeout and error policy. The answer is
// nil when the step was left out or failed without consequence.
func (r *run) step(ctx context.Context, s *step, values template.Values) (*answer, error) {
	defer r.report(ctx, s)
	ctx, span := trace.Start(ctx, trace.Internal, "step")
	a, err := r.within(ctx, s, values)
	if span != nil {
		tell(span, s, a, err)
	}
	switch {
	case err == nil && a == nil:
		return nil, nil // left out
	case err == nil:
	case errors.Is(err, mcp.ErrInputRequired):
		return nil, err
	case s.goesOn && ctx.Err() == nil:
		return nil, nil
	default:
		return nil, err
	}
	if s.outputVar != "" {
		values[s.outputVar] = a.value
	}
	return a, nil
}

// tell ends the span of a step.
func tell(span *trace.Span, s *step, a *answer, err error) {
	span.Set("ingot.step.label", s.label)
	span.Set("ingot.step.left_out", a == nil && err == nil)
	if s.tool != "" {
		span.Set("gen_ai.tool.name", s.tool)
	}
	if errors.Is(err, mcp.ErrInputRequired) {
		err = nil
	}
	span.End(string(fault.ClassOf(err)))
}

// within runs a step under its timeout, if its condition holds; without that, and
// without an error, the answer is nil.
func (r *run) within(ctx context.Context, s *step, values template.Values) (*answer, error) {
	inner := ctx
	if s.timeout > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	var a *answer
	holds, err := s.holds(inner, values)
	switch {
	case err == nil && !holds:
		return nil, nil
	case err != nil:
		err = r.failed(ctx, s, err)
	case s.parallel != nil:
		a, err = r.atOnce(inner, s, values)
	default:
		if a, err = r.one(inner, s, values); err != nil && !errors.Is(err, mcp.ErrInputRequired) {
			err = r.failed(ctx, s, err)
		}
	}
	switch {
	case err == nil, errors.Is(err, mcp.ErrInputRequired):
		return a, err
	case ctx.Err() == nil && errors.Is(inner.Err(), context.DeadlineExceeded):
		return nil, fault.Because(err, fault.Timeout, "%s took longer than %v", s.label, s.timeout)
	}
	return nil, err
}

// holds says whether a step is to run.
func (s *step) holds(ctx context.Context, values template.Values) (bool, error) {
	if err := ctx.Err(); err != nil || s.condition == nil {
		return true, err
	}
	return s.condition.Holds(ctx, values)
}

// failed words the error of a step.
func (r *run) failed(ctx context.Context, s *step, err error) error {
	if class := fault.ClassOf(ctx.Err()); class != "" { // the end of the call, not of the step
		return fault.Because(err, class, "%s was not over when the call ended", s.label)
	}
	wrapped := fault.Because(err, fault.ClassOf(err), "%s: %s", s.label, r.secrets.Redact(err.Error()))
	wrapped.RetryAfter = fault.RetryAfter(err)
	return wrapped
}

// one calls a step's tool.
func (r *run) one(ctx context.Context, s *step, values template.Values) (*answer, error) {
	arguments, err := s.arguments(ctx, values)
	if err != nil {
		return nil, err
	}
	h, ok := r.lookup(s.tool)
	if !ok {
		return nil, fault.New(fault.Internal, "there is no tool %s", s.tool)
	}
	request := *r.request
	request.Name, request.Arguments = s.tool, arguments
	result, err := h(ctx, &request)
	switch {
	case err != nil:
		return nil, err
	case result == nil:
		return nil, fault.New(fault.Internal, "the tool answered nothing")
	case result.IsError:
		return nil, fault.New(fault.Failed, "%s", fault.Shorten(r.secrets.Redact(textOf(result)), reportMax))
	}
	value, err := valueOf(result)
	if err != nil {
		return nil, err
	}
	return &answer{value, result}, r.keep(len(value))
}

// keep bounds what all steps answered.
func (r *run) keep(bytes int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytes += bytes; r.bytes > totalBytesMax {
		return fault.New(fault.Failed, "the steps answered more than %d bytes together", totalBytesMax)
	}
	return nil
}

// arguments are what a step's tool is called with.
func (s *step) arguments(ctx context.Context, values template.Values) ([]byte, error) {
	out := jsontext.Value("{}")
	switch {
	case s.input != nil:
		values, err := withState(ctx, values, s.shows)
		if err != nil {
			return nil, err
		}
		filled, err := s.input.Append(nil, values, inputBytesMax)
		if err != nil {
			return nil, fault.Because(err, fault.InvalidInput, "its input cannot be filled in: %v (at most %d bytes)", err, inputBytesMax)
		}
		out = filled
	case s.inputFrom != "":
		if out = values[s.inputFrom]; out == nil {
			return nil, fault.New(fault.InvalidInput, "the variable %s, which holds its input, is not set", s.inputFrom)
		}
	}
	if out.Kind() != '{' {
		return nil, fault.New(fault.InvalidInput, "its input is to be an object, and not %.40s", out)
	}
	return out, nil
}

// atOnce runs the steps of a group at once, and waits for all of them.
func (r *run) atOnce(ctx context.Context, s *step, values template.Values) (*answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make([]outcome, len(s.parallel))
	first := make(chan int, 1) // the step that failed first
	slots := make(chan struct{}, parallelMax)
	var running sync.WaitGroup
	for i, inner := range s.parallel {
		slots <- struct{}{} // partner: the receive below; a step ends with ctx
		own := maps.Clone(values)
		running.Go(func() { // waited for below
			defer func() { <-slots }()
			o := &outcomes[i]
			if o.answer, o.err = r.guarded(ctx, inner, own); o.err != nil {
				select {
				case first <- i:
				default:
				}
				cancel()
			}
			o.set = own
		})
	}
	running.Wait()
	for _, o := range outcomes {
		if errors.Is(o.err, mcp.ErrInputRequired) {
			return nil, o.err
		}
	}
	select {
	case i := <-first:
		return nil, outcomes[i].err
	default:
	}
	return gather(s, outcomes, values)
}

// outcome is what became of one step of a group.
type outcome struct {
	answer *answer
	set    template.Values
	err    error
}

// guarded is step, for a goroutine: a panic may not end the process.
func (r *run) guarded(ctx context.Context, s *step, values template.Values) (a *answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = nil, fault.Because(fmt.Errorf("panic: %v\n%s", p, debug.Stack()), fault.Internal, "%s broke inside", s.label)
		}
	}()
	return r.step(ctx, s, values)
}

// gather puts the variables of a group together. Its own value is an object with
// them.
func gather(s *step, outcomes []outcome, values template.Values) (*answer, error) {
	all := []byte{'{'}
	for i, inner := range s.parallel {
		for _, name := range inner.variables() {
			value, ok := outcomes[i].set[name]
			if outcomes[i].answer == nil || !ok {
				continue
			}
			values[name] = value
			if len(all) > 1 {
				all = append(all, ',')
			}
			var err error
			if all, err = jsontext.AppendQuote(all, name); err != nil {
				return nil, err
			}
			all = append(append(all, ':'), value...)
		}
	}
	return &answer{value: append(all, '}')}, nil
}

// report tells the client that a step is over.
func (r *run) report(ctx context.Context, s *step) {
	if s.parallel != nil {
		return // its steps are told
	}
	r.mu.Lock()
	r.done++
	done := r.done
	r.mu.Unlock()
	if r.call != nil {
		_ = r.call.Progress(ctx, &mcp.Progress{Progress: float64(done), Total: float64(r.count), Message: s.label}) // a client that is gone ends the call
	}
}
