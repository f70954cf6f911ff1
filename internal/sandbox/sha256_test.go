package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// digest is the answer of the sha256 guest.
type digest struct {
	Algorithm, Hex string
	Bytes          int
}

// checkSHA256 compares the guest with crypto/sha256 on a text.
func checkSHA256(t *testing.T, tool *Module, text string) {
	t.Helper()
	args, err := json.Marshal(map[string]string{"text": text})
	require.NoError(t, err)
	out, err := callTool(tool, string(args))
	require.NoError(t, err)
	var got digest
	require.NoError(t, json.Unmarshal(out, &got))
	want := sha256.Sum256([]byte(text))
	require.Equal(t, digest{"sha-256", hex.EncodeToString(want[:]), len(text)}, got)
}

// The committed guest, and a fresh build of its source where clang is there,
// behave alike.
func TestSHA256Guest(t *testing.T) {
	t.Run("committed", func(t *testing.T) { behavesAsSHA256(t, loadFile(t, sha256Path, Policy{})) })
	t.Run("rebuilt", func(t *testing.T) {
		for _, tool := range []string{"clang", "wasm-ld", "make"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skip(tool + " is not installed: only the committed module is tested")
			}
		}
		out := filepath.Join(t.TempDir(), "sha256.wasm")
		log, err := exec.Command("make", "-B", "-C", filepath.Dir(sha256Path), "OUT="+out).CombinedOutput()
		require.NoError(t, err, string(log))
		behavesAsSHA256(t, loadFile(t, out, Policy{}))
	})
}

func behavesAsSHA256(t *testing.T, tool *Module) {
	for _, text := range []string{"", "abc", `quotes " and \ back`, "line\nbreak\ttab\x00\x01", "\u00e9\u20ac\U0001F600", "</script>&"} {
		checkSHA256(t, tool, text)
	}
	random := rand.New(rand.NewPCG(7, 7))
	for n := range 140 {
		bytes := make([]byte, n)
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		out, err := callTool(tool, `{ "base64" : "`+base64.StdEncoding.EncodeToString(bytes)+`" }`)
		require.NoError(t, err)
		var got digest
		require.NoError(t, json.Unmarshal(out, &got))
		want := sha256.Sum256(bytes)
		require.Equal(t, digest{"sha-256", hex.EncodeToString(want[:]), n}, got)
	}
	// Escapes in keys and values, whitespace, members before and after.
	for _, args := range []string{
		`{"te\u0078t":"a\u0062c"}`, "{\n\t\"other\" : [1,{\"text\":\"no\"},\"]\"] ,\"text\":\"abc\"}", `{"n":-1.5e3,"b":true,"text":"abc","z":{}}`,
	} {
		out, err := callTool(tool, args)
		require.NoError(t, err, args)
		require.Contains(t, string(out), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", args)
	}
	out, err := callTool(tool, `{"text":"\ud83d\ude00"}`)
	require.NoError(t, err)
	want := sha256.Sum256([]byte("\U0001F600"))
	require.Contains(t, string(out), hex.EncodeToString(want[:]))
	_, err = callTool(tool, `{"base64":"YWI="}`)
	require.NoError(t, err)
	for args, code := range map[string]string{
		`{}`: "missing_argument", `{"text":7}`: "missing_argument", `{"base64":"YWJ"}`: "bad_base64",
		`{"base64":"YX=="}`: "bad_base64", // a bit set that no byte uses
		`{"base64":"Y==="}`: "bad_base64", `{"base64":"===="}`: "bad_base64", `{"base64":"YW J"}`: "bad_base64", `{"base64":"YQ==YQ=="}`: "bad_base64",
	} {
		_, err := callTool(tool, args)
		var g *GuestError
		require.True(t, errors.As(err, &g), args)
		require.Equal(t, code, g.Code, args)
	}
}
