package examples

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/conformance/clients/harness"
)

// example is one server and what it has to answer.
type example struct {
	Built     bool   `json:"built"` // it is a program that ingot build makes
	HTTP      bool   `json:"http"`  // it listens on the port that PORT says
	Redis     bool   `json:"redis"` // its state is where REDIS_URL says
	Tools     []call `json:"tools"`
	Resources []read `json:"resources"`
	Prompts   []get  `json:"prompts"`
}

// call is a call of a tool. One of the fields behind Arguments is set.
type call struct {
	Tool       string         `json:"tool"`
	Arguments  map[string]any `json:"arguments"`
	Text       *string        `json:"text"`       // the whole text
	Contains   string         `json:"contains"`   // a part of the text
	Matches    string         `json:"matches"`    // a regular expression that the text matches
	Structured map[string]any `json:"structured"` // the structured answer
	Error      string         `json:"error"`      // a part of the text of an error
}

// read is a resource. Listed is it or its template in the server's lists.
type read struct {
	Listed   string `json:"listed"`
	URI      string `json:"uri"`
	Contains string `json:"contains"`
}

// get is a prompt, and the texts of its messages.
type get struct {
	Prompt    string            `json:"prompt"`
	Arguments map[string]string `json:"arguments"`
	Texts     []string          `json:"texts"`
}

// table reads calls.json.
func table(t *testing.T) map[string]example {
	t.Helper()
	text, err := os.ReadFile("calls.json")
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var all map[string]example
	require.NoError(t, decoder.Decode(&all))
	return all
}

// Every folder of examples/ with a forge.yaml is in the table.
func TestEveryExampleIsInTheTable(t *testing.T) {
	all := table(t)
	files, err := filepath.Glob(filepath.Join(harness.Root(t), "examples", "*", "forge.yaml"))
	require.NoError(t, err)
	require.Len(t, files, len(all))
	for _, file := range files {
		require.Contains(t, all, filepath.Base(filepath.Dir(file)))
	}
}
