package inmemory_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/inmemory"
)

// No test of this package leaves a goroutine behind. As GOOS=js there is one of
// the runtime's, for events.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent"))
}

func Example() {
	ctx := context.Background()
	client := inmemory.Connect(ctx, mcp.NewServer(mcp.Options{}), mcp.ConnOptions{})
	defer client.Close()
	client.Send([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	frame, err := client.Receive(ctx)
	fmt.Println(string(frame), err)
	// Output: {"jsonrpc":"2.0","id":1,"result":{}} <nil>
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`

func echoServer() *mcp.Server {
	s := mcp.NewServer(mcp.Options{MaxMessageBytes: 1000})
	s.AddTool(mcp.Tool{Name: "echo"}, func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		return mcp.TextResult(string(r.Arguments)), nil
	})
	return s
}

// More calls than either side holds, in both directions at once.
func TestManyCalls(t *testing.T) {
	client := inmemory.Connect(t.Context(), echoServer(), mcp.ConnOptions{})
	defer client.Close()
	client.Send([]byte(initialize))
	first, err := client.Receive(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(first), `"id":0`)
	const calls = 5000
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range calls {
			client.Send(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"n":%d}}}`, i, i))
		}
	}()
	seen := map[string]bool{}
	for range calls {
		frame, err := client.Receive(t.Context())
		require.NoError(t, err)
		seen[string(frame)] = true
	}
	<-sent
	for i := range calls {
		require.True(t, seen[fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"{\"n\":%d}"}]}}`, i, i)], i)
	}
}

func TestTooLong(t *testing.T) {
	client := inmemory.Connect(t.Context(), echoServer(), mcp.ConnOptions{})
	defer client.Close()
	client.Send([]byte(strings.Repeat(" ", 1001)))
	frame, err := client.Receive(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(frame), "the limit of 1000 bytes")
}

func TestEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := inmemory.Connect(ctx, echoServer(), mcp.ConnOptions{})
	cancel()
	_, err := client.Receive(t.Context())
	assert.ErrorIs(t, err, context.Canceled)
	client.Close()
	client.Send([]byte(initialize)) // is not answered, and does no harm

	client = inmemory.Connect(t.Context(), echoServer(), mcp.ConnOptions{})
	client.Close()
	_, err = client.Receive(t.Context())
	assert.ErrorIs(t, err, mcp.ErrClosed)
}

// A client that never receives is held up, and Close ends that.
func TestClientThatDoesNotReceive(t *testing.T) {
	client := inmemory.Connect(t.Context(), echoServer(), mcp.ConnOptions{})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range 100 {
			client.Send([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		}
	}()
	client.Close()
	<-sent
}
