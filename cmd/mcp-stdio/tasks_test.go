package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
)

// modern makes a request of a client that knows tasks, and returns its result.
func (s *server) modern(method, params string) map[string]any {
	s.t.Helper()
	s.id++
	_, err := fmt.Fprintf(s.stdin, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
		`"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`+"\n",
		s.id, method, params)
	require.NoError(s.t, err)
	line, err := s.lines.ReadBytes('\n')
	require.NoError(s.t, err)
	var answer struct {
		ID     int
		Result map[string]any
		Error  any
	}
	require.NoError(s.t, json.Unmarshal(line, &answer), "%s", line)
	require.Equal(s.t, s.id, answer.ID, "%s", line)
	require.Nil(s.t, answer.Error, "%s", line)
	return answer.Result
}

// wait begins to wait for a key, and returns the task that it has become.
func (s *server) wait(key string) (taskID string) {
	s.t.Helper()
	begun := s.modern("tools/call", fmt.Sprintf(`"name":"state_wait","arguments":{"key":%q,"version":0,"timeout_seconds":600}`, key))
	require.Equal(s.t, "task", begun["resultType"], "%v", begun)
	require.Equal(s.t, "working", begun["status"])
	return begun["taskId"].(string)
}

func (s *server) task(id string) map[string]any {
	s.t.Helper()
	return s.modern("tasks/get", fmt.Sprintf(`"taskId":%q`, id))
}

// ended polls until a task has ended.
func (s *server) ended(id string) map[string]any {
	s.t.Helper()
	for {
		if task := s.task(id); task["status"] != "working" {
			return task
		}
	}
}

// TestTasksOutliveTheProcess kills a server with a task that runs, one that is
// complete and one that was cancelled, and reads all of them from the next.
func TestTasksOutliveTheProcess(t *testing.T) {
	data := t.TempDir()
	first := startServer(t, data)
	running, complete, cancelled := first.wait("never"), first.wait("signal"), first.wait("nor this")
	_, err := first.call("state_set", `{"key":"signal","value":"go"}`)
	require.NoError(t, err)
	completed := first.ended(complete)
	require.Equal(t, "completed", completed["status"])
	result := completed["result"].(map[string]any)
	require.Equal(t, map[string]any{"changed": true, "found": true, "value": "go"}, withoutVersion(result["structuredContent"]))
	first.modern("tasks/cancel", fmt.Sprintf(`"taskId":%q`, cancelled))
	stopped := first.ended(cancelled)
	require.Equal(t, "cancelled", stopped["status"])
	require.Equal(t, "working", first.task(running)["status"])
	require.NoError(t, first.cmd.Process.Kill())
	_ = first.cmd.Wait() // it was killed

	second := startServer(t, data)
	require.Equal(t, completed, second.task(complete), "the result is as it was")
	require.Equal(t, stopped, second.task(cancelled))
	lost := second.task(running)
	require.Equal(t, "failed", lost["status"])
	require.Equal(t, "the server that ran this task has ended", lost["statusMessage"])
	require.Contains(t, lost["error"].(map[string]any)["message"], "has ended")
	second.modern("tasks/cancel", fmt.Sprintf(`"taskId":%q`, running)) // is no mistake
	require.Equal(t, "failed", second.task(running)["status"])

	// No client gets at the records by the tools.
	listed, err := second.call("state_list", `{}`)
	require.NoError(t, err)
	require.Len(t, listed["entries"], 1)
	_, err = second.call("state_get", `{"key":"\u0000ingot/tasks/records/`+running+`"}`)
	require.ErrorContains(t, err, "the server's own")

	// A server that is told to stop ends its tasks, and says so.
	graceful := second.wait("never")
	require.NoError(t, second.stdin.Close())
	require.NoError(t, second.cmd.Wait())
	third := startServer(t, data)
	ended := third.task(graceful)
	require.Equal(t, "failed", ended["status"])
	require.Contains(t, ended["statusMessage"], "the wait was ended")
}

func withoutVersion(content any) map[string]any {
	m := maps.Clone(content.(map[string]any))
	delete(m, "version")
	return m
}
