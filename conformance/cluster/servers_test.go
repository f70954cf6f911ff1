package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds each wait for something that has to come.
const patience = 60 * time.Second

// program is the path of ingot, built once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ingot-cluster-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "ingot")
	out, err := exec.Command("go", "build", "-o", path, "github.com/ingot-run/ingot/cmd/ingot").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building ingot: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if ran.Load() {
		if path, err := program(); err == nil {
			os.RemoveAll(filepath.Dir(path))
		}
	}
	os.Exit(code)
}

// ran is whether the program was asked for.
var ran atomic.Bool

// process is an ingot serve.
type process struct {
	origin string
	cmd    *exec.Cmd
	log    lockedLog
	exited chan struct{}
	served atomic.Int64 // requests that the balancer sent there
}

// lockedLog takes texts while it is read.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var address = regexp.MustCompile(`MCP +(http://\S+:\d+)/mcp`)

// start starts a server on the state at url, which is in the environment alone.
func start(t *testing.T, url string, flags ...string) *process {
	t.Helper()
	ran.Store(true)
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(path, append([]string{"serve", "--listen", "127.0.0.1:0"}, flags...)...), exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "INGOT_DATA="+url)
	p.cmd.Stderr = &p.log
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() { // ends with the process
		lines, all := bufio.NewReader(stdout), ""
		for {
			line, err := lines.ReadString('\n')
			all += line
			if err != nil || strings.Contains(line, "Stop with") {
				said <- all
				break
			}
		}
		_, _ = io.Copy(io.Discard, lines)
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(p.kill)
	select {
	case text := <-said:
		found := address.FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("no address in %q; stderr: %s", text, &p.log)
		}
		p.origin = found[1]
	case <-time.After(patience):
		t.Fatal("a server says no address")
	}
	return p
}

// kill ends the process as kill -9 does, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// gone reports whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// balancer sends each request to the next server. One that takes no connections is left
// out for that request, and one that is known to be gone for all (another program may
// listen on its port by then); what was sent to one that dies meanwhile is an error.
type balancer struct {
	*httptest.Server
	processes []*process
	next      atomic.Int64
	client    *http.Client
}

func balance(t *testing.T, processes []*process) *balancer {
	b := &balancer{processes: processes, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(func() {
		b.Close()
		b.client.CloseIdleConnections()
	})
	return b
}

// ServeHTTP implements http.Handler.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	first := int(b.next.Add(1))
	for i := range b.processes {
		p := b.processes[(first+i)%len(b.processes)]
		if p.gone() {
			continue
		}
		request, err := http.NewRequestWithContext(r.Context(), r.Method, p.origin+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		request.GetBody = nil // nothing is sent twice
		request.Header = r.Header.Clone()
		response, err := b.client.Do(request)
		if isDial(err) {
			continue
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		p.served.Add(1)
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
		return
	}
	http.Error(w, "no server takes connections", http.StatusServiceUnavailable)
}

// isDial reports whether an error is that of a connection that was not made.
func isDial(err error) bool {
	for e := err; e != nil; {
		if op, ok := e.(*net.OpError); ok {
			return op.Op == "dial"
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		e = u.Unwrap()
	}
	return false
}

// answer is what a server said to a request.
type answer struct {
	status int
	text   string
}

// ask makes a request of a modern client that knows tasks. name is what it is about: a
// tool, or a task.
func ask(ctx context.Context, origin, method, name, params string, headers map[string]string) (answer, error) {
	frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
		`"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`, method, params)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, origin+"/mcp", strings.NewReader(frame))
	if err != nil {
		return answer{}, err
	}
	for key, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": method, "Mcp-Name": name,
	} {
		r.Header.Set(key, value)
	}
	for key, value := range headers {
		r.Header.Set(key, value)
	}
	if method == "subscriptions/listen" {
		r.Header.Del("Mcp-Name")
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	return answer{w.StatusCode, string(text)}, err
}

// call calls a tool and returns its structured answer; an error for any other.
func call(ctx context.Context, origin, tool, arguments string) (map[string]any, error) {
	a, err := ask(ctx, origin, "tools/call", tool, fmt.Sprintf(`"name":%q,"arguments":%s`, tool, arguments), nil)
	if err != nil {
		return nil, err
	}
	var said struct {
		Result struct {
			Structured map[string]any `json:"structuredContent"`
			IsError    bool
		}
	}
	if err := json.Unmarshal([]byte(a.text), &said); err != nil || a.status != http.StatusOK || said.Result.IsError || said.Result.Structured == nil {
		return nil, fmt.Errorf("%s: %d %s", tool, a.status, a.text)
	}
	return said.Result.Structured, nil
}

// must is call where nothing may fail.
func must(t *testing.T, origin, tool, arguments string) map[string]any {
	t.Helper()
	said, err := call(t.Context(), origin, tool, arguments)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// until repeats f until it says the text.
func until(t *testing.T, text string, f func() string) string {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		said := f()
		if strings.Contains(said, text) {
			return said
		}
		if time.Now().After(end) {
			t.Fatalf("%q does not come: %s", text, said)
		}
	}
}
