package mcp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// addContents adds resources and prompts to the stage.
func (s *stage) addContents() {
	fixed := func(contents ...ResourceContents) ReadHandler {
		return func(context.Context, *ReadRequest) (*ReadResult, error) {
			return &ReadResult{Contents: contents, Fresh: time.Minute, Public: true}, nil
		}
	}
	s.AddResource(Resource{
		URI: "test://text", Name: "text", Title: "A text", Description: "Some words.", MIMEType: "text/plain", Size: 5,
		Icons:       []Icon{{Source: "https://example.com/a.png", MIMEType: "image/png", Sizes: []string{"48x48"}, Theme: "dark"}},
		Annotations: &Annotations{Audience: []Role{RoleUser}, Priority: 0.5, LastModified: "2025-01-12T15:00:58Z"},
	}, fixed(ResourceContents{MIMEType: "text/plain", Text: "words"}, ResourceContents{URI: "test://text/2", Blob: []byte{0, 1}}))
	s.AddResource(Resource{URI: "test://empty", Name: "empty"}, func(context.Context, *ReadRequest) (*ReadResult, error) { return nil, nil })
	s.AddResource(Resource{URI: "test://gone", Name: "gone"}, func(context.Context, *ReadRequest) (*ReadResult, error) {
		return nil, fmt.Errorf("opening it: %w", ErrNoResource)
	})
	s.AddResource(Resource{URI: "test://broken", Name: "broken"}, func(context.Context, *ReadRequest) (*ReadResult, error) {
		return nil, errors.New("the disk is on fire")
	})
	s.AddResource(Resource{URI: "test://panic", Name: "panic"}, func(context.Context, *ReadRequest) (*ReadResult, error) { panic("a bug") })
	s.AddResource(Resource{URI: "test://ask", Name: "ask"}, func(ctx context.Context, req *ReadRequest) (*ReadResult, error) {
		roots, err := req.Call().Roots(ctx)
		if err != nil {
			return nil, err
		}
		return &ReadResult{Contents: []ResourceContents{{Text: fmt.Sprint(roots)}}, Fresh: time.Hour}, nil
	})
	s.AddTemplate(ResourceTemplate{
		URITemplate: "test://item/{id}/data{?part}", Name: "item", Title: "An item", Description: "By its id.", MIMEType: "text/plain",
		Complete: func(_ context.Context, req *CompleteRequest) (*CompleteResult, error) {
			return &CompleteResult{Values: []string{req.URITemplate, req.Argument, req.Value}, Total: 3}, nil
		},
	}, func(_ context.Context, req *ReadRequest) (*ReadResult, error) {
		return &ReadResult{Contents: []ResourceContents{{Text: fmt.Sprint(req.Variables)}}}, nil
	})
	s.AddPrompt(Prompt{
		Name: "greet", Title: "Greet", Description: "Says hello.",
		Arguments: []PromptArgument{{Name: "name", Title: "Name", Description: "Whom.", Required: true}, {Name: "tone"}},
		Complete: func(_ context.Context, req *CompleteRequest) (*CompleteResult, error) {
			if req.Argument == "fail" {
				return nil, &Error{Code: CodeInvalidParams, Message: "no such argument", Data: []byte(`{"argument":"fail"}`)}
			}
			values := strings.Split(strings.Repeat(req.Prompt+req.Value+req.Arguments["tone"]+" ", 150), " ")
			return &CompleteResult{Values: values}, nil
		},
	}, func(_ context.Context, req *PromptRequest) (*PromptResult, error) {
		return &PromptResult{Description: "A greeting", Messages: []PromptMessage{
			{RoleUser, Content{Text: "Hello " + req.Arguments["name"] + req.Arguments["tone"]}},
			{RoleAssistant, Content{Type: ContentLink, Link: &Resource{URI: "test://text", Name: "text"}, Annotations: &Annotations{Priority: 1}}},
			{RoleUser, Content{Type: ContentResource, Resource: &ResourceContents{URI: "test://text", Text: "words", Meta: []byte(`{"a":1}`)}}},
			{RoleUser, Content{Type: ContentImage, Data: []byte{1}, MIMEType: "image/png", Annotations: &Annotations{Audience: []Role{RoleUser, RoleAssistant}}}},
		}}, nil
	})
	s.AddPrompt(Prompt{Name: "bare"}, func(context.Context, *PromptRequest) (*PromptResult, error) { return nil, nil })
	s.AddPrompt(Prompt{Name: "ask"}, func(ctx context.Context, req *PromptRequest) (*PromptResult, error) {
		r, err := req.Call().Elicit(ctx, &ElicitParams{Message: "About what?"})
		if err != nil {
			return nil, err
		}
		return &PromptResult{Messages: []PromptMessage{{RoleUser, Content{Text: string(r.Action)}}}}, nil
	})
	s.AddTool(Tool{Name: "list_users", OutputSchema: []byte(`{"type":"array"}`), Icons: []Icon{{Source: "data:,x"}}},
		func(context.Context, *CallRequest) (*CallResult, error) { return StructuredJSON([]byte(`[1,2]`)), nil })
}

// act does to the server what a line with ! says.
func (s *stage) act(t *testing.T, what string) {
	name, rest, _ := strings.Cut(what, " ")
	switch name {
	case "release":
		s.release <- struct{}{}
	case "clock":
		step, err := time.ParseDuration(rest)
		require.NoError(t, err)
		time.Sleep(step) // in the bubble's time
	case "add-tool":
		s.AddTool(Tool{Name: rest}, echo)
	case "remove-tool":
		s.RemoveTool(rest)
	case "add-prompt":
		s.AddPrompt(Prompt{Name: rest}, func(context.Context, *PromptRequest) (*PromptResult, error) { return nil, nil })
	case "remove-prompt":
		s.RemovePrompt(rest)
	case "remove-resource":
		s.RemoveResource(rest)
	case "add-all":
		s.Update(func(c *Catalog) {
			c.AddTool(Tool{Name: "new-tool"}, echo)
			c.AddPrompt(Prompt{Name: "new-prompt"}, func(context.Context, *PromptRequest) (*PromptResult, error) { return nil, nil })
			c.AddResource(Resource{URI: "test://new", Name: "new"}, func(context.Context, *ReadRequest) (*ReadResult, error) { return nil, nil })
			c.RemoveTemplate("test://item/{id}/data{?part}")
			c.RemoveTool("nobody")
		})
	case "visited":
		s.ElicitationComplete(rest)
	case "updated":
		s.ResourceUpdated(rest)
	case "shutdown":
		s.Shutdown()
	default:
		t.Fatalf("the stage cannot %s", what)
	}
}

// addTasks adds tools whose calls may become tasks.
func (s *stage) addTasks() {
	s.AddTool(Tool{Name: "task_slow", Task: TaskOptional}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		call := req.Call()
		ctx, err := call.StartTask(ctx, &TaskOptions{TTL: time.Minute, Poll: 100 * time.Millisecond})
		if err != nil {
			return nil, err
		}
		if err := call.Progress(ctx, &Progress{Progress: 1, Message: "half way"}); err != nil {
			return nil, err
		}
		select {
		case <-s.release:
			return TextResult("slow but sure " + string(req.Arguments)), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	s.AddTool(Tool{Name: "task_ask", Task: TaskRequired}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		call := req.Call()
		who, err := call.Elicit(ctx, &ElicitParams{Message: "Who?"})
		if err != nil {
			return nil, err
		}
		if ctx, err = call.StartTask(ctx, nil); err != nil {
			return nil, err
		}
		roots, err := call.Roots(ctx)
		if err != nil {
			return nil, err
		}
		sure, err := call.Elicit(ctx, &ElicitParams{Message: "Sure?"})
		if err != nil {
			return nil, err
		}
		return TextResult(fmt.Sprint(string(who.Content), roots, sure.Action)), nil
	})
	s.AddTool(Tool{Name: "task_none", Task: TaskOptional}, func(context.Context, *CallRequest) (*CallResult, error) {
		return TextResult("at once"), nil
	})
	for name, fail := range map[string]func() (*CallResult, error){
		"task_error": func() (*CallResult, error) { return nil, errors.New("it did not work") },
		"task_fault": func() (*CallResult, error) { return nil, &Error{Code: -32000, Message: "no more"} },
		"task_panic": func() (*CallResult, error) { panic("a bug") },
		"task_brief": func() (*CallResult, error) { return TextResult("brief"), nil },
	} {
		s.AddTool(Tool{Name: name, Task: TaskOptional}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
			if _, err := req.Call().StartTask(ctx, nil); err != nil {
				return nil, err
			}
			return fail()
		})
	}
}
