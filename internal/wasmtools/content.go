package wasmtools

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ingot-run/ingot/mcp"
)

// The forms that guests write, of which package mcp has the Go types. Members
// that are not named here are left out.

// wireContent is a block of content.
type wireContent struct {
	Type     mcp.ContentType `json:"type"`
	Text     string          `json:"text"`
	Data     []byte          `json:"data"`
	MIMEType string          `json:"mimeType"`
	Resource wireContents    `json:"resource"`

	wireResource `json:",inline"`
}

// wireResource is a resource as it is listed, or linked to.
type wireResource struct {
	URI         string `json:"uri"`
	Name        string `json:"name"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Size        int64  `json:"size"`
}

// wireContents is what a resource holds.
type wireContents struct {
	URI      string         `json:"uri"`
	MIMEType string         `json:"mimeType"`
	Text     string         `json:"text"`
	Blob     []byte         `json:"blob"`
	Meta     jsontext.Value `json:"_meta"`
}

func (w wireContents) contents() mcp.ResourceContents {
	return mcp.ResourceContents{URI: w.URI, MIMEType: w.MIMEType, Text: w.Text, Blob: w.Blob, Meta: w.Meta}
}

func (w wireResource) resource(mimeType string) mcp.Resource {
	return mcp.Resource{URI: w.URI, Name: w.Name, Title: w.Title, Description: w.Description, MIMEType: mimeType, Size: w.Size}
}

// content reads one block. One of a kind that is not known goes on as its JSON text.
func content(raw jsontext.Value) (mcp.Content, error) {
	var w wireContent
	if err := json.Unmarshal(raw, &w); err != nil {
		return mcp.Content{}, fmt.Errorf("reading a block of content: %w", err)
	}
	switch w.Type {
	case mcp.ContentText, mcp.ContentImage, mcp.ContentAudio:
		return mcp.Content{Type: w.Type, Text: w.Text, Data: w.Data, MIMEType: w.MIMEType}, nil
	case mcp.ContentLink:
		link := w.resource(w.MIMEType)
		return mcp.Content{Type: w.Type, Link: &link}, nil
	case mcp.ContentResource:
		contents := w.Resource.contents()
		return mcp.Content{Type: w.Type, Resource: &contents}, nil
	default:
		return mcp.Content{Type: mcp.ContentText, Text: string(raw)}, nil
	}
}

// ownResult is a result of tools/call that the guest wrote itself.
func ownResult(raw []byte) (*mcp.CallResult, error) {
	var guest struct {
		Content    []jsontext.Value `json:"content"`
		Structured jsontext.Value   `json:"structuredContent"`
		IsError    bool             `json:"isError"`
	}
	if err := json.Unmarshal(raw, &guest); err != nil {
		return nil, fmt.Errorf("reading the guest's result: %w", err)
	}
	result := &mcp.CallResult{Structured: guest.Structured, IsError: guest.IsError}
	for _, block := range guest.Content {
		c, err := content(block)
		if err != nil {
			return nil, err
		}
		result.Content = append(result.Content, c)
	}
	return result, nil
}
