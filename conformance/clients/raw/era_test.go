package raw

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/conformance/clients/harness"
)

// An era is a way to speak the protocol, and the schema that it follows.
type era struct {
	version string
	modern  bool // each request carries its version in _meta; no initialize
	schemas *sync.Map
}

var (
	legacy = era{version: "2025-11-25", schemas: &sync.Map{}}
	modern = era{version: "2026-07-28", modern: true, schemas: &sync.Map{}}
)

// eras runs test once for each era.
func eras(t *testing.T, test func(t *testing.T, e era)) {
	for _, e := range []era{legacy, modern} {
		t.Run(e.version, func(t *testing.T) { test(t, e) })
	}
}

// connect starts a server that is ready for requests of the era.
func connect(t *testing.T, e era) *process {
	t.Helper()
	p := start(t, e)
	if e.modern {
		return p // nothing comes first
	}
	p.result("InitializeResult", "initialize", initializeParams(e.version))
	p.write(`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n")
	return p
}

var clientInfo = map[string]any{"name": "raw-test", "version": "1"}

func initializeParams(version string) map[string]any {
	return map[string]any{"protocolVersion": version, "capabilities": map[string]any{}, "clientInfo": clientInfo}
}

// meta is the _meta that a modern request carries.
func (e era) meta() map[string]any {
	return map[string]any{
		"io.modelcontextprotocol/protocolVersion":    e.version,
		"io.modelcontextprotocol/clientInfo":         clientInfo,
		"io.modelcontextprotocol/clientCapabilities": map[string]any{},
	}
}

// request returns a request as a line. params that have a _meta keep it.
func (e era) request(t testing.TB, id any, method string, params map[string]any) string {
	t.Helper()
	if _, has := params["_meta"]; e.modern && !has {
		params = maps.Clone(params)
		if params == nil {
			params = map[string]any{}
		}
		params["_meta"] = e.meta()
	}
	message := map[string]any{"jsonrpc": "2.0", "id": id, "method": method}
	if params != nil {
		message["params"] = params
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	require.NoError(t, encoder.Encode(message))
	return line.String()
}

// validate checks value against a definition of the era's schema.
func (e era) validate(t testing.TB, definition string, value any) {
	t.Helper()
	schema, ok := e.schemas.Load(definition)
	if !ok {
		path := filepath.Join(harness.Root(t), "mcp", "testdata", "schema", e.version+".json")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		schema = compile(t, document, "#/$defs/"+definition)
		e.schemas.Store(definition, schema)
	}
	require.NoError(t, schema.(*jsonschema.Schema).Validate(value), "%s by %s", definition, e.version)
}

// compile compiles the part of a schema document that fragment points to.
func compile(t testing.TB, document any, fragment string) *jsonschema.Schema {
	t.Helper()
	const name = "urn:document"
	compiler := jsonschema.NewCompiler() // without a loader nothing is fetched
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource(name, document))
	schema, err := compiler.Compile(name + fragment)
	require.NoError(t, err)
	return schema
}
