package main

import (
	"context"
	"fmt"

	"github.com/ingot-run/ingot/mcp"
)

// fixedPrompt answers the same messages, all of the user.
func fixedPrompt(blocks ...mcp.Content) mcp.PromptHandler {
	result := promptOf(blocks...)
	return func(context.Context, *mcp.PromptRequest) (*mcp.PromptResult, error) { return result, nil }
}

// promptOf makes each block a message of the user.
func promptOf(blocks ...mcp.Content) *mcp.PromptResult {
	result := &mcp.PromptResult{}
	for _, b := range blocks {
		result.Messages = append(result.Messages, mcp.PromptMessage{Role: mcp.RoleUser, Content: b})
	}
	return result
}

// addPrompts adds the prompts.
func addPrompts(server *mcp.Server) {
	server.AddPrompt(mcp.Prompt{Name: "test_simple_prompt", Title: "Simple", Description: "Has no arguments."},
		fixedPrompt(mcp.Content{Text: "This is a simple prompt for testing."}))
	server.AddPrompt(mcp.Prompt{
		Name: "test_prompt_with_arguments", Title: "With arguments", Description: "Has two arguments, the first with completion.",
		Arguments: []mcp.PromptArgument{
			{Name: "arg1", Description: "First test argument", Required: true},
			{Name: "arg2", Description: "Second test argument", Required: true},
		},
		Complete: func(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			if req.Argument != "arg1" {
				return nil, nil
			}
			return completed(req.Value, "paris", "park", "party", "test"), nil
		},
	}, func(_ context.Context, req *mcp.PromptRequest) (*mcp.PromptResult, error) {
		return promptOf(mcp.Content{Text: fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", req.Arguments["arg1"], req.Arguments["arg2"])}), nil
	})
	server.AddPrompt(mcp.Prompt{
		Name: "test_prompt_with_embedded_resource", Title: "With a resource", Description: "Has a resource inside.",
		Arguments: []mcp.PromptArgument{{Name: "resourceUri", Description: "URI of the resource to embed", Required: true}},
	}, func(_ context.Context, req *mcp.PromptRequest) (*mcp.PromptResult, error) {
		return promptOf(
			embedded(req.Arguments["resourceUri"], "text/plain", "Embedded resource content for testing."),
			mcp.Content{Text: "Please process the embedded resource above."}), nil
	})
	server.AddPrompt(mcp.Prompt{Name: "test_prompt_with_image", Title: "With an image", Description: "Has an image inside."},
		fixedPrompt(image, mcp.Content{Text: "Please analyze the image above."}))
	server.AddPrompt(mcp.Prompt{Name: "test_input_required_result_prompt", Title: "With a question", Description: "Asks the user before it is filled in."},
		func(ctx context.Context, req *mcp.PromptRequest) (*mcp.PromptResult, error) {
			in, err := askForm[contextForm](ctx, req.Call(), "user_context", "What context should the prompt use?")
			if err != nil {
				return nil, err
			}
			return promptOf(mcp.Content{Text: "Prompt with context: " + in.Context}), nil
		})
}
