// Package guestbuild compiles the example tools in Go, for tests.
//
// Its one function is [Wordcount]:
//
//	tool, err := host.Load(ctx, "wordcount.wasm", guestbuild.Wordcount(t), sandbox.Policy{})
//
// # Caveats
//
// It runs the go command, once per test process; the go command's own cache
// makes further processes quick. Only tests import it.
package guestbuild

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Wordcount returns the module of guest/examples/go-wordcount. It fails the test
// when that does not build.
func Wordcount(t testing.TB) []byte {
	t.Helper()
	module, err := wordcount()
	if err != nil {
		t.Fatal(err)
	}
	return module
}

var wordcount = sync.OnceValues(func() ([]byte, error) {
	return build("github.com/ingot-run/ingot/guest/examples/go-wordcount")
})

// build compiles one package as a reactor.
func build(pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "guestbuild")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "tool.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if log, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the guest %s: %w\n%s", pkg, err, log)
	}
	return os.ReadFile(out)
}
