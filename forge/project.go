package forge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/middleware"
	"github.com/ingot-run/ingot/internal/access"
	"github.com/ingot-run/ingot/internal/audit"
	"github.com/ingot-run/ingot/internal/fleet"
	"github.com/ingot-run/ingot/internal/metrics"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/telemetry"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/redis"
)

// tickInterval is how often expired state is removed, watchInterval how often files are
// looked at where nobody says otherwise.
const (
	tickInterval  = time.Second
	watchInterval = 500 * time.Millisecond
)

// Options configure a [Project]. The zero value works.
type Options struct {
	// Logger gets what middleware, tools and guests log; nil discards.
	Logger *slog.Logger
	// CacheDir keeps compiled modules; empty: a folder of the user's cache directory.
	CacheDir string
	// WrapTool, when not nil, stands around everything that a tool has of its own:
	// for access rules.
	WrapTool func(t mcp.Tool, h mcp.Handler) mcp.Handler
	// Allow, when not nil, is asked before a resource of the file is read, listed,
	// completed or listened to, and one of a module is read or completed, by the name
	// [ReadResources] in the place of a tool's: for access rules. Its error is the answer.
	Allow func(ctx context.Context, tool string) error
	// Owner has everything allowed and nothing recorded, whatever the blocks access and
	// audit say: for who tests a file, or looks at what it makes.
	Owner bool
	// StateInMemory keeps the state in memory, empty at first, whatever the file says:
	// for tests, and for who only looks at what a file makes.
	StateInMemory bool
	// CheckTools, when not nil, may refuse what a file says by the names of its tools,
	// and [ReadResources] where there are resources that can be read:
	// for access rules that name some.
	CheckTools func(names []string) error
	// WatchFiles has all files looked at, and Reload called when they change; otherwise
	// modules alone are loaded anew.
	WatchFiles bool
	// WatchInterval is how often files are looked at; 0: every half a second. A change
	// is acted upon when two looks in a row find the same.
	WatchInterval time.Duration
	// Reloaded hears what became of each change that was seen, one at a time: what it
	// changed, or why what served before goes on. Nil logs that.
	Reloaded func(d *Diff, err error)
}

// Project is a forge.yaml that was opened: a server with all that it names. It lives as
// long as the server does; what is made of one reading of the files is a generation.
type Project struct {
	options   Options
	path      string
	opened    *config.Config // whose state, name and address are in force
	state     state.Manager
	handles   *state.Handles
	key       []byte         // that seals requests; empty: one of this process alone
	buckets   *fleet.Limiter // of rate limits; nil: this process counts alone
	clients   *fleet.Limiter // of the requests of clients, likewise
	server    *mcp.Server
	metrics   *metrics.Registry
	tracer    *telemetry.Tracer // nil: nothing is traced
	keeper    *access.Keeper    // nil: neither access nor audit
	audit     *audit.Log        // nil: none
	stop      context.CancelFunc
	running   sync.WaitGroup
	firstLook look // for watch

	now      atomic.Pointer[generation] // what serves; nil after Close
	draining atomic.Int32               // generations that do not serve and are not closed
	open     sync.WaitGroup             // generations that served and are not closed

	reloading sync.Mutex    // held while a generation is made and put into place
	host      *sandbox.Host // nil until there is a module; reloading guards it
	watched   []string      // the files that the last reading was made of; reloading guards it
}

// Open reads a file and makes its server. The error of a file that is wrong is a
// [*config.Problems]; every other says which tool cannot be made, and why.
func Open(ctx context.Context, path string, o Options) (_ *Project, err error) {
	began := time.Now()
	c, err := config.Load(path, config.Options{})
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Project{options: o, path: path, opened: c, watched: filesOf(c)}
	p.metrics = metrics.New(p.sources(), o.Logger)
	if o.Reloaded == nil {
		p.options.Reloaded = p.logReload
	}
	if o.WatchInterval <= 0 {
		p.options.WatchInterval = watchInterval
	}
	defer func() {
		if err != nil {
			err = redacted(errors.Join(err, p.Close()), c.Secrets)
		}
	}()
	if err := p.openTelemetry(c); err != nil {
		return nil, err
	}
	if err := p.openState(ctx, c); err != nil {
		return nil, err
	}
	if err := p.openAccess(c); err != nil {
		return nil, err
	}
	watcher := p.newWatcher()
	p.server = mcp.NewServer(mcp.Options{
		Name: c.Forge.Name, Version: c.Forge.Version, Instructions: c.Forge.Description, Logger: o.Logger,
		AllowListen: watcher.AllowListen, OnListen: watcher.OnListen, StateKey: p.key,
	})
	watcher.Serve(p.server)
	if p.keeper != nil {
		p.server.SetGuard(p.keeper)
	}
	p.reloading.Lock()
	defer p.reloading.Unlock()
	g, err := p.newGeneration(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	p.swap(g)
	p.firstLook = firstLook(p.watched, began)
	p.run()
	return p, nil
}

// openState opens the store of the file, or one in memory, and what servers share that
// stand on the same one.
func (p *Project) openState(ctx context.Context, c *config.Config) (err error) {
	p.state, err = OpenState(ctx, c, p.options.StateInMemory, func(text string) { p.options.Logger.Warn(text) })
	if err != nil {
		return err
	}
	p.handles, err = state.NewHandles(p.state, state.HandleOptions{PerPrincipal: handlesPerPrincipal})
	if err != nil || !p.Shared() {
		return err
	}
	if p.key, err = fleet.Key(ctx, p.state); err != nil {
		return err
	}
	if p.buckets, err = fleet.NewLimiter(p.state, "tools"); err != nil {
		return err
	}
	p.clients, err = fleet.NewLimiter(p.state, "clients")
	return err
}

// Shared reports whether other servers may stand on the project's state.
func (p *Project) Shared() bool {
	return p.opened.State.Backend == config.BackendRedis && !p.options.StateInMemory
}

// ClientBuckets count the requests of clients, whichever server they come to, where the
// project's state is shared; else nil.
func (p *Project) ClientBuckets() *fleet.Limiter { return p.clients }

// OpenState opens the state that a file says, as [Open] does, or with its bounds one in
// memory. log is told what a person should know. The caller closes it.
func OpenState(ctx context.Context, c *config.Config, inMemory bool, log func(text string)) (state.Manager, error) {
	s := c.State
	if inMemory {
		s.Backend, s.Path, s.Sync = config.BackendMemory, "", ""
	}
	m, err := openBackend(ctx, s, log)
	if err != nil {
		return nil, fmt.Errorf("opening the state: %w", err)
	}
	return m, nil
}

func openBackend(ctx context.Context, s config.State, log func(text string)) (state.Manager, error) {
	if s.Backend == config.BackendRedis {
		return redis.Open(ctx, redis.Options{
			URL: s.URL, TTL: s.TTL, BytesMax: int64(s.BytesMax), ValueBytesMax: int(s.ValueBytesMax), CacheEntries: s.CacheEntries, Log: log,
		})
	}
	return state.Open(state.Options{
		Backend: s.Backend, Path: s.Path, TTL: s.TTL, BytesMax: int64(s.BytesMax), ValueBytesMax: int(s.ValueBytesMax), Sync: s.Sync, Log: log, WrapDir: timedDir,
	})
}

func (p *Project) note(doing string, err error) {
	if err != nil {
		p.options.Logger.Error(doing, "error", err)
	}
}

// access puts the access rules around a tool that clients call.
func (p *Project) access(t mcp.Tool, h mcp.Handler) mcp.Handler {
	if p.keeper != nil {
		h = p.keeper.WrapTool(t, h)
	}
	if p.options.WrapTool == nil {
		return h
	}
	return p.options.WrapTool(t, h)
}

// run starts what goes on beside the calls; Close ends it.
func (p *Project) run() {
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	if m, ok := p.state.(interface{ Tick(max int) int }); ok { // the others end entries themselves
		p.running.Go(func() { tick(ctx, m.Tick) })
	}
	p.running.Go(func() { p.watch(ctx, p.options.WatchInterval) })
}

// tick removes what is over its time until ctx ends.
func tick(ctx context.Context, remove func(max int) int) {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			remove(0)
		}
	}
}

// sandbox is the host of all modules, made when there is the first one.
func (p *Project) sandbox() *sandbox.Host {
	if p.host == nil {
		cache := p.options.CacheDir
		if cache == "" {
			cache, _ = sandbox.DefaultCacheDir() // where nobody is at home, modules are compiled at each start
		}
		p.host = sandbox.New(sandbox.Options{Logger: p.options.Logger, State: p.tracer.State(state.Public(p.state)), CacheDir: cache, Lazy: true})
	}
	return p.host
}

// hold is the generation that serves now, kept open until its release; nil after Close.
func (p *Project) hold() *generation {
	for {
		if g := p.now.Load(); g == nil || g.take() {
			return g
		}
	}
}

// ToolNames are the tools that there are, those that only others call included.
func (p *Project) ToolNames() []string { return p.current().toolNames() }

// Tool is what serves now under a name, one of a module included; nil is nothing. It is
// not to be changed.
func (p *Project) Tool(name string) *config.Tool { return p.current().named[name] }

// Server is the server, ready to be served.
func (p *Project) Server() *mcp.Server { return p.server }

// Files are the paths of all that was read for what serves now, the file itself first:
// what it includes, modules, and their signatures and keys.
func (p *Project) Files() []string {
	c := p.current().config
	return slices.Concat(c.Files, moduleFiles(c))
}

// Config is the configuration that serves now. It is not to be changed.
func (p *Project) Config() *config.Config { return p.current().config }

// State lists what the middleware knows of the tools.
func (p *Project) State() []middleware.State { return p.current().shared.State() }

// current is the generation that serves, to be looked at and not to be called: it may be
// closed meanwhile. After Close it is an empty one.
func (p *Project) current() *generation {
	if g := p.now.Load(); g != nil {
		return g
	}
	return &generation{config: &config.Config{}, shared: middleware.NewShared(middleware.Options{}, nil)}
}

// Close ends what the project has started, and waits for calls that run. The server
// should have ended before.
func (p *Project) Close() error {
	if p.stop != nil {
		p.stop()
		p.running.Wait()
	}
	if p.server != nil {
		p.server.Close()
	}
	p.reloading.Lock()
	if g := p.now.Swap(nil); g != nil {
		g.retire()
	}
	p.reloading.Unlock()
	p.open.Wait()
	p.note("sending the last traces", p.tracer.Close())
	if p.host != nil {
		p.note("closing the sandbox", p.host.Close(context.Background()))
	}
	if p.state == nil {
		return p.closeAccess()
	}
	return errors.Join(p.closeAccess(), p.state.Close())
}
