package main

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/ingot-run/ingot/mcp"
)

// URIs of the resources.
const (
	staticText   = "test://static-text"
	staticBinary = "test://static-binary"
	watched      = "test://watched-resource"
	templated    = "test://template/{id}/data"
)

// fresh is how long a modern client may keep a resource that does not change.
const fresh = 5 * time.Minute

// addResources adds the resources, and a tool that changes one of them.
func addResources(server *mcp.Server) {
	constant := func(uri, name, mimeType string, contents mcp.ResourceContents) {
		contents.MIMEType = mimeType
		server.AddResource(mcp.Resource{URI: uri, Name: name, Description: "Does not change.", MIMEType: mimeType},
			func(context.Context, *mcp.ReadRequest) (*mcp.ReadResult, error) {
				return &mcp.ReadResult{Contents: []mcp.ResourceContents{contents}, Fresh: fresh, Public: true}, nil
			})
	}
	constant(staticText, "static-text", "text/plain", mcp.ResourceContents{Text: "This is the content of the static text resource."})
	constant(staticBinary, "static-binary", "image/png", mcp.ResourceContents{Blob: redPixel})
	server.AddTemplate(mcp.ResourceTemplate{URITemplate: templated, Name: "template", Description: "One for each id.", MIMEType: "application/json", Complete: completeID}, readTemplated)
	addWatched(server)
}

func readTemplated(_ context.Context, req *mcp.ReadRequest) (*mcp.ReadResult, error) {
	id := req.Variables["id"]
	text, err := json.Marshal(map[string]any{"id": id, "templateTest": true, "data": "Data for ID: " + id})
	if err != nil {
		return nil, err
	}
	return &mcp.ReadResult{Contents: []mcp.ResourceContents{{MIMEType: "application/json", Text: string(text)}}}, nil
}

// completeID suggests ids that begin with what was typed.
func completeID(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	return completed(req.Value, "1", "12", "123"), nil
}

// completed returns those of all that begin with typed.
func completed(typed string, all ...string) *mcp.CompleteResult {
	result := &mcp.CompleteResult{}
	for _, value := range all {
		if strings.HasPrefix(value, typed) {
			result.Values = append(result.Values, value)
		}
	}
	result.Total = len(result.Values)
	return result
}

// addWatched adds a resource to subscribe to, and the tool that changes it.
func addWatched(server *mcp.Server) {
	var mu sync.Mutex // guards text
	text := "Watched resource content"
	server.AddResource(mcp.Resource{URI: watched, Name: "watched-resource", Description: "Changes by the tool update_watched.", MIMEType: "text/plain"},
		func(context.Context, *mcp.ReadRequest) (*mcp.ReadResult, error) {
			mu.Lock()
			defer mu.Unlock()
			return &mcp.ReadResult{Contents: []mcp.ResourceContents{{MIMEType: "text/plain", Text: text}}}, nil
		})
	type change struct {
		Text string `json:"text" description:"The new content." maxLength:"10000"`
	}
	mcp.AddTool(server, mcp.Tool{Name: "update_watched", Description: "Changes " + watched + " and tells who subscribed to it."},
		func(_ context.Context, _ *mcp.CallRequest, in *change) (*mcp.CallResult, error) {
			mu.Lock()
			text = in.Text
			mu.Unlock()
			server.ResourceUpdated(watched)
			return mcp.TextResult("updated"), nil
		})
}
