package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/grants"
	"github.com/ingot-run/ingot/internal/httpserve"
	"github.com/ingot-run/ingot/internal/metrics"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/wasmtools"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

type serveCommand struct {
	policyFlags
	State    command.StoreFlags `embed:"" prefix:"state-" group:"state"`
	HTTP     string             `name:"http" placeholder:"HOST:PORT" help:"Serve over HTTP at this address (/mcp, /sse, /ws) in place of stdin and stdout; one that other machines can reach needs --token-file or --oauth-issuer."`
	Access   httpserve.Flags    `embed:"" group:"http"`
	Config   string             `placeholder:"FILE" help:"Serve the tools of type wasm of this forge.yaml, with the capabilities that it grants."`
	Tools    []string           `arg:"" optional:"" name:"path" help:"Modules (*.wasm), folders of them, or OCI image layouts. They get the limits of the flags, and no capability."`
	Reload   time.Duration      `default:"1s" placeholder:"DURATION" help:"How often to look for modules that changed; 0 is never. (${default})"`
	LogLevel slog.Level         `default:"info" placeholder:"LEVEL" help:"Least level that is logged to stderr: debug, info, warn or error. (${default})"`
}

// Help ends "wasm-host serve --help".
func (c *serveCommand) Help() string {
	return `Examples:

  wasm-host tool.wasm
  wasm-host serve ./tools --timeout 500ms --memory 16MiB
  wasm-host --config forge.yaml --state-data ./state
  wasm-host ./tools --http 127.0.0.1:7071`
}

// Validate is kong's hook: its error makes the command line wrong.
func (c *serveCommand) Validate() error {
	if c.Config == "" && len(c.Tools) == 0 {
		return errors.New("name modules, folders or OCI image layouts to serve, or a forge.yaml with --config")
	}
	if c.Reload < 0 {
		return fmt.Errorf("--reload is %v: it must not be negative", c.Reload)
	}
	return c.policyFlags.Validate()
}

// run serves the tools until the end of stdin or of ctx.
func (c *serveCommand) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	origins, err := c.origins()
	if err != nil {
		return err
	}
	door, err := c.door(logger)
	if err != nil {
		return err
	}
	if door != nil {
		defer door.Close()
	}
	manager, closeState, err := c.state(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeState()) }()
	host := sandbox.New(sandbox.Options{Logger: logger, State: manager, CacheDir: c.cacheDir(), Lazy: true})
	defer host.Close(context.WithoutCancel(ctx)) // all calls have ended: nothing to wait for
	server := mcp.NewServer(mcp.Options{
		Name: "wasm-host", Title: "ingot wasm-host", Version: command.Version(), Logger: logger,
		WrapTool: func(t mcp.Tool, h mcp.Handler) mcp.Handler {
			t.Annotations = nil // a guest's own word that it only reads frees it from no scope
			return c.Access.WrapTool(t, h)
		},
	})
	shelf := wasmtools.New(wasmtools.Options{Host: host, Server: server, Origins: origins, Logger: logger})
	if err := shelf.Load(ctx); err != nil {
		return err
	}
	if err := c.Access.CheckTools(toolNames(shelf)); err != nil {
		return err
	}
	defer c.watch(ctx, shelf)()
	if door == nil {
		return server.ServeStdio(ctx, stdin, stdout)
	}
	door.Observe(metrics.New(metrics.Sources{
		Server:  func() metrics.Server { return metrics.Server{Name: "wasm-host", Version: command.Version()} },
		Modules: func() map[string]sandbox.Stats { return metrics.ByName("", nil, host.Stats()) },
	}, logger))
	if _, err := fmt.Fprintf(stdout, "wasm-host %s\n\n  MCP   %s%s\n", command.Version(), door.Origin, httpserve.PathMCP); err != nil {
		return fmt.Errorf("printing the address: %w", err)
	}
	return door.Serve(ctx, server, nil)
}

// toolNames are the tools that are served.
func toolNames(shelf *wasmtools.Shelf) (names []string) {
	for _, m := range shelf.Modules() {
		for _, d := range m.Tools() {
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	return names
}

// door is the address of --http; nil without it.
func (c *serveCommand) door(logger *slog.Logger) (*httpserve.Door, error) {
	if c.HTTP == "" {
		return nil, c.Access.Unused("these tools are served on stdin and stdout: name an address with --http")
	}
	return c.Access.Open("--http", c.HTTP, logger)
}

// watch looks for changed modules until stop is called.
func (c *serveCommand) watch(ctx context.Context, shelf *wasmtools.Shelf) (stop func()) {
	if c.Reload == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { shelf.Watch(ctx, c.Reload) })
	return func() {
		cancel()
		watching.Wait()
	}
}

// origins are the places of the command line.
func (c *serveCommand) origins() ([]wasmtools.Origin, error) {
	var all []wasmtools.Origin
	if c.Config != "" {
		all = append(all, wasmtools.Config(c.Config, grants.Options{}))
	}
	policy, err := c.policy()
	if err != nil {
		return nil, err
	}
	for _, path := range c.Tools {
		origin, err := wasmtools.Open(path, policy)
		if err != nil {
			return nil, err
		}
		all = append(all, origin)
	}
	return all, nil
}

// state opens the store when the configuration grants some of it: what nobody
// uses should neither be made nor be held against others.
func (c *serveCommand) state(ctx context.Context, logger *slog.Logger) (state.Manager, func() error, error) {
	nothing := func() error { return nil }
	unused := func() error {
		if c.State.Given() {
			return command.Usage("--state-data and its like are about state, and no tool is granted any: grant capabilities.state in a --config")
		}
		return nil
	}
	if c.Config == "" {
		return nil, nothing, unused()
	}
	file, err := grants.Read(c.Config, grants.Options{})
	if err != nil {
		return nil, nothing, err
	}
	for _, t := range file.Others {
		logger.Warn("a tool that is not of type wasm is left out", "tool", t, "file", c.Config)
	}
	for _, t := range file.Tools {
		if len(t.Policy.State) == 0 {
			continue
		}
		store, closeStore, err := c.State.Open(ctx, "wasm-host", logger)
		if err != nil {
			return nil, nothing, err
		}
		stopTicking := command.StartTicking(store)
		return state.Public(state.Embed(store)), func() error { stopTicking(); return closeStore() }, nil
	}
	return nil, nothing, unused()
}

// load loads the one module at path, for the commands that look at it.
func load(ctx context.Context, host *sandbox.Host, path string, f policyFlags) (*sandbox.Module, error) {
	policy, err := f.policy()
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory: name one module", path)
	}
	origin, err := wasmtools.Open(path, policy)
	if err != nil {
		return nil, err
	}
	sources, err := origin.Sources()
	if err != nil {
		return nil, err
	}
	module, policy, err := sources[0].Open()
	if err != nil {
		return nil, err
	}
	return host.Load(ctx, path, module, policy)
}
