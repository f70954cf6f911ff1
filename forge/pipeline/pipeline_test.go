package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/forge/pipeline"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/inmemory"
)

type tools map[string]mcp.Handler

func (t tools) lookup(name string) (mcp.Handler, bool) {
	h, ok := t[name]
	return h, ok
}

// echo answers with its arguments.
func echo(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
	return mcp.StructuredJSON(append([]byte(nil), r.Arguments...)), nil
}

// say answers with a text.
func say(text string) mcp.Handler {
	return func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return mcp.TextResult(text), nil }
}

// fail fails.
func fail(err error) mcp.Handler {
	return func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return nil, err }
}

// hang waits for the end of the call.
func hang(ctx context.Context, _ *mcp.CallRequest) (*mcp.CallResult, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func tool(output string, steps ...config.Step) *config.Tool {
	t := &config.Tool{Kind: config.KindPipeline, Name: "p", Pipeline: &config.Pipeline{Steps: steps, Output: []byte(output)}}
	for _, name := range []string{"n", "s", "list", "evil"} {
		t.Params = append(t.Params, config.Param{Name: name})
	}
	return t
}

func build(t testing.TB, with tools, made *config.Tool) mcp.Handler {
	h, err := pipeline.New(made, with.lookup, config.Secrets{})
	require.NoError(t, err)
	return h
}

const arguments = `{"n":1.50,"s":"Ada","list":[1,{"x":true}],"evil":"{{n}} ${HOME} 1+1"}`

func run(h mcp.Handler) (string, error) {
	result, err := h(context.Background(), &mcp.CallRequest{Name: "p", Arguments: []byte(arguments)})
	if err != nil {
		return "", err
	}
	if result.Structured != nil {
		return string(result.Structured), nil
	}
	return "text " + result.Content[0].Text, nil
}

func TestSteps(t *testing.T) {
	with := tools{
		"echo": echo, "hello": say("hello"), "list": say(` [1, 2]`), "number": say("12"), "broken": fail(errors.New("no luck")),
		"model": say(`{"n": 7}`),
		"image": func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
			return &mcp.CallResult{Content: []mcp.Content{{Type: mcp.ContentImage, Data: []byte("abc"), MIMEType: "image/png"}}}, nil
		},
	}
	type s = config.Step
	in := func(text string) json.RawMessage { return json.RawMessage(text) }
	for name, c := range map[string]struct {
		tool *config.Tool
		want string
	}{
		"values keep their types":     {tool("", s{Tool: "echo", Input: in(`{"a":"{{n}}","b":["{{list}}"],"c":"<{{s}}>","d":"{{list.1.x}}"}`)}), `{"a":1.50,"b":[[1,{"x":true}]],"c":"<Ada>","d":true}`},
		"one text gives the input":    {tool("", s{Tool: "echo", Input: in(`"{{list.1}}"`)}), `{"x":true}`},
		"no input":                    {tool("", s{Tool: "echo"}), `{}`},
		"the last answer":             {tool("", s{Tool: "echo"}, s{Tool: "hello"}), `text hello`},
		"output_var":                  {tool("", s{Tool: "hello", OutputVar: "h"}, s{Tool: "echo", Input: in(`{"h":"{{h}}"}`)}), `{"h":"hello"}`},
		"a text that is a list":       {tool("", s{Tool: "list", OutputVar: "l"}, s{Tool: "echo", Input: in(`{"l":"{{l.1}}"}`)}), `{"l":2}`},
		"a text that is a number":     {tool("", s{Tool: "number", OutputVar: "l"}, s{Tool: "echo", Input: in(`{"l":"{{l}}"}`)}), `{"l":"12"}`},
		"input_from":                  {tool("", s{Tool: "model", OutputVar: "m"}, s{Tool: "echo", InputFrom: "m"}), `{"n": 7}`},
		"a step that is left out":     {tool(`{"h":"{{h}}","s":"{{s}}"}`, s{Tool: "broken", Condition: "n > 2", OutputVar: "h"}), `{"s":"Ada"}`},
		"a condition that holds":      {tool("", s{Tool: "hello", Condition: `n < 2 and s == "Ada"`}), `text hello`},
		"a condition over answers":    {tool("", s{Tool: "model", OutputVar: "m"}, s{Tool: "hello", Condition: `m.n == 7`}, s{Tool: "broken", Condition: `m.n != 7`}), `text hello`},
		"all left out":                {tool("", s{Tool: "broken", Condition: "false"}), `{}`},
		"continue":                    {tool(`{"h":"{{h}}"}`, s{Tool: "broken", ErrorPolicy: config.ErrorContinue, OutputVar: "b"}, s{Tool: "hello", OutputVar: "h", Condition: "b == nil"}), `{"h":"hello"}`},
		"a condition that breaks off": {tool("", s{Tool: "broken", Condition: "s.x", ErrorPolicy: config.ErrorContinue}, s{Tool: "hello"}), `text hello`},
		"output of any type":          {tool(`["{{n}}","{{s}}"]`, s{Tool: "hello"}), `text [1.50,"Ada"]`},
		"output that is a text":       {tool(`"<{{h}}>"`, s{Tool: "hello", OutputVar: "h"}), `text <hello>`},
		"content that is no text":     {tool(`{"i":"{{i}}"}`, s{Tool: "image", OutputVar: "i"}), `{"i":[{"type":"image","mimeType":"image/png","data":"YWJj"}]}`},
		"templates in values":         {tool("", s{Tool: "echo", OutputVar: "e", Input: in(`{"e":"{{evil}}"}`)}, s{Tool: "echo", Input: in(`{"again":"{{e.e}}","in text":"[{{e.e}}]"}`)}), `{"again":"{{n}} ${HOME} 1+1","in text":"[{{n}} ${HOME} 1+1]"}`},
		"parallel":                    {tool("", s{Parallel: []s{{Tool: "hello", OutputVar: "a"}, {Tool: "model", OutputVar: "b"}, {Tool: "hello"}}}), `{"a":"hello","b":{"n": 7}}`},
		"parallel, then more":         {tool(`{"a":"{{a}}","all":"{{all}}"}`, s{OutputVar: "all", Parallel: []s{{Tool: "hello", OutputVar: "a"}, {Tool: "broken", OutputVar: "b", ErrorPolicy: config.ErrorContinue}}}), `{"a":"hello","all":{"a":"hello"}}`},
		"groups in groups":            {tool(`["{{a}}","{{b}}"]`, s{Parallel: []s{{Tool: "hello", OutputVar: "a"}, {Parallel: []s{{Tool: "list", OutputVar: "b"}}}}}), `text ["hello",[1, 2]]`},
		"a group that is left out":    {tool(``, s{Tool: "hello"}, s{Condition: "false", Parallel: []s{{Tool: "broken"}}}), `text hello`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := run(build(t, with, c.tool))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestFailures(t *testing.T) {
	type s = config.Step
	with := tools{
		"echo": echo, "hello": say("hello"), "denied": fail(fault.New(fault.Denied, "not you")),
		"says so": func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
			return mcp.ErrorResult("I failed"), nil
		},
		"panics":  func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { panic("secret") },
		"nothing": func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) { return nil, nil },
		"hang":    hang,
	}
	object := tool("", s{Tool: "hello"})
	object.OutputSchema = []byte(`{}`)
	for name, c := range map[string]struct {
		tool  *config.Tool
		class fault.Class
		text  string
	}{
		"the class goes on":     {tool("", s{Tool: "hello"}, s{Tool: "denied"}), fault.Denied, "step 2 (denied): not you"},
		"an error result":       {tool("", s{Tool: "says so"}), fault.Failed, "step 1 (says so): I failed"},
		"no such tool":          {tool("", s{Tool: "gone"}), fault.Internal, "step 1 (gone): there is no tool gone"},
		"no answer":             {tool("", s{Tool: "nothing"}), fault.Internal, "answered nothing"},
		"a condition":           {tool("", s{Tool: "hello", Condition: "s"}), fault.InvalidInput, "step 1 (hello): the condition \"s\" gave a value of type string"},
		"input is no object":    {tool("", s{Tool: "echo", Input: []byte(`"{{list}}"`)}), fault.InvalidInput, "step 1 (echo): its input is to be an object, and not [1"},
		"input_from nothing":    {tool("", s{Tool: "echo", InputFrom: "m"}), fault.InvalidInput, "the variable m"},
		"in a group":            {tool("", s{Parallel: []s{{Tool: "hang"}, {Tool: "denied"}}}), fault.Denied, "step 1.2 (denied): not you"},
		"a panic in a group":    {tool("", s{Parallel: []s{{Tool: "panics"}}}), fault.Internal, "step 1.1 (panics) broke inside"},
		"not the object it is":  {object, fault.Failed, "output schema promises, but \"hello\""},
		"output is no object":   {func() *config.Tool { t := tool(`"{{s}}"`, s{Tool: "hello"}); t.OutputSchema = []byte(`{}`); return t }(), fault.Failed, "output schema"},
		"a question in a group": {tool("", s{Parallel: []s{{Tool: "denied"}, {Tool: "hang"}}, Timeout: time.Hour}), fault.Denied, "step 1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(build(t, with, c.tool))
			require.ErrorContains(t, err, c.text)
			require.Equal(t, c.class, fault.ClassOf(err))
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// A question to the client ends the call, whatever the policy: the handler is run
// again with the answers.
func TestQuestionsPass(t *testing.T) {
	with := tools{"ask": fail(mcp.ErrInputRequired), "hello": say("hello")}
	ask := config.Step{Tool: "ask", ErrorPolicy: config.ErrorContinue}
	for _, made := range []*config.Tool{tool("", ask, config.Step{Tool: "hello"}), tool("", config.Step{Parallel: []config.Step{{Tool: "hello"}, ask}})} {
		_, err := run(build(t, with, made))
		require.ErrorIs(t, err, mcp.ErrInputRequired)
	}
}

func TestNewRefuses(t *testing.T) {
	type s = config.Step
	for want, made := range map[string]*config.Tool{
		"tool p: step 1: condition: unknown name nobody":   tool("", s{Tool: "x", Condition: "nobody == 1"}),
		"tool p: step 1: input: a: \"{{\" is never":        tool("", s{Tool: "x", Input: []byte(`{"a":"{{"}`)}),
		"tool p: step 1.2: condition: unknown name before": tool("", s{Parallel: []s{{Tool: "x", OutputVar: "before"}, {Tool: "x", Condition: "before"}}}),
		"tool p: output: ": tool(`"{{"`, s{Tool: "x"}),
		"at most 256":      tool("", make([]s, 257)...),
	} {
		_, err := pipeline.New(made, tools{}.lookup, config.Secrets{})
		require.ErrorContains(t, err, want)
	}
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, tools{"hang": hang, "hello": say("hello")}, tool("", config.Step{Tool: "hang", Timeout: time.Minute}))
		begin := time.Now()
		_, err := run(h)
		require.ErrorContains(t, err, "step 1 (hang) took longer than 1m0s")
		require.Equal(t, fault.Timeout, fault.ClassOf(err))
		require.Equal(t, time.Minute, time.Since(begin))

		h = build(t, tools{"hang": hang, "hello": say("hello")}, tool("",
			config.Step{Timeout: time.Minute, ErrorPolicy: config.ErrorContinue, Parallel: []config.Step{{Tool: "hang"}, {Tool: "hang"}}}, config.Step{Tool: "hello"}))
		got, err := run(h)
		require.NoError(t, err)
		require.Equal(t, "text hello", got)
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var after atomic.Int32
		with := tools{"hang": hang, "after": func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
			after.Add(1)
			return mcp.TextResult(""), nil
		}}
		h := build(t, with, tool("", config.Step{ErrorPolicy: config.ErrorContinue, Parallel: []config.Step{{Tool: "hang"}, {Tool: "hang"}}}, config.Step{Tool: "after"}))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := h(ctx, &mcp.CallRequest{Arguments: []byte(`{}`)})
			ended <- err
		}()
		synctest.Wait()
		cancel()
		require.Equal(t, fault.Canceled, fault.ClassOf(<-ended))
		require.Zero(t, after.Load())
	})
}

// Steps of a group run at once, but not more than 16 of them.
func TestGroupsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		with := tools{"slow": func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
			n := running.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second) // of the bubble's clock
			running.Add(-1)
			return mcp.TextResult(""), nil
		}}
		group := config.Step{}
		for range 40 {
			group.Parallel = append(group.Parallel, config.Step{Tool: "slow"})
		}
		begin := time.Now()
		_, err := run(build(t, with, tool("", group)))
		require.NoError(t, err)
		require.EqualValues(t, 16, most.Load())
		require.Equal(t, 3*time.Second, time.Since(begin))
	})
}

func TestDepthIsBounded(t *testing.T) {
	with := tools{}
	h := build(t, with, tool("", config.Step{Tool: "p"}))
	with["p"] = h
	_, err := run(h)
	require.ErrorContains(t, err, "pipelines call each other 17 deep, at most 16 are allowed")
}

func TestAnswersAreBounded(t *testing.T) {
	with := tools{"large": say(strings.Repeat("x", 17<<20)), "half": say(strings.Repeat("x", 15<<20)), "echo": echo}
	_, err := run(build(t, with, tool("", config.Step{Tool: "large"})))
	require.ErrorContains(t, err, "at most 16777216 are allowed")
	half := config.Step{Tool: "half", OutputVar: "h"}
	_, err = run(build(t, with, tool("", half, half, half, half, half)))
	require.ErrorContains(t, err, "together")
	_, err = run(build(t, with, tool("", half, config.Step{Tool: "echo", Input: []byte(`{"h":"{{h}}"}`)})))
	require.ErrorContains(t, err, "at most 4194304 bytes")
}

func TestProgressIsToldOnce(t *testing.T) {
	with := tools{"hello": say("hello")}
	inner := tool("", config.Step{Tool: "hello"}, config.Step{Tool: "hello"})
	with["inner"] = build(t, with, inner)
	h := build(t, with, tool("", config.Step{Tool: "inner"}, config.Step{Tool: "hello", Condition: "false"}, config.Step{Parallel: []config.Step{{Tool: "hello"}}}))
	server := mcp.NewServer(mcp.Options{})
	server.AddTool(mcp.Tool{Name: "p", InputSchema: []byte(`{"type":"object"}`)}, h)
	client := inmemory.Connect(t.Context(), server, mcp.ConnOptions{})
	defer client.Close()
	client.Send([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"p","arguments":{},"_meta":{"progressToken":"t","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`))
	var messages []string
	for {
		frame, err := client.Receive(t.Context())
		require.NoError(t, err)
		var m struct {
			ID     int
			Params struct {
				Progress, Total float64
				Message         string
			}
			Result json.RawMessage
			Error  json.RawMessage
		}
		require.NoError(t, json.Unmarshal(frame, &m))
		require.Empty(t, m.Error, string(frame))
		if m.ID == 1 {
			break
		}
		messages = append(messages, fmt.Sprintf("%v/%v %s", m.Params.Progress, m.Params.Total, m.Params.Message))
	}
	require.Equal(t, []string{"1/3 step 1 (inner)", "2/3 step 2 (hello)", "3/3 step 3.1 (hello)"}, messages)
}

func TestExpression(t *testing.T) {
	made := &config.Tool{Name: "sum", Kind: config.KindNative, Native: &config.Native{Inline: `{"sum": a + b}`}, Params: []config.Param{{Name: "a"}, {Name: "b"}}, OutputSchema: []byte(`{}`)}
	h, err := pipeline.Expression(made)
	require.NoError(t, err)
	result, err := h(t.Context(), &mcp.CallRequest{Arguments: []byte(`{"a":1,"b":2}`)})
	require.NoError(t, err)
	require.JSONEq(t, `{"sum":3}`, string(result.Structured))
	_, err = h(t.Context(), &mcp.CallRequest{Arguments: []byte(`{"a":1,"b":"x"}`)})
	require.Equal(t, fault.InvalidInput, fault.ClassOf(err))

	made.Native.Inline = `a + b`
	h, err = pipeline.Expression(made)
	require.NoError(t, err)
	_, err = h(t.Context(), &mcp.CallRequest{Arguments: []byte(`{"a":1,"b":2}`)})
	require.ErrorContains(t, err, "output schema")

	made.Native.Inline, made.OutputSchema = `a + c`, nil
	_, err = pipeline.Expression(made)
	require.ErrorContains(t, err, "tool sum: inline: unknown name c")
}

// FuzzNothingIsExpandedTwice sends any text through two steps.
func FuzzNothingIsExpandedTwice(f *testing.F) {
	for _, seed := range []string{"{{n}}", `\{{n}}`, "${HOME}", `"},{"`, "1+1", "{{e}}", `["{{n}}"]`, `{"e":"{{n}}"}`} {
		f.Add(seed)
	}
	type s = config.Step
	h := build(f, tools{"echo": echo}, tool(`{"out":"{{e.s}}","text":"<{{e.t}}>"}`,
		s{Tool: "echo", OutputVar: "e", Input: []byte(`{"s":"{{s}}","t":"{{s}}"}`), Condition: `s == s`},
		s{Tool: "echo", OutputVar: "e", InputFrom: "e"}))
	f.Fuzz(func(t *testing.T, text string) {
		arguments, err := json.Marshal(map[string]string{"s": text, "n": "expanded"})
		require.NoError(t, err)
		var in, out struct{ S, Out, Text string }
		require.NoError(t, json.Unmarshal(arguments, &in))
		result, err := h(t.Context(), &mcp.CallRequest{Arguments: arguments})
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(result.Structured, &out))
		require.Equal(t, in.S, out.Out)
		require.Equal(t, "<"+in.S+">", out.Text)
	})
}

func ExampleNew() {
	handlers := tools{
		"weather": say(`{"celsius": 31}`),
		"advice": func(_ context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
			return mcp.TextResult(string(r.Arguments)), nil
		},
	}
	h, err := pipeline.New(&config.Tool{Name: "plan", Params: []config.Param{{Name: "city"}}, Pipeline: &config.Pipeline{Steps: []config.Step{
		{Tool: "weather", Input: []byte(`{"city":"{{city}}"}`), OutputVar: "now"},
		{Tool: "advice", Condition: "now.celsius > 30", Input: []byte(`{"degrees":"{{now.celsius}}","in":"{{city}}"}`)},
	}}}, handlers.lookup, config.Secrets{})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := h(context.Background(), &mcp.CallRequest{Arguments: []byte(`{"city":"Turin"}`)})
	fmt.Println(result.Content[0].Text, err)
	// Output: {"degrees":31,"in":"Turin"} <nil>
}

func BenchmarkTwoSteps(b *testing.B) {
	type s = config.Step
	h := build(b, tools{"echo": echo}, tool("", s{Tool: "echo", OutputVar: "e", Input: []byte(`{"s":"{{s}}"}`)}, s{Tool: "echo", Condition: `e.s == "Ada"`, Input: []byte(`{"s":"{{e.s}}"}`)}))
	r := &mcp.CallRequest{Arguments: []byte(arguments)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// No error shows a secret, nor the half of one that a bound leaves.
func TestSecretsStayOutOfErrors(t *testing.T) {
	const secret = "correct-horse-battery"
	c, err := config.Parse("a.yaml", []byte(`forge: {name: "${S}"}`), config.Options{LookupEnv: func(string) (string, bool) { return secret, true }})
	require.NoError(t, err)
	for _, before := range []int{0, 10, 4<<10 - 10} {
		with := tools{"fails": func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
			return mcp.ErrorResult(strings.Repeat("x", before) + secret + strings.Repeat("x", 4<<10)), nil
		}}
		h, err := pipeline.New(tool("", config.Step{Tool: "fails"}), with.lookup, c.Secrets)
		require.NoError(t, err)
		_, err = run(h)
		require.ErrorContains(t, err, "[secret")
		require.NotContains(t, err.Error(), "correct")
		require.Less(t, len(err.Error()), 4<<10+200)
	}
}
