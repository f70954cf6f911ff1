package main

import (
	"context"
	"fmt"

	"github.com/ingot-run/ingot/mcp"
)

// enumForm asks for a choice in each of the ways that a form knows (SEP-1330).
const enumForm = `{"type":"object","properties":{
	"untitledSingle":{"type":"string","description":"One option.","enum":["option1","option2","option3"]},
	"titledSingle":{"type":"string","description":"One option with a title.","oneOf":[
		{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
	"legacyEnum":{"type":"string","description":"One option, titled the old way.",
		"enum":["opt1","opt2","opt3"],"enumNames":["Option One","Option Two","Option Three"]},
	"untitledMulti":{"type":"array","description":"Some options.","minItems":1,"maxItems":3,
		"items":{"type":"string","enum":["option1","option2","option3"]}},
	"titledMulti":{"type":"array","description":"Some options with titles.","minItems":1,"maxItems":3,"items":{"anyOf":[
		{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}}}`

// addQuestions adds the tools that ask the client, in either era.
func addQuestions(server *mcp.Server) {
	type prompt struct {
		Prompt string `json:"prompt" description:"What to ask the model."`
	}
	mcp.AddTool(server, mcp.Tool{Name: "test_sampling", Description: "Asks the client's model."},
		func(ctx context.Context, req *mcp.CallRequest, in *prompt) (*mcp.CallResult, error) {
			result, err := req.Call().Sample(ctx, sampling(in.Prompt, 100))
			if err != nil {
				return nil, err
			}
			return mcp.TextResult("LLM response: " + textOf(result.Content)), nil
		})
	type message struct {
		Message string `json:"message" description:"What to say to the user."`
	}
	type response struct {
		Response string `json:"response" description:"User's response"`
	}
	mcp.AddTool(server, mcp.Tool{Name: "test_elicitation", Description: "Asks the user."},
		func(ctx context.Context, req *mcp.CallRequest, in *message) (*mcp.CallResult, error) {
			return elicit(ctx, req, "User response", in.Message, mcp.SchemaOf[response]())
		})
	type defaults struct {
		Name     string  `json:"name" description:"User name" default:"John Doe"`
		Age      int     `json:"age" description:"User age" default:"30"`
		Score    float64 `json:"score" description:"User score" default:"95.5"`
		Status   string  `json:"status" description:"User status" enum:"active,inactive,pending" default:"active"`
		Verified bool    `json:"verified" description:"Verification status" default:"true"`
	}
	mcp.AddTool(server, mcp.Tool{Name: "test_elicitation_sep1034_defaults", Description: "Asks the user by a form with defaults."},
		func(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
			return elicit(ctx, req, "Elicitation completed", "Please review and update the form fields with defaults", mcp.SchemaOf[defaults]())
		})
	mcp.AddTool(server, mcp.Tool{Name: "test_elicitation_sep1330_enums", Description: "Asks the user to choose from lists."},
		func(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
			return elicit(ctx, req, "Elicitation completed", "Please select options from the enum fields", []byte(enumForm))
		})
	mcp.AddTool(server, mcp.Tool{Name: "test_elicitation_url", Description: "Asks the user to visit a page."},
		func(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
			answer, err := req.Call().Elicit(ctx, &mcp.ElicitParams{Message: "Please visit the page", URL: "https://example.com/visit", ID: "visit-1"})
			if err != nil {
				return nil, err
			}
			return mcp.TextResult("The user chose to " + string(answer.Action)), nil
		})
	mcp.AddTool(server, mcp.Tool{Name: "test_missing_capability", Description: "Needs a client that can sample."},
		func(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
			if _, err := req.Call().Sample(ctx, sampling("Say something.", 10)); err != nil {
				return nil, err
			}
			return mcp.TextResult("The client can sample"), nil
		})
}

// sampling asks a model one thing.
func sampling(text string, maxTokens int) *mcp.SampleParams {
	return &mcp.SampleParams{
		Messages:  []mcp.SampleMessage{{Role: mcp.RoleUser, Content: []mcp.Content{{Type: mcp.ContentText, Text: text}}}},
		MaxTokens: maxTokens,
	}
}

// elicit asks the user and answers what came, after prefix.
func elicit(ctx context.Context, req *mcp.CallRequest, prefix, message string, form []byte) (*mcp.CallResult, error) {
	answer, err := req.Call().Elicit(ctx, &mcp.ElicitParams{Message: message, Schema: form})
	if err != nil {
		return nil, err
	}
	content := answer.Content
	if content == nil {
		content = []byte("{}")
	}
	return mcp.TextResult(fmt.Sprintf("%s: action=%s, content=%s", prefix, answer.Action, content)), nil
}

// textOf returns the first text among blocks.
func textOf(blocks []mcp.Content) string {
	for _, b := range blocks {
		if b.Type == mcp.ContentText {
			return b.Text
		}
	}
	return ""
}
