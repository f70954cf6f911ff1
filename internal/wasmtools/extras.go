package wasmtools

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/mcp"
)

// pagesMax and entriesMax bound a module's lists.
const (
	pagesMax   = 100
	entriesMax = 10_000
)

// extras are the resources and prompts of a module; most have none.
type extras struct {
	resources []mcp.Resource
	templates []mcp.ResourceTemplate
	prompts   []mcp.Prompt
	completes bool
}

// readExtras asks a module for its lists.
func readExtras(ctx context.Context, m *sandbox.Module) (*extras, error) {
	methods := m.Methods()
	e := &extras{completes: slices.Contains(methods, "completion/complete")}
	for _, list := range []struct {
		method, member string
		add            func(jsontext.Value) error
	}{
		{"resources/list", "resources", e.addResource},
		{"resources/templates/list", "resourceTemplates", e.addTemplate},
		{"prompts/list", "prompts", e.addPrompt},
	} {
		if !slices.Contains(methods, list.method) {
			continue
		}
		if err := readList(ctx, m, list.method, list.member, list.add); err != nil {
			return nil, fmt.Errorf("its answer to %s: %w", list.method, err)
		}
	}
	return e, nil
}

// readList reads all pages of a list.
func readList(ctx context.Context, m *sandbox.Module, method, member string, add func(jsontext.Value) error) error {
	params := []byte("{}")
	entries := 0
	for range pagesMax {
		raw, err := m.Ask(ctx, sandbox.AskRequest{Method: method, Params: params})
		if err != nil {
			return err
		}
		var page map[string]jsontext.Value
		var list []jsontext.Value
		if err := json.Unmarshal(raw, &page); err != nil {
			return err
		}
		if err := json.Unmarshal(page[member], &list); err != nil {
			return fmt.Errorf("%q is no list: %w", member, err)
		}
		if entries += len(list); entries > entriesMax {
			return fmt.Errorf("it has more than %d entries", entriesMax)
		}
		for _, entry := range list {
			if err := add(entry); err != nil {
				return err
			}
		}
		next := page["nextCursor"]
		if next.Kind() != '"' {
			return nil
		}
		params = fmt.Appendf(nil, `{"cursor":%s}`, next)
	}
	return fmt.Errorf("it has more than %d pages", pagesMax)
}

func (e *extras) addResource(raw jsontext.Value) error {
	var w struct {
		wireResource `json:",inline"`
		MIMEType     string `json:"mimeType"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	e.resources = append(e.resources, w.resource(w.MIMEType))
	return nil
}

func (e *extras) addTemplate(raw jsontext.Value) error {
	var w struct {
		URITemplate string `json:"uriTemplate"`
		Name        string `json:"name"`
		Title       string `json:"title"`
		Description string `json:"description"`
		MIMEType    string `json:"mimeType"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	e.templates = append(e.templates, mcp.ResourceTemplate{URITemplate: w.URITemplate, Name: w.Name, Title: w.Title, Description: w.Description, MIMEType: w.MIMEType})
	return nil
}

func (e *extras) addPrompt(raw jsontext.Value) error {
	var w struct {
		Name        string `json:"name"`
		Title       string `json:"title"`
		Description string `json:"description"`
		Arguments   []struct {
			Name        string `json:"name"`
			Title       string `json:"title"`
			Description string `json:"description"`
			Required    bool   `json:"required"`
		} `json:"arguments"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	p := mcp.Prompt{Name: w.Name, Title: w.Title, Description: w.Description}
	for _, a := range w.Arguments {
		p.Arguments = append(p.Arguments, mcp.PromptArgument{Name: a.Name, Title: a.Title, Description: a.Description, Required: a.Required})
	}
	e.prompts = append(e.prompts, p)
	return nil
}

// enter puts resources and prompts into the catalog.
func (e *extras) enter(c Catalog, a asker) {
	for _, r := range e.resources {
		c.AddResource(r, a.read)
	}
	for _, t := range e.templates {
		if e.completes {
			t.Complete = a.complete
		}
		c.AddTemplate(t, a.read)
	}
	for _, p := range e.prompts {
		if e.completes {
			p.Complete = a.complete
		}
		c.AddPrompt(p, a.prompt)
	}
}

// leave takes them out.
func (e *extras) leave(c *mcp.Catalog) {
	for _, r := range e.resources {
		c.RemoveResource(r.URI)
	}
	for _, t := range e.templates {
		c.RemoveTemplate(t.URITemplate)
	}
	for _, p := range e.prompts {
		c.RemovePrompt(p.Name)
	}
}

// asker passes requests on to the module that is loaded from a source.
type asker struct {
	from interface {
		module(source string) *sandbox.Module
	}
	source string
}

// ask sends params and reads the result into out.
func (a asker) ask(ctx context.Context, method string, call *mcp.Call, params, out any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("writing the parameters of %s: %w", method, err)
	}
	r := sandbox.AskRequest{Method: method, Params: raw}
	if call != nil {
		r.Session = session(call)
	}
	answer, err := a.answer(ctx, r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("reading the module's answer to %s: %w", method, err)
	}
	return nil
}

// answer asks the module that is there now, and its successor when it refuses
// because it is being replaced.
func (a asker) answer(ctx context.Context, r sandbox.AskRequest) ([]byte, error) {
	for {
		module := a.from.module(a.source)
		if module == nil {
			return nil, errGone
		}
		out, err := module.Ask(ctx, r)
		if !errors.Is(err, sandbox.ErrClosed) || a.from.module(a.source) == module {
			return out, err
		}
	}
}

func (a asker) read(ctx context.Context, r *mcp.ReadRequest) (*mcp.ReadResult, error) {
	var answer struct {
		Contents []wireContents `json:"contents"`
	}
	if err := a.ask(ctx, "resources/read", r.Call(), map[string]string{"uri": r.URI}, &answer); err != nil {
		return nil, err
	}
	result := &mcp.ReadResult{}
	for _, w := range answer.Contents {
		result.Contents = append(result.Contents, w.contents())
	}
	return result, nil
}

func (a asker) prompt(ctx context.Context, r *mcp.PromptRequest) (*mcp.PromptResult, error) {
	params := struct {
		Name      string            `json:"name"`
		Arguments map[string]string `json:"arguments"`
	}{r.Name, r.Arguments}
	var answer struct {
		Description string `json:"description"`
		Messages    []struct {
			Role    mcp.Role       `json:"role"`
			Content jsontext.Value `json:"content"`
		} `json:"messages"`
	}
	if err := a.ask(ctx, "prompts/get", r.Call(), params, &answer); err != nil {
		return nil, err
	}
	result := &mcp.PromptResult{Description: answer.Description}
	for _, m := range answer.Messages {
		block, err := content(m.Content)
		if err != nil {
			return nil, err
		}
		result.Messages = append(result.Messages, mcp.PromptMessage{Role: m.Role, Content: block})
	}
	return result, nil
}

func (a asker) complete(ctx context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	ref := map[string]string{"type": "ref/prompt", "name": r.Prompt}
	if r.URITemplate != "" {
		ref = map[string]string{"type": "ref/resource", "uri": r.URITemplate}
	}
	params := map[string]any{
		"ref":      ref,
		"argument": map[string]string{"name": r.Argument, "value": r.Value},
		"context":  map[string]any{"arguments": r.Arguments},
	}
	var answer struct {
		Completion struct {
			Values []string `json:"values"`
			Total  int      `json:"total"`
			More   bool     `json:"hasMore"`
		} `json:"completion"`
	}
	if err := a.ask(ctx, "completion/complete", nil, params, &answer); err != nil {
		return nil, err
	}
	return &mcp.CompleteResult{Values: answer.Completion.Values, Total: answer.Completion.Total, More: answer.Completion.More}, nil
}
