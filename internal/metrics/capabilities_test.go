package metrics

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/internal/sandbox"
)

// What a module may have is told by names, without what lies behind them.
func TestCapabilities(t *testing.T) {
	guests := map[string]Guest{"count": {Module: "counter", Policy: sandbox.Policy{
		State: []sandbox.StateGrant{{Prefix: "hits/", Write: true}, {}},
		Files: []sandbox.FileGrant{{Guest: "/in", Root: "/srv/secret-folder"}},
		HTTP:  []sandbox.HTTPGrant{{Host: "api.example", Methods: []string{"POST"}, Private: true}},
		Env:   map[string]string{"TOKEN": "secret-value"},
	}}, "pure": {Module: "pure"}}
	r := New(Sources{Guests: func() map[string]Guest { return guests }}, nil)
	r.Show([]*Tool{r.Tool("count", "wasm"), r.Tool("echo", "native"), r.Tool("pure", "wasm")})
	s := r.Status(t.Context())
	text, err := json.Marshal(s.Tools[0].Capabilities)
	require.NoError(t, err)
	require.JSONEq(t, `{"state":[{"prefix":"hits/","write":true},{"prefix":""}],"files":[{"path":"/in"}],
		"http":[{"host":"api.example","methods":["POST"],"private":true}],"env_count":1}`, string(text))
	require.Equal(t, "counter", s.Tools[0].Module)
	require.Nil(t, s.Tools[1].Capabilities, "no module")
	require.Equal(t, &Capabilities{}, s.Tools[2].Capabilities, "a module that may have nothing")
}
