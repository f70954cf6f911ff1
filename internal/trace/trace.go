// Package trace is how the layers of a server tell what a call spent its time on, without
// a word of who listens: [Start] begins a [Span] below the one of a context, and does
// nothing where there is none. Package telemetry is a listener; it puts the first span
// of a call into its context by [With].
//
//	ctx, span := trace.Start(ctx, trace.Internal, "step two")
//	defer span.End("")
//	span.Set("ingot.step.tool", name)
//
// # Caveats
//
// A nil *Span is no span: all its methods do nothing, so that a call which is not traced
// pays a look into its context at each layer, and allocates nothing.
//
// Attributes leave the process: they hold no arguments, answers, keys of the state or
// texts of errors.
package trace

import (
	"context"
	"log/slog"
	"net/http"
)

// Kind is what a span is to others.
type Kind uint8

const (
	Internal Kind = iota // within the process
	Server               // answers somebody
	Client               // asks somebody
)

// Recorder is one span as a listener keeps it.
type Recorder interface {
	// Child begins a span below this one.
	Child(kind Kind, name string) Recorder
	// Set notes an attribute: a string, an int64 or a bool.
	Set(name string, value any)
	// End ends the span; class, unless empty, is how it failed.
	End(class string)
	// IDs are the trace's and the span's, in hexadecimal.
	IDs() (trace, span string)
	// Inject adds the headers that make the receiver's spans children of this one.
	Inject(h http.Header)
}

// Span is something that takes time. Nil is none.
type Span struct {
	recorder Recorder
	quiet    bool // it is passed on, and not recorded
}

type spanKey struct{}

// With returns a context whose spans are below r.
func With(ctx context.Context, r Recorder) (context.Context, *Span) {
	s := &Span{recorder: r}
	return context.WithValue(ctx, spanKey{}, s), s
}

// Pass returns a context that has no spans, and hands on where the call comes from, which
// r knows: to other servers ([Inject]) and in logs ([Handler]).
func Pass(ctx context.Context, r Recorder) context.Context {
	return context.WithValue(ctx, spanKey{}, &Span{recorder: r, quiet: true})
}

func from(ctx context.Context) *Span {
	s, _ := ctx.Value(spanKey{}).(*Span)
	return s
}

// Start begins a span below that of a context; nil where it has none. Its partner is End.
func Start(ctx context.Context, kind Kind, name string) (context.Context, *Span) {
	s := from(ctx)
	if s == nil || s.quiet {
		return ctx, nil
	}
	return With(ctx, s.recorder.Child(kind, name))
}

// Current is the span of a context, for more attributes; nil where it has none.
func Current(ctx context.Context) *Span {
	if s := from(ctx); s != nil && !s.quiet {
		return s
	}
	return nil
}

// Set notes an attribute: a string, an int64 or a bool.
func (s *Span) Set(name string, value any) {
	if s != nil {
		s.recorder.Set(name, value)
	}
}

// End ends the span; class, unless empty, is how it failed.
func (s *Span) End(class string) {
	if s != nil {
		s.recorder.End(class)
	}
}

// Inject adds to a request the headers by which its receiver goes on with the trace.
func Inject(ctx context.Context, h http.Header) {
	if s := from(ctx); s != nil {
		s.recorder.Inject(h)
	}
}

// Handler adds to what another one logs trace_id and span_id, where the call is traced.
func Handler(next slog.Handler) slog.Handler { return &handler{next} }

type handler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if s := from(ctx); s != nil {
		r = r.Clone()
		trace, span := s.recorder.IDs()
		r.AddAttrs(slog.String("trace_id", trace), slog.String("span_id", span))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler { return &handler{h.Handler.WithGroup(name)} }
