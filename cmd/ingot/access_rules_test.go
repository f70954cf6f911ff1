package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ingot-run/ingot/internal/httpserve"
)

// testFile writes a file of a test, and returns its path.
func testFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	readerToken = "reader-token-0123456789"
	writerToken = "writer-token-0123456789"
	nobodyToken = "nobody-token-0123456789"
	ruleTokens  = "# who may come in\nreader: " + readerToken + "\nwriter: " + writerToken + "\n" + nobodyToken + "\n"
	rules       = `access:
  roles:
    reader:
      principals: ["token:reader"]
      tools: [state_get, state_list, state_exists, state_batch_get, state_wait]
      resources: ["state:///**"]
      state: {"shared/": read}
    writer:
      principals: ["token:writer"]
      tools: ["state_*"]
      resources: ["state:///**"]
      state: {"shared/": write, "user/${principal}/": write}
      quotas: {calls_per_minute: 100000, state_bytes: 4096}
`
)

// ask sends a request as who has the token, and returns the status and the answer.
func (s *served) ask(t *testing.T, client *http.Client, token, method, params string) (int, string) {
	t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s}}`, method, params)
	if strings.HasPrefix(method, "subscriptions/") {
		body = strings.Replace(body, `"params":{`, `"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},`, 1)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.origin+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if strings.HasPrefix(method, "subscriptions/") {
		r.Header.Set("MCP-Protocol-Version", "2026-07-28")
		r.Header.Set("Mcp-Method", method)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.StatusCode, string(text) + w.Header.Get("WWW-Authenticate")
}

func calling(tool, arguments string) string { return `"name":"` + tool + `","arguments":` + arguments }

// Whatever a caller asks by, it gets what its roles allow, and learns of nothing else.
func TestAccessRules(t *testing.T) {
	os.Unsetenv(httpserve.TokenVariable)
	data := t.TempDir()
	for _, kv := range [][2]string{{"shared/s", "common"}, {"secret/plan", "TOPSECRET"}, {"user/token:other/x", "TOPSECRET"}} {
		if code, _, stderr := runWith(t, "state", "set", kv[0], kv[1], "--data", data); code != 0 {
			t.Fatal(stderr)
		}
	}
	log := filepath.Join(t.TempDir(), "audit.log")
	t.Setenv("INGOT_MEMORY", "false")
	s := serve(t, "--data", data, "--token-file", testFile(t, "tokens", ruleTokens), "--access", testFile(t, "access.yaml", rules), "--audit", log)
	const key, ref = `{"key":"secret/plan"}`, `"ref":{"type":"ref/resource","uri":"state:///{+key}"},"argument":{"name":"key","value":"s"}`
	for _, c := range []struct{ token, method, params, want string }{
		{readerToken, "tools/list", "", `"state_list"`},
		{nobodyToken, "tools/list", "", `"tools":[]`},
		{nobodyToken, "resources/list", "", `"resources":[]`},
		{nobodyToken, "resources/templates/list", "", `"resourceTemplates":[]`},
		{nobodyToken, "tools/call", calling("state_get", `{"key":"shared/s"}`), "it has no role here"},
		{nobodyToken, "tools/call", calling("no_such_tool", `{}`), "it has no role here"},
		{readerToken, "tools/call", calling("state_get", `{"key":"shared/s"}`), "common"},
		{readerToken, "tools/call", calling("state_get", key), "token:reader may not read the key"},
		{readerToken, "tools/call", calling("state_get", `{"key":"secret/none"}`), "token:reader may not read the key"},
		{readerToken, "tools/call", calling("state_exists", key), "token:reader may not read the key"},
		{readerToken, "tools/call", calling("state_batch_get", `{"keys":["shared/s","secret/plan"]}`), "token:reader may not read the key"},
		{readerToken, "tools/call", calling("state_wait", `{"key":"secret/plan","version":0,"timeout_seconds":1}`), "token:reader may not read the key"},
		{readerToken, "tools/call", calling("state_list", `{}`), `"shared/s"`},
		{readerToken, "tools/call", calling("state_list", `{"prefix":"secret/"}`), `"entries":[]`},
		{readerToken, "tools/call", calling("state_set", `{"key":"shared/s","value":"x"}`), "may not use the tool state_set"},
		{readerToken, "resources/list", "", `state:///shared/s`},
		{readerToken, "resources/templates/list", "", `state:///{+key}`},
		{readerToken, "resources/read", `"uri":"state:///shared/s"`, "common"},
		{readerToken, "resources/read", `"uri":"state:///secret/plan"`, "may not read the key"},
		{readerToken, "resources/read", `"uri":"state:///secret%2Fplan"`, "may not read the key"},
		{readerToken, "resources/read", `"uri":"state:///shared/../secret/plan"`, "Resource not found"},
		{readerToken, "completion/complete", ref, `"values":["shared/s"]`},
		{nobodyToken, "completion/complete", ref, "it has no role here"},
		{readerToken, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["state:///secret/plan"]}`, "may not read the key"},
		{writerToken, "tools/call", calling("state_set", `{"key":"user/token:writer/a","value":"mine"}`), `"stored":true`},
		{writerToken, "tools/call", calling("state_set", `{"key":"user/token:other/x","value":"mine"}`), "token:writer may not write the key"},
		{writerToken, "tools/call", calling("state_set", `{"key":"user/token:writer/../x","value":"mine"}`), `"stored":true`},
		{writerToken, "tools/call", calling("state_batch_set", `{"entries":[{"key":"shared/s","value":"1"},{"key":"secret/plan","value":"1"}]}`), "token:writer may not write the key"},
		{writerToken, "tools/call", calling("state_delete", key), "token:writer may not write the key"},
		{writerToken, "tools/call", calling("state_increment", key), "token:writer may not write the key"},
		{writerToken, "tools/call", calling("state_set", `{"key":"user/token:writer/b","value":"`+strings.Repeat("x", 5000)+`"}`), `"isError":true`},
		{writerToken, "tools/call", calling("state_set", `{"key":"shared/b","value":"`+strings.Repeat("x", 5000)+`"}`), `"stored":true`},
		{writerToken, "tools/call", calling("state_get", `{"key":"shared/s"}`), "common"},
	} {
		_, got := s.ask(t, http.DefaultClient, c.token, c.method, c.params)
		if !strings.Contains(got, c.want) || strings.Contains(got, "TOPSECRET") || strings.Contains(got, "secret/plan") && !strings.Contains(c.params, "secret") {
			t.Errorf("%s %s %s: %.600s; want %s", c.token[:6], c.method, c.params, got, c.want)
		}
	}
	if _, got := s.ask(t, http.DefaultClient, readerToken, "tools/list", ""); strings.Contains(got, "state_set") || strings.Contains(got, "public") {
		t.Errorf("a reader is shown %s", got)
	}
	stop(t, s)
	checkAudit(t, log)
}

func stop(t *testing.T, s *served) {
	t.Helper()
	if err := s.process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := s.wait(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.stderr)
	}
}

// checkAudit reads the log of TestAccessRules by the commands.
func checkAudit(t *testing.T, log string) {
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"audit", "verify", log}, 0, []string{": whole; ", "head: "}},
		{[]string{"audit", "query", log, "--outcome", "denied", "--who", "token:writer"}, 0, []string{"state_delete", "denied (-32600)"}},
		{[]string{"audit", "query", log, "--tool", "state_wait", "--json"}, 0, []string{`"who":"token:reader"`, `"arguments":"hmac-sha256:`, `"kind":"token"`}},
		{[]string{"audit", "query", log, "--who", "token-*"}, 0, []string{"no_such_tool", "completion/complete"}},
		{[]string{"audit", "tail", log, "-n", "1"}, 0, []string{"state_get", "ok"}},
		{[]string{"audit", "query", log, "--since", "1h", "--method", "subscriptions/*", "--json"}, 0, []string{`"method":"subscriptions/listen"`}},
		{[]string{"audit", "query", log, "--until", "2020-01-01"}, 0, nil},
		{[]string{"audit", "query", log, "--since", "yesterday"}, 2, nil},
		{[]string{"audit", "query", log, "--outcome", "good"}, 2, nil},
		{[]string{"audit", "verify", log + "-none"}, 1, nil},
		{[]string{"audit", "verify", log, "--expect", strings.Repeat("0", 64)}, 1, []string{"that was expected"}},
	} {
		code, stdout, stderr := runWith(t, c.args...)
		if code != c.code || c.want == nil && stdout != "" {
			t.Errorf("%v: exit %d, %s %s", c.args, code, stdout, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%v: %s; want %s", c.args, stdout, want)
			}
		}
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{readerToken, writerToken, "TOPSECRET", "common", "mine"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the log holds %s", secret)
		}
	}
	at := bytes.Index(text, []byte(`"who":"token:writer"`)) + 10
	text[at]++
	if err := os.WriteFile(log, text, 0o600); err != nil {
		t.Fatal(err)
	}
	line := 1 + bytes.Count(text[:at], []byte("\n"))
	code, stdout, stderr := runWith(t, "audit", "verify", log)
	if code != 1 || !strings.Contains(stdout, fmt.Sprintf("line %d (byte", line)) || !strings.Contains(stderr, "not as it was written") {
		t.Errorf("exit %d, %s %s; want line %d", code, stdout, stderr, line)
	}
}

// A server that is killed outright leaves a chain that the next one goes on with.
func TestAuditOutlivesKills(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	for range 4 {
		s := serve(t, "--audit", log)
		for i := range 5 {
			s.ask(t, http.DefaultClient, "", "tools/call", calling("state_set", fmt.Sprintf(`{"key":"k","value":"%d"}`, i)))
		}
		s.process.Kill()
		<-s.done
	}
	code, stdout, stderr := runWith(t, "audit", "verify", log, "--json")
	if code != 0 || !strings.Contains(stdout, `"records":24`) {
		t.Errorf("exit %d, %s %s: each answered call is in it, and each start", code, stdout, stderr)
	}
	s := serve(t, "--audit", log)
	cmd := exec.Command(filepath.Join(binariesDir, "ingot"), "serve", "--listen", "127.0.0.1:0", "--memory", "--audit", log)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "another process's") {
		t.Errorf("%v: %s", err, out)
	}
	stop(t, s)
}

// authority signs certificates of clients.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) (a *authority, file string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key}, testFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// client is an HTTP client with a certificate that names somebody.
func (a *authority) client(t *testing.T, name func(*x509.Certificate)) *http.Client {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	name(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// A client's certificate says who it is.
func TestClientCertificates(t *testing.T) {
	os.Unsetenv(httpserve.TokenVariable)
	ours, ca := newAuthority(t)
	others, _ := newAuthority(t)
	rules := testFile(t, "access.yaml", `access: {roles: {
  ci: {principals: ["mtls:uri:spiffe://prod/ci/*"], tools: [state_list], state: {"": read}},
  box: {principals: ["mtls:dns:*.example"], tools: [state_get], state: {"": read}}}}`)
	s := serve(t, "--tls-self-signed", "--tls-client-ca", ca, "--access", rules)
	uri := func(text string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			c.URIs, c.DNSNames = []*url.URL{u}, []string{"a.example"}
		}
	}
	dns := func(c *x509.Certificate) { c.DNSNames, c.EmailAddresses = []string{"b.example"}, []string{"x@prod"} }
	email := func(c *x509.Certificate) {
		c.EmailAddresses, c.Subject.CommonName = []string{"ann@example.org"}, "b.example"
	}
	common := func(c *x509.Certificate) { c.Subject.CommonName = "uri:spiffe://prod/ci/1" }
	none := func(*x509.Certificate) {}
	for _, c := range []struct {
		client       *http.Client
		tool         string
		status       int
		want, failed string
	}{
		{ours.client(t, uri("spiffe://prod/ci/7")), "state_list", 200, `"entries"`, ""},
		{ours.client(t, uri("spiffe://prod/ci/7")), "state_get", 200, "mtls:uri:spiffe://prod/ci/7 may not use the tool state_get", ""},
		{ours.client(t, uri("spiffe://prod/ci/7/x")), "state_list", 200, "it has no role here", ""},
		{ours.client(t, dns), "state_get", 200, `"found":false`, ""},
		{ours.client(t, email), "state_get", 200, "mtls:email:ann@example.org may not", ""},
		{ours.client(t, common), "state_list", 200, "mtls:cn:uri:spiffe://prod/ci/1 may not", ""},
		{ours.client(t, none), "state_list", 403, "names nobody", ""},
		{&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}, "state_list", 401, "a client certificate is required", ""},
		{others.client(t, dns), "state_get", 0, "", "tls"},
	} {
		r, err := http.NewRequest("POST", s.origin+"/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{`+calling(c.tool, `{"key":"k"}`)+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		if c.tool == "state_list" {
			r.Body = io.NopCloser(strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + calling(c.tool, `{}`) + `}}`))
			r.ContentLength = -1
		}
		r.Header.Set("Content-Type", "application/json")
		w, err := c.client.Do(r)
		if c.failed != "" {
			if err == nil { // how it ends is a race between the alert and the end of the connection
				w.Body.Close()
				t.Errorf("a certificate of others is let in: %d", w.StatusCode)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(w.Body)
		w.Body.Close()
		c.client.CloseIdleConnections()
		if w.StatusCode != c.status || !strings.Contains(string(text), c.want) {
			t.Errorf("%d %s; want %d %s", w.StatusCode, text, c.status, c.want)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"--tls-client-ca " + ca, "--tls-client-ca is about TLS"},
		{"--tls-self-signed --auth-disabled --tls-client-ca " + ca, "--auth-disabled does not go"},
		{"--tls-self-signed --tls-client-ca " + rules, "has no certificate"},
		{"--audit a.log --config ../../examples/calculator/forge.yaml", "--access and --audit do not go with --config"},
		{"--access " + testFile(t, "a.yaml", "access: {roles: {a: {tool: [x]}}}"), "did you mean"},
	} {
		if code, _, stderr := runWith(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--memory"}, strings.Fields(c.args)...)...); code == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, %s; want %s", c.args, code, stderr, c.want)
		}
	}
}

// A role may be of a scope; the client is told which one would do.
func TestRolesByScope(t *testing.T) {
	os.Unsetenv(httpserve.TokenVariable)
	issuer, token := startIssuer(t)
	const audience = "https://box.example"
	s := serve(t, "--oauth-issuer", issuer, "--oauth-audience", audience, "--access", testFile(t, "access.yaml", `access: {roles: {
  reader: {scopes: ["state:read"], tools: [state_get], state: {"": read}},
  ann: {principals: ["oauth:ann"], tools: [state_set], state: {"user/${principal}/": write}}}}`))
	allowed := func(claims map[string]any, tool, arguments string) (int, string) {
		claims["aud"] = audience
		return s.ask(t, http.DefaultClient, token(claims), "tools/call", calling(tool, arguments))
	}
	for _, c := range []struct {
		subject, scope, tool, key string
		status                    int
		want                      string
	}{
		{"bob", "state:read", "state_get", "k", 200, `"found":false`},
		{"bob", "other", "state_get", "k", 403, `scope="state:read"`},
		{"ann", "", "state_set", "user/oauth:ann/k", 200, `"stored":true`},
		{"ann", "", "state_set", "user/oauth:bob/k", 200, "oauth:ann may not write the key"},
		{"token:ann", "", "state_set", "user/oauth:ann/k", 200, "it has no role here"},
		{"../ann", "state:read", "state_set", "k", 200, "its role reader does not allow it"},
	} {
		status, got := allowed(map[string]any{"sub": c.subject, "scope": c.scope}, c.tool, `{"key":"`+c.key+`"`+map[bool]string{true: `,"value":"v"`}[c.tool == "state_set"]+`}`)
		if status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %d %s", c, status, got)
		}
	}
}

// The roles of a forge.yaml change with it.
func TestRolesAreReloaded(t *testing.T) {
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	const text = "forge: {name: demo, transport: http}\naccess: {roles: {all: {principals: [anonymous], tools: [a]}}}\ntools:\n" +
		"  - {type: native, name: a, handler: \"ingot::time\"}\n  - {type: native, name: b, handler: \"ingot::time\"}\n"
	hearHangups(t)
	file := forgeProject(t, text)
	s := serve(t, "--config", file)
	may := func(tool string) bool {
		_, got := s.ask(t, http.DefaultClient, "", "tools/call", calling(tool, `{}`))
		return !strings.Contains(got, "may not use")
	}
	if !may("a") || may("b") {
		t.Fatal("the rules at the start are not in force")
	}
	if err := os.WriteFile(file, []byte(strings.Replace(text, "tools: [a]", "tools: [b]", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(deadline); may("a"); {
		if time.Now().After(end) {
			t.Fatal("the rules stay as they were")
		}
	}
	if !may("b") {
		t.Error("b is not allowed")
	}
}
