package mcp

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Without a Sealer a wasm build says what is missing, and seals with nothing less.
func TestWasmNeedsASealerToAskAndForTasks(t *testing.T) {
	s := NewServer(Options{})
	assert.Panics(t, func() { s.AddTool(Tool{Name: "task", Task: TaskOptional}, echo) })
	assert.Panics(t, func() { NewServer(Options{StateKey: make([]byte, 32)}) })
	s.AddTool(Tool{Name: "ask"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		_, err := req.Call().Elicit(ctx, &ElicitParams{Message: "Who?"})
		require.ErrorIs(t, err, errNoSealer)
		return nil, err
	})
	frame := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}}}`
	answer := string(s.NewExchange([]byte(frame)).Answer(t.Context(), "", nil))
	assert.Contains(t, answer, `"isError":true`)
	assert.Contains(t, answer, "seal.New(nil)")
}
