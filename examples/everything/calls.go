package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/mcp"
)

// addCalls adds the tools that speak to the client while they run.
func addCalls(server *mcp.Server) {
	mcp.AddTool(server, mcp.Tool{Name: "test_tool_with_logging", Description: "Logs three messages to the client."}, logThrice)
	mcp.AddTool(server, mcp.Tool{Name: "test_logging_tool", Description: "Logs to the client, if it asks for that."},
		func(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
			err := req.Call().Log(ctx, &mcp.LogMessage{Level: mcp.LogInfo, Logger: "everything", Data: "A message for whoever asked for it."})
			if err != nil {
				return nil, err
			}
			return mcp.TextResult("logged"), nil
		})
	mcp.AddTool(server, mcp.Tool{Name: "test_tool_with_progress", Description: "Reports its progress."}, progress)
	mcp.AddTool(server, mcp.Tool{Name: "test_reconnection", Description: "Closes the stream of its call before it answers; the client comes back for the answer."}, reconnect)
	addWait(server)
}

// addWait adds a tool whose calls take as long as the caller likes, and one
// that counts them: so a client sees that a call it cancelled has ended.
func addWait(server *mcp.Server) {
	type wait struct {
		Seconds float64 `json:"seconds" minimum:"0" maximum:"600" description:"How long to wait."`
	}
	type count struct {
		Calls int64 `json:"calls"`
	}
	var waiting atomic.Int64
	mcp.AddTool(server, mcp.Tool{Name: "wait", Description: "Answers after some time, or when it is cancelled."},
		func(ctx context.Context, _ *mcp.CallRequest, in *wait) (*mcp.CallResult, error) {
			waiting.Add(1)
			defer waiting.Add(-1)
			if err := sleep(ctx, time.Duration(in.Seconds*float64(time.Second))); err != nil {
				return nil, err
			}
			return mcp.TextResult(fmt.Sprintf("waited %g seconds", in.Seconds)), nil
		})
	mcp.AddTool(server, mcp.Tool{Name: "waiting", Description: "Counts the calls of wait that are going on."},
		func(context.Context, *mcp.CallRequest, *none) (*count, error) { return &count{waiting.Load()}, nil })
}

func logThrice(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
	for _, text := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
		if err := req.Call().Log(ctx, &mcp.LogMessage{Level: mcp.LogInfo, Data: text}); err != nil {
			return nil, err
		}
	}
	return mcp.TextResult("Tool with logging executed successfully"), nil
}

// reportPause is between reports, and before the answer: the TypeScript SDKs'
// clients hand a report on a moment after it came, and drop it when the answer
// has come by then.
const reportPause = 20 * time.Millisecond

func progress(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
	for _, done := range []float64{0, 50, 100} {
		report := &mcp.Progress{Progress: done, Total: 100, Message: fmt.Sprintf("Completed step %g of 100", done)}
		if err := req.Call().Progress(ctx, report); err != nil {
			return nil, err
		}
		if err := sleep(ctx, reportPause); err != nil {
			return nil, err
		}
	}
	return mcp.TextResult("Progress reported"), nil
}

// reconnectAfter leaves a client time to see that its stream has ended before
// the answer is there.
const reconnectAfter = 100 * time.Millisecond

func reconnect(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
	if err := req.Call().Interrupt(ctx); err != nil {
		return nil, err
	}
	if err := sleep(ctx, reconnectAfter); err != nil {
		return nil, err
	}
	return mcp.TextResult("You came back for this, or never left."), nil
}

// sleep waits, or returns ctx's error when that ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
