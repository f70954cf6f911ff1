package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/access"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
)

// Serving is how a project is served.
type Serving struct {
	Listen string           // an address in place of the file's; empty: what the file says
	Access *httpserve.Flags // who may come in over HTTP
	Stdin  io.Reader
	Stdout io.Writer
	Logger *slog.Logger
	// Page, when not nil, makes what is served over HTTP where MCP is not.
	Page func(*httpserve.Door) (http.Handler, error)
	// Options are the project's, but for those that the fields above give.
	Options forge.Options
	// Beside, when not nil, starts what goes on while the project is served; stop ends it
	// and waits. end ends the server.
	Beside func(ctx context.Context, end func(), p *forge.Project) (stop func())
}

// Serve is the server of a forge.yaml, until the end of stdin or of ctx.
func Serve(ctx context.Context, file string, s Serving) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := s.Options
	o.Logger, o.WrapTool, o.CheckTools, o.Allow = s.Logger, s.Access.WrapTool, s.Access.CheckTools, s.Access.Allow
	project, err := forge.Open(ctx, file, o)
	if err != nil {
		return err
	}
	defer func() {
		for _, state := range project.State() {
			s.Logger.Info("at the end", "tool", state.Tool, "middleware", state.Type, "status", state.Status, "counts", state.Counts, "errors", state.Errors)
		}
		err = errors.Join(err, project.Close())
	}()
	if s.Beside != nil {
		defer s.Beside(ctx, cancel, project)()
	}
	meta := project.Config().Forge
	if meta.Transport == config.TransportStdio && s.Listen == "" {
		if err := s.Access.Unused("the file says stdio: name an address with --listen"); err != nil {
			return err
		}
		return project.Server().ServeStdio(access.WithLocal(ctx), s.Stdin, s.Stdout)
	}
	door, err := s.Access.Open("--listen", cmp.Or(s.Listen, net.JoinHostPort(meta.Host, strconv.Itoa(meta.Port))), s.Logger)
	if err != nil {
		return err
	}
	defer door.Close()
	door.Observe(project.Metrics())
	door.Traced(project.Tracer())
	project.Check(door.Checks)
	if b := project.ClientBuckets(); b != nil {
		door.Share(b)
	}
	var page http.Handler
	shown := ""
	if s.Page != nil {
		if page, err = s.Page(door); err != nil {
			return err
		}
		shown = "  Page  " + door.Origin + "/\n"
	}
	path := map[string]string{config.TransportSSE: httpserve.PathSSE, config.TransportWebSocket: httpserve.PathWebSocket}[meta.Transport]
	if _, err := fmt.Fprintf(s.Stdout, "%s %s, by ingot %s\n\n%s  MCP   %s%s\n\nStop with Ctrl-C.\n", meta.Name, meta.Version, command.Version(), shown, door.Origin, cmp.Or(path, httpserve.PathMCP)); err != nil {
		return fmt.Errorf("printing the address: %w", err)
	}
	return door.Serve(ctx, project.Server(), page)
}
