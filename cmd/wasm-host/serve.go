package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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

// addTools loads each file and adds its tools to the server.
func addTools(ctx context.Context, server *mcp.Server, host *sandbox.Host, policy sandbox.Policy, files []string, logger *slog.Logger) error {
	fileOf := map[string]string{}
	for _, file := range files {
		module, err := load(ctx, host, file, policy)
		if err != nil {
			return err
		}
		for _, d := range module.Tools() {
			if first, taken := fileOf[d.Name]; taken {
				return fmt.Errorf("%s and %s both hold a tool named %q: serve one of them, or give one another name in its description", first, file, d.Name)
			}
			fileOf[d.Name] = file
			served, err := newServedTool(module, d, logger)
			if err != nil {
				return fmt.Errorf("%s: tool %s: %w", file, d.Name, err)
			}
			server.AddTool(served.listing(), served.call)
			logger.Info("serving a tool", "tool", d.Name, "file", file, "sha256", module.Info().SHA256)
		}
	}
	return nil
}

// load reads and loads one file.
func load(ctx context.Context, host *sandbox.Host, file string, policy sandbox.Policy) (*sandbox.Module, error) {
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
	module        *sandbox.Module
	description   sandbox.Description
	logger        *slog.Logger
	input, output *schema.Schema // output is nil when the tool has none
}

func newServedTool(module *sandbox.Module, d sandbox.Description, logger *slog.Logger) (*servedTool, error) {
	s := &servedTool{module: module, description: d, logger: logger}
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
	d := s.description
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
	out, err := s.module.Call(ctx, sandbox.CallRequest{Tool: r.Name, Arguments: r.Arguments})
	if err == nil && s.output != nil && out.JSON != nil {
		err = s.checkResult(out.JSON)
	}
	var reported *sandbox.GuestError
	switch {
	case err == nil && out.MCP != nil:
		return ownResult(out.MCP)
	case err == nil:
		return mcp.StructuredJSON(out.JSON), nil
	case !errors.As(err, &reported) && ctx.Err() == nil:
		s.logger.WarnContext(ctx, "a tool failed", "tool", r.Name, "error", err)
	}
	return nil, err
}

// ownResult is a result that the guest wrote itself. A block of a kind that is
// not listed here goes out as its JSON text.
func ownResult(raw []byte) (*mcp.CallResult, error) {
	var guest struct {
		Content    []jsontext.Value `json:"content"`
		Structured jsontext.Value   `json:"structuredContent"`
		IsError    bool             `json:"isError"`
	}
	if err := json.Unmarshal(raw, &guest); err != nil {
		return nil, fmt.Errorf("reading the guest's result: %w", err)
	}
	result := &mcp.CallResult{Structured: guest.Structured, IsError: guest.IsError}
	for _, block := range guest.Content {
		var b struct {
			Type     mcp.ContentType `json:"type"`
			Text     string          `json:"text"`
			Data     []byte          `json:"data"`
			MIMEType string          `json:"mimeType"`
		}
		if err := json.Unmarshal(block, &b); err != nil {
			return nil, fmt.Errorf("reading a content block of the guest's result: %w", err)
		}
		switch b.Type {
		case mcp.ContentText, mcp.ContentImage, mcp.ContentAudio:
			result.Content = append(result.Content, mcp.Content{Type: b.Type, Text: b.Text, Data: b.Data, MIMEType: b.MIMEType})
		default:
			result.Content = append(result.Content, mcp.Content{Type: mcp.ContentText, Text: string(block)})
		}
	}
	return result, nil
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
		s.description.Name, strings.Join(problems, "; "))
}
