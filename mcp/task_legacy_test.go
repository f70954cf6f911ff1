package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// legacyFrame makes a request of version 2025-11-25.
func legacyFrame(method, params string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s}}`, method, params)
}

// exchanged returns the answer to a frame of a session.
func exchanged(t *testing.T, c *Session, frame []byte) string {
	t.Helper()
	return string(c.NewExchange(frame).Answer(t.Context(), "", nil))
}

func beginSession(t *testing.T, s *Server, version string, o SessionOptions) *Session {
	t.Helper()
	c := s.NewSession(o)
	require.Contains(t, exchanged(t, c, legacyFrame("initialize", `"protocolVersion":"`+version+`","capabilities":{}`)), version)
	return c
}

// Each session lists its own tasks, page by page; a task is got by its name from any
// session of the same principal.
func TestLegacyTasksAreListedBySession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		defer s.Close()
		first := beginSession(t, s.Server, VersionLegacy, SessionOptions{})
		defer first.Close()
		second := beginSession(t, s.Server, VersionLegacy, SessionOptions{})
		defer second.Close()
		stranger := beginSession(t, s.Server, VersionLegacy, SessionOptions{Principal: "eve"})
		defer stranger.Close()
		var made []string
		for range 10 {
			answer := exchanged(t, first, legacyFrame("tools/call", `"name":"task_brief","task":{}`))
			made = append(made, taskPattern.FindStringSubmatch(answer)[1])
		}
		synctest.Wait()
		var listed []string
		cursor := ""
		for pages := 1; ; pages++ {
			var page struct {
				Result struct {
					Tasks      []struct{ TaskID, Status string }
					NextCursor string
				}
			}
			require.NoError(t, json.Unmarshal([]byte(exchanged(t, first, legacyFrame("tasks/list", cursor))), &page))
			for _, task := range page.Result.Tasks {
				listed = append(listed, task.TaskID)
				assert.Equal(t, "completed", task.Status)
			}
			if page.Result.NextCursor == "" {
				assert.Equal(t, 3, pages, "four on a page")
				break
			}
			cursor = `"cursor":"` + page.Result.NextCursor + `"`
		}
		assert.Equal(t, made, listed)
		assert.Contains(t, exchanged(t, second, legacyFrame("tasks/list", "")), `"tasks":[]`)
		get := legacyFrame("tasks/get", `"taskId":"`+made[0]+`"`)
		assert.Contains(t, exchanged(t, second, get), `"status":"completed"`)
		assert.Contains(t, exchanged(t, stranger, get), "there is no task")
		assert.Contains(t, exchanged(t, stranger, legacyFrame("tasks/result", `"taskId":"`+made[0]+`"`)), "there is no task")
		assert.Contains(t, string(s.NewExchange(legacyFrame("tasks/list", "")).Answer(t.Context(), VersionLegacy, nil)), `"tasks":[]`, "nobody's")
	})
}

// Over streamable HTTP each request has a stream of its own: a task's questions go
// where its result is waited for, its status to the session's stream.
func TestLegacyTaskOverExchanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		defer s.Close()
		c := s.NewSession(SessionOptions{})
		defer c.Close()
		exchanged(t, c, legacyFrame("initialize", `"protocolVersion":"2025-11-25","capabilities":{"elicitation":{},"roots":{}}`))
		news := make(recorded, 100)
		ctx, detach := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { gone <- c.Attach(ctx, news) }()
		s.AddTool(Tool{Name: "sure", Task: TaskRequired}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
			ctx, err := req.Call().StartTask(ctx, nil)
			if err != nil {
				return nil, err
			}
			answer, err := req.Call().Elicit(ctx, &ElicitParams{Message: "Sure?"})
			if err != nil {
				return nil, err
			}
			return TextResult(string(answer.Action)), nil
		})
		made := taskPattern.FindStringSubmatch(exchanged(t, c, legacyFrame("tools/call", `"name":"sure","task":{"ttl":90000}`)))
		require.NotNil(t, made)
		synctest.Wait()
		assert.Contains(t, news.last(), `"ttl":90000,"pollInterval":1000,"status":"input_required"`)

		e := c.NewExchange(legacyFrame("tasks/result", `"taskId":"`+made[1]+`"`))
		questions := make(recorded, 100)
		e.Stream = questions
		result := make(chan string)
		go func() { result <- string(e.Answer(t.Context(), "", nil)) }()
		synctest.Wait()
		question := questions.last()
		assert.Contains(t, question, `"method":"elicitation/create","params":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"`+made[1]+`"}}`)
		id, _, _ := strings.Cut(question[strings.Index(question, `"id":`)+5:], ",")
		c.NewExchange([]byte(`{"jsonrpc":"2.0","id":`+id+`,"result":{"action":"accept"}}`)).Answer(t.Context(), "", nil)
		assert.Contains(t, <-result, `"text":"accept"}],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"`+made[1]+`"}}`)
		synctest.Wait()
		assert.Contains(t, news.last(), `"status":"completed"`)
		detach()
		require.Error(t, <-gone)

		// Who has no stream to be asked on waits until the task ends.
		made = taskPattern.FindStringSubmatch(exchanged(t, c, legacyFrame("tools/call", `"name":"sure","task":{"ttl":1000}`)))
		begun := time.Now()
		assert.Contains(t, exchanged(t, c, legacyFrame("tasks/result", `"taskId":"`+made[1]+`"`)), "the task ran longer than its 1s")
		assert.Equal(t, time.Second, time.Since(begun))
	})
}

// recorded is a Stream that keeps what is sent.
type recorded chan string

func (r recorded) Send(_ context.Context, frame []byte) error {
	r <- string(frame)
	return nil
}

// last returns what was sent last, and forgets all.
func (r recorded) last() (frame string) {
	for len(r) > 0 {
		frame = <-r
	}
	return frame
}

// Earlier versions know no tasks: the wish is ignored, and their methods are not there.
func TestEarlierVersionsHaveNoTasks(t *testing.T) {
	s := newStage()
	defer s.Close()
	c := beginSession(t, s.Server, "2025-06-18", SessionOptions{})
	defer c.Close()
	assert.Equal(t, said("1", "brief"), exchanged(t, c, legacyFrame("tools/call", `"name":"task_brief","task":{}`)))
	for _, method := range []string{"tasks/get", "tasks/result", "tasks/list", "tasks/cancel"} {
		assert.Contains(t, exchanged(t, c, legacyFrame(method, `"taskId":"x"`)), `"code":-32601`)
	}
	assert.NotContains(t, exchanged(t, c, legacyFrame("tools/list", "")), "taskSupport")

	plain := NewServer(Options{})
	plain.AddTool(Tool{Name: "echo"}, echo)
	d := beginSession(t, plain, VersionLegacy, SessionOptions{})
	defer d.Close()
	assert.Equal(t, said("1", "x"), exchanged(t, d, legacyFrame("tools/call", `"name":"echo","arguments":{"message":"x"},"task":{}`)), "a server without tasks ignores the wish")
	assert.Contains(t, exchanged(t, d, legacyFrame("tasks/list", "")), `"code":-32601`)
}

// A task that is waited for when the client's messages end does not hold up the end:
// it cannot be asked, and it may take long.
func TestEndOfInputWhileATaskIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		defer s.Close()
		c := beginSession(t, s.Server, VersionLegacy, SessionOptions{})
		made := taskPattern.FindStringSubmatch(exchanged(t, c, legacyFrame("tools/call", `"name":"task_slow","task":{}`)))
		answer := make(chan string)
		go func() { answer <- exchanged(t, c, legacyFrame("tasks/result", `"taskId":"`+made[1]+`"`)) }()
		synctest.Wait()
		c.Close()
		assert.Empty(t, <-answer)
		other := beginSession(t, s.Server, VersionLegacy, SessionOptions{})
		defer other.Close()
		assert.Contains(t, exchanged(t, other, legacyFrame("tasks/get", `"taskId":"`+made[1]+`"`)), `"status":"working"`, "the task goes on")
	})
}
