package forge

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/mcp"
)

// prompt is a prompt that can be filled in.
type prompt struct {
	config   *config.Prompt
	messages []*template.Template
	choices  map[string][]string // by argument
}

// addPrompt offers a prompt.
func (g *generation) addPrompt(c *config.Prompt) error {
	made := &prompt{config: c, choices: map[string][]string{}}
	for _, m := range c.Messages {
		parsed, err := template.Parse(m.Template)
		if err != nil {
			return fmt.Errorf("%s: prompt %s: %w", m.Pos, c.Name, err)
		}
		made.messages = append(made.messages, parsed)
	}
	listed := mcp.Prompt{Name: c.Name, Title: c.Title, Description: c.Description}
	for _, a := range c.Arguments {
		listed.Arguments = append(listed.Arguments, mcp.PromptArgument{Name: a.Name, Title: a.Title, Description: a.Description, Required: a.Required})
		for _, choice := range a.Enum {
			text, err := template.Text(jsontext.Value(choice))
			if err != nil {
				return fmt.Errorf("%s: prompt %s: argument %s: %w", a.Pos, c.Name, a.Name, err)
			}
			made.choices[a.Name] = append(made.choices[a.Name], text)
		}
	}
	if len(made.choices) > 0 {
		listed.Complete = made.complete
	}
	g.AddPrompt(listed, made.get)
	return nil
}

// get fills the prompt in.
func (p *prompt) get(_ context.Context, r *mcp.PromptRequest) (*mcp.PromptResult, error) {
	values := template.Values{}
	for _, a := range p.config.Arguments {
		text, given := r.Arguments[a.Name]
		if !given {
			if len(a.Default) > 0 {
				values[a.Name] = jsontext.Value(a.Default)
			}
			continue
		}
		if fault := p.fault(&a, text); fault != "" {
			return nil, &mcp.Error{Code: mcp.CodeInvalidParams, Message: fmt.Sprintf("argument %q: %s", a.Name, fault)}
		}
		quoted, err := json.Marshal(text)
		if err != nil {
			return nil, &mcp.Error{Code: mcp.CodeInvalidParams, Message: fmt.Sprintf("argument %q is not UTF-8", a.Name)}
		}
		values[a.Name] = quoted
	}
	result := &mcp.PromptResult{Description: p.config.Description}
	for i, m := range p.messages {
		text, err := m.Text(values, nil)
		if err != nil {
			return nil, err
		}
		role := mcp.RoleUser
		if p.config.Messages[i].Role == config.RoleAssistant {
			role = mcp.RoleAssistant
		}
		result.Messages = append(result.Messages, mcp.PromptMessage{Role: role, Content: mcp.Content{Type: mcp.ContentText, Text: text}})
	}
	return result, nil
}

// fault says why a text cannot be an argument, or "".
func (p *prompt) fault(a *config.Param, text string) string {
	var err error
	switch a.Type {
	case "integer":
		_, err = strconv.ParseInt(text, 10, 64)
	case "number":
		_, err = strconv.ParseFloat(text, 64)
	case "boolean":
		_, err = strconv.ParseBool(text)
	}
	if err != nil {
		return fmt.Sprintf("must read as %s, not %.80q", a.Type, text)
	}
	if choices := p.choices[a.Name]; len(choices) > 0 {
		for _, c := range choices {
			if c == text {
				return ""
			}
		}
		return "must be one of " + strings.Join(choices, ", ")
	}
	return ""
}

// complete suggests the values of an argument.
func (p *prompt) complete(_ context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	result := &mcp.CompleteResult{}
	for _, c := range p.choices[r.Argument] {
		if strings.HasPrefix(c, r.Value) {
			result.Values = append(result.Values, c)
		}
	}
	return result, nil
}
