package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/hash"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
	"github.com/ingot-run/ingot/internal/metrics"
	"github.com/ingot-run/ingot/internal/statetools"
	"github.com/ingot-run/ingot/internal/telemetry"
	"github.com/ingot-run/ingot/js"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/web"
)

// addressDefault is where the state is served if nothing else is said.
const addressDefault = "127.0.0.1:7070"

// serveCommand is "ingot serve".
type serveCommand struct {
	Listen string `placeholder:"HOST:PORT" help:"Address to listen on; port 0 takes a free one. One that other machines can reach needs --token-file or --oauth-issuer. (127.0.0.1:7070, or what the forge.yaml says)"`
	Config string `placeholder:"FILE" type:"existingfile" help:"Be the server that this forge.yaml describes, over the transport that it names."`
	httpserve.Flags
	accessFlags
	command.StoreFlags
	command.LogFlags
	backupFlags
}

// Help ends "ingot serve --help".
func (c *serveCommand) Help() string {
	return `MCP is served at /mcp (streamable HTTP, both eras), /sse (HTTP+SSE, for clients of 2024-11-05) and /ws (WebSocket). The same clients may read /metrics (for Prometheus) and /status (JSON). Load balancers may ask /healthz (it lives) and /readyz (it works, and is not stopping) without a token.

SIGTERM and SIGINT end it: /readyz says 503 for the time of --drain, then no new connection is taken, and calls in flight have --drain-timeout to end. A second signal ends it at once.

Where OTEL_EXPORTER_OTLP_ENDPOINT names a collector of OpenTelemetry, calls are traced. docs/OPERATE.md tells of health, metrics, traces and logs.

Several servers may stand on one state on redis (--data redis://…, or a forge.yaml that says so) behind a balancer: what one of them writes is read at each, and tasks, handles and rates are shared. docs/CLUSTER.md says how.

With --config, SIGHUP has the file read again, where the system has that signal: calls that run end on the old tools, and a file that is wrong changes nothing. "ingot dev" follows each change.

Examples:

  ingot serve
  ingot serve --listen 127.0.0.1:0 --memory
  ingot serve --config forge.yaml
  INGOT_DATA=redis://:$(cat password)@10.0.0.11 ingot serve
  openssl rand -hex 32 > token && ingot serve --listen 0.0.0.0:7070 --token-file token --allow-host box.example --tls-self-signed
  ingot serve --token-file tokens --access access.yaml --audit audit.log
  INGOT_TOKEN=$(cat token) ingot serve --listen :443 --allow-host mcp.example --tls-cert chain.pem --tls-key key.pem
  ingot serve --trusted-proxy 127.0.0.1 --oauth-issuer https://login.example --oauth-audience https://mcp.example --oauth-tool-scope '*=state:write'`
}

// Run serves until ctx ends and what is in flight is answered.
func (c *serveCommand) Run(ctx context.Context, out streams) (err error) {
	logger := c.LogFlags.Logger(out.stderr)
	if c.Backup && c.Access != "" {
		return command.Usage("--backup does not go with --access: it gives the whole state to everybody who may come in, whatever their roles")
	}
	if c.Config != "" {
		return c.serveForge(ctx, out, logger)
	}
	door, err := c.Flags.Open("--listen", cmp.Or(c.Listen, addressDefault), logger)
	if err != nil {
		return err
	}
	defer door.Close()
	m, err := c.openState(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	closeAudit, err := c.accessFlags.open(&c.Flags, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAudit()) }()
	tracer, err := forge.TracerOf(telemetry.Options{SampleRatio: 1}, "ingot", logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tracer.Close()) }()
	server, counts, err := newServer(m, &c.Flags, tracer, logger)
	if err != nil {
		return err
	}
	forge.CountSpans(counts, tracer)
	door.Observe(counts)
	door.Traced(tracer)
	if err := c.offer(door, m.Manager, &c.KeyFlag, logger); err != nil {
		return err
	}
	forge.CheckState(door.Checks, m.Manager)
	if m.clients != nil {
		door.Share(m.clients)
	}
	page, err := newPage(door, c.AllowHost)
	if err != nil {
		return err
	}
	w := welcome{origin: door.Origin, guarded: door.Guard != nil, issuer: c.Issuer, fingerprint: door.Fingerprint}
	if err := w.print(out.stdout); err != nil {
		return fmt.Errorf("printing the address: %w", err)
	}
	return door.Serve(ctx, server, page)
}

// newServer puts MCP on the state, and counts the calls of its tools.
func newServer(m *serveState, access *httpserve.Flags, tracer *telemetry.Tracer, logger *slog.Logger) (*mcp.Server, *metrics.Registry, error) {
	var tools []string
	var counted []*metrics.Tool
	counts := metrics.New(metrics.Sources{
		Denied: access.Keeper.Count,
		Server: func() metrics.Server { return metrics.Server{Name: "ingot", Version: command.Version()} }, State: m.Stats, Engine: m.engine,
	}, logger)
	server := mcp.NewServer(mcp.Options{
		Tasks:        m.tasks,
		StateKey:     m.key,
		Name:         "ingot",
		Title:        "ingot",
		Version:      command.Version(),
		Instructions: "A key-value state store. Every entry has a version, which can be the condition of a later write.",
		Logger:       logger,
		WrapTool: func(t mcp.Tool, h mcp.Handler) mcp.Handler {
			tools, counted = append(tools, t.Name), append(counted, counts.Tool(t.Name, "native"))
			return tracer.Tool(t.Name, "native", access.WrapTool(t, counted[len(counted)-1].Wrap(h)))
		},
	})
	public := state.Public(m.Manager)
	seen := guarded(access.Keeper, server, public)
	statetools.Register(server, tracer.State(seen))
	statetools.RegisterResources(server, seen, statetools.ResourceOptions{Allow: access.Allow, Watched: public, Logger: logger})
	counts.Show(counted)
	return server, counts, access.CheckTools(tools)
}

// newPage is the page, everywhere where MCP is not.
func newPage(door *httpserve.Door, allowedHosts []string) (http.Handler, error) {
	return web.Handler(web.Options{
		Version: command.Version(), Backend: hash.Backend(), Endpoint: httpserve.PathMCP, JS: js.Files(), Auth: door.Auth(), AllowedHosts: allowedHosts,
	})
}
