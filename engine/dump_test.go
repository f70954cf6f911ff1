package engine_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// A dump is what encoding/json makes of its entries.
func TestDumpIsJSON(t *testing.T) {
	type line struct {
		Key       string `json:"key,omitempty"`
		KeyBytes  []byte `json:"key_base64,omitempty"`
		Value     string `json:"value,omitempty"`
		Bytes     []byte `json:"value_base64,omitempty"`
		Version   uint64 `json:"version"`
		ExpiresAt int64  `json:"expires_at,omitempty"`
	}
	texts := []string{"plain", `quote " and \ slash`, "<html> & more", "grüße 🙂", "\u2027\u2028\u2029\u202a", "\xff not UTF-8", "\x7f\u0080", ""}
	for c := range 0x20 {
		texts = append(texts, "a"+string(rune(c))+"z")
	}
	dir := storage.Memory()
	s := openStore(t, engine.Options{Dir: dir, Now: func() int64 { return 1000 }})
	for i, key := range texts {
		if key == "" {
			continue
		}
		o := engine.SetOptions{}
		if i%2 == 0 {
			o.TTL = 5_000_000_000
		}
		_, err := s.Set(key, []byte(texts[(i+3)%len(texts)]), o)
		require.NoError(t, err)
	}
	page, err := s.List(engine.ListOptions{Values: true})
	require.NoError(t, err)
	require.Len(t, page.Entries, len(texts)-1)
	require.NoError(t, s.Close())

	var want strings.Builder
	lines := json.NewEncoder(&want)
	lines.SetEscapeHTML(false)
	for _, e := range page.Entries {
		l := line{Key: e.Key, Value: string(e.Value), Version: e.Version, ExpiresAt: e.ExpiresAt}
		if !utf8.ValidString(e.Key) {
			l.Key, l.KeyBytes = "", []byte(e.Key)
		}
		if !utf8.Valid(e.Value) {
			l.Value, l.Bytes = "", e.Value
		}
		require.NoError(t, lines.Encode(&l))
	}
	var got bytes.Buffer
	require.NoError(t, engine.Dump(engine.Options{Dir: dir, Now: func() int64 { return 1000 }}, &got))
	require.Equal(t, want.String(), got.String())
}
