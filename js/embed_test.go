package js_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/js"
)

// Every module that index.js imports, directly or not, must be embedded: a page
// served from the binary has nothing else.
func TestFilesHoldsEveryImportedModule(t *testing.T) {
	imports := regexp.MustCompile(`from "\./([^"]+)"`)
	seen := map[string]bool{}
	queue := []string{"index.js"}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		source, err := fs.ReadFile(js.Files(), name)
		require.NoError(t, err)
		for _, match := range imports.FindAllSubmatch(source, -1) {
			queue = append(queue, string(match[1]))
		}
	}
	assert.Contains(t, seen, "store.js")
	assert.Contains(t, seen, "wasi.js")
}

func TestFilesAreServed(t *testing.T) {
	answer := httptest.NewRecorder()
	http.FileServerFS(js.Files()).ServeHTTP(answer, httptest.NewRequest("GET", "/store.js", nil))
	assert.Equal(t, http.StatusOK, answer.Code)
	assert.Contains(t, answer.Header().Get("Content-Type"), "javascript")
	assert.Contains(t, answer.Body.String(), "export class Store")
}

func TestHasEngineAgreesWithTheTree(t *testing.T) {
	entries, err := fs.ReadDir(js.Files(), "dist")
	require.NoError(t, err)
	found := false
	for _, e := range entries {
		found = found || e.Name() == "engine.wasm"
	}
	assert.Equal(t, found, js.HasEngine())
}

func ExampleFiles() {
	server := httptest.NewServer(http.FileServerFS(js.Files()))
	defer server.Close()
	answer, err := http.Get(server.URL + "/index.js")
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.StatusCode)
	// Output: 200
}
