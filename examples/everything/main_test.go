package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/internal/golden"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"--stdio", "--http", "127.0.0.1:0"}, {"--stdio", "more"}, {"--nonsense"}} {
		var stderr bytes.Buffer
		require.Equal(t, 2, run(t.Context(), args, strings.NewReader(""), io.Discard, &stderr), args)
		require.NotEmpty(t, stderr.String())
	}
	require.Equal(t, 1, run(t.Context(), []string{"--http", "nowhere"}, strings.NewReader(""), io.Discard, io.Discard))
}

// What the server offers, by name; a person reads the difference.
func TestSurface(t *testing.T) {
	var stdin strings.Builder
	for i, method := range []string{"tools/list", "resources/list", "resources/templates/list", "prompts/list"} {
		stdin.WriteString(`{"jsonrpc":"2.0","id":` + string(rune('1'+i)) + `,"method":"` + method + `","params":{` + meta + `}}` + "\n")
	}
	var stdout bytes.Buffer
	require.Equal(t, 0, run(t.Context(), []string{"--stdio"}, strings.NewReader(stdin.String()), &stdout, io.Discard))
	var got strings.Builder
	// Only entries of lists begin with these two members.
	for _, m := range regexp.MustCompile(`[[,]\{"(?:name|uri|uriTemplate)":"([^"]*)"(?:,"name":"[^"]*")?`).FindAllStringSubmatch(stdout.String(), -1) {
		got.WriteString(m[1] + "\n")
	}
	golden.Match(t, "testdata/surface.txt", got.String())
}

func TestHTTP(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"--http", "127.0.0.1:0"}, strings.NewReader(""), io.Discard, write)
		write.Close()
	}()
	line, err := bufio.NewReader(read).ReadString('\n')
	require.NoError(t, err)
	go io.Copy(io.Discard, read) // ends when run has
	url := strings.TrimSpace(strings.TrimPrefix(line, "serving "))

	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello"},` + meta + `}}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "echo",
	} {
		req.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{}}
	res, err := client.Do(req)
	require.NoError(t, err)
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	res.Body.Close()
	require.Contains(t, string(answer), `"content":[{"type":"text","text":"hello"}]`)

	client.CloseIdleConnections()
	stop()
	require.Equal(t, 0, <-code)
}
