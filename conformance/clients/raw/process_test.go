package raw

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/conformance/clients/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// patience bounds every wait: it is how long a broken server may hang a test.
const patience = time.Minute

// A process is a running server and its end of the conversation.
type process struct {
	t      *testing.T
	era    era
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	frames <-chan []byte // what the server wrote, line by line; closed at its end
	nextID int
}

// start runs a server. When the test ends, the server must end by itself at the
// end of its input, with exit code 0 and with nothing more on stdout.
func start(t *testing.T, e era) *process {
	t.Helper()
	cmd := exec.Command(harness.Binary(t), "--memory")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var log lockedBuffer
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	killer := time.AfterFunc(2*patience, func() { cmd.Process.Kill() })

	frames := make(chan []byte)
	go func() { // ends with the server's stdout
		defer close(frames)
		reader := bufio.NewReader(stdout)
		for {
			line, err := reader.ReadBytes('\n')
			if len(line) > 0 {
				frames <- line
			}
			if err != nil {
				return
			}
		}
	}()
	p := &process{t: t, era: e, cmd: cmd, stdin: stdin, frames: frames}
	t.Cleanup(func() {
		stdin.Close()
		for line := range frames {
			t.Errorf("left on stdout: %s", clip(line))
		}
		err := cmd.Wait() // after the last frame: it closes stdout
		killer.Stop()
		if err != nil {
			t.Errorf("the server's exit: %v", err)
		}
		if t.Failed() {
			t.Logf("the server's stderr: %s", log.String())
		}
	})
	return p
}

// write sends bytes as they are.
func (p *process) write(text string) {
	p.t.Helper()
	_, err := io.WriteString(p.stdin, text)
	require.NoError(p.t, err)
}

// end closes the server's input.
func (p *process) end() {
	p.t.Helper()
	require.NoError(p.t, p.stdin.Close())
}

// A frame is one answer of the server.
type frame struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      any             `json:"id"` // nil: null or absent
	Result  map[string]any  `json:"result"`
	Error   *errorObject    `json:"error"`
	Method  string          `json:"method"`
	raw     []byte          // the line, without its line break
	value   any             // the line, decoded
	members map[string]bool // its members' names
}

type errorObject struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Data    map[string]any `json:"data"`
}

// read waits for the server's next line, which must be a frame of the era.
func (p *process) read() frame {
	p.t.Helper()
	select {
	case line, open := <-p.frames:
		require.True(p.t, open, "the server closed stdout")
		return p.parse(line)
	case <-time.After(patience):
		require.FailNow(p.t, "the server does not answer")
		return frame{}
	}
}

// parse checks that a line is one JSON-RPC answer by the era's schema.
func (p *process) parse(line []byte) frame {
	p.t.Helper()
	require.True(p.t, bytes.HasSuffix(line, []byte("\n")), "stdout ends inside a line: %s", clip(line))
	f := frame{raw: bytes.TrimSuffix(line, []byte("\n"))}
	require.NotContains(p.t, string(f.raw), "\r")
	require.NoError(p.t, json.Unmarshal(f.raw, &f), "not JSON-RPC on stdout: %s", clip(line))
	require.NoError(p.t, json.Unmarshal(f.raw, &f.value))
	f.members = map[string]bool{}
	for name := range f.value.(map[string]any) {
		f.members[name] = true
	}
	require.Equal(p.t, "2.0", f.JSONRPC)
	require.Empty(p.t, f.Method, "the server sent a request or notification that nobody asked for")
	require.NotEqual(p.t, f.members["result"], f.members["error"], "result or error, and only one of them: %s", clip(line))
	p.era.validate(p.t, "JSONRPCResponse", f.value)
	return f
}

// request sends a request of the era and returns its answer, which must be the
// next line. params may be nil.
func (p *process) request(method string, params map[string]any) frame {
	p.t.Helper()
	p.nextID++
	p.write(p.era.request(p.t, p.nextID, method, params))
	f := p.read()
	require.EqualValues(p.t, p.nextID, f.ID)
	return f
}

// result is request for a call that must succeed; definition names the
// result's type in the schema.
func (p *process) result(definition, method string, params map[string]any) map[string]any {
	p.t.Helper()
	f := p.request(method, params)
	require.Nil(p.t, f.Error, "%s: %+v", method, f.Error)
	p.era.validate(p.t, definition, any(f.Result))
	if p.era.modern {
		require.Equal(p.t, "complete", f.Result["resultType"], method)
	}
	return f.Result
}

// refused is request for one that must fail with the code.
func (p *process) refused(code int, method string, params map[string]any) *errorObject {
	p.t.Helper()
	f := p.request(method, params)
	require.NotNil(p.t, f.Error, "%s: %s", method, clip(f.raw))
	require.Equal(p.t, code, f.Error.Code, f.Error.Message)
	require.NotEmpty(p.t, f.Error.Message)
	return f.Error
}

// call calls a tool and returns its structured content, whose text must be the
// same JSON.
func (p *process) call(tool string, arguments any) any {
	p.t.Helper()
	result := p.result("CallToolResult", "tools/call", map[string]any{"name": tool, "arguments": arguments})
	text := onlyText(p.t, result)
	require.NotEqual(p.t, true, result["isError"], text)
	var inText any
	require.NoError(p.t, json.Unmarshal([]byte(text), &inText), text)
	require.Equal(p.t, result["structuredContent"], inText, "structuredContent and its text differ")
	return result["structuredContent"]
}

func onlyText(t *testing.T, result map[string]any) string {
	t.Helper()
	content, ok := result["content"].([]any)
	require.True(t, ok && len(content) == 1, "content: %v", result["content"])
	block := content[0].(map[string]any)
	require.Equal(t, "text", block["type"])
	return block["text"].(string)
}

// requireAlive checks that the server still answers, and in order.
func (p *process) requireAlive() {
	p.t.Helper()
	require.Equal(p.t, map[string]any{"exists": false}, p.call("state_exists", map[string]any{"key": fmt.Sprint("alive ", p.nextID)}))
}

func clip(line []byte) string {
	const shown = 400
	if len(line) <= shown {
		return string(line)
	}
	return fmt.Sprintf("%s… (%d bytes)", line[:shown], len(line))
}

// A lockedBuffer takes the server's stderr while the test may read it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
