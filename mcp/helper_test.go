package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"github.com/ingot-run/ingot/mcp/seal"
)

// sealed returns o for a server that asks modern clients or makes tasks: with a
// Sealer where a build has none by itself.
func sealed(o Options) Options {
	if runtime.GOARCH == "wasm" {
		o.Sealer, o.StateKey = seal.New(o.StateKey), nil
	}
	return o
}

// modernMeta is the smallest _meta of a modern request.
const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

const legacyInitialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`

// call makes a tools/call; arguments is raw JSON.
func call(id any, tool, arguments string, modern bool) string {
	rawID, err := json.Marshal(id)
	if err != nil {
		panic(err)
	}
	meta := ""
	if modern {
		meta = "," + modernMeta
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s%s}}`, rawID, tool, arguments, meta)
}

func echoCall(id any, text string, modern bool) string {
	return call(id, "echo", fmt.Sprintf(`{"message":%q}`, text), modern)
}

// cancelOf makes the notification that cancels the request with id.
func cancelOf(id any) string {
	rawID, err := json.Marshal(id)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s,"reason":"test"}}`, rawID)
}

func lines(frames ...string) string { return strings.Join(frames, "\n") + "\n" }

type echoArguments struct {
	Message string `json:"message"`
}

func echo(_ context.Context, req *CallRequest) (*CallResult, error) {
	var in echoArguments
	if err := DecodeArguments(req.Arguments, &in); err != nil {
		return nil, err
	}
	return TextResult(in.Message), nil
}

const echoSchema = `{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}`
