package mcp

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Options configures a server. The zero value works; NewServer copies it.
type Options struct {
	Name         string // who the server says it is; "mcp-server" when empty
	Title        string // the same for people
	Version      string // "0.0.0" when empty
	Instructions string // how to use the server, for the model

	Logger Logger // such as a *slog.Logger; nil discards

	Tasks    TaskStore // where tasks are kept; nil keeps them in memory
	MaxTasks int       // that run at once, and that memory keeps; default 1000

	// AllowListen, when not nil, is asked before a client listens to a resource,
	// whether there is such a resource or not; its error refuses the request. A
	// template's own is asked after it.
	AllowListen func(ctx context.Context, uri string) error
	// OnListen is [ResourceTemplate.OnListen] for the whole server: for resources that
	// come and go while somebody listens. It is called before those of templates.
	OnListen func() (stop func())

	// WrapTool, when not nil, wraps the handler of each tool that is added: for
	// what all calls have in common, such as access rules or measurements. A
	// wrapper passes [ErrInputRequired] on as it is.
	WrapTool func(t Tool, h Handler) Handler

	// CompileSchema, when not nil, compiles the schemas of each tool that is added,
	// unless the tool is SelfChecked or [AddTool] has made them from Go types. What
	// it returns for the InputSchema checks the arguments of calls, where the tool
	// has no Validate; what it returns for the OutputSchema checks what the tool
	// gives back. It is left to the caller since a validator is larger than this
	// package, and takes longer than most calls.
	CompileSchema func(schema []byte) (check func(document []byte) error, err error)

	// StateKey, 32 bytes, seals what a modern client brings back after it was
	// asked. Servers that stand in for each other share it; empty takes a
	// random one, so that no question outlives the process.
	StateKey []byte
	// Sealer takes the place of StateKey. A wasm build has no other way: nil
	// there means that modern clients cannot be asked, and that no tool may
	// become a task; [seal.New] makes one.
	//
	// [seal.New]: https://pkg.go.dev/github.com/ingot-run/ingot/mcp/seal#New
	Sealer Sealer

	MaxMessageBytes int // of one incoming message; default 16 MiB, at most 1 GiB
	MaxDepth        int // of nested containers in a message; default 128, at most 10,000
	MaxInFlight     int // calls that run at once on one connection; default 64
	PageSize        int // entries on a page of a list; default 1000

	// ListFresh is how long modern clients may hold a list for fresh; they hear
	// of changes only when they listen. Default one minute; negative is none.
	ListFresh time.Duration
}

// Defaults and bounds of Options.
const (
	messageBytesDefault = 16 << 20
	messageBytesLimit   = 1 << 30 // scanner keeps 32-bit offsets
	depthDefault        = 128
	depthLimit          = 10_000 // a scan recurses once a level
	inFlightDefault     = 64
	pageDefault         = 1000
	listFreshDefault    = time.Minute
)

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "mcp-server"
	}
	if o.Version == "" {
		o.Version = "0.0.0"
	}
	if o.Logger == nil {
		o.Logger = discard{}
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
	if o.PageSize <= 0 {
		o.PageSize = pageDefault
	}
	if o.MaxTasks <= 0 {
		o.MaxTasks = tasksDefault
	}
	if o.ListFresh == 0 {
		o.ListFresh = listFreshDefault
	}
	o.ListFresh = max(o.ListFresh, 0)
	return o
}

// Server answers MCP messages with the tools it was given. One server may
// serve any number of connections at once.
type Server struct {
	options Options
	info    []byte // serverInfo as JSON
	modern  []byte // how each modern result begins: resultType and _meta

	metaMember []byte           // a modern result's _meta
	sealer     Sealer           // of request states; nil: none
	guard      *guarding        // nil: everybody may do everything; see SetGuard
	now        func() time.Time // replaced by tests

	snapshot atomic.Pointer[snapshot] // of the catalog; nil when that has changed

	mu        sync.Mutex
	catalog   Catalog
	listeners map[*listener]struct{}
	heard     map[string]int   // how many of them listen to a resource, by its URI
	tasks     map[string]*task // those that this process runs
	closing   bool             // Shutdown was called

	attending sync.Mutex // held while templates are told; guards unattend
	unattend  []func()   // what OnListen returned, while somebody listens

	working sync.WaitGroup // handlers of calls that may become tasks

	joining sync.Mutex // held while peers is made; guards it
	peers   *taskPeers // nil until tasks are shared
}

// NewServer returns a server without tools.
func NewServer(o Options) *Server {
	s := &Server{options: o.withDefaults(), now: time.Now}
	s.catalog.options = &s.options
	for _, text := range []string{o.Name, o.Title, o.Version} {
		if !utf8.ValidString(text) {
			panic("mcp: NewServer: Name, Title and Version must be UTF-8")
		}
	}
	info := appendOptional(appendString([]byte(`{"name":`), s.options.Name), "title", s.options.Title)
	info = append(appendOptional(info, "version", s.options.Version), '}')
	s.info = info
	s.metaMember = slices.Concat([]byte(`"_meta":{"`+metaServerInfo+`":`), info, []byte(`}`))
	s.modern = slices.Concat([]byte(`"resultType":"complete",`), s.metaMember)
	s.sealer = o.Sealer
	switch {
	case o.Sealer == nil:
		s.sealer = defaultSealer(o.StateKey) // which checks the key's length
		if s.sealer == nil && len(o.StateKey) != 0 {
			panic("mcp: NewServer: StateKey does nothing in a wasm build; set Sealer to seal.New(key)")
		}
	case len(o.StateKey) != 0:
		panic("mcp: NewServer: set StateKey or Sealer, not both")
	}
	s.options.StateKey = nil // the sealer has it
	s.catalog.sealed = s.sealer != nil
	return s
}

// MaxMessageBytes returns the bound on one incoming message; a transport that
// frames messages itself, such as HTTP, holds to it.
func (s *Server) MaxMessageBytes() int { return s.options.MaxMessageBytes }
