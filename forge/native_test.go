package forge

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
)

type trip struct {
	City  string   `json:"city" description:"Where to." minLength:"2"`
	Days  int      `json:"days" default:"3" minimum:"1" maximum:"14"`
	Stops []string `json:"stops,omitempty" maxItems:"2"`
}

type chain struct {
	Next *chain `json:"next,omitempty"`
}

func init() {
	Handle("test::trip", func(_ context.Context, in trip) (string, error) {
		return fmt.Sprintf("%s %d %v", in.City, in.Days, in.Stops), nil
	})
	Handle("test::map", func(_ context.Context, in map[string]int) (int, error) { return in["n"], nil })
	Handle("test::chain", func(context.Context, chain) (string, error) { return "chain", nil })
}

const typedFile = `
tools:
  - {type: native, name: typed, handler: "test::trip"}
  - {type: native, name: said, handler: "test::trip", params: {city: string, days: integer}}
  - {type: native, name: none, handler: "test::trip", params: {}}
  - {type: native, name: map, handler: "test::map"}
  - {type: native, name: chain, handler: "test::chain"}
  - {type: native, name: kept, handler: "test::trip", state: {scope: handle}}
  - {type: pipeline, name: steps, steps: [{tool: typed, input: {city: Oslo}}]}
`

// A tool without params has those of its function's type: they are listed, held to and
// have their defaults, for clients as for pipelines.
func TestParametersOfGoTypes(t *testing.T) {
	p, _ := project(t, typedFile, nil)
	c := connect(t, p.Server(), true, "")
	require.JSONEq(t, `{"type":"object","properties":{
		"city":{"type":"string","minLength":2,"description":"Where to."},
		"days":{"type":"integer","minimum":1,"maximum":14,"default":3},
		"stops":{"type":"array","items":{"type":"string"},"maxItems":2}},"required":["city"],"additionalProperties":false}`,
		string(p.Tool("typed").InputSchema))
	require.Equal(t, "text Oslo 3 []", c.call("typed", `{"city":"Oslo"}`))
	require.Equal(t, "text Oslo 2 [Hamar]", c.call("typed", `{"city":"Oslo","days":2,"stops":["Hamar"]}`))
	require.Equal(t, "text Oslo 3 []", c.call("steps", `{}`))
	for _, bad := range []string{`{}`, `{"city":"O"}`, `{"city":"Oslo","days":15}`, `{"city":"Oslo","day":1}`, `{"city":"Oslo","stops":["a","b","c"]}`, `{"city":1}`} {
		require.Contains(t, c.call("typed", bad), "error", bad)
	}

	require.Equal(t, "text Oslo 0 []", c.call("said", `{"city":"Oslo","days":0}`), "what the file says holds, and not the type's bounds")
	require.Contains(t, c.call("none", `{"city":"Oslo"}`), "error", "params: {} is a tool without any")
	for _, name := range []string{"map", "chain", "kept"} {
		require.Equal(t, string(p.Config().Tool(name).InputSchema), string(p.Tool(name).InputSchema), name)
	}
	require.Empty(t, p.Config().Tool("typed").Params, "what the file says stays as it is")
	require.Nil(t, schemaOf[config.Tool](), "a type that no schema can be made of")
}
