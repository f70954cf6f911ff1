package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/state"
)

// examined is what doctor --json answers.
type examined struct {
	OK     bool      `json:"ok"`
	Checks []finding `json:"checks"`
}

// outcome is that of a check; empty where it was not made.
func (x *examined) outcome(check string) string {
	i := slices.IndexFunc(x.Checks, func(f finding) bool { return f.Check == check })
	if i < 0 {
		return ""
	}
	return x.Checks[i].Outcome
}

// runBinary runs the built ingot, with a home and a state of its own, and returns what it
// printed and its exit code.
func runBinary(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	return runNamed(t, env, filepath.Join(binariesDir, "ingot"), args...)
}

func runNamed(t *testing.T, env []string, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &out, &err
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "INGOT_") }), env...)
	if failure := cmd.Run(); failure != nil && cmd.ProcessState == nil {
		t.Fatal(failure)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// examine runs "ingot doctor --json" on a free port, unless args name one.
func examine(t *testing.T, args ...string) *examined {
	t.Helper()
	if !slices.Contains(args, "--listen") {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	stdout, stderr, code := runBinary(t, nil, append([]string{"doctor", "--json"}, args...)...)
	return readExamined(t, stdout, stderr, code)
}

func readExamined(t *testing.T, stdout, stderr string, code int) *examined {
	t.Helper()
	var x examined
	if err := json.Unmarshal([]byte(stdout), &x); err != nil {
		t.Fatalf("exit %d, %q: %v; stderr: %s", code, stdout, err, stderr)
	}
	if x.OK != (code == 0) {
		t.Errorf("exit %d, and ok is %v", code, x.OK)
	}
	for _, f := range x.Checks {
		if f.Outcome == outcomeFail && (f.Mend == "" || x.OK) {
			t.Errorf("%+v: a fail says how to mend it, and is not ok", f)
		}
	}
	return &x
}

func (x *examined) want(t *testing.T, check, outcome, message string) {
	t.Helper()
	for _, f := range x.Checks {
		if f.Check == check && f.Outcome == outcome && strings.Contains(f.Message, message) {
			return
		}
	}
	t.Errorf("there is no %s of %q with %q in %+v", outcome, check, message, x.Checks)
}

func fileOf(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDoctorOfAWellServer(t *testing.T) {
	dir := stored(t, 20)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	token := fileOf(t, "token", testToken+"\n", 0o600)
	x := examine(t, "--data", dir, "--token-file", token)
	for _, check := range []string{"configuration", "directory", "disk", "fsync", "contents", "clock", "address", "token file"} {
		if got := x.outcome(check); got != outcomeOK && !(check == "disk" && got == outcomeWarn) {
			t.Errorf("%s: %q in %+v", check, got, x.Checks)
		}
	}
	x.want(t, "contents", outcomeOK, "entries: 20")
	left, err := filepath.Glob(filepath.Join(dir, ".doctor-*"))
	if len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
	stdout, _, code := runBinary(t, nil, "doctor", "--data", filepath.Join(dir, "later"), "--listen", "127.0.0.1:0")
	if code != 0 || !strings.Contains(stdout, "ok    directory") || !strings.Contains(stdout, "0 to mend") {
		t.Errorf("exit %d, %s", code, stdout)
	}
	if _, err := os.Stat(filepath.Join(dir, "later")); err == nil {
		t.Error("it made the directory that it was asked about")
	}
}

func TestDoctorOfTheState(t *testing.T) {
	open := stored(t, 2)
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	examine(t, "--data", open).want(t, "directory", outcomeWarn, "mode 0755")
	examine(t, "--data", fileOf(t, "file", "", 0o600)).want(t, "directory", outcomeFail, "is a file")
	examine(t, "--memory").want(t, "state", outcomeWarn, "in memory")

	broken := stored(t, 50)
	logs, err := filepath.Glob(filepath.Join(broken, "*"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := false
	for _, path := range logs { // the largest one holds entries
		if info, err := os.Stat(path); err == nil && info.Size() > 1000 && !damaged {
			damage(t, path)
			damaged = true
		}
	}
	if !damaged {
		t.Fatalf("no file to damage in %v", logs)
	}
	examine(t, "--data", broken).want(t, "contents", outcomeFail, "at byte")

	if runtime.GOOS == "linux" {
		examine(t, "--data", "/proc/ingot/state").want(t, "directory", outcomeFail, "cannot be made")
		examine(t, "--data", t.TempDir(), "--max-bytes", "1000000GiB").want(t, "memory", outcomeWarn, "may grow to")
	}
}

// A server runs: its directory and its port are in use, which is no fault then.
func TestDoctorBesideAServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := serve(t, "--memory=false", "--data", dir)
	at := strings.TrimPrefix(s.origin, "http://")
	x := examine(t, "--data", dir, "--listen", at)
	x.want(t, "contents", outcomeWarn, fmt.Sprintf("process %d", s.process.Pid))
	x.want(t, "address", outcomeWarn, "a server runs")
	examine(t, "--memory", "--listen", at).want(t, "address", outcomeFail, "is in use")
}

func TestDoctorOfKeys(t *testing.T) {
	digits := strings.Repeat("5a", 32)
	key := fileOf(t, "key", "1:"+digits, 0o644)
	x := examine(t, "--memory=false", "--data", filepath.Join(t.TempDir(), "none"), "--key-file", key)
	x.want(t, "key file", outcomeWarn, "mode 0644")

	dir := filepath.Join(t.TempDir(), "sealed")
	if _, stderr, code := runBinary(t, nil, "state", "set", "--data", dir, "--key-file", key, "k", "v"); code != 0 {
		t.Fatal(stderr)
	}
	examine(t, "--data", dir).want(t, "contents", outcomeFail, "key")
	other := fileOf(t, "other", "1:"+strings.Repeat("5b", 32), 0o600)
	examine(t, "--data", dir, "--key-file", other).want(t, "contents", outcomeFail, "")
	examine(t, "--data", dir, "--key-file", key).want(t, "contents", outcomeOK, "entries: 1")

	token := fileOf(t, "token", testToken, 0o640)
	stdout, _, _ := runBinary(t, []string{"INGOT_KEY=1:" + digits}, "doctor", "--data", dir, "--token-file", token, "--listen", "127.0.0.1:0")
	if !strings.Contains(stdout, "warn  token file") || strings.Contains(stdout, testToken) || strings.Contains(stdout, digits) {
		t.Errorf("a secret, or no warning: %s", stdout)
	}
	examine(t, "--memory", "--token-file", fileOf(t, "short", "x", 0o600)).want(t, "token file", outcomeFail, "")
	examine(t, "--memory", "--token-file", "/nowhere/token").want(t, "token file", outcomeFail, "no such file")
}

func TestDoctorOfTheAddress(t *testing.T) {
	examine(t, "--memory", "--listen", "0.0.0.0:0").want(t, "address", outcomeFail, "nobody is asked")
	examine(t, "--memory", "--listen", "7070").want(t, "address", outcomeFail, "host:port")
	token := fileOf(t, "token", testToken, 0o600)
	examine(t, "--memory", "--listen", "0.0.0.0:0", "--token-file", token).want(t, "address", outcomeOK, "is free")

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	examine(t, "--memory", "--listen", taken.Addr().String()).want(t, "address", outcomeFail, "is in use")
}

func TestDoctorOfTheCertificate(t *testing.T) {
	cert, key := certificateFiles(t)
	examine(t, "--memory", "--tls-cert", cert, "--tls-key", key).want(t, "key of TLS", outcomeOK, "")
	_, other := certificateFiles(t)
	examine(t, "--memory", "--tls-cert", cert, "--tls-key", other).want(t, "certificate", outcomeFail, "")
	examine(t, "--memory", "--tls-cert", cert, "--tls-key", fileOf(t, "none", "", 0o600)).want(t, "certificate", outcomeFail, "")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	examine(t, "--memory", "--tls-cert", cert, "--tls-key", key).want(t, "key of TLS", outcomeWarn, "mode 0644")
}

// certificateFiles writes a certificate and its key.
func certificateFiles(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	certificate, _, err := httpguard.SelfSigned([]string{"box.example"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return fileOf(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})), 0o600),
		fileOf(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})), 0o600)
}

func TestDoctorOfAConfiguration(t *testing.T) {
	const head = "forge: {name: well, version: 1.0.0}\n"
	well := fileOf(t, "forge.yaml", head+"tools:\n  - {type: native, name: echo, handler: \"ingot::echo\"}\n", 0o600)
	x := examine(t, "--config", well)
	x.want(t, "configuration", outcomeOK, "well 1.0.0, 1 tool")
	x.want(t, "tools", outcomeOK, "all open")

	unknown := fileOf(t, "forge.yaml", head+"tolls: []\n", 0o600)
	examine(t, "--config", unknown).want(t, "configuration", outcomeFail, "tolls")
	examine(t, "--config", "/nowhere/forge.yaml").want(t, "configuration", outcomeFail, "")
	module := fileOf(t, "forge.yaml", head+"tools:\n  - {type: wasm, name: hollow, module: hollow.wasm}\n", 0o600)
	if err := os.WriteFile(filepath.Join(filepath.Dir(module), "hollow.wasm"), []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	examine(t, "--config", module).want(t, "tools", outcomeFail, "hollow")

	away := fileOf(t, "forge.yaml", head+"state: {backend: redis, url: \"redis://user:hunter2@127.0.0.1:1\"}\n", 0o600)
	stdout, stderr, code := runBinary(t, nil, "doctor", "--json", "--config", away, "--listen", "127.0.0.1:0")
	readExamined(t, stdout, stderr, code).want(t, "redis", outcomeFail, "")
	if strings.Contains(stdout+stderr, "hunter2") {
		t.Errorf("the password is shown: %s%s", stdout, stderr)
	}
	if _, _, code := runBinary(t, nil, "doctor", "--config", well, "--memory"); code != 2 {
		t.Errorf("--config with --memory: exit %d", code)
	}
}

// What the machine gives a process, and the folder that compiled modules are kept in.
func TestDoctorOfTheMachine(t *testing.T) {
	if err := buildBinaries(); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" {
		stdout, stderr, code := runNamed(t, nil, "sh", "-c", `ulimit -n 256 && exec "$0" doctor --json --memory --listen 127.0.0.1:0`, filepath.Join(binariesDir, "ingot"))
		readExamined(t, stdout, stderr, code).want(t, "open files", outcomeWarn, "256")
	}
	cache := t.TempDir()
	folder := filepath.Join(cache, "ingot", "wasm")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	file := fileOf(t, "forge.yaml", "forge: {name: well, version: 1.0.0}\n", 0o600)
	stdout, stderr, code := runBinary(t, []string{"XDG_CACHE_HOME=" + cache}, "doctor", "--json", "--config", file)
	readExamined(t, stdout, stderr, code).want(t, "module cache", outcomeWarn, "mode 0777")

	own, err := moduleCacheDir()
	theirs, err2 := sandbox.DefaultCacheDir()
	if own != theirs || (err == nil) != (err2 == nil) {
		t.Errorf("the cache is looked for in %s, and is in %s", own, theirs)
	}
}

// shifted is a state with another clock.
type shifted struct {
	state.Manager
	by time.Duration
}

func (s shifted) Now() int64 { return time.Now().Add(s.by).UnixMilli() }

func TestDoctorOfClocks(t *testing.T) {
	for by, want := range map[time.Duration]string{0: outcomeOK, time.Hour: outcomeWarn, -time.Hour: outcomeWarn} {
		e := &examination{}
		e.compareClocks(shifted{by: by})
		if got := (&examined{Checks: e.Findings}).outcome("clock of redis"); got != want {
			t.Errorf("%v off: %q", by, got)
		}
	}
	e := &examination{}
	e.clockAt(time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC))
	e.clockAt(time.Now())
	if e.Findings[0].Outcome != outcomeFail || e.Findings[1].Outcome != outcomeOK {
		t.Errorf("%+v", e.Findings)
	}
}
