package fleet_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/fleet"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/state"
)

// patience is how long something may take that has to come.
const patience = 30 * time.Second

var idPattern = regexp.MustCompile(`"taskId":"([^"]+)"`)

// until repeats f until it says the text.
func until(t *testing.T, text string, f func() string) string {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		said := f()
		if strings.Contains(said, text) {
			return said
		}
		if time.Now().After(end) {
			require.Contains(t, said, text)
		}
	}
}

// node is a server with tools whose calls are tasks: wait ends by what release gets,
// sure asks its client.
type node struct {
	*mcp.Server
	tasks   *fleet.Tasks
	release chan string
	ended   chan error // of the handler of wait
}

func newNode(t *testing.T, m state.Manager, o fleet.TaskOptions) *node {
	key, err := fleet.Key(t.Context(), m)
	require.NoError(t, err)
	n := &node{tasks: fleet.NewTasks(m, o), release: make(chan string), ended: make(chan error, 10)}
	n.Server = mcp.NewServer(mcp.Options{Tasks: n.tasks, StateKey: key})
	n.AddTool(mcp.Tool{Name: "wait", Task: mcp.TaskRequired}, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		ctx, err := r.Call().StartTask(ctx, nil)
		if err != nil {
			return nil, err
		}
		select {
		case text := <-n.release:
			return mcp.TextResult(text), nil
		case <-ctx.Done():
			n.ended <- ctx.Err()
			return nil, ctx.Err()
		}
	})
	n.AddTool(mcp.Tool{Name: "sure", Task: mcp.TaskRequired}, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		ctx, err := r.Call().StartTask(ctx, nil)
		if err != nil {
			return nil, err
		}
		answer, err := r.Call().Elicit(ctx, &mcp.ElicitParams{Message: "Sure?"})
		if err != nil {
			return nil, err
		}
		return mcp.TextResult("so it is " + string(answer.Action)), nil
	})
	n.AddTool(mcp.Tool{Name: "ask"}, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		answer, err := r.Call().Elicit(ctx, &mcp.ElicitParams{Message: "Sure?"})
		if err != nil {
			return nil, err
		}
		return mcp.TextResult("so it is " + string(answer.Action)), nil
	})
	t.Cleanup(n.Close)
	return n
}

// ask makes a modern request of a client that knows tasks and can be asked.
func (n *node) ask(t *testing.T, principal, method, params string) string {
	t.Helper()
	frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
		`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`, method, params)
	e := n.NewExchange([]byte(frame))
	e.Principal = principal
	return string(e.Answer(t.Context(), "", nil))
}

func (n *node) get(t *testing.T, id string) func() string {
	return func() string { return n.ask(t, "ada", "tasks/get", `"taskId":"`+id+`"`) }
}

func (n *node) begin(t *testing.T, tool string) (id string) {
	t.Helper()
	made := n.ask(t, "ada", "tools/call", `"name":"`+tool+`"`)
	found := idPattern.FindStringSubmatch(made)
	require.NotNil(t, found, made)
	return found[1]
}

func opened(t *testing.T) state.Manager {
	m, err := state.Open(state.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // ends with the test
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				m.Tick(0)
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
	return m
}

// What one server runs is read, answered, listened to and cancelled at another.
func TestTasksAreShared(t *testing.T) {
	m := opened(t)
	a, b := newNode(t, m, fleet.TaskOptions{}), newNode(t, m, fleet.TaskOptions{})

	id := a.begin(t, "wait")
	assert.Contains(t, b.get(t, id)(), `"status":"working"`)
	assert.Contains(t, b.ask(t, "eve", "tasks/get", `"taskId":"`+id+`"`), "there is no task")
	assert.Contains(t, b.ask(t, "eve", "tasks/cancel", `"taskId":"`+id+`"`), "there is no task")
	a.release <- "done at a"
	until(t, `"text":"done at a"`, b.get(t, id))

	id = a.begin(t, "wait")
	assert.Contains(t, b.ask(t, "ada", "tasks/cancel", `"taskId":"`+id+`"`), `"resultType":"complete"`)
	until(t, `"status":"cancelled"`, b.get(t, id))
	require.ErrorIs(t, <-a.ended, context.Canceled)

	id = a.begin(t, "sure")
	asked := until(t, `"status":"input_required"`, b.get(t, id))
	key := regexp.MustCompile(`"inputRequests":\{"([^"]+)"`).FindStringSubmatch(asked)
	require.NotNil(t, key, asked)
	b.ask(t, "ada", "tasks/update", `"taskId":"`+id+`","inputResponses":{"`+key[1]+`":{"action":"decline"}}`)
	until(t, "so it is decline", b.get(t, id))
}

// heard is a stream that keeps what it gets.
type heard chan string

func (h heard) Send(_ context.Context, message []byte) error {
	h <- string(message)
	return nil
}

// Who listens at one server hears of another one's tasks, once of each change.
func TestTasksAreListenedToElsewhere(t *testing.T) {
	m := opened(t)
	a, b := newNode(t, m, fleet.TaskOptions{}), newNode(t, m, fleet.TaskOptions{})
	id := a.begin(t, "wait")
	streams := map[string]heard{}
	for name, n := range map[string]*node{"a": a, "b": b} {
		news := make(heard, 100)
		streams[name] = news
		frame := `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"taskIds":["` + id + `"]},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
			`"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`
		e := n.NewExchange([]byte(frame))
		e.Principal, e.Stream = "ada", news
		ctx, stop := context.WithCancel(t.Context())
		gone := make(chan struct{})
		go func() { e.Answer(ctx, "", nil); close(gone) }() // ends with ctx
		defer func() { stop(); <-gone }()
		require.Contains(t, receive(t, news), "subscriptions/acknowledged", name)
	}
	a.release <- "done"
	for name, news := range streams {
		require.Contains(t, receive(t, news), `"status":"completed"`, name)
	}
	other := b.begin(t, "wait") // its record is heard of after that of the first
	b.release <- "done"
	until(t, `"status":"completed"`, a.get(t, other))
	for name, news := range streams {
		assert.Empty(t, news, name)
	}
}

func receive(t *testing.T, news heard) string {
	t.Helper()
	select {
	case text := <-news:
		return text
	case <-time.After(patience):
		require.Fail(t, "nothing is heard")
		return ""
	}
}

// dead is a store that a server has lost: nothing it writes arrives.
type dead struct {
	state.Manager
	cut chan struct{} // closed: it is
}

func (d *dead) gone() bool {
	select {
	case <-d.cut:
		return true
	default:
		return false
	}
}

func (d *dead) Set(ctx context.Context, key string, value []byte, o state.SetOptions) (uint64, error) {
	if d.gone() && strings.Contains(key, "servers/") {
		return 0, fmt.Errorf("there is no way to the store")
	}
	return d.Manager.Set(ctx, key, value, o)
}

// The tasks of a server that is gone have failed after its lease, for good: one that
// was only slow gives them up.
func TestTasksOfALostServerFail(t *testing.T) {
	m := opened(t)
	cut := &dead{m, make(chan struct{})}
	o := fleet.TaskOptions{Lease: 300 * time.Millisecond}
	a, b := newNode(t, cut, o), newNode(t, m, o)
	id, ended := a.begin(t, "wait"), a.begin(t, "wait")
	a.release <- "in time"
	// Asked at a, which does not mind its own lease: a slow machine may have let it end.
	until(t, `"status":"completed"`, func() string { return a.get(t, id)() + a.get(t, ended)() })
	if strings.Contains(a.get(t, id)(), "completed") {
		id, ended = ended, id
	}
	close(cut.cut)
	failed := until(t, `"status":"failed"`, b.get(t, id))
	assert.Contains(t, failed, "the server that ran this task has ended")
	assert.Contains(t, b.get(t, ended)(), `"text":"in time"`)
	a.release <- "too late"
	until(t, `"status":"failed"`, a.get(t, id))
	assert.Contains(t, b.get(t, id)(), `"status":"failed"`)
	assert.NotContains(t, b.get(t, id)(), "too late")
}

// A server that closes ends its tasks and is no longer among the others.
func TestLeaving(t *testing.T) {
	m := opened(t)
	a, b := newNode(t, m, fleet.TaskOptions{}), newNode(t, m, fleet.TaskOptions{})
	id := a.begin(t, "wait")
	servers := func() int {
		system, err := state.System(m, "tasks")
		require.NoError(t, err)
		page, err := system.List(t.Context(), state.ListOptions{Prefix: "servers/"})
		require.NoError(t, err)
		return len(page.Entries)
	}
	assert.Equal(t, 1, servers(), "b has no tasks yet")
	a.Close()
	assert.Equal(t, 0, servers())
	assert.Contains(t, b.get(t, id)(), `"text":"context canceled"`, "what its handler made of it")
}

// A question that one server asked is answered at another, since they share the key.
func TestRequestsGoOnElsewhere(t *testing.T) {
	m := opened(t)
	a, b := newNode(t, m, fleet.TaskOptions{}), newNode(t, m, fleet.TaskOptions{})
	asked := a.ask(t, "ada", "tools/call", `"name":"ask"`)
	parts := regexp.MustCompile(`"inputRequests":\{"([^"]+)".*"requestState":"([^"]+)"`).FindStringSubmatch(asked)
	require.NotNil(t, parts, asked)
	again := `"name":"ask","inputResponses":{"` + parts[1] + `":{"action":"decline"}},"requestState":"` + parts[2] + `"`
	assert.Contains(t, b.ask(t, "ada", "tools/call", again), "so it is decline")
	assert.Contains(t, b.ask(t, "eve", "tools/call", again), "not made by this server for this client")
	stranger := newNode(t, opened(t), fleet.TaskOptions{})
	assert.Contains(t, stranger.ask(t, "ada", "tools/call", again), "not made by this server for this client")
}
