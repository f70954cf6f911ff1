package middleware

import (
	"context"

	"github.com/ingot-run/ingot/internal/trace"
	"github.com/ingot-run/ingot/mcp"
)

// traced has a layer begin a span for all that it stands around, if calls are traced.
func (s *Shared) traced(name string, l layer) layer {
	if !s.options.Traced {
		return l
	}
	return func(next mcp.Handler) mcp.Handler {
		around := l(next)
		return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			ctx, span := trace.Start(ctx, trace.Internal, name)
			if span == nil {
				return around(ctx, r)
			}
			class := "internal" // of a panic
			defer func() { span.End(class) }()
			result, err := around(ctx, r)
			class = string(classOf(result, err))
			return result, err
		}
	}
}
