package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/golden"
)

// A dialogue is a transcript of a connection to the stage, a server with all
// there is, whose handlers run on workers. Beside the lines of a transcript:
//
//	! what is done to the server, by name: see stage.act
//	<state> stands for the request state that came last
//	<task> stands for the id of the task that was made last
//
// Each frame of the server is validated against the schema of its era.
func TestDialogues(t *testing.T) {
	golden.Scripts(t, "testdata/dialogues/*.txt", func(t *testing.T, script string) (got string) {
		synctest.Test(t, func(t *testing.T) { got = newDialogue(t).play(script) })
		return got
	})
}

type dialogue struct {
	t       *testing.T
	stage   *stage
	in      *io.PipeWriter
	out     *gatedWriter
	done    chan error
	methods map[string]string // of the client's requests, by raw id
	modern  map[string]bool
	state   string // the last request state
	task    string

	unordered bool // what is said in one step comes in any order
}

func newDialogue(t *testing.T) *dialogue {
	in, client := io.Pipe()
	d := &dialogue{
		t: t, stage: newStage(), in: client, out: &gatedWriter{}, done: make(chan error, 1),
		methods: map[string]string{}, modern: map[string]bool{},
	}
	go func() { d.done <- d.stage.ServeStdio(t.Context(), in, d.out) }()
	return d
}

// play performs the client's part and returns the dialogue as it went.
func (d *dialogue) play(script string) string {
	var got strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "< ") {
			continue
		}
		got.WriteString(line)
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, "> "); ok {
			d.say(text)
		} else if line == "! unordered" {
			d.unordered = true
		} else if act, ok := strings.CutPrefix(line, "! "); ok {
			d.stage.act(d.t, act)
		}
		d.hear(&got)
	}
	d.in.Close()
	d.hear(&got)
	require.NoError(d.t, <-d.done)
	d.stage.Close()
	d.hear(&got)
	return got.String()
}

// say sends a line of the client.
func (d *dialogue) say(text string) {
	text = strings.ReplaceAll(text, "<meta>", strings.TrimSuffix(modernMetaAll, "}"))
	text = strings.ReplaceAll(strings.ReplaceAll(text, "<state>", d.state), "<task>", d.task)
	var m struct {
		ID     json.RawMessage
		Method string
	}
	if json.Unmarshal([]byte(text), &m) == nil && m.Method != "" {
		d.methods[string(m.ID)] = m.Method
		d.modern[string(m.ID)] = strings.Contains(text, metaProtocolVersion)
	}
	_, err := io.WriteString(d.in, text+"\n")
	require.NoError(d.t, err)
}

// modernMetaAll is the _meta of a modern client that can do everything, as
// <meta>…} in a dialogue.
const modernMetaAll = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}}`

var (
	statePattern = regexp.MustCompile(`"requestState":"([A-Za-z0-9_-]+)"`)
	taskPattern  = regexp.MustCompile(`"taskId":"([A-Za-z0-9_-]+)"`)
)

// hear writes down what the server said once it can do no more.
func (d *dialogue) hear(got *strings.Builder) {
	synctest.Wait()
	frames := d.out.take()
	if d.unordered {
		frames = sortedStep(d.t, frames)
	}
	for _, frame := range frames {
		d.validate(frame)
		if m := statePattern.FindStringSubmatch(frame); m != nil {
			d.state = m[1]
			frame = strings.ReplaceAll(frame, m[1], "<state>")
		}
		if m := taskPattern.FindStringSubmatch(frame); m != nil {
			d.task = m[1]
		}
		if d.task != "" {
			frame = strings.ReplaceAll(frame, d.task, "<task>")
		}
		got.WriteString("< " + frame + "\n")
	}
}

// sortedStep brings what was said in one step into an order: of notifications about
// a task's status the last one stays, since those before it may have been skipped.
// A client hears of a task only when it has been given its name.
func sortedStep(t *testing.T, frames []string) []string {
	const status = `"method":"notifications/tasks/status"`
	var kept []string
	told, last := false, ""
	for _, frame := range frames {
		if strings.Contains(frame, status) {
			told, last = true, frame
			continue
		}
		require.False(t, told && strings.Contains(frame, `"result":{"task":{`), "told too early of %s", frame)
		kept = append(kept, frame)
	}
	slices.Sort(kept)
	if told {
		kept = append(kept, last)
	}
	return kept
}

// resultDefinitions name the schemas of results that both eras have.
var resultDefinitions = map[string]string{
	methodInitialize: "InitializeResult",
	methodPing:       "EmptyResult",
	methodDiscover:   "DiscoverResult",
	methodToolsList:  "ListToolsResult",
	methodToolsCall:  "CallToolResult",
	methodSetLevel:   "EmptyResult",

	methodPromptsList:   "ListPromptsResult",
	methodPromptsGet:    "GetPromptResult",
	methodResourcesList: "ListResourcesResult",
	methodTemplatesList: "ListResourceTemplatesResult",
	methodResourcesRead: "ReadResourceResult",
	methodComplete:      "CompleteResult",
	methodSubscribe:     "EmptyResult",
	methodUnsubscribe:   "EmptyResult",
	methodListen:        "SubscriptionsListenResult",

	methodTasksGet:    "GetTaskResult",
	methodTasksResult: "CallToolResult",
	methodTasksList:   "ListTasksResult",
	methodTasksCancel: "CancelTaskResult",
}

func (d *dialogue) validate(frame string) {
	d.t.Helper()
	var m struct {
		ID     json.RawMessage
		Method string
		Result map[string]any
		Error  map[string]any
	}
	require.NoError(d.t, json.Unmarshal([]byte(frame), &m), frame)
	version := VersionLegacy
	if d.modern[string(m.ID)] || strings.Contains(frame, metaSubscriptionID) {
		version = VersionModern
	}
	name, value := "", any(nil)
	require.NoError(d.t, json.Unmarshal([]byte(frame), &value))
	switch {
	case m.Method != "" && m.ID != nil:
		name = map[string]string{methodElicit: "ElicitRequest", methodSample: "CreateMessageRequest", methodRoots: "ListRootsRequest"}[m.Method]
	case m.Method == "notifications/tasks":
		return // of an extension; see tasks_test.go
	case m.Method == "notifications/subscriptions/acknowledged":
		name = "SubscriptionsAcknowledgedNotification"
	case m.Method != "":
		name = "ServerNotification"
	case m.Error != nil:
		name = "JSONRPCErrorResponse"
	default:
		value = value.(map[string]any)["result"]
		name = resultDefinitions[d.methods[string(m.ID)]]
		switch m.Result["resultType"] {
		case "input_required":
			name = "InputRequiredResult"
		case "task":
			return
		}
		if strings.HasPrefix(d.methods[string(m.ID)], "tasks/") && version == VersionModern {
			return
		}
		if m.Result["task"] != nil {
			name = "CreateTaskResult"
		}
	}
	require.NotEmpty(d.t, name, "no schema for %s", frame)
	require.NoError(d.t, definition(d.t, version, name).Validate(value), "%s", frame)
}

// stage is a server with all there is.
type stage struct {
	*Server
	release chan struct{} // lets the tool "wait" go on
}

func newStage() *stage {
	s := &stage{Server: NewServer(sealed(Options{Name: "stage", Version: "1", PageSize: 4})), release: make(chan struct{})}
	s.AddTool(Tool{Name: "echo"}, echo)
	s.AddTool(Tool{Name: "steps"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		call := req.Call()
		for _, p := range []Progress{{0.5, 2, "half"}, {0.25, 2, "back"}, {1, 0, ""}, {2, 2, "done"}} {
			if err := call.Progress(ctx, &p); err != nil {
				return nil, err
			}
		}
		return TextResult("done"), nil
	})
	s.AddTool(Tool{Name: "talk"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		for _, level := range logLevels {
			if err := req.Call().Log(ctx, &LogMessage{Level: level, Logger: "stage", Data: map[string]any{"at": level}}); err != nil {
				return nil, err
			}
		}
		return TextResult("said"), nil
	})
	s.AddTool(Tool{Name: "wait"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		select {
		case <-s.release:
			return TextResult("released"), nil
		case <-ctx.Done():
			err := req.Call().Log(context.Background(), &LogMessage{Level: LogError, Data: "still here"})
			return nil, fmt.Errorf("%w, %w", ctx.Err(), err)
		}
	})
	s.addQuestions()
	s.addContents()
	s.addTasks()
	return s
}

// addQuestions adds tools that ask their client.
func (s *stage) addQuestions() {
	form := &ElicitParams{Message: "Who are you?", Schema: []byte(`{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`)}
	s.AddTool(Tool{Name: "ask_name"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		r, err := req.Call().Elicit(ctx, form)
		if err != nil {
			return nil, err
		}
		return TextResult(string(r.Action) + " " + string(r.Content)), nil
	})
	s.AddTool(Tool{Name: "ask_url"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		call := req.Call()
		id := call.Keep("id", fmt.Sprintf("visit-%d", time.Now().UnixMilli()))
		r, err := call.Elicit(ctx, &ElicitParams{Message: "Log in", URL: "https://example.com/login?id=" + id, ID: id})
		if err != nil {
			return nil, err
		}
		return TextResult(string(r.Action) + " " + id), nil
	})
	s.AddTool(Tool{Name: "ask_twice"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		call := req.Call()
		first, err := call.Elicit(ctx, form)
		if err != nil {
			return nil, err
		}
		question := "More about " + string(first.Content)
		second, err := call.Sample(ctx, &SampleParams{MaxTokens: 10, Messages: []SampleMessage{{RoleUser, []Content{{Text: question}}}}})
		if err != nil {
			return nil, err
		}
		return TextResult(string(first.Content) + second.Content[0].Text + " by " + second.Model), nil
	})
	s.AddTool(Tool{Name: "ask_all"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		answers, err := req.Call().Ask(ctx, map[string]Question{
			"who": form, "where": &RootsParams{},
			"what": &SampleParams{MaxTokens: 5, SystemPrompt: "Be brief.", Messages: []SampleMessage{{RoleUser, []Content{{Text: "What?"}}}},
				Preferences: &ModelPreferences{Hints: []string{"small"}, SpeedPriority: 0.5}},
		})
		if err != nil {
			return nil, err
		}
		roots, err := answers["where"].Roots()
		if err != nil {
			return nil, err
		}
		return TextResult(fmt.Sprint(roots, string(answers["who"].raw), string(answers["what"].raw))), nil
	})
}

// Nothing may be sent for a call whose handler has returned.
func TestCallEndsWithItsHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(Options{})
		var kept *Call
		s.AddTool(Tool{Name: "leak"}, func(_ context.Context, req *CallRequest) (*CallResult, error) {
			kept = req.Call()
			return nil, nil
		})
		p := connect(t, s)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"leak","_meta":{"progressToken":7}}}`)
		assert.Len(t, p.answers(), 1)
		assert.ErrorIs(t, kept.Progress(t.Context(), &Progress{Progress: 1}), ErrClosed)
		assert.ErrorIs(t, kept.Log(t.Context(), &LogMessage{Level: LogError, Data: "x"}), ErrClosed)
		assert.Empty(t, p.answers())
		require.NoError(t, p.end())
	})
}

func TestLogMessagesOfACallAreBounded(t *testing.T) {
	s := NewServer(Options{})
	s.AddTool(Tool{Name: "flood", Inline: true}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		call := req.Call()
		for range logMessagesMax + 10 {
			if err := call.Log(ctx, &LogMessage{Level: LogInfo, Data: "x"}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	var out bytes.Buffer
	require.NoError(t, s.ServeStdio(t.Context(), strings.NewReader(lines(legacyInitialize, call(1, "flood", "{}", false))), &out))
	assert.Equal(t, logMessagesMax, strings.Count(out.String(), `"method":"notifications/message"`))
	assert.Contains(t, out.String(), "9999 log messages were sent for this call; no more will be")
}

func TestLogRefusesWhatIsNoMessage(t *testing.T) {
	s := NewServer(Options{})
	s.AddTool(Tool{Name: "bad", Inline: true}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
		assert.Error(t, req.Call().Log(ctx, &LogMessage{Level: "loud", Data: "x"}))
		assert.Error(t, req.Call().Log(ctx, &LogMessage{Level: LogError, Data: make(chan int)}))
		return nil, nil
	})
	var out bytes.Buffer
	require.NoError(t, s.ServeStdio(t.Context(), strings.NewReader(lines(legacyInitialize, call(1, "bad", "{}", false))), &out))
	assert.NotContains(t, out.String(), "notifications/message")
}
