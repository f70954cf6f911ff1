package httpserve

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/oauth"
)

// oauthFlags make the server a resource server of OAuth.
type oauthFlags struct {
	Issuer     string            `name:"oauth-issuer" placeholder:"URL" help:"Let in who has an access token (JWT) of this authorization server, in place of a token from --token-file."`
	Audience   string            `name:"oauth-audience" placeholder:"URL" help:"The URL that tokens have to be for: by which clients know this server, such as https://box.example, or https://box.example/mcp for that path only."`
	Scopes     []string          `name:"oauth-scope" placeholder:"SCOPE" help:"Scope that every token must have; may be repeated."`
	ToolScopes map[string]string `name:"oauth-tool-scope" placeholder:"TOOL=SCOPE" help:"Scope that a tool needs beside them; may be repeated. The tool * is each tool that can change something."`
}

// everyWriter stands for all tools that are not read-only.
const everyWriter = "*"

// resourceServer returns what checks access tokens; nil when that is not asked for.
func (f *oauthFlags) resourceServer(logger *slog.Logger) (*oauth.Server, error) {
	if f.Issuer == "" && f.Audience == "" {
		if len(f.Scopes)+len(f.ToolScopes) > 0 {
			return nil, command.Usage("--oauth-scope and --oauth-tool-scope need --oauth-issuer and --oauth-audience")
		}
		return nil, nil
	}
	s, err := oauth.New(oauth.Options{
		Issuer: f.Issuer, Audience: f.Audience, Scopes: f.Scopes, MoreScopes: slices.Sorted(maps.Values(f.ToolScopes)),
		Name: "ingot", Logger: logger,
	})
	if err != nil {
		return nil, command.Usage("--oauth-issuer and --oauth-audience: " + err.Error())
	}
	return s, nil
}

// host is the name by which clients with tokens reach the server.
func (f *oauthFlags) host() string {
	u, err := url.Parse(f.Audience)
	if err != nil {
		return "" // resourceServer has refused it
	}
	return strings.ToLower(u.Hostname())
}

// WrapTool is for [mcp.Options]: it has a tool ask for its scope, and holds callers to
// their quotas.
func (f *Flags) WrapTool(t mcp.Tool, h mcp.Handler) mcp.Handler {
	if f.Keeper != nil {
		h = f.Keeper.WrapTool(t, h)
	}
	return f.oauthFlags.wrapTool(t, h)
}

func (f *oauthFlags) wrapTool(t mcp.Tool, h mcp.Handler) mcp.Handler {
	scope := f.ToolScopes[t.Name]
	if scope == "" && !readOnly(t) {
		scope = f.ToolScopes[everyWriter]
	}
	if scope == "" {
		return h
	}
	return func(ctx context.Context, req *mcp.CallRequest) (*mcp.CallResult, error) {
		if err := oauth.Allow(ctx, scope); err != nil {
			return nil, &mcp.Error{Code: mcp.CodeInvalidRequest, Message: err.Error()}
		}
		return h(ctx, req)
	}
}

// Allow returns an error where a tool that is read-only asks for a scope that the
// caller's token lacks: for what is not that tool and gives the same.
func (f *oauthFlags) Allow(ctx context.Context, tool string) error {
	scope := f.ToolScopes[tool]
	if scope == "" {
		return nil
	}
	if err := oauth.Allow(ctx, scope); err != nil {
		return &mcp.Error{Code: mcp.CodeInvalidRequest, Message: err.Error()}
	}
	return nil
}

// CheckTools returns an error for a scope of a tool that there is not.
func (f *oauthFlags) CheckTools(tools []string) error {
	for name := range f.ToolScopes {
		if name != everyWriter && !slices.Contains(tools, name) {
			return command.Usage(fmt.Sprintf("--oauth-tool-scope: there is no tool %q; there are %s", name, strings.Join(tools, ", ")))
		}
	}
	return nil
}

func readOnly(t mcp.Tool) bool {
	return t.Annotations != nil && t.Annotations.ReadOnlyHint != nil && *t.Annotations.ReadOnlyHint
}
