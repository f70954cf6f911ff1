package resource

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// stateSource is the keys of the state that begin with a prefix.
type stateSource struct {
	state  state.Manager
	prefix string
	entry  *entry
}

func (s *stateSource) read(ctx context.Context, at *place) (*Content, error) {
	e, err := s.state.Get(ctx, s.prefix+s.entry.variable(at))
	switch {
	case errors.Is(err, state.ErrNotFound), errors.Is(err, state.ErrKey):
		return nil, mcp.ErrNoResource
	case err != nil:
		return nil, fault.Because(err, fault.Unavailable, "%v", err)
	}
	return &Content{Bytes: e.Value}, nil
}

func (s *stateSource) write(ctx context.Context, at *place, c *Content) error {
	rest := s.entry.variable(at)
	if rest == "" {
		return fault.New(fault.InvalidInput, "the URI names no key")
	}
	_, err := s.state.Set(ctx, s.prefix+rest, c.Bytes, state.SetOptions{})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, state.ErrKey), errors.Is(err, state.ErrValueSize):
		return fault.Because(err, fault.InvalidInput, "%v", err)
	}
	return fault.Because(err, fault.Unavailable, "%v", err)
}

func (s *stateSource) list(ctx context.Context, r *mcp.ListRequest) (*mcp.ListResult, error) {
	page, err := s.state.List(ctx, state.ListOptions{Prefix: s.prefix, Cursor: r.Cursor, Limit: min(r.Limit, state.ListLimitMax)})
	if errors.Is(err, state.ErrOptions) {
		return nil, mcp.ErrCursor
	}
	if err != nil {
		return nil, fault.Because(err, fault.Unavailable, "%v", err)
	}
	result := &mcp.ListResult{Next: page.Next}
	for i := range page.Entries {
		rest := page.Entries[i].Key[len(s.prefix):]
		uri := s.entry.spelled(rest)[0]
		if rest == "" || len(uri) > uriBytesMax {
			continue
		}
		result.Resources = append(result.Resources, mcp.Resource{
			URI: uri, Name: shown(rest, uri), MIMEType: s.entry.config.MIMEType, Size: int64(page.Entries[i].Size),
		})
	}
	return result, nil
}

func (s *stateSource) complete(ctx context.Context, value string) (*mcp.CompleteResult, error) {
	return CompleteKeys(ctx, s.state, s.prefix, value)
}

// CompleteKeys suggests what follows prefix in keys of m, as far as it begins with value.
func CompleteKeys(ctx context.Context, m state.Manager, prefix, value string) (*mcp.CompleteResult, error) {
	page, err := m.List(ctx, state.ListOptions{Prefix: prefix + value, Limit: completionsMax})
	if err != nil {
		return nil, err
	}
	result := &mcp.CompleteResult{More: page.Next != ""}
	for i := range page.Entries {
		if rest := page.Entries[i].Key[len(prefix):]; rest != "" && utf8.ValidString(rest) {
			result.Values = append(result.Values, rest)
		}
	}
	return result, nil
}
