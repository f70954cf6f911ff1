package main

import (
	"context"
	"sync"

	"github.com/ingot-run/ingot/mcp"
)

// addChanges adds the tools that change what the server offers.
func addChanges(server *mcp.Server) {
	var mu sync.Mutex // guards the two below
	var toolThere, promptThere bool
	toggle := func(name, description string, change func(c *mcp.Catalog)) {
		mcp.AddTool(server, mcp.Tool{Name: name, Description: description}, func(context.Context, *mcp.CallRequest, *none) (*mcp.CallResult, error) {
			mu.Lock()
			defer mu.Unlock()
			server.Update(change)
			return mcp.TextResult("changed"), nil
		})
	}
	toggle("test_trigger_tool_change", "Adds the tool test_dynamic_tool, or removes it.", func(c *mcp.Catalog) {
		if toolThere = !toolThere; !toolThere {
			c.RemoveTool("test_dynamic_tool")
			return
		}
		mcp.AddTool(c, mcp.Tool{Name: "test_dynamic_tool", Description: "Comes and goes."}, func(context.Context, *mcp.CallRequest, *none) (*mcp.CallResult, error) {
			return mcp.TextResult("still here"), nil
		})
	})
	toggle("test_trigger_prompt_change", "Adds the prompt test_dynamic_prompt, or removes it.", func(c *mcp.Catalog) {
		if promptThere = !promptThere; !promptThere {
			c.RemovePrompt("test_dynamic_prompt")
			return
		}
		c.AddPrompt(mcp.Prompt{Name: "test_dynamic_prompt", Description: "Comes and goes."}, fixedPrompt(mcp.Content{Text: "Still here."}))
	})
}
