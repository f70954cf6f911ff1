package forge

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/redistest"
)

const sharedFile = `
state: {backend: redis, url: 'redis://:${INGOT_TEST_PASSWORD}@REDIS/0', ttl: 1h, max_size: 1MB, cache_size: 100, options: {max_value: 1kB}}
tools:
  - {type: native, name: set, handler: "state::set", params: {key: string, value: string}}
  - {type: native, name: get, handler: "state::get", params: {key: string}}
  - {type: native, name: count, handler: "state::increment", params: {key: string}}
  - {type: native, name: own, handler: "state::set", params: {key: string, value: string}, state: {scope: handle}}
  - {type: native, name: own_get, handler: "state::get", params: {key: string}, state: {scope: handle}}
  - type: native
    name: limited
    handler: {inline: 'input.x'}
    params: {x: integer}
    middleware: [{type: ratelimit, requests: 3, per: 1h, by: tool}]
resources:
  - {uri: "kv:///{+key}", name: kv, state: "", supports: [read, subscribe]}
`

// Two servers of one file and one redis are one: what is written at one of them is read
// at the other and told to who listens there, handles hold at both, and what is left of a
// limit is left to both.
func TestSharedState(t *testing.T) {
	const password = "correct-horse-battery"
	t.Setenv("INGOT_TEST_PASSWORD", password)
	server := redistest.Single(t, "--requirepass", password)
	file := strings.ReplaceAll(sharedFile, "REDIS", server.Address)
	pa, _ := project(t, file, nil)
	pb, _ := project(t, file, nil)
	a, b := connect(t, pa.Server(), true, "ada"), connect(t, pb.Server(), true, "ada")

	a.call("set", `{"key":"k","value":"of a"}`)
	require.Contains(t, b.call("get", `{"key":"k"}`), `"value":"of a"`)
	for i := range 4 {
		got := []*peer{a, b}[i%2].call("count", `{"key":"n"}`)
		require.Contains(t, got, fmt.Sprintf(`"value":%d`, i+1))
	}
	require.Contains(t, a.call("set", fmt.Sprintf(`{"key":"long","value":"%2000d"}`, 1)), "value is too long")

	listener := connect(t, pb.Server(), true, "ada")
	require.Empty(t, listener.listen("kv:///told"))
	a.call("set", `{"key":"told","value":"x"}`)
	listener.hear(`"kv:///told"`)

	made := a.call("own", `{"key":"k","value":"mine"}`)
	_, rest, ok := strings.Cut(made, `"state_handle":"`)
	require.True(t, ok, made)
	handle, _, _ := strings.Cut(rest, `"`)
	require.Contains(t, b.call("own_get", `{"key":"k","state_handle":"`+handle+`"}`), `"value":"mine"`)
	stranger := connect(t, pb.Server(), true, "eve")
	require.Contains(t, stranger.call("own_get", `{"key":"k","state_handle":"`+handle+`"}`), "another caller's")

	for i := range 3 {
		require.Contains(t, []*peer{a, b}[i%2].call("limited", `{"x":7}`), "7")
	}
	require.Contains(t, a.call("limited", `{"x":7}`), "called too often")
	require.Contains(t, b.call("limited", `{"x":7}`), "called too often")
}

// No error and no log line shows the password, whichever way the servers refuse.
func TestRedisPasswordsAreNotShown(t *testing.T) {
	server := redistest.Single(t, "--requirepass", "another one")
	for _, at := range []string{server.Address, "127.0.0.1:1"} {
		const password = "correct-horse-battery"
		for _, url := range []string{"redis://:" + password + "@" + at + "/0", "redis://ada:" + password + "@" + at, "redis://:" + password + "@" + at + "/x", "nothing://:" + password + "@" + at, "redis://:" + password + "/x@" + at} {
			dir := t.TempDir()
			put(t, dir, "forge.yaml", "forge: {name: t}\nstate: {backend: redis, url: '"+url+"'}\n")
			var log bytes.Buffer
			_, err := Open(t.Context(), filepath.Join(dir, "forge.yaml"), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.Error(t, err, url)
			require.NotContains(t, err.Error()+log.String(), password)
		}
	}
}
