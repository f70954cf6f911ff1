package statetools

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// Every key is a resource of this template (RFC 6570, level 2: slashes and the like
// stand as they are). The authority is empty: a key such as user:ada could be none.
const (
	uriStart    = "state:///"
	uriTemplate = uriStart + "{+key}"
	keyVariable = "key"
)

// Bounds of resources.
const (
	uriBytesMax     = 8 << 10  // a key whose URI is longer is none
	readBytesMax    = 16 << 20 // of a value that is read as a resource
	jsonBytesMax    = 64 << 10 // of a value that is looked at whether it is JSON
	completionsMax  = 100
	watchBuffer     = 4096 // events
	mimeText        = "text/plain"
	mimeJSON        = "application/json"
	mimeBytes       = "application/octet-stream"
	metaVersionName = `{"run.ingot/version":`
)

// ResourceOptions are how a state is offered as resources. The zero value works.
type ResourceOptions struct {
	// Allow, when not nil, is asked before an entry is read or listened to (the tool
	// state_get) or keys are listed or completed (state_list): who may not call the tool may not
	// have the resource. Its error is the answer.
	Allow func(ctx context.Context, tool string) error
	// Watched, when not nil, is the state whose changes are told, where what callers see
	// of it depends on who asks.
	Watched state.Manager
	// Logger, such as a *slog.Logger, is told why clients no longer hear of changes.
	// Nil discards.
	Logger mcp.Logger
}

// RegisterResources adds the entries of m to server as resources: listed, read,
// completed, and told of when they change. It panics when the server has the
// template already.
func RegisterResources(server *mcp.Server, m state.Manager, o ResourceOptions) {
	if o.Allow == nil {
		o.Allow = func(context.Context, string) error { return nil }
	}
	r := &resources{state: m, server: server, options: o}
	server.AddTemplate(mcp.ResourceTemplate{
		URITemplate: uriTemplate,
		Name:        "state",
		Title:       "An entry of the state",
		Description: "The value stored under a key: text, or a blob when it is not UTF-8. A key's bytes are percent-encoded where a URI cannot have them.",
		Complete:    r.complete,
		List:        r.list,
		AllowListen: func(ctx context.Context, _ string) error { return o.Allow(ctx, "state_get") },
		OnListen:    r.follow,
	}, r.read)
}

// resources are the handlers of the template.
type resources struct {
	state   state.Manager
	server  *mcp.Server
	options ResourceOptions
}

func (r *resources) read(ctx context.Context, req *mcp.ReadRequest) (*mcp.ReadResult, error) {
	if err := r.options.Allow(ctx, "state_get"); err != nil {
		return nil, err
	}
	e, err := r.state.Get(ctx, req.Variables[keyVariable])
	switch {
	case errors.Is(err, state.ErrNotFound), errors.Is(err, state.ErrKey):
		return nil, mcp.ErrNoResource
	case err != nil:
		return nil, err
	case len(e.Value) > readBytesMax:
		return nil, fmt.Errorf("the value has %d bytes and a resource at most %d; read it by the tool state_get", len(e.Value), readBytesMax)
	}
	contents := mcp.ResourceContents{Meta: r.meta(e.Meta)}
	contents.MIMEType = mimeOf(e.Value)
	if contents.MIMEType == mimeBytes {
		contents.Blob = e.Value
	} else {
		contents.Text = string(e.Value)
	}
	return &mcp.ReadResult{Contents: []mcp.ResourceContents{contents}}, nil
}

// meta is the _meta of contents: what the tools tell of an entry beside its value.
func (r *resources) meta(m state.Meta) []byte {
	out := strconv.AppendUint([]byte(metaVersionName), m.Version, 10)
	if m.ExpiresAt != 0 {
		left := max(m.ExpiresAt-r.state.Now(), 1)
		out = strconv.AppendInt(append(out, `,"run.ingot/ttl_seconds":`...), (left+999)/1000, 10)
	}
	return append(out, '}')
}

// mimeOf is the type of a value: that of bytes when it is not UTF-8.
func mimeOf(value []byte) string {
	switch {
	case !utf8.Valid(value):
		return mimeBytes
	case len(value) > 0 && len(value) <= jsonBytesMax && (value[0] == '{' || value[0] == '[') && jsontext.Value(value).IsValid():
		return mimeJSON
	}
	return mimeText
}

// list lists keys in byte order. One whose URI would be too long is left out.
func (r *resources) list(ctx context.Context, req *mcp.ListRequest) (*mcp.ListResult, error) {
	if err := r.options.Allow(ctx, "state_list"); err != nil {
		return nil, err
	}
	page, err := r.state.List(ctx, state.ListOptions{Cursor: req.Cursor, Limit: min(req.Limit, state.ListLimitMax)})
	if errors.Is(err, state.ErrOptions) {
		return nil, mcp.ErrCursor
	}
	if err != nil {
		return nil, err
	}
	result := &mcp.ListResult{Next: page.Next}
	for i := range page.Entries {
		e := &page.Entries[i]
		uri := uriOf(e.Key)
		if len(uri) > uriBytesMax {
			continue
		}
		name := e.Key
		if !utf8.ValidString(name) {
			name = uri
		}
		result.Resources = append(result.Resources, mcp.Resource{URI: uri, Name: name, Size: int64(e.Size)})
	}
	return result, nil
}

// complete suggests keys that begin with what was typed.
func (r *resources) complete(ctx context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	if err := r.options.Allow(ctx, "state_list"); err != nil {
		return nil, err
	}
	if req.Argument != keyVariable {
		return nil, nil
	}
	page, err := r.state.List(ctx, state.ListOptions{Prefix: req.Value, Limit: completionsMax})
	if err != nil {
		return nil, err
	}
	result := &mcp.CompleteResult{More: page.Next != ""}
	for i := range page.Entries {
		if key := page.Entries[i].Key; utf8.ValidString(key) {
			result.Values = append(result.Values, key)
		}
	}
	return result, nil
}

// follow has clients told of changes until stop is called, which waits for the
// goroutine that does it.
func (r *resources) follow() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	watched := r.options.Watched
	if watched == nil {
		watched = r.state
	}
	w, err := watched.Watch(ctx, state.WatchOptions{Buffer: watchBuffer})
	if err != nil {
		if r.options.Logger != nil {
			r.options.Logger.ErrorContext(ctx, "clients are not told of changes of the state", "error", err)
		}
		cancel()
		return func() {}
	}
	done := make(chan struct{})
	go func() { // ends with ctx, or the state
		defer close(done)
		for {
			event, err := w.Next(ctx)
			if err != nil {
				return
			}
			r.tell(event)
		}
	}()
	return func() {
		cancel()
		<-done
		w.Close()
	}
}

// tell tells of a change, in each spelling of the key that a client may listen to.
func (r *resources) tell(event state.Event) {
	if event.Key == "" { // events are missing, or everything was replaced
		r.server.ResourcesUpdated(uriStart)
		return
	}
	uri := uriOf(event.Key)
	r.server.ResourceUpdated(uri)
	if expanded := uriStart + mcp.PercentEncode(event.Key, reserved); expanded != uri {
		r.server.ResourceUpdated(expanded)
	}
	if strict := uriStart + mcp.PercentEncode(event.Key, ""); strict != uri {
		r.server.ResourceUpdated(strict)
	}
}

// reserved are the characters that {+key} lets stand beside unreserved ones
// (RFC 6570 section 3.2.3, RFC 3986 section 2.2).
const reserved = ":/?#[]@!$&'()*+,;="

// URI is the URI under which the entry of a key is a resource.
func URI(key string) string { return uriOf(key) }

// uriOf is the URI of a key: what the template expands to. Where a segment of the
// key is . or .. its slashes are encoded, since clients would resolve it (RFC 3986
// section 5.2.4).
func uriOf(key string) string {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return uriStart + mcp.PercentEncode(key, strings.ReplaceAll(reserved, "/", ""))
		}
	}
	return uriStart + mcp.PercentEncode(key, reserved)
}
