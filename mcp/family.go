package mcp

import (
	"context"
	"errors"
	"strings"
)

// Cursors of resources/list: behind a resource that was added, or in the list of a
// template, which stands before the space.
const (
	cursorAdded  = "resources:"
	cursorFamily = "family:"
)

// appendFamilies serves resources/list where templates list their own: first what
// was added one by one, then one template after another.
func (s *Server) appendFamilies(ctx context.Context, r *request, out []byte) ([]byte, *wireError) {
	now, size := s.offers(), s.options.PageSize
	if r.modern {
		out = append(out, ',')
	}
	out = append(out, `"resources":[`...)
	from := len(out)
	raw, good := s.openCursor(r, r.name)
	place, family := strings.CutPrefix(raw, cursorFamily)
	uriTemplate, cursor, whole := strings.Cut(place, " ")
	if !good || family && !whole {
		return out, badCursor()
	}
	next := ""
	if !family {
		page, more, ok := shownOf(&now.resources, r, KindResource).page(cursorAdded, r.name, size, checkURI)
		if !ok {
			return out, badCursor()
		}
		for _, e := range page {
			out = append(appendComma(out, from), e.listed(r.client.version)...)
		}
		size, next, uriTemplate, cursor = size-len(page), more, now.firstFamily(""), ""
	}
	if next == "" {
		var bad *wireError
		if out, next, bad = s.appendFamily(ctx, r, out, now, uriTemplate, cursor, size); bad != nil {
			return out, bad
		}
	}
	out = append(out, ']')
	if next != "" {
		out = appendString(append(out, `,"nextCursor":`...), next)
	}
	if r.modern {
		out = appendCaching(out, 0, "private") // who lists decides what changes, and for whom
	}
	return out, nil
}

// appendFamily appends at most size resources of a template, and returns the cursor
// of what follows, of which there may be nothing.
func (s *Server) appendFamily(ctx context.Context, r *request, out []byte, now *snapshot, uriTemplate, cursor string, size int) ([]byte, string, *wireError) {
	if uriTemplate == "" {
		return out, "", nil
	}
	t := now.templates.byKey[uriTemplate]
	if t == nil || t.List == nil {
		return out, "", badCursor()
	}
	following := func(uriTemplate, cursor string) string {
		return s.sealCursor(r, cursorFamily+uriTemplate+" "+cursor)
	}
	if size == 0 {
		return out, following(uriTemplate, cursor), nil
	}
	req := &ListRequest{Cursor: cursor, Limit: size, handle: handle{from: r, ctx: ctx}}
	what := "the list of " + uriTemplate
	var badly error
	result, bad := run(ctx, s, what, &req.handle, func(ctx context.Context) (*ListResult, error) {
		result, err := t.List(ctx, req)
		badly = err
		return result, err
	})
	switch {
	case errors.Is(badly, ErrCursor):
		return out, "", badCursor()
	case bad != nil:
		return out, "", bad
	case result == nil:
		result = &ListResult{}
	}
	from := len(out)
	if out[from-1] != '[' {
		from-- // appendComma sees that something stands before
	}
	for i := range result.Resources {
		entry := &result.Resources[i]
		if r.shows != nil && !r.shows(KindResource, entry.URI) {
			continue
		}
		if err := checkURI(entry.URI); err != nil || entry.Name == "" {
			if err == nil {
				err = newError("resource " + entry.URI + " has no name")
			}
			return out, "", s.badResult(ctx, what, err)
		}
		out = entry.appendMembers(append(appendComma(out, from), '{'))
		out = append(entry.Annotations.appendTo(out), '}')
	}
	if result.Next != "" {
		return out, following(uriTemplate, result.Next), nil
	}
	if after := now.firstFamily(uriTemplate); after != "" {
		return out, following(after, ""), nil
	}
	return out, "", nil
}

// firstFamily is the first template behind after that lists its resources, or "".
func (n *snapshot) firstFamily(after string) string {
	for _, t := range n.templates.sorted {
		if t.URITemplate > after && t.List != nil {
			return t.URITemplate
		}
	}
	return ""
}

func badCursor() *wireError {
	return refuse(CodeInvalidParams, methodResourcesList+": "+ErrCursor.Error())
}
