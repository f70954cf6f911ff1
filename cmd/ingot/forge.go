package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
)

// serveForge is the server of a forge.yaml, until the end of stdin or of ctx.
func (c *serveCommand) serveForge(ctx context.Context, out streams, logger *slog.Logger) (err error) {
	if c.StoreFlags.Given() {
		return command.Usage("--config does not go with --data, --memory, --sync, --max-bytes or --key-file: the file says where its state is, and how it is kept")
	}
	project, err := forge.Open(ctx, c.Config, forge.Options{Logger: logger, WrapTool: c.WrapTool})
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range project.State() {
			logger.Info("at the end", "tool", s.Tool, "middleware", s.Type, "status", s.Status, "counts", s.Counts, "errors", s.Errors)
		}
		err = errors.Join(err, project.Close())
	}()
	if err := c.CheckTools(project.ToolNames()); err != nil {
		return err
	}
	meta := project.Config().Forge
	if meta.Transport == config.TransportStdio && c.Listen == "" {
		if err := c.Unused("the file says stdio: name an address with --listen"); err != nil {
			return err
		}
		return project.Server().ServeStdio(ctx, out.stdin, out.stdout)
	}
	address := cmp.Or(c.Listen, net.JoinHostPort(meta.Host, strconv.Itoa(meta.Port)))
	door, err := c.Flags.Open("--listen", address, logger)
	if err != nil {
		return err
	}
	defer door.Close()
	path := map[string]string{config.TransportSSE: httpserve.PathSSE, config.TransportWebSocket: httpserve.PathWebSocket}[meta.Transport]
	if _, err := fmt.Fprintf(out.stdout, "%s %s, by ingot %s\n\n  MCP   %s%s\n\nStop with Ctrl-C.\n", meta.Name, meta.Version, command.Version(), door.Origin, cmp.Or(path, httpserve.PathMCP)); err != nil {
		return fmt.Errorf("printing the address: %w", err)
	}
	return door.Serve(ctx, project.Server(), nil)
}
