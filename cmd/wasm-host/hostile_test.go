package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const scriptPath = "../../internal/sandbox/testdata/script.wasm"

// configured writes a forge.yaml that grants the script guest something of each
// kind, and the hostile guest nothing.
func configured(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	absolute := func(path string) string {
		full, err := filepath.Abs(path)
		require.NoError(t, err)
		return full
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "ok.txt"), []byte("fine"), 0o600))
	config := filepath.Join(dir, "forge.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
tools:
  - type: wasm
    module: %s
    timeout: 1s
    capabilities:
      limits: {memory: 8MiB, output: 1KiB}
  - type: wasm
    module: %s
    timeout: 1s
    capabilities:
      state: [{prefix: "mine/", access: read-write, ops: 50}]
      files: [{path: /data, root: data}]
      http: [{host: "127.0.0.1:1"}]
      limits: {fuel: 5000000, open_files: 4}
`, absolute(hostilePath), absolute(scriptPath)), 0o600))
	return config
}

// logged waits until the log holds a text so many times, and returns it.
func (c *client) logged(t *testing.T, text string, times int) string {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Count(c.stderr.String(), text) >= times }, time.Minute, time.Millisecond, "%q in %s", text, c.stderr)
	return c.stderr.String()
}

// Each hostile guest is contained, named in the log with what it did, and the host
// serves on: through the binary, with the grants of a forge.yaml.
func TestHostileGuestsAreNamedInTheLog(t *testing.T) {
	c := start(t, "--state-memory", "--config", configured(t))
	id := 0
	for _, k := range []struct{ mode, class string }{
		{"spin", "deadline exceeded"}, {"host_call_storm", "deadline exceeded"}, {"wide", "deadline exceeded"}, {"sleep", "deadline exceeded"},
		{"deep", "trap"}, {"memory_bomb", "memory limit reached"}, {"memory_all", "memory limit reached"},
		{"trap", "trap"}, {"divide", "trap"}, {"wild_write", "trap"}, {"wild_call", "trap"}, {"exit", "guest exited"},
		{"result_outside", "ABI violation"}, {"result_wraps", "output too long"}, {"result_broken", "ABI violation"}, {"log_outside", "ABI violation"},
	} {
		id++
		before := strings.Count(c.stderr.String(), "a tool failed")
		m := c.answer(id, "hostile", fmt.Sprintf(`{"mode":%q}`, k.mode))
		require.True(t, m.Result.IsError, k.mode)
		says := "tool hostile: call: " + k.class
		require.Contains(t, m.Result.Content[0].Text, says)
		log := c.logged(t, "a tool failed", before+1)
		require.Contains(t, log[strings.LastIndex(log, "a tool failed"):], says)
		id++
		require.JSONEq(t, `{"seen":0}`, string(c.answer(id, "hostile", `{"mode":"remember"}`).Result.StructuredContent))
	}
	require.Empty(t, c.finish())
}

func TestRefusedGuestsAreNamedInTheLog(t *testing.T) {
	c := start(t, "--state-memory", "--config", configured(t))
	id := 0
	run := func(lines ...string) message {
		id++
		args, err := json.Marshal(map[string]string{"script": strings.Join(lines, "\n")})
		require.NoError(t, err)
		return c.answer(id, "script", string(args))
	}
	reports := func(lines ...string) (out []string) {
		m := run(lines...)
		require.False(t, m.Result.IsError, m.Result.Content)
		var result struct{ Lines []string }
		require.NoError(t, json.Unmarshal(m.Result.StructuredContent, &result))
		return result.Lines
	}
	require.Equal(t, []string{"0 1", "0 2"}, reports("inc\tmine/n\t1\t0", "inc\tmine/n\t1\t0"))
	require.Equal(t, []string{"0 3"}, reports("inc\tmine/n\t1\t0"), "state outlives the call")
	require.Equal(t, []string{"0 4", "0 fine"}, reports("open\t3\t1\tok.txt\t0\t2\t0", "read\t4\t-1\t100"))
	for _, k := range []struct{ line, capability, says string }{
		{"get\tyours/n", "state", `outside what the tool may read: grant capabilities.state: [{prefix: \"yours/\", access: read}]`},
		{"open\t3\t1\tnew\t1\t66\t0", "files", `may only be read: grant capabilities.files`},
		{`http` + "\t" + `{"url":"http://127.0.0.1:1/"}` + "\t", "http", `private: true`},
		{`http` + "\t" + `{"url":"http://169.254.169.254/"}` + "\t", "http", `is not granted: grant capabilities.http: [{host: \"169.254.169.254\"`},
	} {
		before := strings.Count(c.stderr.String(), "a guest was refused")
		require.NotEqual(t, "0", reports(k.line)[0])
		log := c.logged(t, "a guest was refused", before+1)
		last := log[strings.LastIndex(log, "a guest was refused"):]
		require.Contains(t, last, "capability="+k.capability, k.line)
		require.Contains(t, last, k.says)
	}
	m := run("spin\t100000000")
	require.True(t, m.Result.IsError)
	require.Contains(t, m.Result.Content[0].Text, "fuel used up")
	c.logged(t, "tool script: call: fuel used up", 1)
	require.Equal(t, []string{"0 4"}, reports("inc\tmine/n\t1\t0"))
	require.Empty(t, c.finish())
}
