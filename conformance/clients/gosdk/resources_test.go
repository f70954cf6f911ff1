package gosdk

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/conformance/clients/harness"
)

// patience bounds the wait for a notification that has to come.
const patience = time.Minute

// The state's entries as resources, over each transport and version of the SDK:
// listed, read, completed, and told of when they change, by another client where
// there can be one.
func TestResources(t *testing.T) {
	ingot := buildIngot(t)
	stdio := func(t *testing.T) func() mcp.Transport {
		return func() mcp.Transport {
			command := exec.Command(harness.Binary(t), "--memory")
			command.Stderr = t.Output()
			return &mcp.CommandTransport{Command: command}
		}
	}
	over := func(transport func(origin string) mcp.Transport) func(t *testing.T) func() mcp.Transport {
		return func(t *testing.T) func() mcp.Transport {
			origin := serve(t, ingot)
			return func() mcp.Transport { return transport(origin) }
		}
	}
	streamable := over(func(origin string) mcp.Transport { return &mcp.StreamableClientTransport{Endpoint: origin + "/mcp"} })
	sse := over(func(origin string) mcp.Transport { return &mcp.SSEClientTransport{Endpoint: origin + "/sse"} })
	for _, c := range []struct {
		name, version string
		start         func(t *testing.T) func() mcp.Transport
		shared        bool // a second client meets the same server
	}{
		{"stdio", "2025-11-25", stdio, false},
		{"stdio", "2026-07-28", stdio, false},
		{"streamable", "2025-11-25", streamable, true},
		{"streamable", "2026-07-28", streamable, true},
		{"SSE", "2024-11-05", sse, true},
	} {
		t.Run(c.name+" "+c.version, func(t *testing.T) { testResources(t, c.start(t), c.version, c.shared) })
	}
}

// connected is a session, and the URIs that it is told have changed.
func connected(t *testing.T, transport mcp.Transport, version string) (*mcp.ClientSession, <-chan string) {
	t.Helper()
	changed := make(chan string, 100)
	client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk-test", Version: "1"}, &mcp.ClientOptions{
		ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { changed <- r.Params.URI },
	})
	session, err := client.Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	require.NoError(t, err)
	t.Cleanup(func() { session.Close() })
	return session, changed
}

func testResources(t *testing.T, transport func() mcp.Transport, version string, shared bool) {
	session, changed := connected(t, transport(), version)
	writer := session
	if shared {
		writer, _ = connected(t, transport(), version)
	}
	uris := map[string]string{"user:ada/näme": "state:///user:ada/n%C3%A4me", "bytes": "state:///bytes"}
	call(t, writer, "state_set", map[string]any{"key": "user:ada/näme", "value": "Ada"})
	call(t, writer, "state_set", map[string]any{"key": "bytes", "value_base64": "//79"})
	for batch := range 2 {
		var entries []any
		for i := range 550 {
			entries = append(entries, map[string]any{"key": fmt.Sprintf("many/%d/%04d", batch, i), "value": "v"})
		}
		call(t, writer, "state_batch_set", map[string]any{"entries": entries})
	}
	listed := map[string]string{}
	for resource, err := range session.Resources(t.Context(), nil) {
		require.NoError(t, err)
		listed[resource.Name] = resource.URI
	}
	require.Len(t, listed, 1102, "all pages")
	for key, uri := range uris {
		require.Equal(t, uri, listed[key])
	}
	read := func(uri string) *mcp.ResourceContents {
		result, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
		require.NoError(t, err)
		require.Len(t, result.Contents, 1)
		return result.Contents[0]
	}
	require.Equal(t, "Ada", read(uris["user:ada/näme"]).Text)
	require.Equal(t, []byte("\xff\xfe\xfd"), read(uris["bytes"]).Blob)
	_, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "state:///none"})
	require.Error(t, err)
	completed, err := session.Complete(t.Context(), &mcp.CompleteParams{
		Ref:      &mcp.CompleteReference{Type: "ref/resource", URI: "state:///{+key}"},
		Argument: mcp.CompleteParamsArgument{Name: "key", Value: "user"},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"user:ada/näme"}, completed.Completion.Values)

	require.NoError(t, session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: uris["user:ada/näme"]}))
	// A modern client of this SDK listens in the background: until it does, a change
	// may go by unheard, so one is made until one is heard.
	deadline := time.After(patience)
	heard := ""
	for i := 0; heard == ""; i++ {
		call(t, writer, "state_set", map[string]any{"key": "user:ada/näme", "value": fmt.Sprint(i)})
		if version != "2026-07-28" || i > 1000 {
			select {
			case heard = <-changed:
			case <-deadline:
				t.Fatal("no change was told of")
			}
		}
		select {
		case heard = <-changed:
		default:
		}
	}
	require.Equal(t, uris["user:ada/näme"], heard)
}
