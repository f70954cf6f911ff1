//go:build !wasm

package inmemory_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// sizeMax is what a wasm module with the core, one typed tool and a client of
// each era may weigh, gzipped.
const sizeMax = 1 << 20

// The module is testdata/echo. What it weighs is the least that a page has to
// load for a server; `go run` runs it natively. compress/gzip makes it some bytes
// larger than gzip -9 does.
func TestWasmStaysSmall(t *testing.T) {
	for _, goos := range []string{"wasip1", "js"} {
		t.Run(goos, func(t *testing.T) {
			module := filepath.Join(t.TempDir(), "echo.wasm")
			cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", module, "./testdata/echo")
			cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=wasm")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			raw, err := os.ReadFile(module)
			require.NoError(t, err)
			var packed bytes.Buffer
			w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
			require.NoError(t, err)
			_, err = w.Write(raw)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			t.Logf("%d bytes, %d gzipped", len(raw), packed.Len())
			require.Less(t, packed.Len(), sizeMax, "the core has grown; go tool nm and the linker's -dumpdep say by what")
		})
	}
}

// The module does what it is for: here natively, since a machine that runs wasm
// is not everywhere.
func TestEchoModule(t *testing.T) {
	out, err := exec.Command("go", "run", "./testdata/echo").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), `"structuredContent":{"message":"old"}`)
	require.Contains(t, string(out), `"resultType":"complete"`)
	require.Contains(t, string(out), `"structuredContent":{"message":"new"}`)
}
