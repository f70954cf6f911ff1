package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/schema"
	"github.com/ingot-run/ingot/mcp"
)

// run serves the tools until the end of stdin or of ctx.
func (c *serveCommand) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	host := sandbox.New(sandbox.Options{Logger: logger})
	defer host.Close(context.WithoutCancel(ctx)) // all calls have ended: nothing to wait for
	server := mcp.NewServer(mcp.Options{
		Name: "wasm-host", Title: "ingot wasm-host", Version: command.Version(), Logger: logger,
	})
	if err := addTools(ctx, server, host, c.policy(), c.Tools, logger); err != nil {
		return err
	}
	return server.ServeStdio(ctx, stdin, stdout)
}

// addTools loads each file and adds its tool to the server.
func addTools(ctx context.Context, server *mcp.Server, host *sandbox.Host, policy sandbox.Policy, files []string, logger *slog.Logger) error {
	fileOf := map[string]string{}
	for _, file := range files {
		tool, err := load(ctx, host, file, policy)
		if err != nil {
			return err
		}
		name := tool.Description().Name
		if first, taken := fileOf[name]; taken {
			return fmt.Errorf("%s and %s both hold a tool named %q: serve one of them, or give one another name in its description", first, file, name)
		}
		fileOf[name] = file
		served, err := newServedTool(tool, logger)
		if err != nil {
			return fmt.Errorf("%s: tool %s: %w", file, name, err)
		}
		server.AddTool(served.listing(), served.call)
		logger.Info("serving a tool", "tool", name, "file", file, "sha256", tool.Info().SHA256)
	}
	return nil
}

// load reads and loads one file.
func load(ctx context.Context, host *sandbox.Host, file string, policy sandbox.Policy) (*sandbox.Tool, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// One byte more than is allowed is enough for Load to refuse the rest.
	module, err := io.ReadAll(io.LimitReader(f, int64(sandbox.DefaultLimits().ModuleBytesMax)+1))
	if err != nil {
		return nil, err
	}
	return host.Load(ctx, file, module, policy)
}

// servedTool joins a sandboxed tool to the protocol.
type servedTool struct {
	tool          *sandbox.Tool
	logger        *slog.Logger
	input, output *schema.Schema // output is nil when the tool has none
}

func newServedTool(tool *sandbox.Tool, logger *slog.Logger) (*servedTool, error) {
	d := tool.Description()
	s := &servedTool{tool: tool, logger: logger}
	var err error
	if s.input, err = schema.Compile(d.InputSchema); err != nil {
		return nil, fmt.Errorf("its inputSchema: %w", err)
	}
	if len(d.OutputSchema) > 0 {
		if s.output, err = schema.Compile(d.OutputSchema); err != nil {
			return nil, fmt.Errorf("its outputSchema: %w", err)
		}
	}
	return s, nil
}

// listing is the tool as the protocol lists it. It has no Timeout: the sandbox
// enforces one.
func (s *servedTool) listing() mcp.Tool {
	d := s.tool.Description()
	t := mcp.Tool{
		Name: d.Name, Title: d.Title, Description: d.Description,
		InputSchema: d.InputSchema, OutputSchema: d.OutputSchema,
		Validate: s.input.Validate,
	}
	if a := d.Annotations; a != nil {
		t.Annotations = &mcp.ToolAnnotations{
			Title: a.Title, ReadOnlyHint: a.ReadOnlyHint, DestructiveHint: a.DestructiveHint,
			IdempotentHint: a.IdempotentHint, OpenWorldHint: a.OpenWorldHint,
		}
	}
	return t
}

// call runs the tool. Its error becomes an isError result: all of them are
// about this one call, and the text says what the caller can do.
func (s *servedTool) call(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
	out, err := s.tool.Call(ctx, r.Arguments)
	if err == nil && s.output != nil {
		err = s.checkResult(out)
	}
	var reported *sandbox.GuestError
	switch {
	case err == nil:
		return mcp.StructuredJSON(out), nil
	case !errors.As(err, &reported) && ctx.Err() == nil:
		s.logger.WarnContext(ctx, "a tool failed", "tool", r.Name, "error", err)
	}
	return nil, err
}

// checkResult holds the tool to its own outputSchema: clients refuse results
// that break it, and then nobody sees why.
func (s *servedTool) checkResult(out []byte) error {
	err := s.output.Validate(out)
	var wrong *schema.Error
	if !errors.As(err, &wrong) {
		return err
	}
	problems := make([]string, len(wrong.Problems))
	for i, p := range wrong.Problems {
		problems[i] = strings.TrimSpace(fmt.Sprintf("%s %s", p.Argument, p.Message))
	}
	return fmt.Errorf("tool %s returned a result that breaks its own outputSchema: %s; mend the tool or its schema",
		s.tool.Description().Name, strings.Join(problems, "; "))
}
