package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// Chain is what stands around a tool: the file's middleware, what fault_tolerance
// asks for, and inside of them the tool's own.
func Chain(c *config.Config, tool *config.Tool) []config.Middleware {
	chain := slices.Clone(c.Middleware)
	if f := &c.FaultTolerance; f.CircuitBreaker != nil || f.Retry != nil || f.ErrorTracking != nil {
		chain = append(chain, config.Middleware{Place: f.Place, Type: config.MiddlewareRecovery, Recovery: f})
	}
	return append(chain, tool.Middleware...)
}

// layer is a handler around another.
type layer func(next mcp.Handler) mcp.Handler

// Wrap puts a chain around the handler of a tool, the first one outermost. The
// tool's own timeout stands inside of all, so that it bounds each attempt; and a panic
// of the handler is an error to all of them, which no secret gets into. The error says
// which middleware cannot be made.
func Wrap(h mcp.Handler, tool *config.Tool, chain []config.Middleware, s *Shared) (mcp.Handler, error) {
	w := &wrapping{shared: s, tool: tool, toolPrint: printOf(tool), seen: map[partKey]int{}, limits: map[config.RateLimit]int{}}
	if s.options.DependsOn != nil {
		for _, other := range s.options.DependsOn(tool) {
			w.toolPrint += s.printOf(other)
		}
	}
	var layers []layer
	for i := range chain {
		l, err := w.layer(&chain[i])
		if err != nil {
			return nil, fmt.Errorf("tool %s: middleware %d (%s): %w", tool.Name, i+1, chain[i].Type, err)
		}
		if l != nil {
			layers = append(layers, s.traced("middleware "+chain[i].Type, l))
		}
	}
	if tool.Timeout > 0 {
		layers = append(layers, w.timeout(tool.Timeout))
	}
	layers = append(layers, w.catch())
	for _, l := range slices.Backward(layers) {
		h = l(h)
	}
	return h, nil
}

// wrapping is one call of Wrap.
type wrapping struct {
	shared    *Shared
	tool      *config.Tool
	toolPrint string
	order     int                      // of the next part
	seen      map[partKey]int          // how often a chain has the same middleware
	limits    map[config.RateLimit]int // likewise the same rate limit
}

// layer makes the layer of one middleware; nil when it does nothing for this tool.
func (w *wrapping) layer(m *config.Middleware) (layer, error) {
	switch m.Type {
	case config.MiddlewareLogging:
		return w.logging(m.Logging), nil
	case config.MiddlewareValidation:
		return w.validation(m.Validation)
	case config.MiddlewareTransform:
		return transform(m.Transform)
	case config.MiddlewareRecovery:
		return w.recovery(m.Recovery), nil
	case config.MiddlewareMetrics:
		return w.metrics(), nil
	case config.MiddlewareTimeout:
		return w.timeout(m.Timeout), nil
	case config.MiddlewareRetry:
		return w.retry(m.Retry), nil
	case config.MiddlewareRateLimit:
		return w.rateLimit(m.RateLimit), nil
	case config.MiddlewareCache:
		return w.cache(m.Cache), nil
	case config.MiddlewareCircuitBreaker:
		return w.circuitBreaker(m.CircuitBreaker), nil
	case config.MiddlewareBulkhead:
		return w.bulkhead(m.Bulkhead), nil
	case config.MiddlewareFallback:
		return w.fallback(m.Fallback), nil
	}
	return nil, fmt.Errorf("there is no such type")
}

// readOnly says whether a tool changes nothing.
func readOnly(t *config.Tool) bool {
	if a := t.Annotations; a != nil && a.ReadOnlyHint != nil {
		return *a.ReadOnlyHint
	}
	return t.HTTP != nil && (t.HTTP.Method == http.MethodGet || t.HTTP.Method == http.MethodHead)
}

// repeatable says whether calling a tool twice does what calling it once does.
func repeatable(t *config.Tool) bool {
	if a := t.Annotations; a != nil && a.IdempotentHint != nil {
		return *a.IdempotentHint || readOnly(t)
	}
	// RFC 9110, section 9.2.2
	return readOnly(t) || t.HTTP != nil && (t.HTTP.Method == http.MethodPut || t.HTTP.Method == http.MethodDelete)
}

// classOf is the class of what a handler gave; empty for a success, and when the
// client is to be asked.
func classOf(result *mcp.CallResult, err error) fault.Class {
	switch {
	case err != nil && errors.Is(err, mcp.ErrInputRequired):
		return ""
	case err != nil:
		return fault.ClassOf(err)
	case result == nil:
		return fault.Internal
	case result.IsError:
		return fault.Failed
	}
	return ""
}

// errRefused is the cause of errors by which a middleware keeps a call away from the
// tool: they say nothing about the tool.
var errRefused = errors.New("kept away from the tool")
