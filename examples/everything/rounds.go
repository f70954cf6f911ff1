package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ingot-run/ingot/mcp"
)

// Forms of the questions below.
type (
	nameForm struct {
		Name string `json:"name"`
	}
	colorForm struct {
		Color string `json:"color"`
	}
	confirmForm struct {
		OK bool `json:"ok"`
	}
	contextForm struct {
		Context string `json:"context"`
	}
	valueForm struct {
		Value string `json:"value"`
	}
)

// addRounds adds the tools that ask under keys of their own (Call.Ask), as the
// suite's scenarios of multi-round requests want it (SEP-2322).
func addRounds(server *mcp.Server) {
	add := func(name, description string, f func(ctx context.Context, c *mcp.Call) (string, error)) {
		mcp.AddTool(server, mcp.Tool{Name: "test_" + name, Description: description},
			func(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
				text, err := f(ctx, req.Call())
				if err != nil {
					return nil, err
				}
				return mcp.TextResult(text), nil
			})
	}
	add("input_required_result_elicitation", "Asks the user's name and greets.", func(ctx context.Context, c *mcp.Call) (string, error) {
		in, err := askForm[nameForm](ctx, c, "user_name", "What is your name?")
		return "Hello, " + in.Name + "!", err
	})
	add("input_required_result_sampling", "Asks the client's model.", func(ctx context.Context, c *mcp.Call) (string, error) {
		answers, err := c.Ask(ctx, map[string]mcp.Question{"capital_question": sampling("What is the capital of France?", 100)})
		if err != nil {
			return "", err
		}
		result, err := answers["capital_question"].Sample()
		if err != nil {
			return "", err
		}
		return "Sampling result: " + textOf(result.Content), nil
	})
	add("input_required_result_list_roots", "Asks for the client's directories.", func(ctx context.Context, c *mcp.Call) (string, error) {
		answers, err := c.Ask(ctx, map[string]mcp.Question{"client_roots": &mcp.RootsParams{}})
		if err != nil {
			return "", err
		}
		roots, err := answers["client_roots"].Roots()
		return fmt.Sprintf("Found %d root(s)", len(roots)), err
	})
	for name, description := range map[string]string{
		"input_required_result_request_state":  "Asks for a yes; the state goes by the client.",
		"input_required_result_tampered_state": "Asks for a yes; a state that was changed is refused.",
	} {
		add(name, description, func(ctx context.Context, c *mcp.Call) (string, error) {
			_, err := askForm[confirmForm](ctx, c, "confirm", "Please confirm")
			return "state-ok, integrity-ok: the state came back as it went", err
		})
	}
	add("input_required_result_multiple_inputs", "Asks three things at once.", askThree)
	add("input_required_result_multi_round", "Asks twice.", func(ctx context.Context, c *mcp.Call) (string, error) {
		first, err := askForm[nameForm](ctx, c, "step1", "Step 1: What is your name?")
		if err != nil {
			return "", err
		}
		second, err := askForm[colorForm](ctx, c, "step2", "Step 2: What is your favorite color?")
		return fmt.Sprintf("Multi-round complete for %s who likes %s", first.Name, second.Color), err
	})
	add("input_required_result_capabilities", "Asks what the client can answer.", askWhatItCan)
	add("streaming_elicitation", "Reports progress, then asks the user.", func(ctx context.Context, c *mcp.Call) (string, error) {
		if err := c.Progress(ctx, &mcp.Progress{Progress: 50, Total: 100}); err != nil {
			return "", err
		}
		in, err := askForm[valueForm](ctx, c, "value", "Which value?")
		return "The value is " + in.Value, err
	})
}

// askForm asks the user by a form made of T, and decodes what was filled in.
func askForm[T any](ctx context.Context, c *mcp.Call, key, message string) (in T, err error) {
	answers, err := c.Ask(ctx, map[string]mcp.Question{key: form[T](message)})
	if err != nil {
		return in, err
	}
	return filled[T](answers[key])
}

func form[T any](message string) *mcp.ElicitParams {
	return &mcp.ElicitParams{Message: message, Schema: mcp.SchemaOf[T]()}
}

// filled decodes a form that was accepted.
func filled[T any](a mcp.Answer) (in T, err error) {
	result, err := a.Elicit()
	if err != nil {
		return in, err
	}
	if result.Action != mcp.ElicitAccept {
		return in, errors.New("the user chose to " + string(result.Action))
	}
	return in, mcp.DecodeArguments(result.Content, &in)
}

// askThree asks the user, the model and for directories in one round.
func askThree(ctx context.Context, c *mcp.Call) (string, error) {
	answers, err := c.Ask(ctx, map[string]mcp.Question{
		"user_name":    form[nameForm]("What is your name?"),
		"greeting":     sampling("Generate a greeting", 50),
		"client_roots": &mcp.RootsParams{},
	})
	if err != nil {
		return "", err
	}
	name, err := filled[nameForm](answers["user_name"])
	if err != nil {
		return "", err
	}
	greeting, err := answers["greeting"].Sample()
	if err != nil {
		return "", err
	}
	roots, err := answers["client_roots"].Roots()
	return fmt.Sprintf("Name: %s; Greeting: %s; Roots: %d", name.Name, textOf(greeting.Content), len(roots)), err
}

// askWhatItCan asks one question of each kind, those left out that the client
// says it cannot answer. A modern client is asked all of them at once: what is
// not answered yet is asked when the handler returns.
func askWhatItCan(ctx context.Context, c *mcp.Call) (string, error) {
	questions := []struct {
		key string
		of  mcp.Question
	}{
		{"elicit_input", form[valueForm]("Elicitation input")},
		{"sample_input", sampling("Sample request", 50)},
		{"roots_input", &mcp.RootsParams{}},
	}
	answered, waiting := 0, false
	for _, q := range questions {
		_, err := c.Ask(ctx, map[string]mcp.Question{q.key: q.of})
		_, cannot := errors.AsType[*mcp.CapabilityError](err)
		switch {
		case err == nil:
			answered++
		case errors.Is(err, mcp.ErrInputRequired):
			waiting = true
		case !cannot:
			return "", err
		}
	}
	if waiting {
		return "", mcp.ErrInputRequired
	}
	return fmt.Sprintf("capabilities-ok: %d answers", answered), nil
}
