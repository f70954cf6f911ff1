package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/mcp/httpguard"
)

// installed returns the path of a program that a test needs beside Go. Where there is
// none the test is skipped, and fails in CI: there nobody would miss it.
func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("%v: the environment variable CI is set, where all tests run; .ci/tools.sh installs it", err)
	}
	if err != nil {
		t.Skipf("%v", err)
	}
	return path
}

// blocks returns the code blocks of a language in a page of docs/.
func blocks(t *testing.T, page, language string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s has no block of %s", page, language)
	}
	return found
}

// pasted is a client's configuration, in either of the forms there are.
type pasted struct {
	Servers map[string]pastedServer `json:"mcpServers"`
	VSCode  map[string]pastedServer `json:"servers"`
	Inputs  []struct{ ID string }   `json:"inputs"`
}

type pastedServer struct {
	Type, URL, Command string
	Args               []string
	Headers            map[string]string
}

const documented = "http://127.0.0.1:7070" // where the pages say that the server is

// Each configuration in the pages, used as its client would: variables are filled
// in, the server started or called.
func TestDocsConfigurations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open, guarded := serve(t), serve(t, "--token-file", path)
	count := 0
	for _, page := range []string{"stdio", "streamable-http", "http-sse"} {
		for _, block := range blocks(t, "transports/"+page+".md", "json") {
			var p pasted
			if err := json.Unmarshal([]byte(block), &p); err != nil || len(p.Servers)+len(p.VSCode) != 1 {
				t.Fatalf("%s: %v in %s", page, err, block)
			}
			for _, input := range p.Inputs {
				block = strings.ReplaceAll(block, "${input:"+input.ID+"}", testToken)
			}
			block = strings.NewReplacer("${INGOT_TOKEN}", testToken, "${env:INGOT_TOKEN}", testToken).Replace(block)
			if err := json.Unmarshal([]byte(block), &p); err != nil {
				t.Fatal(err)
			}
			for _, servers := range []map[string]pastedServer{p.Servers, p.VSCode} {
				for _, s := range servers {
					count++
					switch {
					case s.Command != "":
						tryStdio(t, s)
					case s.Headers == nil:
						tryHTTP(t, s, open)
					default:
						tryHTTP(t, s, guarded)
					}
				}
			}
		}
	}
	if count < 9 {
		t.Errorf("%d configurations were found", count)
	}
}

func tryStdio(t *testing.T, s pastedServer) {
	t.Helper()
	if s.Command != "/usr/local/bin/mcp-stdio" {
		t.Fatalf("the command %s is not the documented one", s.Command)
	}
	args := strings.Split(strings.ReplaceAll(strings.Join(s.Args, "\x00"), "/home/me", t.TempDir()), "\x00")
	cmd := exec.Command(filepath.Join(binariesDir, "mcp-stdio"), args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "INGOT_MEMORY=") }) // set for the other tests
	cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\n")
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), `"result":{}`) {
		t.Errorf("%v: %s, %v", args, out, err)
	}
}

func tryHTTP(t *testing.T, s pastedServer, server *served) {
	t.Helper()
	url, ok := strings.CutPrefix(s.URL, documented)
	if !ok {
		t.Fatalf("the URL %s is not the documented one", s.URL)
	}
	method, body := http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	want := `"result":{}`
	if s.Type == "sse" {
		method, body, want = http.MethodGet, "", "event: endpoint"
	}
	r, err := http.NewRequestWithContext(t.Context(), method, server.origin+url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range s.Headers {
		r.Header.Set(name, value)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	line, err := bufio.NewReader(w.Body).ReadString('\n')
	if w.StatusCode != 200 || !strings.Contains(line, want) {
		t.Errorf("%s: %d %q, %v; want %q", s.URL, w.StatusCode, line, err, want)
	}
}

// Each command line that calls a server, run by a shell.
func TestDocsCommands(t *testing.T) {
	installed(t, "curl")
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open, guarded := serve(t), serve(t, "--token-file", path)
	for _, page := range []string{"stdio", "streamable-http", "http-sse"} {
		for _, block := range blocks(t, "transports/"+page+".md", "sh") {
			server := open
			if strings.Contains(block, "$INGOT_TOKEN") {
				server = guarded
			}
			cmd := exec.Command("sh", "-c", strings.ReplaceAll(block, documented, server.origin))
			cmd.Env = append(os.Environ(), "INGOT_TOKEN="+testToken, "PATH="+binariesDir+":"+os.Getenv("PATH"))
			out, err := cmd.Output()
			if err != nil || !strings.Contains(string(out), `"result"`) && !strings.Contains(string(out), "event: endpoint") {
				t.Errorf("%s: %s\n%s, %v", page, block, out, err)
			}
		}
	}
}

// The configuration of nginx, with all transports through it.
func TestDocsNginx(t *testing.T) {
	nginx := installed(t, "nginx")
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ingot := serve(t, "--trusted-proxy", "127.0.0.1", "--allow-host", "box.example", "--token-file", token)
	address := startNginx(t, nginx, dir, ingot)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "box.example"}, DisableKeepAlives: true,
	}}
	for _, c := range []struct {
		method, path, token string
		status              int
		begins              string
	}{
		{"POST", "/mcp", testToken, 200, `{"jsonrpc":"2.0","id":1,"result":{}}`},
		{"POST", "/mcp", "", 401, ""},
		{"GET", "/sse", testToken, 200, "event: endpoint"},
		{"GET", "/", "", 200, "<!doctype html>"},
		{"GET", "/ws", testToken, 101, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, "https://"+address+c.path, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "box.example"
		r.Header.Set("Content-Type", "application/json")
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		if c.path == "/ws" {
			for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13",
				"Sec-Websocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-Websocket-Protocol": "mcp"} {
				r.Header.Set(name, value)
			}
		}
		w, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(c.begins))
		if _, err := io.ReadFull(w.Body, got); err != nil || w.StatusCode != c.status || string(got) != c.begins {
			t.Errorf("%s %s: %d %q, %v; want %d %q", c.method, c.path, w.StatusCode, got, err, c.status, c.begins)
		}
		w.Body.Close()
	}
}

// startNginx runs nginx with the documented configuration before a server, and
// returns its address.
func startNginx(t *testing.T, nginx, dir string, ingot *served) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	certificate, _, err := httpguard.SelfSigned([]string{"box.example"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"box.pem": {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}, "box.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	site := strings.NewReplacer("listen 443 ssl", "listen "+address+" ssl", "/etc/ssl/", dir+"/", documented, ingot.origin).
		Replace(blocks(t, "TRANSPORTS.md", "nginx")[0])
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;\nevents {}\nhttp {\naccess_log off;\n"+
		"client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n%[2]s}\n", dir, site)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(nginx, "-p", dir, "-c", config)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for end := time.Now().Add(deadline); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address
		}
		if time.Now().After(end) {
			t.Fatalf("nginx does not answer: %s", log.String())
		}
	}
}
