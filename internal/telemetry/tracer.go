package telemetry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/ingot-run/ingot/internal/trace"
)

// Tracer makes spans and sends them. It is safe for concurrent use.
type Tracer struct {
	options  Options
	tracer   api.Tracer
	provider *sdk.TracerProvider
	queue    *queue
	toldAt   atomic.Int64 // Unix seconds of the last problem
	redact   atomic.Pointer[func(string) string]
}

// Open makes a tracer; nil without an endpoint. Nothing is sent yet, so that a collector
// need not be there.
func Open(o Options) (*Tracer, error) {
	if o.Endpoint == "" {
		return nil, nil
	}
	at, err := o.endpoint()
	if err != nil {
		return nil, err
	}
	with := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(at), otlptracehttp.WithTimeout(sendTimeout / 2),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: 500 * time.Millisecond, MaxInterval: 2 * time.Second, MaxElapsedTime: sendTimeout}),
	}
	if o.Headers != nil {
		with = append(with, otlptracehttp.WithHeaders(o.Headers))
	}
	exporter, err := otlptracehttp.New(context.Background(), with...)
	if err != nil {
		return nil, fmt.Errorf("preparing telemetry: %w", err)
	}
	described, err := resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithFromEnv(), resource.WithAttributes(
		attribute.String("service.name", o.ServiceName), attribute.String("service.version", o.ServiceVersion)))
	if err != nil {
		return nil, fmt.Errorf("reading OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	t := &Tracer{options: o}
	t.queue = newQueue(exporter, t.problem)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(t.problem)) // or the SDK writes to stderr itself
	t.provider = sdk.NewTracerProvider(sdk.WithSampler(sdk.AlwaysSample()), sdk.WithResource(described), sdk.WithSpanProcessor(t.queue))
	t.tracer = t.provider.Tracer("github.com/ingot-run/ingot")
	return t, nil
}

// problem tells why spans were not sent, once a minute at most.
func (t *Tracer) problem(err error) {
	now := time.Now().Unix()
	if last := t.toldAt.Load(); t.options.Problem != nil && now-last >= 60 && t.toldAt.CompareAndSwap(last, now) {
		text := err.Error()
		if redact := t.redact.Load(); redact != nil {
			text = (*redact)(text)
		}
		t.options.Problem(text)
	}
}

// Redact has a function take secrets out of what Options.Problem is told. A nil tracer
// does nothing.
func (t *Tracer) Redact(f func(string) string) {
	if t != nil {
		t.redact.Store(&f)
	}
}

// Counts are what became of spans so far; none of a nil tracer.
func (t *Tracer) Counts() Counts {
	if t == nil {
		return Counts{}
	}
	return t.queue.counts()
}

// Close sends what waits, for some seconds at most. A nil tracer does nothing.
func (t *Tracer) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*flushTimeout)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// The ways of W3C to say where a call comes from.
var (
	traceContext propagation.TraceContext
	baggages     propagation.Baggage
)

// begin decides whether something is traced that comes from where remote says, and begins
// its span: nil where it is not, and then the context passes on where it comes from.
func (t *Tracer) begin(ctx context.Context, remote propagation.TextMapCarrier, name string, attributes []attribute.KeyValue) (context.Context, *trace.Span) {
	parent := context.Background()
	if remote != nil {
		parent = traceContext.Extract(parent, remote)
		if t.options.Baggage {
			parent = baggages.Extract(parent, remote)
		}
	}
	from := api.SpanContextFromContext(parent)
	sampled := from.IsSampled()
	if !from.IsValid() || t.options.SampleAlone {
		sampled = t.options.SampleRatio >= 1 || rand.Float64() < t.options.SampleRatio
	}
	switch {
	case sampled:
		inner, span := t.tracer.Start(parent, name, api.WithSpanKind(api.SpanKindServer), api.WithAttributes(attributes...))
		return trace.With(ctx, &recorder{t, inner, span})
	case from.IsValid():
		return trace.Pass(ctx, &recorder{t, parent, api.SpanFromContext(parent)}), nil
	}
	return ctx, nil
}

// recorder is a trace.Recorder.
type recorder struct {
	tracer *Tracer
	ctx    context.Context // that children are begun with
	span   api.Span
}

var _ trace.Recorder = (*recorder)(nil)

var kinds = [...]api.SpanKind{trace.Internal: api.SpanKindInternal, trace.Server: api.SpanKindServer, trace.Client: api.SpanKindClient}

// Child implements trace.Recorder.
func (r *recorder) Child(kind trace.Kind, name string) trace.Recorder {
	ctx, span := r.tracer.tracer.Start(r.ctx, name, api.WithSpanKind(kinds[kind]))
	return &recorder{r.tracer, ctx, span}
}

// Set implements trace.Recorder.
func (r *recorder) Set(name string, value any) {
	switch v := value.(type) {
	case string:
		r.span.SetAttributes(attribute.String(name, v))
	case int64:
		r.span.SetAttributes(attribute.Int64(name, v))
	case bool:
		r.span.SetAttributes(attribute.Bool(name, v))
	}
}

// End implements trace.Recorder.
func (r *recorder) End(class string) {
	if class != "" {
		r.span.SetAttributes(attribute.String("error.type", class))
		r.span.SetStatus(codes.Error, "")
	}
	r.span.End()
}

// IDs implements trace.Recorder.
func (r *recorder) IDs() (trace, span string) {
	c := r.span.SpanContext()
	return c.TraceID().String(), c.SpanID().String()
}

// Inject implements trace.Recorder.
func (r *recorder) Inject(h http.Header) {
	traceContext.Inject(r.ctx, propagation.HeaderCarrier(h))
	if baggage.FromContext(r.ctx).Len() > 0 {
		baggages.Inject(r.ctx, propagation.HeaderCarrier(h))
	}
}
