package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/mcpclient"
	"github.com/ingot-run/ingot/internal/metrics"
)

// statusBytesMax bounds what is read of a server's /status.
const statusBytesMax = 64 << 20

// inspectedServer is what a running server lists, and how it stands.
type inspectedServer struct {
	URL       string               `json:"url"`
	Server    mcpclient.ServerInfo `json:"server"`
	Tools     []inspectedTool      `json:"tools"`
	Resources []inspectedItem      `json:"resources,omitempty"`
	Prompts   []mcpclient.Prompt   `json:"prompts,omitempty"`
	// Status says how the server stands, or why that is not known.
	Status        string                 `json:"status"`
	UptimeSeconds int64                  `json:"uptime_seconds,omitempty"`
	Shared        []standing             `json:"shared_middleware,omitempty"`
	State         *metrics.StateStatus   `json:"state,omitempty"`
	Modules       []metrics.ModuleStatus `json:"modules,omitempty"`
}

// standing is how a middleware of a running server stands.
type standing = metrics.MiddlewareStatus

// calls are a running server's counts of a tool.
type calls struct {
	Ended      uint64            `json:"ended"`
	InFlight   uint64            `json:"in_flight"`
	Errors     map[string]uint64 `json:"errors,omitempty"`
	MeanMillis float64           `json:"mean_ms"`
	P99Millis  float64           `json:"p99_ms"`
}

// server asks a running server for its lists, and for its /status.
func (c *inspectCommand) server(ctx context.Context) (*inspectedServer, error) {
	flags := serverFlags{URL: c.Target, TokenFile: c.TokenFile}
	if err := flags.check(); err != nil {
		return nil, command.Usage(err.Error())
	}
	client, err := flags.dial(ctx, mcpclient.Options{Version: command.Version()})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	found := &inspectedServer{URL: c.Target, Server: client.Server(), Tools: []inspectedTool{}}
	tools, err := client.Tools(ctx)
	if err != nil {
		return nil, err
	}
	for i := range tools {
		found.Tools = append(found.Tools, describeTool(&tools[i]))
	}
	if err := found.listResources(ctx, client); err != nil {
		return nil, err
	}
	if found.Prompts, err = client.Prompts(ctx); err != nil {
		return nil, err
	}
	status, err := flags.status(ctx)
	if err != nil {
		found.Status = err.Error()
		return found, nil // what is listed is worth showing
	}
	found.take(status)
	return found, nil
}

// itemsShown bounds the resources that are shown: a state has one for each key.
const itemsShown = 1000

func (s *inspectedServer) listResources(ctx context.Context, client *mcpclient.Client) error {
	templates, err := client.Templates(ctx)
	if err != nil {
		return err
	}
	resources, err := client.Resources(ctx, itemsShown)
	if err != nil {
		return err
	}
	for _, r := range append(templates, resources...) {
		item := inspectedItem{URI: r.URI, Name: r.Name, Description: r.Description, MIMEType: r.MIMEType}
		if r.URITemplate != "" {
			item.URI = r.URITemplate
		}
		s.Resources = append(s.Resources, item)
	}
	return nil
}

// take puts the counts to the tools.
func (s *inspectedServer) take(status *metrics.Status) {
	s.Status, s.UptimeSeconds, s.Shared, s.State, s.Modules = "running", status.UptimeSeconds, status.Middleware, status.State, status.Modules
	byName := map[string]*metrics.ToolStatus{}
	for i := range status.Tools {
		byName[status.Tools[i].Name] = &status.Tools[i]
	}
	for i := range s.Tools {
		if t := byName[s.Tools[i].Name]; t != nil {
			s.Tools[i].Kind, s.Tools[i].Standing = t.Kind, t.Middleware
			s.Tools[i].Calls = &calls{t.Calls, t.InFlight, t.Errors, t.MeanMillis, t.P99Millis}
		}
	}
}

// status asks for the server's /status; the error says why there is none.
func (f *serverFlags) status(ctx context.Context) (*metrics.Status, error) {
	endpoint, err := mcpclient.Endpoint(f.URL)
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	at.Path, at.RawQuery = "/status", ""
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	token, err := f.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	w, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("how it stands is not known: %w", err)
	}
	defer w.Body.Close()
	if w.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("how it stands is not known: %s answers with %s, as a server does that is no ingot, or an older one", at, w.Status)
	}
	var status metrics.Status
	if err := json.NewDecoder(io.LimitReader(w.Body, statusBytesMax)).Decode(&status); err != nil {
		return nil, fmt.Errorf("how it stands is not known: %s is no status of ingot: %w", at, err)
	}
	return &status, nil
}
