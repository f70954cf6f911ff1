package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"

	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/mcp"
)

// The names of W3C, which are keys of _meta too (MCP's SEP-414).
const (
	keyParent  = "traceparent"
	keyState   = "tracestate"
	keyBaggage = "baggage"
)

// metaBytesMax bounds the _meta that is looked into.
const metaBytesMax = 64 << 10

// remoteKey is of the context of a request over HTTP whose headers say where it is from.
type remoteKey struct{}

// HTTP hands what the headers say of a request's trace to the calls in it. A nil tracer
// returns next.
func (t *Tracer) HTTP(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(keyParent) != "" {
			said := propagation.MapCarrier{keyParent: r.Header.Get(keyParent), keyState: r.Header.Get(keyState), keyBaggage: r.Header.Get(keyBaggage)}
			r = r.WithContext(context.WithValue(r.Context(), remoteKey{}, said))
		}
		next.ServeHTTP(w, r)
	})
}

// Tool begins a span for each call of a tool, with the attributes of
// https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/. A nil tracer returns h.
func (t *Tracer) Tool(name, kind string, h mcp.Handler) mcp.Handler {
	if t == nil {
		return h
	}
	title := "tools/call " + name
	attributes := []attribute.KeyValue{
		attribute.String("mcp.method.name", "tools/call"), attribute.String("gen_ai.operation.name", "execute_tool"),
		attribute.String("gen_ai.tool.name", name), attribute.String("ingot.tool.kind", kind),
	}
	return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		ctx, span := t.begin(ctx, remoteOf(ctx, r), title, attributes)
		if span == nil {
			return h(ctx, r)
		}
		class := "internal" // of a panic
		defer func() { span.End(class) }()
		span.Set("mcp.protocol.version", r.ProtocolVersion)
		result, err := h(ctx, r)
		class = string(middleware.ClassOf(result, err))
		if err == nil && result != nil && result.IsError {
			class = "tool_error"
		}
		return result, err
	}
}

// remoteOf is where a call says that it comes from: in its _meta, else in the headers of
// the request that it came in; nil: nowhere.
func remoteOf(ctx context.Context, r *mcp.CallRequest) propagation.TextMapCarrier {
	if len(r.Meta) <= metaBytesMax && bytes.Contains(r.Meta, []byte(`"`+keyParent+`"`)) {
		var said struct {
			Parent  string `json:"traceparent"`
			State   string `json:"tracestate"`
			Baggage string `json:"baggage"`
		}
		if json.Unmarshal(r.Meta, &said) == nil && said.Parent != "" {
			return propagation.MapCarrier{keyParent: said.Parent, keyState: said.State, keyBaggage: said.Baggage}
		}
	}
	if said, ok := ctx.Value(remoteKey{}).(propagation.MapCarrier); ok {
		return said
	}
	return nil
}
