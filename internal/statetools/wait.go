package statetools

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// Bounds of state_wait.
const (
	waitDefault = 30 * time.Second
	waitMax     = time.Hour
	// taskKept is how long the result of a wait that became a task can be fetched.
	taskKept = 10 * time.Minute
)

func (t tools) wait(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
	var args struct {
		Key     string   `json:"key"`
		Version uint64   `json:"version"`
		Timeout *float64 `json:"timeout_seconds"`
	}
	if err := mcp.DecodeArguments(req.Arguments, &args); err != nil {
		return nil, err
	}
	if err := checkKey(args.Key, "key"); err != nil {
		return nil, err
	}
	timeout := waitDefault
	if args.Timeout != nil {
		if !(*args.Timeout > 0 && *args.Timeout <= waitMax.Seconds()) {
			return nil, &mcp.ArgumentError{Argument: "timeout_seconds", Problem: fmt.Sprintf("must be above 0 and at most %.0f", waitMax.Seconds())}
		}
		timeout = time.Duration(*args.Timeout * float64(time.Second))
	}
	e, err := t.state.Get(ctx, args.Key)
	if err == nil || errors.Is(err, state.ErrNotFound) {
		if e.Version != args.Version {
			return t.waited(e, true), nil // nothing to wait for, and so no task
		}
		if ctx, err = req.Call().StartTask(ctx, &mcp.TaskOptions{TTL: timeout + taskKept}); err != nil {
			return nil, err
		}
		e, err = t.waitFor(ctx, args.Key, args.Version, timeout)
	}
	switch {
	case ctx.Err() != nil:
		return nil, &mcp.Error{Code: mcp.CodeInternal, Message: "the wait was ended: " + context.Cause(ctx).Error()}
	case err != nil:
		return nil, explain(err, "key")
	}
	return t.waited(e, e.Version != args.Version), nil
}

// waitFor waits until key is not at version, and returns what is there.
func (t tools) waitFor(ctx context.Context, key string, version uint64, timeout time.Duration) (state.Entry, error) {
	w, err := t.state.Watch(ctx, state.WatchOptions{Prefix: key, Buffer: 16})
	if err != nil {
		return state.Entry{}, err
	}
	defer w.Close()
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		e, err := t.state.Get(ctx, key)
		if err != nil && !errors.Is(err, state.ErrNotFound) || e.Version != version {
			if errors.Is(err, state.ErrNotFound) {
				err = nil
			}
			return e, err
		}
		for about := ""; about != key; { // other keys begin with it too
			event, err := w.Next(limited)
			switch {
			case err != nil && ctx.Err() == nil && limited.Err() != nil:
				return e, nil // the time is over
			case err != nil:
				return e, err
			case event.Key == "": // events are missing, or everything was replaced
				about = key
			default:
				about = event.Key
			}
		}
	}
}

// waited is the answer of state_wait.
func (t tools) waited(e state.Entry, changed bool) *mcp.CallResult {
	out := strconv.AppendBool([]byte(`{"changed":`), changed)
	out = strconv.AppendBool(append(out, `,"found":`...), e.Found())
	return mcp.StructuredJSON(append(t.appendEntry(out, e), '}'))
}
