package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// Sources are asked for what a Registry does not count itself. Any may be nil.
type Sources struct {
	Server     func() Server
	Middleware func() []middleware.State
	State      func(context.Context) (state.Stats, error)
	// Engine is the store of this process, if the state is one.
	Engine func() (Engine, bool)
	// Denied is how many requests the access rules refused, if there are any.
	Denied func() (int64, bool)
	// Modules are the WebAssembly modules by what they are called.
	Modules func() map[string]sandbox.Stats
	// Guests are the tools of modules, by the names of the tools.
	Guests func() map[string]Guest
}

// Guest is the module of a tool.
type Guest struct {
	Module string
	Policy sandbox.Policy
}

// ByName has the figures of modules, which a sandbox has by their files, by the files'
// paths below a folder, or their bare names: nobody hears where on the machine they are.
// names, which may be nil, has what some files are called instead.
func ByName(folder string, names map[string]string, stats map[string]sandbox.Stats) map[string]sandbox.Stats {
	all := make(map[string]sandbox.Stats, len(stats))
	for _, file := range slices.Sorted(maps.Keys(stats)) {
		name := NameOf(folder, names, file)
		for once, n := name, 2; ; n++ {
			if _, taken := all[name]; !taken {
				break
			}
			name = fmt.Sprintf("%s (%d)", once, n)
		}
		all[name] = stats[file]
	}
	return all
}

// NameOf is what one file is called; see [ByName].
func NameOf(folder string, names map[string]string, file string) string {
	if called := names[file]; called != "" {
		return called
	}
	name, err := filepath.Rel(folder, file)
	if err != nil || strings.HasPrefix(name, "..") || filepath.IsAbs(name) {
		return filepath.Base(file)
	}
	return name
}

// Server is who is being measured.
type Server struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Registry is the counts of all tools of a server. It is safe for concurrent use.
type Registry struct {
	sources Sources
	logger  *slog.Logger
	started time.Time
	// register is where families are added.
	register *prometheus.Registry

	mu    sync.Mutex
	tools map[string]*Tool
}

// New makes a registry without tools. A nil logger discards what goes wrong while
// somebody looks.
func New(s Sources, logger *slog.Logger) *Registry {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	r := &Registry{sources: s, logger: logger, started: time.Now(), tools: map[string]*Tool{}}
	r.register = newRegister(r)
	return r
}

// Tool is the counts of a tool: those that are told of under its name, so that a tool
// which is made anew goes on counting, or new ones, which [Registry.Show] has told of.
func (r *Registry) Tool(name, kind string) *Tool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.tools[name]; t != nil && t.kind == kind {
		return t
	}
	return &Tool{name: name, kind: kind}
}

// Show has these tools told of and no others. What others still count is told to
// nobody.
func (r *Registry) Show(tools []*Tool) {
	shown := make(map[string]*Tool, len(tools))
	for _, t := range tools {
		shown[t.name] = t
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tools = shown
}

// all are the tools by their names.
func (r *Registry) all() []*Tool {
	r.mu.Lock()
	tools := make([]*Tool, 0, len(r.tools))
	for _, t := range r.tools {
		tools = append(tools, t)
	}
	r.mu.Unlock()
	slices.SortFunc(tools, func(a, b *Tool) int { return strings.Compare(a.name, b.name) })
	return tools
}

// bounds are the upper ends of the histogram's buckets but the last, which has none:
// from a call inside of the process to one that a remote server answers late.
var bounds = [...]time.Duration{
	10 * time.Microsecond, 100 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 5 * time.Second, 10 * time.Second, 60 * time.Second,
}

// Tool counts the calls of one tool.
type Tool struct {
	name, kind string // fixed

	began   atomic.Uint64
	ended   [len(bounds) + 1]atomic.Uint64 // by how long they took
	nanos   atomic.Int64
	classes [classesMax]atomic.Uint64 // of failures, by the index in fault.Classes
}

// classesMax is room for the classes of failures; see TestClassesFit.
const classesMax = 8

// epoch is what times of calls are counted from: time.Since reads the monotonic clock
// alone, which costs half of time.Now.
var epoch = time.Now()

// Wrap counts the calls of a handler: all that end, those by a panic as internal.
func (t *Tool) Wrap(h mcp.Handler) mcp.Handler {
	return func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		begin := time.Since(epoch)
		t.began.Add(1)
		class := fault.Internal // of a panic
		defer func() { t.end(time.Since(epoch)-begin, class) }()
		result, err := h(ctx, r)
		class = middleware.ClassOf(result, err)
		return result, err
	}
}

func (t *Tool) end(took time.Duration, class fault.Class) {
	bucket := 0
	for bucket < len(bounds) && took > bounds[bucket] {
		bucket++
	}
	t.nanos.Add(int64(took))
	t.ended[bucket].Add(1)
	if class == "" {
		return
	}
	if i := slices.Index(fault.Classes, class); i >= 0 {
		t.classes[i].Add(1)
	}
}

// reading is the counts of a tool, read one after the other.
type reading struct {
	calls, running uint64
	seconds        float64
	buckets        [len(bounds) + 1]uint64 // not added up
	errors         map[string]uint64       // those that there were
}

func (t *Tool) read() (r reading) {
	for i := range t.ended {
		r.buckets[i] = t.ended[i].Load()
		r.calls += r.buckets[i]
	}
	r.running = t.began.Load() - r.calls // after those that ended, so that it is not below 0
	r.seconds = time.Duration(t.nanos.Load()).Seconds()
	r.errors = map[string]uint64{}
	for i, class := range fault.Classes {
		if n := t.classes[i].Load(); n > 0 {
			r.errors[string(class)] = n
		}
	}
	return r
}

// quantile is about how long the fastest q of the calls took at most: the upper end of
// a bucket; 0 without calls, and the longest bound for those above it.
func (r *reading) quantile(q float64) time.Duration {
	if r.calls == 0 {
		return 0
	}
	wanted, seen := q*float64(r.calls), uint64(0)
	for i, n := range r.buckets {
		if seen += n; float64(seen) >= wanted && i < len(bounds) {
			return bounds[i]
		}
	}
	return bounds[len(bounds)-1]
}
