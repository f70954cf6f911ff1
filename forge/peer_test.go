package forge

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/inmemory"
)

// peer is a client of one era on a connection of its own.
type peer struct {
	t      testing.TB
	client *inmemory.Client
	modern bool
	last   int
	told   []string // notifications, by their arrival
}

const peerMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

// project opens a file with this text, beside the files given by name.
func project(t testing.TB, text string, files map[string]string) (*Project, string) {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "forge.yaml", "forge: {name: t}\n"+text)
	for name, content := range files {
		put(t, dir, name, content)
	}
	p, err := Open(t.Context(), filepath.Join(dir, "forge.yaml"), Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p, dir
}

func put(t testing.TB, dir, name, content string) {
	t.Helper()
	name = filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
}

func connect(t testing.TB, server *mcp.Server, modern bool, principal string) *peer {
	t.Helper()
	p := &peer{t: t, modern: modern, client: inmemory.Connect(t.Context(), server, mcp.ConnOptions{Principal: principal})}
	t.Cleanup(p.client.Close)
	if !modern {
		_, bad := p.ask("initialize", `"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}`)
		require.Empty(t, bad)
	}
	return p
}

// send sends a request and returns its id.
func (p *peer) send(method, params string) int {
	p.last++
	if p.modern {
		params = strings.TrimPrefix(params+","+peerMeta, ",")
	}
	p.client.Send([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s}}`, p.last, method, params)))
	return p.last
}

// message is one message of the server; the context of the test bounds the wait.
func (p *peer) message() (id int, result json.RawMessage, bad string) {
	p.t.Helper()
	raw, err := p.client.Receive(p.t.Context())
	require.NoError(p.t, err)
	var m struct {
		ID     *int
		Method string
		Params json.RawMessage
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	require.NoError(p.t, json.Unmarshal(raw, &m), "%s", raw)
	switch {
	case m.ID == nil:
		p.told = append(p.told, m.Method+" "+string(m.Params))
		return 0, nil, ""
	case m.Error != nil:
		return *m.ID, nil, fmt.Sprint(m.Error.Code, " ", m.Error.Message)
	}
	return *m.ID, m.Result, ""
}

// ask sends a request and waits for its answer.
func (p *peer) ask(method, params string) (result, bad string) {
	p.t.Helper()
	for id := p.send(method, params); ; {
		got, result, bad := p.message()
		if got == id {
			return string(result), bad
		}
	}
}

// hear waits for a notification that holds text, and returns it.
func (p *peer) hear(text string) string {
	p.t.Helper()
	for {
		for i, told := range p.told {
			if strings.Contains(told, text) {
				p.told = append(p.told[:i:i], p.told[i+1:]...)
				return told
			}
		}
		p.message()
	}
}

// read is the contents of a resource, or the error.
func (p *peer) read(uri string) string {
	p.t.Helper()
	result, bad := p.ask("resources/read", fmt.Sprintf(`"uri":%q`, uri))
	if bad != "" {
		return bad
	}
	var r struct{ Contents []json.RawMessage }
	require.NoError(p.t, json.Unmarshal([]byte(result), &r))
	require.Len(p.t, r.Contents, 1)
	return string(r.Contents[0])
}

// call calls a tool: its structured answer, or its text behind "text ", or the error's.
func (p *peer) call(name, args string) string {
	p.t.Helper()
	result, bad := p.ask("tools/call", fmt.Sprintf(`"name":%q,"arguments":%s`, name, args))
	if bad != "" {
		return bad
	}
	var r struct {
		Content           []struct{ Text string }
		StructuredContent json.RawMessage
		IsError           bool
	}
	require.NoError(p.t, json.Unmarshal([]byte(result), &r))
	switch {
	case r.IsError:
		return "error " + r.Content[0].Text
	case r.StructuredContent != nil:
		return string(r.StructuredContent)
	}
	var texts []string
	for _, c := range r.Content {
		texts = append(texts, c.Text)
	}
	return "text " + strings.Join(texts, "|")
}

// eras runs a test with a client of each era.
func eras(t *testing.T, test func(t *testing.T, modern bool)) {
	for _, modern := range []bool{false, true} {
		t.Run(map[bool]string{false: "legacy", true: "modern"}[modern], func(t *testing.T) { test(t, modern) })
	}
}

// listen asks to be told of changes of resources.
func (p *peer) listen(uris ...string) (bad string) {
	p.t.Helper()
	if p.modern {
		quoted, err := json.Marshal(uris)
		require.NoError(p.t, err)
		id := p.send("subscriptions/listen", fmt.Sprintf(`"notifications":{"resourceSubscriptions":%s}`, quoted))
		for {
			if got, _, bad := p.message(); got == id {
				return bad
			}
			if len(p.told) > 0 && strings.HasPrefix(p.told[len(p.told)-1], "notifications/subscriptions/acknowledged") {
				p.told = p.told[:len(p.told)-1]
				return ""
			}
		}
	}
	for _, uri := range uris {
		if _, bad := p.ask("resources/subscribe", fmt.Sprintf(`"uri":%q`, uri)); bad != "" {
			return bad
		}
	}
	return ""
}
