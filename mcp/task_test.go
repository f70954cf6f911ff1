package mcp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withTasks makes a modern request of a client that knows tasks.
func withTasks(method, params string) []byte {
	return []byte(`{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`)
}

// waitingTask is a server on a store with a tool whose calls are tasks.
func waitingTask(store TaskStore) (*Server, chan string) {
	s := NewServer(sealed(Options{Tasks: store, MaxTasks: 2}))
	release := make(chan string)
	s.AddTool(Tool{Name: "wait", Task: TaskRequired}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		ctx, err := req.Call().StartTask(ctx, nil)
		if err != nil {
			return nil, err
		}
		select {
		case text := <-release:
			return TextResult(text), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	return s, release
}

func ask(t *testing.T, s *Server, principal string, frame []byte) string {
	e := s.NewExchange(frame)
	e.Principal = principal
	return string(e.Answer(t.Context(), "", nil))
}

// A task is there for its principal only, also while it asks and from the store.
func TestTaskBelongsToItsPrincipal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, release := waitingTask(nil)
		defer s.Close()
		made := taskPattern.FindStringSubmatch(ask(t, s, "ada", withTasks("tools/call", `"name":"wait"`)))
		require.NotNil(t, made)
		get := withTasks("tasks/get", `"taskId":"`+made[1]+`"`)
		for range 2 {
			synctest.Wait()
			assert.Contains(t, ask(t, s, "eve", get), "there is no task")
			assert.Contains(t, ask(t, s, "", withTasks("tasks/cancel", `"taskId":"`+made[1]+`"`)), "there is no task")
			select {
			case release <- "done":
				synctest.Wait()
			default:
			}
		}
		assert.Contains(t, ask(t, s, "ada", get), `"status":"completed"`)
		assert.GreaterOrEqual(t, len(made[1]), 26, "128 bits in base32")
	})
}

// What a server that has ended worked on has failed; what it finished is kept.
func TestTasksOutliveTheirServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryTasks{max: 10}
		first, release := waitingTask(store)
		start := func() string {
			return taskPattern.FindStringSubmatch(ask(t, first, "", withTasks("tools/call", `"name":"wait"`)))[1]
		}
		finished, running := start(), start()
		release <- "done"
		synctest.Wait()
		if strings.Contains(ask(t, first, "", withTasks("tasks/get", `"taskId":"`+running+`"`)), "completed") {
			finished, running = running, finished // either may have been let go
		}
		second, _ := waitingTask(store)
		get := func(id string) string { return ask(t, second, "", withTasks("tasks/get", `"taskId":"`+id+`"`)) }
		assert.Contains(t, get(finished), `"text":"done"`)
		assert.Contains(t, get(running), `"status":"failed"`)
		assert.Contains(t, get(running), `"error":{"code":-32603,"message":"the server that ran this task has ended"}`)
		assert.Contains(t, ask(t, second, "", withTasks("tasks/update", `"taskId":"`+running+`","inputResponses":{}`)), `"resultType":"complete"`)
		first.Close()
		second.Close()
	})
}

func TestTasksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := waitingTask(nil)
		call := func() string { return ask(t, s, "", withTasks("tools/call", `"name":"wait"`)) }
		assert.Contains(t, call(), `"resultType":"task"`)
		assert.Contains(t, call(), `"resultType":"task"`)
		assert.Contains(t, call(), errTooManyTasks.Error())
		s.Close()
		assert.Contains(t, call(), "isError")
	})
	full := &memoryTasks{max: 1}
	require.NoError(t, full.Put(t.Context(), "a", []byte("1"), time.Hour))
	require.NoError(t, full.Put(t.Context(), "a", []byte("2"), 0))
	_, err := full.Get(t.Context(), "a")
	require.ErrorIs(t, err, ErrNoTask, "it has ended")
	require.NoError(t, full.Put(t.Context(), "b", nil, time.Hour), "in place of what has ended")
	require.ErrorIs(t, full.Put(t.Context(), "c", nil, time.Hour), errTooManyTasks)
}

// brokenStore fails to store.
type brokenStore struct{}

func (brokenStore) Put(context.Context, string, []byte, time.Duration) error {
	return errors.New("the disk is full")
}
func (brokenStore) Get(context.Context, string) ([]byte, error) { return nil, errors.New("no disk") }

func TestTaskThatCannotBeStored(t *testing.T) {
	s, _ := waitingTask(brokenStore{})
	defer s.Close()
	assert.Contains(t, ask(t, s, "", withTasks("tools/call", `"name":"wait"`)), "storing a task: the disk is full")
	assert.Empty(t, s.tasks)
	assert.Contains(t, ask(t, s, "", withTasks("tasks/get", `"taskId":"x"`)), `"code":-32603,"message":"the task cannot be read: no disk"`)
}

// A legacy client that asks for no task waits.
func TestLegacyClientsWaitForTasks(t *testing.T) {
	s := newStage()
	defer s.Close()
	e := s.NewExchange([]byte(call(1, "task_brief", "{}", false)))
	assert.Equal(t, said("1", "brief"), string(e.Answer(t.Context(), VersionLegacy, nil)))
	assert.Panics(t, func() { s.AddTool(Tool{Name: "x", Inline: true, Task: TaskOptional}, echo) })
}
