package mcp

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSubscriptionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		out := &recorder{}
		c := s.Connect(t.Context(), out, ConnOptions{})
		defer c.Close()
		listen := func(id int) string {
			c.Receive(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},%s}}`, id, modernMeta))
			return strings.Join(out.take(), "\n")
		}
		for id := range listensMax {
			require.Contains(t, listen(id), "acknowledged")
		}
		assert.Contains(t, listen(listensMax), "too many subscriptions are open")
		c.Receive([]byte(cancelOf(3)))
		assert.Contains(t, listen(listensMax), "acknowledged", "there is room again")

		c.Receive([]byte(cancelOf(4)))
		var uris strings.Builder
		for i := range subscribedMax + 1 {
			fmt.Fprintf(&uris, `"test://%d",`, i)
		}
		c.Receive([]byte(`{"jsonrpc":"2.0","id":"r","method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[` +
			strings.TrimSuffix(uris.String(), ",") + `]},` + modernMeta + `}}`))
		assert.Contains(t, strings.Join(out.take(), "\n"), "at most 1000 are allowed")
	})
}

func TestLegacySubscriptionsAreBounded(t *testing.T) {
	s := newStage()
	session := legacySession(t, s.Server)
	defer session.Close()
	subscribe := func(i int) string {
		return string(session.NewExchange(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"resources/subscribe","params":{"uri":"test://item/%d/data"}}`, i, i)).Answer(t.Context(), "", nil))
	}
	for i := range subscribedMax {
		require.Contains(t, subscribe(i), `"result":{}`)
	}
	assert.Contains(t, subscribe(subscribedMax), "at most 1000 are allowed")
}

func TestQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(Options{MaxInFlight: asksMax + 10})
		s.AddTool(Tool{Name: "ask"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
			_, err := req.Call().Elicit(ctx, &ElicitParams{Message: "Well?"})
			return nil, err
		})
		s.AddTool(Tool{Name: "many"}, func(ctx context.Context, req *CallRequest) (*CallResult, error) {
			questions := map[string]Question{}
			for i := range questionsMax + 1 {
				questions[fmt.Sprint(i)] = &ElicitParams{Message: "Well?"}
			}
			_, err := req.Call().Ask(ctx, questions)
			assert.ErrorContains(t, err, "1 to 32 are allowed")
			_, err = req.Call().Ask(ctx, map[string]Question{strings.Repeat("k", keyLengthMax+1): &ElicitParams{Message: "Well?"}})
			return nil, err
		})
		out := &recorder{}
		c := s.Connect(t.Context(), out, ConnOptions{})
		defer c.Close()
		c.Receive([]byte(strings.Replace(legacyInitialize, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1)))
		for id := range asksMax {
			c.Receive([]byte(call(id, "ask", "{}", false)))
		}
		require.Len(t, out.take(), asksMax+1)
		c.Receive([]byte(call("over", "ask", "{}", false)))
		assert.Contains(t, strings.Join(out.take(), "\n"), errTooManyAsks.Error())
		c.Receive([]byte(call("many", "many", "{}", false)))
		assert.Contains(t, strings.Join(out.take(), "\n"), "has 129 bytes; 1 to 128 are allowed")
	})
}

// A request state grows with the answers in it, up to a bound.
func TestRequestStateIsBounded(t *testing.T) {
	s := newStage()
	answer := func(more string) string {
		frame := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask_twice",` + more + strings.Replace(modernMetaAll, `,"extensions":{"io.modelcontextprotocol/tasks":{}}`, "", 1) + `}}`
		return string(s.NewExchange([]byte(frame)).Answer(t.Context(), "", nil))
	}
	big := `"inputResponses":{"question-1":{"action":"accept","content":{"name":"` + strings.Repeat("x", stateBytesMax) + `"}}},`
	assert.Contains(t, answer(big), "at most 1048576 are allowed")
	assert.Contains(t, answer(`"requestState":"`+strings.Repeat("A", stateBytesMax+1)+`",`), "not made by this server")
	assert.Contains(t, answer(`"requestState":"AAAA",`), "not made by this server")
	assert.Contains(t, answer(`"requestState":"!",`), "not made by this server")
}
