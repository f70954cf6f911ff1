package raw

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// line waits for the server's next line, of any kind.
func (p *process) line() frame {
	p.t.Helper()
	select {
	case line, open := <-p.frames:
		require.True(p.t, open, "the server closed stdout")
		var f frame
		require.NoError(p.t, json.Unmarshal(line, &f), "%s", clip(line))
		require.NoError(p.t, json.Unmarshal(line, &f.value))
		f.raw = line
		return f
	case <-time.After(patience):
		require.FailNow(p.t, "the server does not answer")
		return frame{}
	}
}

// while makes a request and returns its answer, with the notifications that came
// before it and with the next ones, up to count.
func (p *process) while(count int, method string, params map[string]any) (answer frame, told []map[string]any) {
	p.t.Helper()
	p.nextID++
	p.write(p.era.request(p.t, p.nextID, method, params))
	for answered := false; !answered || len(told) < count; {
		f := p.line()
		if f.Method == "" {
			require.EqualValues(p.t, p.nextID, f.ID, "%s", f.raw)
			require.Nil(p.t, f.Error)
			answer, answered = f, true
			continue
		}
		p.era.validate(p.t, "JSONRPCNotification", f.value)
		told = append(told, f.value.(map[string]any))
	}
	return answer, told
}

// entries is a value of every kind, and the URI of its key.
var entries = []struct{ key, value, uri, mime string }{
	{"plain", "some text", "state:///plain", "text/plain"},
	{"a/path/to", "", "state:///a/path/to", "text/plain"},
	{"user:1?x=[2]#3", "reserved", "state:///user:1?x=[2]#3", "text/plain"},
	{"50% off", "percent", "state:///50%25%20off", "text/plain"},
	{"clé ☃", "ünïcödé", "state:///cl%C3%A9%20%E2%98%83", "text/plain"},
	{"a/../b", "dots", "state:///a%2F..%2Fb", "text/plain"},
	{"json", `{"a":[1,2]}`, "state:///json", "application/json"},
	{"nearly json", `{"a":[1,2]`, "state:///nearly%20json", "text/plain"},
	{"bytes", "\xff\xfe\x00", "state:///bytes", "application/octet-stream"},
	{"\u0001", "a control character", "state:///%01", "text/plain"},
}

func (p *process) fill() {
	p.t.Helper()
	for _, e := range entries {
		p.call("state_set", map[string]any{"key": e.key, "value_base64": base64.StdEncoding.EncodeToString([]byte(e.value))})
	}
}

func TestResourcesAreRead(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		p.fill()
		templates := p.result("ListResourceTemplatesResult", "resources/templates/list", nil)["resourceTemplates"].([]any)
		require.Len(t, templates, 1)
		require.Equal(t, "state:///{+key}", templates[0].(map[string]any)["uriTemplate"])
		for i, want := range entries {
			result := p.result("ReadResourceResult", "resources/read", map[string]any{"uri": want.uri})
			contents := result["contents"].([]any)
			require.Len(t, contents, 1)
			got := contents[0].(map[string]any)
			require.Equal(t, want.uri, got["uri"])
			require.Equal(t, want.mime, got["mimeType"], want.key)
			require.EqualValues(t, i+1, got["_meta"].(map[string]any)["run.ingot/version"])
			if want.mime == "application/octet-stream" {
				require.Equal(t, base64.StdEncoding.EncodeToString([]byte(want.value)), got["blob"])
				require.NotContains(t, got, "text")
			} else {
				require.Equal(t, want.value, got["text"])
				require.NotContains(t, got, "blob")
			}
			if e.modern {
				require.EqualValues(t, 0, result["ttlMs"], "it may change at once")
				require.Equal(t, "private", result["cacheScope"])
			}
		}
		for _, other := range []string{"state:///%70lain", "state:///a%2fpath%2Fto"} { // another spelling of a key that is there
			p.result("ReadResourceResult", "resources/read", map[string]any{"uri": other})
		}
		p.call("state_set", map[string]any{"key": "short", "value": "v", "ttl_seconds": 100})
		contents := p.result("ReadResourceResult", "resources/read", map[string]any{"uri": "state:///short"})["contents"].([]any)
		left := contents[0].(map[string]any)["_meta"].(map[string]any)["run.ingot/ttl_seconds"].(float64)
		require.True(t, left > 0 && left <= 100, "%v", left)

		code := -32002
		if e.modern {
			code = -32602
		}
		for _, uri := range []string{"state:///none", "state:///", "state://", "state://plain", "state:///%00ingot/tasks/records/x", "file:///plain", "plain"} {
			p.refused(code, "resources/read", map[string]any{"uri": uri})
		}
	})
}

func TestResourcesAreListed(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		require.Empty(t, p.result("ListResourcesResult", "resources/list", nil)["resources"])
		p.fill()
		var many []any
		for i := range 1000 {
			many = append(many, map[string]any{"key": fmt.Sprintf("many/%04d", i), "value": "v"})
		}
		p.call("state_batch_set", map[string]any{"entries": many})
		var uris []string
		sizes := map[string]any{}
		pages := 0
		for params := map[string]any{}; ; pages++ {
			result := p.result("ListResourcesResult", "resources/list", params)
			for _, r := range result["resources"].([]any) {
				got := r.(map[string]any)
				uris = append(uris, got["uri"].(string))
				sizes[got["name"].(string)] = got["size"]
			}
			next, more := result["nextCursor"]
			if !more {
				break
			}
			if pages == 0 { // a page that was listed changes: the cursor stays good
				p.call("state_delete", map[string]any{"key": "\u0001"})
			}
			params = map[string]any{"cursor": next}
		}
		require.Equal(t, 1, pages)
		require.Len(t, uris, 1000+len(entries))
		require.EqualValues(t, 9, sizes["plain"])
		for _, want := range entries {
			require.Contains(t, uris, want.uri)
			require.Contains(t, sizes, want.key)
		}
		sorted := slices.Clone(entries)
		slices.SortFunc(sorted, func(a, b struct{ key, value, uri, mime string }) int {
			return slices.Compare([]byte(a.key), []byte(b.key))
		})
		require.Equal(t, sorted[0].uri, uris[0], "in the order of the keys' bytes")
		for _, cursor := range []string{"?", "bm9wZQ", base64.RawURLEncoding.EncodeToString([]byte("family:state:///{key} x"))} {
			p.refused(-32602, "resources/list", map[string]any{"cursor": cursor})
		}
	})
}

func TestKeysAreCompleted(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		p.fill()
		complete := func(argument, value string) map[string]any {
			return p.result("CompleteResult", "completion/complete", map[string]any{
				"ref": map[string]any{"type": "ref/resource", "uri": "state:///{+key}"}, "argument": map[string]any{"name": argument, "value": value},
			})["completion"].(map[string]any)
		}
		require.Equal(t, []any{"a/../b", "a/path/to"}, complete("key", "a/")["values"])
		require.Equal(t, []any{"json"}, complete("key", "js")["values"])
		require.Equal(t, []any{}, complete("key", "zz")["values"])
		require.Equal(t, []any{}, complete("other", "a")["values"])
		var many []any
		for i := range 150 {
			many = append(many, map[string]any{"key": fmt.Sprintf("many/%04d", i), "value": "v"})
		}
		p.call("state_batch_set", map[string]any{"entries": many})
		got := complete("key", "many/")
		require.Len(t, got["values"], 100)
		require.Equal(t, true, got["hasMore"])
	})
}

// listen has the client told of changes of these resources; stop ends it.
func (p *process) listen(uris ...string) (stop func()) {
	p.t.Helper()
	if !p.era.modern {
		for _, uri := range uris {
			p.result("EmptyResult", "resources/subscribe", map[string]any{"uri": uri})
		}
		return func() {
			for _, uri := range uris {
				p.result("EmptyResult", "resources/unsubscribe", map[string]any{"uri": uri})
			}
		}
	}
	p.nextID++
	id := p.nextID
	p.write(p.era.request(p.t, id, "subscriptions/listen", map[string]any{"notifications": map[string]any{"resourceSubscriptions": uris}}))
	require.Equal(p.t, "notifications/subscriptions/acknowledged", p.line().Method)
	return func() {
		p.write(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`+"\n", id))
	}
}

// Whoever listens to a key is told of each change, by whichever tool, as soon as it
// has been answered that it listens; and of no other key.
func TestChangesAreTold(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		key := "user:1/näme"
		for _, uri := range []string{"state:///user:1/n%C3%A4me", "state:///user%3A1%2Fn%C3%A4me"} { // as listed, and as a strict encoder has it
			p.call("state_set", map[string]any{"key": key, "value": "before"})
			stop := p.listen(uri)
			for _, change := range []struct {
				tool      string
				arguments map[string]any
			}{
				{"state_set", map[string]any{"key": key, "value": "1"}},
				{"state_increment", map[string]any{"key": key}},
				{"state_batch_set", map[string]any{"entries": []any{map[string]any{"key": key, "value": "v"}, map[string]any{"key": "other", "value": "v"}}}},
				{"state_delete", map[string]any{"key": key}},
				{"state_compare_and_swap", map[string]any{"key": key, "version": 0, "value": "v"}},
			} {
				p.call("state_set", map[string]any{"key": key + "/below", "value": "is another key"})
				answer, told := p.while(1, "tools/call", map[string]any{"name": change.tool, "arguments": change.arguments})
				require.NotEqual(t, true, answer.Result["isError"], "%s", answer.raw)
				require.Len(t, told, 1)
				require.Equal(t, "notifications/resources/updated", told[0]["method"])
				params := told[0]["params"].(map[string]any)
				require.Equal(t, uri, params["uri"])
				require.Equal(t, e.modern, params["_meta"] != nil)
			}
			stop()
			p.call("state_set", map[string]any{"key": key, "value": "nobody listens"})
			p.requireAlive()
		}
	})
}

// An entry that ends is a change too.
func TestEndIsTold(t *testing.T) {
	eras(t, func(t *testing.T, e era) {
		p := connect(t, e)
		stop := p.listen("state:///short")
		_, told := p.while(2, "tools/call", map[string]any{"name": "state_set", "arguments": map[string]any{"key": "short", "value": "v", "ttl_seconds": 0.001}})
		require.Equal(t, "notifications/resources/updated", told[1]["method"])
		stop()
		require.Equal(t, map[string]any{"found": false}, p.call("state_get", map[string]any{"key": "short"}))
	})
}
