// Package telemetry sends traces to a collector of OpenTelemetry, by OTLP over HTTP with
// protobuf.
//
// A [Tracer] begins a span for each call of a tool that is to be traced ([Tracer.Tool]),
// below the caller's span where the caller names one: in the _meta of its request
// (traceparent, tracestate, baggage) or in the headers of HTTP ([Tracer.HTTP]). Layers
// further in add theirs by package trace.
//
//	o, err := telemetry.FromEnvironment(telemetry.Options{Endpoint: "http://127.0.0.1:4318", SampleRatio: 0.1})
//	tracer, err := telemetry.Open(o)
//	handler = tracer.Tool("echo", "native", handler)
//	defer tracer.Close()
//
// # Caveats
//
// What cannot be sent is dropped and counted ([Tracer.Counts]): a collector that is slow
// or away holds up no call. The queue has room for 2048 spans.
//
// Whether a call is traced is decided when it begins, before anything is made for it: by
// its caller's flag, else by chance. Where it is not, its spans cost a look into the
// context.
package telemetry
