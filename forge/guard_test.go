package forge

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// errLocked is answered by every write to test::locked.
var errLocked = fault.New(fault.Denied, "locked with guarded-secret")

func init() {
	Handle("test::locked", func(context.Context, struct{}) (any, error) { return nil, errLocked })
}

// The resources of modules are under the rules of the file's own.
func TestResourcesOfModulesAreGuarded(t *testing.T) {
	module, err := filepath.Abs("../internal/sandbox/testdata/extism/v2.wasm")
	require.NoError(t, err)
	dir := t.TempDir()
	put(t, dir, "forge.yaml", "forge: {name: t}\ntools: [{type: wasm, module: "+module+"}]\n")
	allowed := true
	var names []string
	p, err := Open(t.Context(), filepath.Join(dir, "forge.yaml"), Options{
		CheckTools: func(all []string) error { names = all; return nil },
		Allow: func(_ context.Context, tool string) error {
			if require.Equal(t, ReadResources, tool); allowed {
				return nil
			}
			return &mcp.Error{Code: -32600, Message: "not for you"}
		},
	})
	require.NoError(t, err)
	defer p.Close()
	require.Contains(t, names, ReadResources)
	c := connect(t, p.Server(), true, "")
	require.Contains(t, c.read("test://one"), "the first")
	allowed = false
	require.Contains(t, c.read("test://one"), "not for you")
}

// What a template of a module completes is under the rules too.
func TestCompletionsOfModulesAreGuarded(t *testing.T) {
	allowed := true
	g := &generation{offer: newOffer(), project: &Project{options: Options{Allow: func(context.Context, string) error {
		if allowed {
			return nil
		}
		return mcp.ErrNoResource
	}}}}
	ruledCatalog{g}.AddTemplate(mcp.ResourceTemplate{URITemplate: "a:{b}", Complete: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
		return &mcp.CompleteResult{Values: []string{"x"}}, nil
	}}, func(context.Context, *mcp.ReadRequest) (*mcp.ReadResult, error) { return &mcp.ReadResult{}, nil })
	family := g.offer.templates["a:{b}"]
	_, err := family.listing.Complete(t.Context(), &mcp.CompleteRequest{})
	require.NoError(t, err)
	_, err = family.handler(t.Context(), &mcp.ReadRequest{})
	require.NoError(t, err)
	allowed = false
	_, err = family.listing.Complete(t.Context(), &mcp.CompleteRequest{})
	require.ErrorIs(t, err, mcp.ErrNoResource)
	_, err = family.handler(t.Context(), &mcp.ReadRequest{})
	require.ErrorIs(t, err, mcp.ErrNoResource)
}

// No value of a variable is in the error of a project that cannot be opened.
func TestErrorsOfOpeningAreRedacted(t *testing.T) {
	t.Setenv("GUARDED", "guarded-secret")
	for what, text := range map[string]string{
		"a program": "tools: [{type: cli, name: x, command: './${GUARDED}/run'}]",
		"a folder":  "resources: [{uri: 'a:///{b}', root: './${GUARDED}'}]",
		"a state":   "state: {backend: file, path: 'forge.yaml/${GUARDED}'}",
	} {
		dir := t.TempDir()
		put(t, dir, "forge.yaml", "forge: {name: t}\n"+text+"\n")
		_, err := Open(t.Context(), filepath.Join(dir, "forge.yaml"), Options{})
		require.ErrorContains(t, err, "[secret]", what)
		require.NotContains(t, err.Error(), "guarded-secret", what)
	}
}

// An error that a function answers more than once stays as it is.
func TestErrorsOfFunctionsAreLeftAlone(t *testing.T) {
	t.Setenv("GUARDED", "guarded-secret")
	p, _ := project(t, "resources: [{uri: 'a:b', description: '${GUARDED}', handler: 'test::locked', supports: [write]}]", nil)
	require.Equal(t, "error locked with [secret]", connect(t, p.Server(), true, "").call("resource_write", `{"uri":"a:b","text":"x"}`))
	require.Equal(t, "locked with guarded-secret", errLocked.Message)
}

// What the caller says wrong of a value or a time is an error of the input.
func TestFaultsOfTheState(t *testing.T) {
	p, _ := project(t, "state: {options: {max_value: 1KiB}}\n"+
		"tools: [{type: native, name: set, handler: 'state::set', params: {key: string, value: {type: string}, ttl_seconds: {type: number}}}]", nil)
	for args, want := range map[string]string{
		`{"key":"k","value":"x","ttl_seconds":-1}`:                "time to live",
		`{"key":"k","value":"x","ttl_seconds":1e300}`:             "time to live",
		`{"key":"k","value":"` + strings.Repeat("x", 2000) + `"}`: "too long",
	} {
		_, err := p.now.Load().handlers["set"](t.Context(), &mcp.CallRequest{Name: "set", Arguments: []byte(args)})
		require.ErrorContains(t, err, want)
		require.Equal(t, fault.InvalidInput, fault.ClassOf(err), want)
	}
}
