package main

import (
	"crypto/tls"
	"fmt"
	"github.com/ingot-run/ingot/internal/httpserve"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const testToken = "0123456789abcdef-secret"

func TestAccessFlags(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("short-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, token, want string }{
		{"--token-file " + path, "", "16 or more visible ASCII"},
		{"--token-file " + path + "-missing", "", "--token-file"},
		{"--token-file " + path, testToken, "take one away"},
		{"--auth-disabled", testToken, "--auth-disabled goes with neither"},
		{"", "short-secret", "16 or more visible ASCII"},
		{"--tls-cert x", "", "--tls-cert and --tls-key go together"},
		{"--tls-cert x --tls-key y --tls-self-signed", "", "--tls-self-signed goes with neither"},
		{"--tls-cert x --tls-key y", "", "preparing TLS"},
		{"--rate 0", "", "above 0"},
	} {
		if c.token != "" {
			t.Setenv(httpserve.TokenVariable, c.token)
		} else {
			os.Unsetenv(httpserve.TokenVariable)
		}
		code, stdout, stderr := runWith(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, strings.Fields(c.args)...)...)
		if code == 0 || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "secret") {
			t.Errorf("%s with %q: exit %d, stdout %q, stderr %q; want %q", c.args, c.token, code, stdout, stderr, c.want)
		}
	}
}

// A server that others can reach, with a token and TLS.
func TestGuardedServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--listen", "0.0.0.0:0", "--token-file", path, "--tls-self-signed", "--allow-host", "box.example")
	port := s.origin[strings.LastIndexByte(s.origin, ':'):]
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for _, c := range []struct {
		method, path, token string
		status              int
	}{
		{"POST", "/mcp", testToken, 200},
		{"POST", "/mcp", "", 401},
		{"POST", "/mcp", testToken + "x", 401},
		{"GET", "/sse", "", 401},
		{"GET", "/ws", "", 401},
		{"GET", "/", "", 200},
	} {
		r, err := http.NewRequest(c.method, "https://127.0.0.1"+port+c.path, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "box.example"
		r.Header.Set("Content-Type", "application/json")
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		w, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(w.Body)
		w.Body.Close()
		if err != nil || w.StatusCode != c.status {
			t.Errorf("%s %s with %q: %d %s, %v; want %d", c.method, c.path, c.token, w.StatusCode, body, err, c.status)
		}
	}
	if err := s.process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	s.wait(t) // its log is whole only then
	if text := fmt.Sprint(s.welcome, s.stderr); strings.Contains(text, testToken) || !strings.Contains(text, "Bearer ${INGOT_TOKEN}") || !strings.Contains(text, "SHA-256") {
		t.Errorf("welcome and log: %s", text)
	}
}
