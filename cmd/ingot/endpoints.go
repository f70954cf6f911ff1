package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/hash"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/statetools"
	"github.com/ingot-run/ingot/js"
	"github.com/ingot-run/ingot/mcp"
	"github.com/ingot-run/ingot/mcp/httpguard"
	"github.com/ingot-run/ingot/mcp/oauth"
	"github.com/ingot-run/ingot/mcp/sse"
	"github.com/ingot-run/ingot/mcp/streamable"
	"github.com/ingot-run/ingot/mcp/websocket"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/web"
)

// The paths at which MCP is served; the page is everywhere else.
const (
	endpoint  = "/mcp" // streamable HTTP
	pathSSE   = "/sse"
	pathWebso = "/ws"
)

// endpoints are the transports of one server, and the page.
type endpoints struct {
	http.Handler
	server *mcp.Server
	main   *streamable.Handler
	sse    *sse.Handler
	socket *websocket.Handler
}

// newEndpoints puts MCP on the store, and the page beside it. guard is nil where
// everybody is let in.
func newEndpoints(store *engine.Store, a *accessFlags, guard httpguard.Authenticator, logger *slog.Logger) (*endpoints, error) {
	var tools []string
	m := state.Embed(store)
	server := mcp.NewServer(mcp.Options{
		Tasks:        statetools.NewTasks(m),
		Name:         "ingot",
		Title:        "ingot",
		Version:      command.Version(),
		Instructions: "A key-value state store. Every entry has a version, which can be the condition of a later write.",
		Logger:       logger,
		WrapTool: func(t mcp.Tool, h mcp.Handler) mcp.Handler {
			tools = append(tools, t.Name)
			return a.wrapTool(t, h)
		},
	})
	statetools.Register(server, state.Public(m))
	statetools.RegisterResources(server, state.Public(m), statetools.ResourceOptions{Allow: a.allow, Logger: logger})
	if err := a.checkTools(tools); err != nil {
		return nil, err
	}
	e := &endpoints{
		server: server,
		main:   streamable.NewHTTPHandler(server, streamable.HTTPOptions{AllowedHosts: a.AllowHost, AllowedOrigins: a.AllowOrigin, Logger: logger}),
		sse:    sse.NewHandler(server, sse.Options{AllowedHosts: a.AllowHost, AllowedOrigins: a.AllowOrigin, Logger: logger}),
		socket: websocket.NewHandler(server, websocket.Options{AllowedHosts: a.AllowHost, AllowedOrigins: a.AllowOrigin, Logger: logger}),
	}
	page, err := web.Handler(web.Options{
		Version: command.Version(), Backend: hash.Backend(), Endpoint: endpoint, JS: js.Files(), Auth: pageAuth(guard), AllowedHosts: a.AllowHost,
	})
	if err != nil {
		return nil, err
	}
	routes := map[string]http.Handler{endpoint: e.main, pathSSE: e.sse, pathWebso: e.socket}
	if guard != nil {
		gate := httpguard.NewGate(a.AllowHost, a.AllowOrigin)
		for path, h := range routes {
			routes[path] = gate.Wrap(httpguard.Require(guard, h))
		}
	}
	if access, ok := guard.(*oauth.Server); ok {
		for _, path := range access.MetadataPaths() {
			routes[path] = access.Metadata()
		}
	}
	// http.ServeMux would answer some paths itself, without the page's headers.
	e.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := routes[r.URL.Path]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
	return e, nil
}

// pageAuth tells the page which token the endpoint asks for.
func pageAuth(guard httpguard.Authenticator) string {
	switch guard.(type) {
	case nil:
		return ""
	case *oauth.Server:
		return "oauth"
	default:
		return "token"
	}
}

// drain has streams end and takes no new ones; calls go on.
func (e *endpoints) drain() {
	e.server.Shutdown()
	e.main.Drain()
	e.sse.Drain()
	e.socket.Drain()
}

// close ends sessions, connections and tasks, and waits for handlers: those of the
// connections until ctx ends.
func (e *endpoints) close(ctx context.Context) error {
	err := errors.Join(e.socket.Close(ctx), e.main.Close(ctx))
	e.server.Close()
	return err
}
