package mcp

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// schemas compiles definitions of the protocol's own JSON Schemas, kept in
// testdata/schema, and remembers them.
var schemas struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

func definition(t *testing.T, version, name string) *jsonschema.Schema {
	t.Helper()
	schemas.mu.Lock()
	defer schemas.mu.Unlock()
	if schemas.compiler == nil {
		schemas.compiler = jsonschema.NewCompiler()
		schemas.compiled = map[string]*jsonschema.Schema{}
		for _, v := range []string{VersionLegacy, VersionModern} {
			raw, err := os.ReadFile("testdata/schema/" + v + ".json")
			require.NoError(t, err)
			document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			require.NoError(t, err)
			require.NoError(t, schemas.compiler.AddResource("mem:///"+v, document))
		}
	}
	url := "mem:///" + version + "#/$defs/" + name
	if schemas.compiled[url] == nil {
		compiled, err := schemas.compiler.Compile(url)
		require.NoError(t, err)
		schemas.compiled[url] = compiled
	}
	return schemas.compiled[url]
}

// checkFrame validates a response to a request for method against the schema
// of version.
func checkFrame(t *testing.T, version, method, frame string) {
	t.Helper()
	decoded, err := jsonschema.UnmarshalJSON(strings.NewReader(frame))
	require.NoError(t, err, "%s", frame)
	message, ok := decoded.(map[string]any)
	require.True(t, ok, "a frame is an object: %s", frame)
	if fault, bad := message["error"].(map[string]any); bad {
		require.NoError(t, definition(t, version, errorDefinition(version, fault["code"])).Validate(message), "%s", frame)
		return
	}
	require.NoError(t, definition(t, version, "JSONRPCResultResponse").Validate(message), "%s", frame)
	result, ok := map[string]string{
		methodInitialize: "InitializeResult",
		methodPing:       "EmptyResult",
		methodDiscover:   "DiscoverResult",
		methodToolsList:  "ListToolsResult",
		methodToolsCall:  "CallToolResult",
	}[method]
	require.True(t, ok, "no result was expected for %q: %s", method, frame)
	require.NoError(t, definition(t, version, result).Validate(message["result"]), "%s", frame)
}

// errorDefinition names the schema of the errors that carry more than a text.
func errorDefinition(version string, code any) string {
	if version == VersionModern {
		switch code.(interface{ String() string }).String() {
		case "-32022":
			return "UnsupportedProtocolVersionError"
		case "-32020":
			return "HeaderMismatchError"
		}
	}
	return "JSONRPCErrorResponse"
}
