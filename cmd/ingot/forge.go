package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
)

// serveForge is the server of a forge.yaml, until the end of stdin or of ctx. SIGHUP has
// it read the file again.
func (c *serveCommand) serveForge(ctx context.Context, out streams, logger *slog.Logger) error {
	if c.StoreFlags.Given() {
		return command.Usage("--config does not go with --data, --memory, --sync, --max-bytes or --key-file: the file says where its state is, and how it is kept")
	}
	s := forgeServer{file: c.Config, listen: c.Listen, access: &c.Flags, logger: logger, hangup: true}
	return s.serve(ctx, out)
}

// forgeServer is the server of a file.
type forgeServer struct {
	file    string
	listen  string // empty: as the file says
	access  *httpserve.Flags
	logger  *slog.Logger
	options forge.Options // but for those that the fields above give
	hangup  bool          // SIGHUP has it read the file again
}

// serve serves until the end of stdin or of ctx.
func (s *forgeServer) serve(ctx context.Context, out streams) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := s.options
	o.Logger, o.WrapTool, o.CheckTools = s.logger, s.access.WrapTool, s.access.CheckTools
	project, err := forge.Open(ctx, s.file, o)
	if err != nil {
		return err
	}
	defer func() {
		for _, state := range project.State() {
			s.logger.Info("at the end", "tool", state.Tool, "middleware", state.Type, "status", state.Status, "counts", state.Counts, "errors", state.Errors)
		}
		err = errors.Join(err, project.Close())
	}()
	if s.hangup {
		defer reloadOnHangup(ctx, cancel, project, s.logger)()
	}
	meta := project.Config().Forge
	if meta.Transport == config.TransportStdio && s.listen == "" {
		if err := s.access.Unused("the file says stdio: name an address with --listen"); err != nil {
			return err
		}
		return project.Server().ServeStdio(ctx, out.stdin, out.stdout)
	}
	address := cmp.Or(s.listen, net.JoinHostPort(meta.Host, strconv.Itoa(meta.Port)))
	door, err := s.access.Open("--listen", address, s.logger)
	if err != nil {
		return err
	}
	defer door.Close()
	door.Tell(project.Metrics().Handlers())
	path := map[string]string{config.TransportSSE: httpserve.PathSSE, config.TransportWebSocket: httpserve.PathWebSocket}[meta.Transport]
	if _, err := fmt.Fprintf(out.stdout, "%s %s, by ingot %s\n\n  MCP   %s%s\n\nStop with Ctrl-C.\n", meta.Name, meta.Version, command.Version(), door.Origin, cmp.Or(path, httpserve.PathMCP)); err != nil {
		return fmt.Errorf("printing the address: %w", err)
	}
	return door.Serve(ctx, project.Server(), nil)
}

// reloadOnHangup has a project read its file again at each SIGHUP, until stop is called.
// Where the process was told to ignore that signal (nohup), it does; where its terminal
// was closed, which the same signal says, it calls end.
func reloadOnHangup(ctx context.Context, end func(), p *forge.Project, logger *slog.Logger) (stop func()) {
	if signal.Ignored(syscall.SIGHUP) {
		return func() {}
	}
	attended := command.Terminal(os.Stdin)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
			}
			if attended && !command.Terminal(os.Stdin) {
				end()
				return
			}
			switch d, err := p.Reload(ctx); {
			case err != nil:
				logger.Error("what served before goes on: the file cannot be served as it is now", "error", err)
			case d.Any():
				logger.Info("serving the file as it is now", "changes", d.String())
			default:
				logger.Info("the file says what it said before")
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		cancel()
		<-done
	}
}
