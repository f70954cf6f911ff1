package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ingot-run/ingot/mcp"
)

// taskOptions have clients of the suite ask often.
var taskOptions = &mcp.TaskOptions{TTL: 10 * time.Minute, Poll: 200 * time.Millisecond}

// addTasks adds the tools whose calls become tasks for clients that know them
// (extension io.modelcontextprotocol/tasks, SEP-2663), and greet, whose calls
// never do.
func addTasks(server *mcp.Server) {
	type person struct {
		Name string `json:"name" description:"Whom to greet."`
	}
	mcp.AddTool(server, mcp.Tool{Name: "greet", Description: "Greets, at once."},
		func(_ context.Context, _ *mcp.CallRequest, in *person) (*mcp.CallResult, error) {
			return mcp.TextResult("Hello, " + in.Name + "!"), nil
		})
	type computation struct {
		Seconds float64 `json:"seconds" minimum:"0" maximum:"3600" description:"How long it takes; nothing becomes a task at 0."`
		Label   string  `json:"label,omitzero" description:"Is in the result."`
	}
	mcp.AddTool(server, mcp.Tool{Name: "slow_compute", Description: "Computes for some time.", Task: mcp.TaskOptional},
		func(ctx context.Context, req *mcp.CallRequest, in *computation) (*mcp.CallResult, error) {
			if in.Seconds > 0 {
				var err error
				if ctx, err = req.Call().StartTask(ctx, taskOptions); err != nil {
					return nil, err
				}
			}
			if err := sleep(ctx, time.Duration(in.Seconds*float64(time.Second))); err != nil {
				return nil, err
			}
			return mcp.TextResult(fmt.Sprintf("computed %q in %g seconds", in.Label, in.Seconds)), nil
		})
	task := func(name, description string, mode mcp.TaskMode, work func(ctx context.Context, c *mcp.Call) (string, error)) {
		mcp.AddTool(server, mcp.Tool{Name: name, Description: description, Task: mode},
			func(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
				ctx, err := req.Call().StartTask(ctx, taskOptions)
				if err != nil {
					return nil, err
				}
				text, err := work(ctx, req.Call())
				if err != nil {
					return nil, err
				}
				return mcp.TextResult(text), nil
			})
	}
	task("failing_job", "Works as a task and fails.", mcp.TaskRequired, func(ctx context.Context, _ *mcp.Call) (string, error) {
		if err := sleep(ctx, time.Second); err != nil {
			return "", err
		}
		return "", errors.New("the job failed, as it always does")
	})
	task("protocol_error_job", "Works as a task and ends with a JSON-RPC error.", mcp.TaskOptional, func(context.Context, *mcp.Call) (string, error) {
		return "", &mcp.Error{Code: mcp.CodeInternal, Message: "the job broke the protocol, as it always does"}
	})
	task("multi_input", "Works as a task and asks the user two things at once.", mcp.TaskOptional, askTwoNames)
	addTasksThatAsk(server)
}

// askTwoNames asks two questions that can be answered one by one.
func askTwoNames(ctx context.Context, c *mcp.Call) (string, error) {
	type nameAndConsent struct {
		Name    string `json:"name"`
		Confirm bool   `json:"confirm"`
	}
	answers, err := c.Ask(ctx, map[string]mcp.Question{
		"first":  form[nameAndConsent]("Who is first?"),
		"second": form[nameAndConsent]("Who is second?"),
	})
	if err != nil {
		return "", err
	}
	first, err := filled[nameAndConsent](answers["first"])
	if err != nil {
		return "", err
	}
	second, err := filled[nameAndConsent](answers["second"])
	return first.Name + " before " + second.Name, err
}

// addTasksThatAsk adds one tool that asks while it is a task, and one that asks
// before it becomes one.
func addTasksThatAsk(server *mcp.Server) {
	type deletion struct {
		Filename string `json:"filename" description:"What to delete (nothing is)."`
	}
	type consent struct {
		Confirm bool `json:"confirm"`
	}
	mcp.AddTool(server, mcp.Tool{Name: "confirm_delete", Description: "Works as a task that asks the user before it deletes.", Task: mcp.TaskOptional},
		func(ctx context.Context, req *mcp.CallRequest, in *deletion) (*mcp.CallResult, error) {
			ctx, err := req.Call().StartTask(ctx, taskOptions)
			if err != nil {
				return nil, err
			}
			answer, err := askForm[consent](ctx, req.Call(), "confirm", "Delete "+in.Filename+"?")
			if err != nil {
				return nil, err
			}
			if !answer.Confirm {
				return mcp.TextResult(in.Filename + " stays"), nil
			}
			return mcp.TextResult(in.Filename + " is deleted"), nil
		})
	mcp.AddTool(server, mcp.Tool{Name: "test_tool_with_task", Description: "Asks the user's name, then works as a task.", Task: mcp.TaskRequired},
		func(ctx context.Context, req *mcp.CallRequest, _ *none) (*mcp.CallResult, error) {
			in, err := askForm[nameForm](ctx, req.Call(), "user_name", "What is your name?")
			if err != nil {
				return nil, err
			}
			if _, err := req.Call().StartTask(ctx, taskOptions); err != nil {
				return nil, err
			}
			return mcp.TextResult("Worked for " + in.Name), nil
		})
}
