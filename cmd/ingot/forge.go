package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
	"github.com/ingot-run/ingot/mcp"
)

// serveForge is the server of a forge.yaml, until the end of stdin or of ctx.
func (c *serveCommand) serveForge(ctx context.Context, out streams, logger *slog.Logger) (err error) {
	// What the environment says is for the servers that have no file.
	if c.Data != os.Getenv("INGOT_DATA") || c.Memory && os.Getenv("INGOT_MEMORY") == "" || len(c.Key) > 0 {
		return command.Usage("--config does not go with --data, --memory or --key-file: the file says where its state is")
	}
	var tools []string
	project, err := forge.Open(ctx, c.Config, forge.Options{Logger: logger, WrapTool: func(t mcp.Tool, h mcp.Handler) mcp.Handler {
		tools = append(tools, t.Name)
		return c.WrapTool(t, h)
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, project.Close()) }()
	if err := c.CheckTools(tools); err != nil {
		return err
	}
	meta := project.Config().Forge
	if meta.Transport == config.TransportStdio && c.Listen == "" {
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
