package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// signedTool is a folder with a module and two pairs of keys.
func signedTool(t *testing.T) (dir, tool string) {
	t.Helper()
	dir = t.TempDir()
	tool = filepath.Join(dir, "tool.wasm")
	if err := os.WriteFile(tool, []byte("\x00asm\x01\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"author", "other"} {
		if code, stdout, stderr := runWith(t, "keygen", filepath.Join(dir, name)); code != 0 || !strings.Contains(stdout, "ed25519:") {
			t.Fatalf("keygen: exit %d, %q, %q", code, stdout, stderr)
		}
	}
	return dir, tool
}

func TestSignAndVerify(t *testing.T) {
	dir, tool := signedTool(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string) {
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("no.wasm", "<html>not found</html>")
	info, err := os.Stat(at("author.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key's mode is %v, %v", info.Mode(), err)
	}
	_, stdout, _ := runWith(t, "sign", tool, "--key", at("author.key"))
	line := stdout[strings.Index(stdout, "ed25519:"):]
	line = line[:strings.IndexByte(line, ',')]
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"the signed module", []string{"verify", tool, "--key", at("author.pub")}, 0, "tool.wasm: signed with ed25519:"},
		{"a key in one line", []string{"verify", tool, "--key", line}, 0, "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476"},
		{"another key", []string{"verify", tool, "--key", at("other.pub")}, 1, "signed with another key"},
		{"the private key", []string{"verify", tool, "--key", at("author.key")}, 1, "this is a private key"},
		{"signing with the public key", []string{"sign", tool, "--key", at("author.pub")}, 1, "this is a public key"},
		{"signing what is no module", []string{"sign", at("no.wasm"), "--key", at("author.key")}, 1, "no WebAssembly module"},
		{"no key", []string{"sign", tool}, 2, "--key"},
		{"a key that is not there", []string{"sign", tool, "--key", at("none")}, 1, "none"},
		{"a module that is not there", []string{"sign", at("none.wasm"), "--key", at("author.key")}, 1, "none.wasm"},
		{"a bad key in one line", []string{"verify", tool, "--key", "ed25519:AAAA"}, 1, "44 characters"},
		{"keys that are there", []string{"keygen", at("author")}, 1, "exists and is not replaced"},
		{"keys nowhere", []string{"keygen", at("none/x")}, 1, "no such file"},
	} {
		code, stdout, stderr := runWith(t, c.args...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q; want exit %d and %q", c.name, code, stdout, stderr, c.code, c.says)
		}
	}
	write("tool.wasm", "\x00asm\x01\x00\x00\x00\x00\x01\x00")
	if code, _, stderr := runWith(t, "verify", tool, "--key", at("author.pub")); code != 1 || !strings.Contains(stderr, "signature of another module") {
		t.Errorf("a changed module: exit %d, %q", code, stderr)
	}
	write("tool.wasm.sig", "signed, honestly")
	if code, _, stderr := runWith(t, "verify", tool, "--key", at("author.pub")); code != 1 || !strings.Contains(stderr, "not a signature file") {
		t.Errorf("a broken signature: exit %d, %q", code, stderr)
	}
	if err := os.Remove(tool + ".sig"); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runWith(t, "verify", tool, "--key", at("author.pub")); code != 1 || !strings.Contains(stderr, "is not signed") {
		t.Errorf("no signature: exit %d, %q", code, stderr)
	}
}

// A half-made pair would be a trap: the private key does not stay when the public
// one cannot be written.
func TestKeygenLeavesNoHalf(t *testing.T) {
	name := filepath.Join(t.TempDir(), "author")
	if err := os.WriteFile(name+".pub", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runWith(t, "keygen", name); code != 1 || !strings.Contains(stderr, ".pub exists") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if _, err := os.Stat(name + ".key"); !os.IsNotExist(err) {
		t.Errorf("the private key stayed: %v", err)
	}
}

// The keys and signatures are those of other programs: openssl makes a key, and
// verifies what was signed with it.
func TestOpensslAgrees(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed: its keys cannot be tried")
	}
	dir, tool := signedTool(t)
	run := func(stdin []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir, cmd.Stdin = dir, bytes.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, out)
		}
		return out
	}
	run(nil, "genpkey", "-algorithm", "ed25519", "-out", "ssl.key")
	run(nil, "pkey", "-in", "ssl.key", "-pubout", "-out", "ssl.pub")
	if code, _, stderr := runWith(t, "sign", tool, "--key", filepath.Join(dir, "ssl.key")); code != 0 {
		t.Fatal(stderr)
	}
	if code, _, stderr := runWith(t, "verify", tool, "--key", filepath.Join(dir, "ssl.pub")); code != 0 {
		t.Fatal(stderr)
	}
	if out := run(nil, "pkey", "-in", "author.key", "-text_pub", "-noout"); !bytes.Contains(out, []byte("ED25519")) {
		t.Errorf("%s", out)
	}
}
