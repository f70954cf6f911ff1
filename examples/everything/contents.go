package main

import (
	"context"
	"errors"

	"github.com/ingot-run/ingot/mcp"
)

// redPixel is a PNG of one red pixel.
var redPixel = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde" +
	"\x00\x00\x00\fIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82")

// silence is a WAV file of no samples: 8 kHz, mono, 16 bits.
var silence = []byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00")

var (
	image = mcp.Content{Type: mcp.ContentImage, Data: redPixel, MIMEType: "image/png"}
	audio = mcp.Content{Type: mcp.ContentAudio, Data: silence, MIMEType: "audio/wav"}
)

// embedded is a text resource inside a result.
func embedded(uri, mimeType, text string) mcp.Content {
	return mcp.Content{Type: mcp.ContentResource, Resource: &mcp.ResourceContents{URI: uri, MIMEType: mimeType, Text: text}}
}

// addContents adds the tools whose results are of each kind.
func addContents(server *mcp.Server) {
	type message struct {
		Message string `json:"message" description:"What to answer."`
	}
	yes, no := true, false
	mcp.AddTool(server, mcp.Tool{
		Name: "echo", Title: "Echo", Description: "Answers the message.", Inline: true,
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: &yes, IdempotentHint: &yes, DestructiveHint: &no, OpenWorldHint: &no},
	}, func(_ context.Context, _ *mcp.CallRequest, in *message) (*mcp.CallResult, error) {
		return mcp.TextResult(in.Message), nil
	})
	type terms struct {
		Terms []float64 `json:"terms" description:"The numbers to add." maxItems:"1000"`
	}
	type total struct {
		Sum float64 `json:"sum"`
	}
	mcp.AddTool(server, mcp.Tool{Name: "sum", Description: "Adds numbers; the result is structured."},
		func(_ context.Context, _ *mcp.CallRequest, in *terms) (*total, error) {
			var out total
			for _, term := range in.Terms {
				out.Sum += term
			}
			return &out, nil
		})
	fixed := func(name, description string, blocks ...mcp.Content) {
		mcp.AddTool(server, mcp.Tool{Name: name, Description: description}, func(context.Context, *mcp.CallRequest, *none) (*mcp.CallResult, error) {
			return &mcp.CallResult{Content: blocks}, nil
		})
	}
	fixed("test_simple_text", "Answers a text.", mcp.Content{Text: "This is a simple text response for testing."})
	fixed("test_image_content", "Answers an image.", image)
	fixed("test_audio_content", "Answers a sound.", audio)
	fixed("test_embedded_resource", "Answers a resource inside the result.",
		embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))
	fixed("test_resource_link", "Answers a link to a resource.",
		mcp.Content{Type: mcp.ContentLink, Link: &mcp.Resource{URI: staticText, Name: "static-text", MIMEType: "text/plain"}})
	fixed("test_multiple_content_types", "Answers a text, an image and a resource.",
		mcp.Content{Text: "Multiple content types test:"}, image,
		embedded("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`))
	mcp.AddTool(server, mcp.Tool{Name: "test_error_handling", Description: "Always fails."},
		func(context.Context, *mcp.CallRequest, *none) (*mcp.CallResult, error) {
			//lint:ignore ST1005 the suite's words
			return nil, errors.New("This tool intentionally returns an error for testing")
		})
}
