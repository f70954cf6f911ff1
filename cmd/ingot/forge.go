package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/program"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
)

// serveForge is the server of a forge.yaml, until the end of stdin or of ctx. SIGHUP has
// it read the file again.
func (c *serveCommand) serveForge(ctx context.Context, out streams, logger *slog.Logger) error {
	if c.Backup {
		return command.Usage("--backup is for a server without --config: back the state of a file up with ingot state backup --config, while nobody serves it")
	}
	if c.StoreFlags.Given() {
		return command.Usage("--config does not go with --data, --memory, --sync, --max-bytes or --key-file: the file says where its state is, and how it is kept")
	}
	if c.accessFlags.Access != "" || c.Audit != "" {
		return command.Usage("--access and --audit do not go with --config: the file says it in the blocks access and audit")
	}
	return program.Serve(ctx, c.Config, program.Serving{
		Listen: c.Listen, Access: &c.Flags, Stdin: out.stdin, Stdout: out.stdout, Logger: logger,
		Page: func(door *httpserve.Door) (http.Handler, error) { return newPage(door, c.AllowHost) },
		Beside: func(ctx context.Context, end func(), p *forge.Project) func() {
			return reloadOnHangup(ctx, end, p, logger)
		},
	})
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
