package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/resource"
	"github.com/ingot-run/ingot/forge/template"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// prompt is a prompt that can be filled in.
type prompt struct {
	config   *config.Prompt
	set      *resource.Set
	may      func(ctx context.Context, uri string) error // show a resource
	state    state.Manager
	messages []message
	choices  map[string][]string // by argument
	prefixes map[string]string   // of the state, by argument
}

// message is one of its messages: a text, or the resource of a URI.
type message struct {
	text     *template.Template
	resource bool
}

// addPrompt offers a prompt.
func (g *generation) addPrompt(c *config.Prompt) error {
	made := &prompt{
		config: c, set: g.resources, may: g.mayReadURI, state: state.Public(g.project.state),
		choices: map[string][]string{}, prefixes: map[string]string{},
	}
	for i := range c.Messages {
		m := &c.Messages[i]
		parsed, err := template.Parse(cmp.Or(m.Resource, m.Template))
		if err != nil {
			return fmt.Errorf("%s: prompt %s: %w", m.Pos, c.Name, err)
		}
		made.messages = append(made.messages, message{parsed, m.Resource != ""})
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
		if a.Type == "boolean" && len(a.Enum) == 0 {
			made.choices[a.Name] = []string{"true", "false"}
		}
		if a.Place.Has("state") {
			made.prefixes[a.Name] = a.StatePrefix
		}
	}
	if len(made.choices)+len(made.prefixes) > 0 {
		listed.Complete = made.complete
	}
	g.AddPrompt(listed, made.get)
	return nil
}

// get fills the prompt in.
func (p *prompt) get(ctx context.Context, r *mcp.PromptRequest) (*mcp.PromptResult, error) {
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
	if len(p.config.StateKeys) > 0 {
		shown, err := stateObject(ctx, p.config.StateKeys, &seen{p.state})
		if err != nil {
			return nil, err
		}
		values["state"] = shown
	}
	result := &mcp.PromptResult{Description: p.config.Description}
	for i, m := range p.messages {
		role := mcp.RoleUser
		if p.config.Messages[i].Role == config.RoleAssistant {
			role = mcp.RoleAssistant
		}
		all, err := p.content(ctx, m, values)
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			result.Messages = append(result.Messages, mcp.PromptMessage{Role: role, Content: c})
		}
	}
	return result, nil
}

// content fills a message in: it is one block, or one for each part of a resource.
func (p *prompt) content(ctx context.Context, m message, values template.Values) (all []mcp.Content, err error) {
	if !m.resource {
		text, err := m.text.Text(values, nil)
		return []mcp.Content{{Type: mcp.ContentText, Text: text}}, err
	}
	uri, err := m.text.Text(values, func(_ []string, text string) (string, error) { return resource.Escape(text), nil })
	if err != nil {
		return nil, err
	}
	if err := p.may(ctx, uri); err != nil {
		return nil, err
	}
	result, err := p.set.Read(ctx, uri)
	switch {
	case errors.Is(err, mcp.ErrNoResource):
		return nil, &mcp.Error{Code: mcp.CodeInvalidParams, Message: fmt.Sprintf("the prompt shows the resource %.300q, and there is none", uri)}
	case err != nil:
		return nil, fmt.Errorf("the resource %.300q: %w", uri, err)
	}
	for i := range result.Contents {
		all = append(all, mcp.Content{Type: mcp.ContentResource, Resource: &result.Contents[i]})
	}
	return all, nil
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
func (p *prompt) complete(ctx context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	result := &mcp.CompleteResult{}
	for _, c := range p.choices[r.Argument] {
		if strings.HasPrefix(c, r.Value) {
			result.Values = append(result.Values, c)
		}
	}
	if prefix, ok := p.prefixes[r.Argument]; ok && len(p.choices[r.Argument]) == 0 {
		return resource.CompleteKeys(ctx, p.state, prefix, r.Value)
	}
	return result, nil
}
