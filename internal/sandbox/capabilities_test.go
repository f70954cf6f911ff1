package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/sandbox/guestbuild"
	"github.com/ingot-run/ingot/state"
)

// capable calls the example that reaches every capability.
func capable(t *testing.T, m *sandbox.Module, args string) (answer string, names []string, refused *sandbox.GuestError) {
	t.Helper()
	out, err := m.Call(context.Background(), sandbox.CallRequest{Arguments: []byte(args)})
	if g, ok := err.(*sandbox.GuestError); ok {
		return "", nil, g
	}
	require.NoError(t, err, args)
	var r struct {
		Answer string
		Names  []string
	}
	require.NoError(t, json.Unmarshal(out.JSON, &r))
	return r.Answer, r.Names, nil
}

// One guest with all grants, and with none.
func TestEveryCapability(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, strings.Repeat("page ", 100))
	}))
	defer server.Close()
	store, err := state.Open(state.Options{})
	require.NoError(t, err)
	defer store.Close()
	dir := t.TempDir()
	var log strings.Builder
	host := sandbox.New(sandbox.Options{State: store, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer host.Close(context.Background())
	limits := sandbox.Limits{TimeMax: time.Minute, LoadTimeMax: time.Minute}
	module := guestbuild.Example(t, "go-capabilities")
	all, err := host.Load(context.Background(), "all.wasm", module, sandbox.Policy{
		Limits: limits, Clock: sandbox.ClockReal, RandomSeed: []byte("seed"), Env: map[string]string{"GREETING": "hello"},
		State: []sandbox.StateGrant{{Prefix: "capabilities/", Write: true}},
		Files: []sandbox.FileGrant{{Guest: "/data", Root: dir, Write: true}},
		HTTP:  []sandbox.HTTPGrant{{Host: strings.TrimPrefix(server.URL, "http://"), Private: true}},
	})
	require.NoError(t, err)

	for n := 1; n <= 2; n++ {
		answer, names, _ := capable(t, all, `{"what":"state","name":"a","text":"kept"}`)
		require.Equal(t, fmt.Sprintf("kept (write %d)", n), answer)
		require.Equal(t, []string{"capabilities/.writes", "capabilities/a"}, names)
	}
	answer, _, _ := capable(t, all, fmt.Sprintf(`{"what":"http","url":%q}`, server.URL))
	require.Equal(t, "200 text/plain: "+strings.Repeat("page ", 40), answer)
	answer, names, _ := capable(t, all, `{"what":"files","name":"/data/note","text":"written"}`)
	require.Equal(t, "written", answer)
	require.Equal(t, []string{"note"}, names)
	content, err := os.ReadFile(filepath.Join(dir, "note"))
	require.NoError(t, err)
	require.Equal(t, "written", string(content))
	answer, _, _ = capable(t, all, `{"what":"env","name":"GREETING"}`)
	require.Equal(t, "hello", answer)
	answer, _, _ = capable(t, all, `{"what":"clock"}`)
	require.Contains(t, answer, time.Now().UTC().Format("2006-01"))
	one, _, _ := capable(t, all, `{"what":"random"}`)
	other, _, _ := capable(t, all, `{"what":"random"}`)
	require.Len(t, one, 32)
	require.Equal(t, one, other, "seeded, and put back after each call")
	_, _, refused := capable(t, all, `{"what":"log","text":"from the guest"}`)
	require.Nil(t, refused)
	require.Contains(t, log.String(), `level=WARN msg="from the guest"`)
	var told []float64
	_, err = all.Call(context.Background(), sandbox.CallRequest{Arguments: []byte(`{"what":"progress"}`), Progress: func(progress, total float64, _ string) {
		told = append(told, progress)
		require.Equal(t, 3.0, total)
	}})
	require.NoError(t, err)
	require.Equal(t, []float64{0, 1, 2, 3}, told)

	none, err := host.Load(context.Background(), "none.wasm", module, sandbox.Policy{Limits: limits})
	require.NoError(t, err)
	for _, args := range []string{
		`{"what":"state","name":"a","text":"x"}`, fmt.Sprintf(`{"what":"http","url":%q}`, server.URL), `{"what":"files","name":"/data/x","text":"x"}`, `{"what":"env","name":"GREETING"}`,
	} {
		_, _, refused := capable(t, none, args)
		require.NotNil(t, refused, args)
		require.Equal(t, "denied", refused.Code)
		require.Contains(t, refused.Message, "grant capabilities.", args)
	}
	answer, _, _ = capable(t, none, `{"what":"clock"}`)
	require.Contains(t, answer, "1970-01-01T00:00:00Z, slept ")
}
