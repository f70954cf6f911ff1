package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/guestbuild"
	"github.com/ingot-run/ingot/state"
)

// probed is what a probe answers; a failure is its code.
type probed struct {
	Value, Seen string
	Version     uint64
	Sum         int64
	Keys        []string
	Status      int
	code        string
}

// Each function of each SDK, by one script.
func TestProbes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
			return
		}
		w.Header().Set("X-Seen", r.Header.Get("X-Said"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s \"%s\" %s", r.Method, body, r.URL.Path)
	}))
	defer server.Close()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) { probeOne(t, language, server.URL) })
	}
}

func probeOne(t *testing.T, language, url string) {
	module := guestbuild.Probe(t, language)
	t.Logf("%d bytes", len(module))
	store, err := state.Open(state.Options{})
	require.NoError(t, err)
	defer store.Close()
	var log bytes.Buffer
	host := sandbox.New(sandbox.Options{State: store, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	defer host.Close(context.Background())
	m, err := host.Load(context.Background(), language+".wasm", module, sandbox.Policy{
		State:  []sandbox.StateGrant{{Prefix: "p/", Write: true}, {Prefix: "p/read/"}},
		HTTP:   []sandbox.HTTPGrant{{Host: strings.TrimPrefix(url, "http://"), Methods: []string{"GET", "PUT"}, Private: true, Headers: []string{"X-Said"}}},
		Limits: sandbox.Limits{TimeMax: time.Minute, LoadTimeMax: time.Minute},
	})
	require.NoError(t, err)
	var told []string
	probe := func(format string, values ...any) (p probed) {
		t.Helper()
		out, err := m.Call(context.Background(), sandbox.CallRequest{
			Arguments: fmt.Appendf(nil, format, values...),
			Progress: func(progress, total float64, message string) {
				told = append(told, fmt.Sprint(progress, "/", total, message))
			},
		})
		if g, ok := err.(*sandbox.GuestError); ok {
			require.NotEmpty(t, g.Message)
			return probed{code: g.Code}
		}
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(out.JSON, &p))
		return p
	}

	require.Equal(t, "not_found", probe(`{"op":"get","key":"p/a"}`).code)
	first := probe(`{"op":"set","key":"p/a","value":"é\"1","ifVersion":0,"millis":600000}`).Version
	require.NotZero(t, first)
	require.Equal(t, "conflict", probe(`{"op":"set","key":"p/a","value":"2","ifVersion":0}`).code)
	require.Equal(t, probed{Value: "é\"1", Version: first}, probe(`{"op":"get","key":"p/a"}`))
	second := probe(`{"op":"set","key":"p/a","value":"2","ifVersion":%d}`, first).Version
	require.Greater(t, second, first)
	require.Equal(t, "conflict", probe(`{"op":"delete","key":"p/a","ifVersion":%d}`, first).code)
	entry, err := store.Get(context.Background(), "p/a")
	require.NoError(t, err)
	require.Equal(t, "2", string(entry.Value))
	require.Zero(t, entry.ExpiresAt, "the second write set no time to live")
	third := probe(`{"op":"set","key":"p/a","value":"3","millis":600000}`).Version
	entry, err = store.Get(context.Background(), "p/a")
	require.NoError(t, err)
	require.NotZero(t, entry.ExpiresAt)
	require.Empty(t, probe(`{"op":"delete","key":"p/a","ifVersion":%d}`, third).code)
	require.Equal(t, "not_found", probe(`{"op":"delete","key":"p/a"}`).code)

	require.Equal(t, int64(-5), probe(`{"op":"increment","key":"p/n","n":-5}`).Sum)
	require.Equal(t, int64(9007199254740993-5), probe(`{"op":"increment","key":"p/n","n":9007199254740993}`).Sum)
	require.NotEmpty(t, probe(`{"op":"set","key":"p/w","value":"word"}`).Version)
	require.Equal(t, "invalid", probe(`{"op":"increment","key":"p/w","n":1}`).code)
	require.Equal(t, []string{"p/n"}, probe(`{"op":"list","key":"p/","n":1}`).Keys)
	require.Equal(t, []string{"p/w"}, probe(`{"op":"list","key":"p/","n":10,"after":"p/n"}`).Keys)
	require.Empty(t, probe(`{"op":"list","key":"p/","n":10,"after":"p/w"}`).Keys)
	require.Equal(t, "denied", probe(`{"op":"get","key":"q"}`).code)
	require.Equal(t, "denied", probe(`{"op":"set","key":"p/read/x","value":""}`).code)

	require.Equal(t, probed{Value: `GET "" /x`, Seen: "hi", Status: http.StatusTeapot}, probe(`{"op":"http","url":"%s/x"}`, url))
	require.Equal(t, probed{Value: `PUT "é" /`, Seen: "hi", Status: http.StatusTeapot}, probe(`{"op":"http","url":"%s","method":"PUT","value":"é"}`, url))
	require.Equal(t, "denied", probe(`{"op":"http","url":"%s","method":"POST"}`, url).code)
	require.Equal(t, "timeout", probe(`{"op":"http","url":"%s/slow","millis":50}`, url).code)

	probe(`{"op":"progress"}`)
	require.Equal(t, []string{"1/2half", "2/2"}, told)
	probe(`{"op":"log"}`)
	for _, line := range []string{`DEBUG msg="at debug"`, `INFO msg="at info"`, `WARN msg="at warn"`, `ERROR msg="at error"`} {
		require.Contains(t, log.String(), line)
	}
	if language == "rust" || language == "as" { // where the SDK logs why it ends
		_, err = m.Call(context.Background(), sandbox.CallRequest{Arguments: []byte(`{"op":"panic"}`)})
		require.ErrorIs(t, err, sandbox.ErrTrap)
		require.Contains(t, log.String(), "on request")
	}
}
