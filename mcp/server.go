package mcp

import (
	"crypto/cipher"
	"encoding/base64"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
)

// Options configures a server. The zero value works; NewServer copies it.
type Options struct {
	Name         string // who the server says it is; "mcp-server" when empty
	Title        string // the same for people
	Version      string // "0.0.0" when empty
	Instructions string // how to use the server, for the model

	Logger *slog.Logger // nil discards

	// StateKey, 32 bytes, seals what a modern client brings back after it was
	// asked. Servers that stand in for each other share it; empty takes a
	// random one, so that no question outlives the process.
	StateKey []byte

	MaxMessageBytes int // of one incoming message; default 16 MiB, at most 1 GiB
	MaxDepth        int // of nested containers in a message; default 128, at most 10,000
	MaxInFlight     int // calls that run at once on one connection; default 64
	ToolPageSize    int // tools on a page of tools/list; default 1000
}

// Defaults and bounds of Options.
const (
	messageBytesDefault = 16 << 20
	messageBytesLimit   = 1 << 30 // scanner keeps 32-bit offsets
	depthDefault        = 128
	depthLimit          = 10_000 // a scan recurses once a level
	inFlightDefault     = 64
	toolPageDefault     = 1000
)

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "mcp-server"
	}
	if o.Version == "" {
		o.Version = "0.0.0"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxMessageBytes <= 0 {
		o.MaxMessageBytes = messageBytesDefault
	}
	o.MaxMessageBytes = min(o.MaxMessageBytes, messageBytesLimit)
	if o.MaxDepth <= 0 {
		o.MaxDepth = depthDefault
	}
	o.MaxDepth = min(o.MaxDepth, depthLimit)
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = inFlightDefault
	}
	if o.ToolPageSize <= 0 {
		o.ToolPageSize = toolPageDefault
	}
	return o
}

// Server answers MCP messages with the tools it was given. One server may
// serve any number of connections at once.
type Server struct {
	options Options
	info    []byte // serverInfo as JSON
	modern  []byte // how each modern result begins: resultType and _meta

	metaMember []byte           // a modern result's _meta
	sealer     cipher.AEAD      // of request states
	now        func() time.Time // replaced by tests

	tools atomic.Pointer[toolSet] // replaced, never changed

	mu sync.Mutex // held while tools is replaced
}

// NewServer returns a server without tools.
func NewServer(o Options) *Server {
	s := &Server{options: o.withDefaults(), now: time.Now}
	info, err := json.Marshal(struct {
		Name    string `json:"name"`
		Title   string `json:"title,omitzero"`
		Version string `json:"version"`
	}{s.options.Name, s.options.Title, s.options.Version})
	if err != nil {
		panic("mcp: NewServer: Name, Title and Version must be UTF-8: " + err.Error())
	}
	s.info = info
	s.metaMember = slices.Concat([]byte(`"_meta":{"`+metaServerInfo+`":`), info, []byte(`}`))
	s.modern = slices.Concat([]byte(`"resultType":"complete",`), s.metaMember)
	if s.sealer, err = newSealer(o.StateKey); err != nil {
		panic("mcp: NewServer: " + err.Error())
	}
	s.tools.Store(&toolSet{})
	return s
}

// MaxMessageBytes returns the bound on one incoming message; a transport that
// frames messages itself, such as HTTP, holds to it.
func (s *Server) MaxMessageBytes() int { return s.options.MaxMessageBytes }

// AddTool adds a tool; calls and lists that begin afterwards see it. It panics
// on a programmer's mistake: a bad or repeated name, no handler, a schema that
// is not JSON or whose root is not an object schema.
func (s *Server) AddTool(t Tool, h Handler) {
	added, err := newTool(t, h)
	if err != nil {
		panic("mcp: AddTool: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next, ok := s.tools.Load().with(added)
	if !ok {
		panic("mcp: AddTool: there is already a tool named " + t.Name)
	}
	s.tools.Store(next)
}

// toolSet is an immutable set of tools.
type toolSet struct {
	byName map[string]*tool
	sorted []*tool // by name, the order of tools/list
}

// with returns a copy that has added too, or false when the name is taken.
func (ts *toolSet) with(added *tool) (*toolSet, bool) {
	at, found := slices.BinarySearchFunc(ts.sorted, added.Name, func(t *tool, name string) int {
		return strings.Compare(t.Name, name)
	})
	if found {
		return nil, false
	}
	next := &toolSet{
		byName: make(map[string]*tool, len(ts.sorted)+1),
		sorted: slices.Insert(slices.Clone(ts.sorted), at, added),
	}
	for _, t := range next.sorted {
		next.byName[t.Name] = t
	}
	return next, true
}

// names yields each tool's name.
func (ts *toolSet) names(yield func(string) bool) {
	for _, t := range ts.sorted {
		if !yield(t.Name) {
			return
		}
	}
}

// page returns the tools that follow cursor ("" is the first page) and the
// cursor of the page after, "" when there is none. A cursor names the last
// tool of its page, so that it stays good while tools come and go.
func (ts *toolSet) page(cursor string, size int) ([]*tool, string, bool) {
	start := 0
	if cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		last, ok := strings.CutPrefix(string(raw), cursorPrefix)
		if err != nil || !ok || checkToolName(last) != nil {
			return nil, "", false
		}
		start, _ = slices.BinarySearchFunc(ts.sorted, last, func(t *tool, name string) int {
			if t.Name == name {
				return -1 // the page begins behind it
			}
			return strings.Compare(t.Name, name)
		})
	}
	end := min(start+size, len(ts.sorted))
	if end == len(ts.sorted) {
		return ts.sorted[start:end], "", true
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(cursorPrefix + ts.sorted[end-1].Name))
	return ts.sorted[start:end], next, true
}

// cursorPrefix tells a cursor of tools/list from that of another list.
const cursorPrefix = "tools:"
