package everything

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const watched = "test://watched-resource"

// goClient is the Go SDK's client and what it was told.
type goClient struct {
	*mcp.ClientSession
	updated  chan string
	progress chan float64
}

// runGo takes the steps with the Go SDK's client.
func runGo(t *testing.T, transport, era, target string) []outcome {
	c := &goClient{updated: make(chan string, 10), progress: make(chan float64, 10)}
	var outcomes []outcome
	take := func(step string, f func(ctx context.Context) error) bool {
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		defer stop()
		o := outcome{Step: step}
		if err := f(ctx); err != nil {
			o.Error = err.Error()
		}
		outcomes = append(outcomes, o)
		return o.Error == ""
	}
	if !take("connect", func(context.Context) error { return c.connect(t.Context(), transport, era, target) }) {
		return outcomes
	}
	take("list", c.list)
	take("call", c.call)
	take("read", c.read)
	take("get", c.get)
	take("complete", c.complete)
	take("progress", c.reportProgress)
	take("ask", c.ask)
	take("subscribe", c.subscribe)
	take("cancel", c.cancel)
	take("close", func(context.Context) error { return c.Close() })
	return outcomes
}

// connect connects; ctx is that of the connection.
func (c *goClient) connect(ctx context.Context, transport, era, target string) (err error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"response": req.Params.Message + " This."}}, nil
		},
		ResourceUpdatedHandler: func(_ context.Context, req *mcp.ResourceUpdatedNotificationRequest) {
			c.updated <- req.Params.URI
		},
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			c.progress <- req.Params.Progress
		},
	})
	var wire mcp.Transport = &mcp.CommandTransport{Command: exec.Command(target, "--stdio")}
	switch transport {
	case "http":
		wire = &mcp.StreamableClientTransport{Endpoint: target}
	case "sse":
		wire = &mcp.SSEClientTransport{Endpoint: target}
	}
	if c.ClientSession, err = client.Connect(ctx, wire, &mcp.ClientSessionOptions{ProtocolVersion: versions[era]}); err != nil {
		return err
	}
	return equal(c.InitializeResult().ProtocolVersion, versions[era])
}

func equal[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

func (c *goClient) list(ctx context.Context) error {
	tools, err := c.ListTools(ctx, nil)
	if err != nil {
		return err
	}
	resources, err := c.ListResources(ctx, nil)
	if err != nil {
		return err
	}
	templates, err := c.ListResourceTemplates(ctx, nil)
	if err != nil {
		return err
	}
	prompts, err := c.ListPrompts(ctx, nil)
	if err != nil {
		return err
	}
	found := slices.ContainsFunc(tools.Tools, func(t *mcp.Tool) bool { return t.Name == "sum" && t.OutputSchema != nil }) &&
		slices.ContainsFunc(resources.Resources, func(r *mcp.Resource) bool { return r.URI == watched }) &&
		len(templates.ResourceTemplates) == 1 &&
		slices.ContainsFunc(prompts.Prompts, func(p *mcp.Prompt) bool { return len(p.Arguments) == 2 })
	return equal(found, true)
}

// callText calls a tool and returns the text of the first block.
func (c *goClient) callText(ctx context.Context, tool string, arguments map[string]any) (string, error) {
	result, err := c.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		return "", err
	}
	text, ok := result.Content[0].(*mcp.TextContent)
	if !ok || result.IsError {
		return "", fmt.Errorf("%s: a %T, isError %v", tool, result.Content[0], result.IsError)
	}
	return text.Text, nil
}

func (c *goClient) call(ctx context.Context) error {
	const message = "héllo \u2028 ☃"
	text, err := c.callText(ctx, "echo", map[string]any{"message": message})
	if err != nil || text != message {
		return fmt.Errorf("echo gave %q: %v", text, err)
	}
	sum, err := c.CallTool(ctx, &mcp.CallToolParams{Name: "sum", Arguments: map[string]any{"terms": []float64{1, 2.5}}})
	if err != nil {
		return err
	}
	if content, ok := sum.StructuredContent.(map[string]any); !ok || content["sum"] != 3.5 {
		return fmt.Errorf("sum gave %v", sum.StructuredContent)
	}
	failed, err := c.CallTool(ctx, &mcp.CallToolParams{Name: "test_error_handling"})
	if err != nil || !failed.IsError {
		return fmt.Errorf("test_error_handling gave %v: %v", failed, err)
	}
	_, err = c.CallTool(ctx, &mcp.CallToolParams{Name: "no_such_tool"})
	return refused(err, -32602)
}

// refused wants a JSON-RPC error with one of these codes.
func refused(err error, codes ...int64) error {
	var wire *jsonrpc.Error
	if !errors.As(err, &wire) || !slices.Contains(codes, wire.Code) {
		return fmt.Errorf("want an error with a code of %v, got %v", codes, err)
	}
	return nil
}

func (c *goClient) read(ctx context.Context) error {
	text, err := c.ReadResource(ctx, &mcp.ReadResourceParams{URI: "test://static-text"})
	if err != nil || text.Contents[0].Text != "This is the content of the static text resource." {
		return fmt.Errorf("the text is %v: %v", text, err)
	}
	blob, err := c.ReadResource(ctx, &mcp.ReadResourceParams{URI: "test://static-binary"})
	if err != nil || string(blob.Contents[0].Blob[1:4]) != "PNG" {
		return fmt.Errorf("the image is %v: %v", blob, err)
	}
	_, err = c.ReadResource(ctx, &mcp.ReadResourceParams{URI: "test://nothing"})
	return refused(err, -32602, -32002)
}

func (c *goClient) get(ctx context.Context) error {
	prompt, err := c.GetPrompt(ctx, &mcp.GetPromptParams{Name: "test_prompt_with_arguments", Arguments: map[string]string{"arg1": "a", "arg2": "b"}})
	if err != nil {
		return err
	}
	text, _ := prompt.Messages[0].Content.(*mcp.TextContent)
	if text == nil {
		return fmt.Errorf("content is a %T", prompt.Messages[0].Content)
	}
	return equal(text.Text, "Prompt with arguments: arg1='a', arg2='b'")
}

func (c *goClient) complete(ctx context.Context) error {
	result, err := c.Complete(ctx, &mcp.CompleteParams{
		Ref:      &mcp.CompleteReference{Type: "ref/prompt", Name: "test_prompt_with_arguments"},
		Argument: mcp.CompleteParamsArgument{Name: "arg1", Value: "par"},
	})
	if err != nil {
		return err
	}
	return equal(fmt.Sprint(result.Completion.Values), "[paris park party]")
}

func (c *goClient) reportProgress(ctx context.Context) error {
	params := &mcp.CallToolParams{Name: "test_tool_with_progress"}
	params.SetProgressToken("token")
	if _, err := c.CallTool(ctx, params); err != nil {
		return err
	}
	for _, want := range []float64{0, 50, 100} {
		select {
		case got := <-c.progress:
			if err := equal(got, want); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (c *goClient) ask(ctx context.Context) error {
	text, err := c.callText(ctx, "test_elicitation", map[string]any{"message": "What?"})
	if err != nil {
		return err
	}
	return equal(text, `User response: action=accept, content={"response":"What? This."}`)
}

func (c *goClient) subscribe(ctx context.Context) error {
	if err := c.Subscribe(ctx, &mcp.SubscribeParams{URI: watched}); err != nil {
		return err
	}
	if _, err := c.callText(ctx, "update_watched", map[string]any{"text": "new"}); err != nil {
		return err
	}
	select {
	case uri := <-c.updated:
		if err := equal(uri, watched); err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: watched})
}

func (c *goClient) cancel(ctx context.Context) error {
	call, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := c.CallTool(call, &mcp.CallToolParams{Name: "wait", Arguments: map[string]any{"seconds": 60}})
		ended <- err
	}()
	if err := c.untilWaiting(ctx, 1); err != nil {
		return err
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the cancelled call ended with %v", err)
	}
	return c.untilWaiting(ctx, 0)
}

// untilWaiting waits until the server has that many calls of wait.
func (c *goClient) untilWaiting(ctx context.Context, want int) error {
	for {
		text, err := c.callText(ctx, "waiting", map[string]any{})
		if err != nil {
			return err
		}
		var count struct{ Calls int }
		if err := json.Unmarshal([]byte(text), &count); err != nil || count.Calls == want {
			return err
		}
	}
}
