package forge_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// sentTraces are what came to the peers as traces, by their addresses: a header, and the
// spans as they are on the wire.
var sentTraces sync.Map

// telemetryEffects are those of the block telemetry.
func telemetryEffects() []effect {
	const tools = "tools: [{type: native, name: echo, handler: 'ingot::echo'}, {type: http, name: fetch, endpoint: ORIGIN/x, private: true, params: {}}]"
	one := func(block, shown string, see func(*world) string, keys ...string) effect {
		return effectOf("telemetry: {endpoint: ORIGIN"+block+"}\n"+tools, see, shown, keys...)
	}
	return []effect{
		one("", "tools/call echo", traced, "file.telemetry", "telemetry.endpoint"),
		one(", headers: {X-One: the-header}", "the-header", traced, "telemetry.headers"),
		one(", sample_ratio: 0", "no traces", traced, "telemetry.sample_ratio"),
		one(", service_name: called-so", "called-so", traced, "telemetry.service_name"),
		one(", baggage: true", "user=ada", baggaged, "telemetry.baggage"),
	}
}

// traced calls echo and says what was sent once the project is closed.
func traced(w *world) string {
	w.call("echo", `{"text":"hi"}`)
	if err := w.project.Close(); err != nil {
		return err.Error()
	}
	if sent, ok := sentTraces.Load(strings.TrimPrefix(w.peer.URL, "http://")); ok {
		return fmt.Sprint(sent)
	}
	return "no traces"
}

// baggaged calls fetch with baggage, and says what the peer was asked.
func baggaged(w *world) string {
	ctx, cancel := context.WithTimeout(w.ctx, w.patience)
	defer cancel()
	frame := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fetch","arguments":{},"_meta":{` +
		`"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","baggage":"user=ada",` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}` + "\n"
	var out lockedLog
	if err := w.project.Server().ServeStdio(ctx, strings.NewReader(frame), &out); err != nil {
		return "not served: " + err.Error()
	}
	return out.String()
}
