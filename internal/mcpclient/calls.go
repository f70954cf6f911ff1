package mcpclient

import (
	"context"
	"encoding/json"
	"fmt"
)

// Tool is a tool that a server lists.
type Tool struct {
	Name         string          `json:"name"`
	Title        string          `json:"title,omitempty"`
	Description  string          `json:"description,omitempty"`
	InputSchema  json.RawMessage `json:"inputSchema"`
	OutputSchema json.RawMessage `json:"outputSchema,omitempty"`
	Annotations  json.RawMessage `json:"annotations,omitempty"`
}

// Resource is a resource that a server lists, or a family of them.
type Resource struct {
	URI         string `json:"uri,omitempty"`
	URITemplate string `json:"uriTemplate,omitempty"` // of a family
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	MIMEType    string `json:"mimeType,omitempty"`
}

// Prompt is a prompt that a server lists.
type Prompt struct {
	Name        string           `json:"name"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Arguments   []PromptArgument `json:"arguments,omitempty"`
}

// PromptArgument is an argument of a prompt.
type PromptArgument struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required,omitempty"`
}

// Progress is how far a call is.
type Progress struct {
	Token    json.RawMessage `json:"progressToken"`
	Progress float64         `json:"progress"`
	Total    float64         `json:"total"` // 0: unknown
	Message  string          `json:"message"`
}

// Result is what a tool answers.
type Result struct {
	Content    []Content       `json:"content"`
	Structured json.RawMessage `json:"structuredContent"`
	IsError    bool            `json:"isError"`
	// Raw is the whole result as it came.
	Raw json.RawMessage `json:"-"`
}

// Content is a block of a result.
type Content struct {
	Type     string            `json:"type"`
	Text     string            `json:"text"`
	Data     []byte            `json:"data"` // of images and audio
	MIMEType string            `json:"mimeType"`
	URI      string            `json:"uri"` // of links
	Name     string            `json:"name"`
	Resource *ResourceContents `json:"resource"` // embedded
}

// ResourceContents is a resource, or a part of one.
type ResourceContents struct {
	URI      string `json:"uri"`
	MIMEType string `json:"mimeType"`
	Text     string `json:"text"`
	Blob     []byte `json:"blob"`
}

// CallTool calls a tool. arguments is a JSON object; nil is an empty one. progress,
// unless nil, gets the reports. The error is that of ctx, an [*Error], or says what is
// wrong with the connection; what the tool itself fails with is in the result.
func (c *Client) CallTool(ctx context.Context, name string, arguments json.RawMessage, progress func(Progress)) (*Result, error) {
	if arguments == nil {
		arguments = json.RawMessage(`{}`)
	}
	raw, err := c.request(ctx, "tools/call", name, map[string]any{"name": name, "arguments": arguments}, progress)
	if err != nil {
		return nil, err
	}
	r := struct {
		Result
		ResultType string `json:"resultType"`
	}{}
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("the tool's result cannot be read: %w", err)
	}
	if r.ResultType != "" && r.ResultType != "complete" {
		return nil, fmt.Errorf("the server wants something else first (%.40q), which this client cannot give", r.ResultType)
	}
	r.Raw = raw
	return &r.Result, nil
}

// Tools lists all tools.
func (c *Client) Tools(ctx context.Context) ([]Tool, error) {
	return list[Tool](ctx, c, "tools", "tools/list", "tools", 0)
}

// Resources lists the first max resources, 0 is all; none where the server has no such
// thing.
func (c *Client) Resources(ctx context.Context, max int) ([]Resource, error) {
	return list[Resource](ctx, c, "resources", "resources/list", "resources", max)
}

// Templates lists the families of resources.
func (c *Client) Templates(ctx context.Context) ([]Resource, error) {
	return list[Resource](ctx, c, "resources", "resources/templates/list", "resourceTemplates", 0)
}

// Prompts lists all prompts.
func (c *Client) Prompts(ctx context.Context) ([]Prompt, error) {
	return list[Prompt](ctx, c, "prompts", "prompts/list", "prompts", 0)
}

// Subscribe asks to be told of changes of a resource: Options.Notify hears of each.
func (c *Client) Subscribe(ctx context.Context, uri string) error {
	if c.modern {
		return fmt.Errorf("the server speaks %s alone, in which this client cannot listen", c.server.Protocol)
	}
	if err := c.carrier.listen(ctx); err != nil {
		return err
	}
	_, err := c.request(ctx, "resources/subscribe", uri, map[string]any{"uri": uri}, nil)
	return err
}

// list reads the pages of a list, until there are max entries unless that is 0. A server
// without the capability has none.
func list[T any](ctx context.Context, c *Client, capability, method, member string, max int) ([]T, error) {
	if _, ok := c.server.Capabilities[capability]; !ok {
		return nil, nil
	}
	var all []T
	params := map[string]any{}
	for page := 0; ; page++ {
		raw, err := c.request(ctx, method, "", params, nil)
		if err != nil {
			return nil, err
		}
		var r map[string]json.RawMessage
		var part []T
		var next string
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, fmt.Errorf("the answer to %s cannot be read: %w", method, err)
		}
		if v := r[member]; v != nil {
			if err := json.Unmarshal(v, &part); err != nil {
				return nil, fmt.Errorf("the answer to %s cannot be read: %w", method, err)
			}
		}
		if v := r["nextCursor"]; v != nil {
			if err := json.Unmarshal(v, &next); err != nil {
				return nil, fmt.Errorf("the answer to %s cannot be read: %w", method, err)
			}
		}
		all = append(all, part...)
		switch {
		case max > 0 && len(all) >= max:
			return all[:max], nil
		case next == "":
			return all, nil
		}
		if next == params["cursor"] || page == pagesMax || len(all) > entriesMax {
			return nil, fmt.Errorf("the server's list of %s does not end", member)
		}
		params["cursor"] = next
	}
}
