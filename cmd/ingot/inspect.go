package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
	"github.com/ingot-run/ingot/internal/mcpclient"
)

// inspectCommand is "ingot inspect".
type inspectCommand struct {
	Target    string        `arg:"" optional:"" name:"file|url" help:"A forge.yaml, or the URL of a running server; forge.yaml or pforge.yaml in this folder otherwise."`
	TokenFile string        `env:"INGOT_TOKEN_FILE" placeholder:"FILE" type:"path" help:"File with the bearer token that the server asks for: its first line. (or the environment variable INGOT_TOKEN, which is not sent over plain HTTP to another machine)"`
	JSON      bool          `name:"json" help:"Print one JSON object."`
	Timeout   time.Duration `default:"30s" placeholder:"DURATION" help:"How long all of it may take. (${default})"`
}

// Help ends "ingot inspect --help".
func (*inspectCommand) Help() string {
	return `Of a file: what it makes, with the middleware of each tool from the outside in, where each stands, and which of its numbers are defaults. Nothing is called; the modules of wasm tools are loaded. Of a running server: what it lists, and how its middleware stands.

Examples:

  ingot inspect
  ingot inspect forge.yaml --json
  ingot inspect http://127.0.0.1:7070`
}

// Validate is kong's hook.
func (c *inspectCommand) Validate() error {
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout is %v: it must be more than 0", c.Timeout)
	}
	return nil
}

// Run inspects a file or a server.
func (c *inspectCommand) Run(ctx context.Context, out streams) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("it took longer than %v: give it more with --timeout", c.Timeout))
	defer cancel()
	colors := command.ColorsFor(out.stdout)
	if strings.Contains(c.Target, "://") {
		found, err := c.server(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(out.stdout, found)
		}
		return found.write(out.stdout, colors)
	}
	if httpserve.TokenFileGiven(c.TokenFile) {
		return command.Usage("--token-file is for the URL of a server")
	}
	found, err := c.file(ctx, out.stderr)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(out.stdout, found)
	}
	return found.write(out.stdout, colors)
}

// inspectedFile is what a forge.yaml makes.
type inspectedFile struct {
	Name        string             `json:"name"`
	Version     string             `json:"version"`
	Description string             `json:"description,omitempty"`
	Transport   string             `json:"transport"`
	Address     string             `json:"address,omitempty"` // of a transport that listens
	Files       []string           `json:"files"`             // that were read
	Tools       []inspectedTool    `json:"tools"`
	Modules     []inspectedModule  `json:"modules,omitempty"`
	Resources   []inspectedItem    `json:"resources,omitempty"`
	Prompts     []mcpclient.Prompt `json:"prompts,omitempty"`
	State       inspectedState     `json:"state"`
	Access      []inspectedRole    `json:"access,omitempty"`
	Audit       string             `json:"audit,omitempty"` // the file of the record
	Tests       int                `json:"tests"`
}

// inspectedTool is a tool that clients see.
type inspectedTool struct {
	Name        string           `json:"name"`
	Kind        string           `json:"kind,omitempty"` // empty: of a server that does not say
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Runs        string           `json:"runs,omitempty"`  // the program, the endpoint, the function, the steps or the module
	Where       string           `json:"where,omitempty"` // FILE:LINE
	Params      []inspectedParam `json:"params"`
	Middleware  []layer          `json:"middleware,omitempty"` // the outermost first
	Standing    []standing       `json:"standing,omitempty"`   // of a running server
	Calls       *calls           `json:"calls,omitempty"`
}

// inspectedModule is a WebAssembly module, and what it may do.
type inspectedModule struct {
	Module string   `json:"module"`
	SHA256 string   `json:"sha256,omitempty"`
	Tools  []string `json:"tools"`
	May    []string `json:"may"`
	MayNot []string `json:"may_not"`
}

// inspectedItem is a resource, or a family of them.
type inspectedItem struct {
	URI         string   `json:"uri"`
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
	MIMEType    string   `json:"mime_type,omitempty"`
	Operations  []string `json:"operations,omitempty"` // of a file: read, write, subscribe
	From        string   `json:"from,omitempty"`       // of a file: what it comes from
}

// inspectedState is where the state is kept.
type inspectedState struct {
	Backend  string `json:"backend"`
	Path     string `json:"path,omitempty"`
	TTL      string `json:"ttl,omitempty"`
	BytesMax uint64 `json:"bytes_max,omitempty"` // 0: no budget
	Sync     string `json:"sync,omitempty"`
}

// file opens the file with its state in memory, and looks at what it has become.
func (c *inspectCommand) file(ctx context.Context, stderr io.Writer) (_ *inspectedFile, err error) {
	file, err := configFile(c.Target)
	if err != nil {
		return nil, command.Usage(err.Error() + ", or the URL of a running server")
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	project, err := forge.Open(ctx, file, forge.Options{Logger: logger, StateInMemory: true, Owner: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, project.Close()) }()
	client, err := mcpclient.InProcess(ctx, project.Server(), mcpclient.Options{Version: command.Version()})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	tools, err := client.Tools(ctx)
	if err != nil {
		return nil, err
	}
	prompts, err := client.Prompts(ctx)
	if err != nil {
		return nil, err
	}
	return describeFile(project, tools, prompts), nil
}

// describeFile puts together what the file says and what the server lists.
func describeFile(project *forge.Project, tools []mcpclient.Tool, prompts []mcpclient.Prompt) *inspectedFile {
	read := project.Config()
	m := read.Forge
	f := &inspectedFile{
		Name: m.Name, Version: m.Version, Description: m.Description, Transport: m.Transport, Files: read.Files, Prompts: prompts, Tests: len(read.Tests),
		State: inspectedState{Backend: read.State.Backend, Path: read.State.Path, BytesMax: read.State.BytesMax, Sync: read.State.Sync},
		Tools: []inspectedTool{},
	}
	if m.Transport != config.TransportStdio {
		f.Address = fmt.Sprintf("%s:%d", m.Host, m.Port)
	}
	if read.State.TTL > 0 {
		f.State.TTL = read.State.TTL.String()
	}
	modules := map[string]*inspectedModule{}
	for i := range tools {
		t := describeTool(&tools[i])
		if made := project.Tool(t.Name); made != nil {
			t.Kind, t.Runs, t.Where = string(made.Kind), runs(made), made.Pos.String()
			t.Middleware = layersOf(read, made)
			if made.Wasm != nil {
				f.addModule(modules, made)
			}
		}
		f.Tools = append(f.Tools, t)
	}
	for i := range f.Modules { // found by their tools, complete now
		f.Modules[i] = *modules[f.Modules[i].Module]
	}
	for i := range read.Resources {
		f.Resources = append(f.Resources, describeResource(&read.Resources[i]))
	}
	f.addAccess(read)
	return f
}

// addModule notes a module by one of its tools.
func (f *inspectedFile) addModule(modules map[string]*inspectedModule, t *config.Tool) {
	m := modules[t.Wasm.Module]
	if m == nil {
		m = &inspectedModule{Module: t.Wasm.Module, SHA256: t.Wasm.Policy.SHA256}
		m.May, m.MayNot = t.Wasm.Policy.Explain()
		modules[t.Wasm.Module] = m
		f.Modules = append(f.Modules, *m)
	}
	m.Tools = append(m.Tools, t.Name)
}

// runs is what answers a tool's calls, in a line.
func runs(t *config.Tool) string {
	switch {
	case t.Native != nil && t.Native.Inline != "":
		return "expression " + t.Native.Inline
	case t.Native != nil:
		return "function " + t.Native.Path
	case t.CLI != nil:
		return "program " + strings.Join(append([]string{t.CLI.Command}, t.CLI.Args...), " ")
	case t.HTTP != nil:
		return t.HTTP.Method + " " + t.HTTP.Endpoint
	case t.Pipeline != nil:
		return "steps " + strings.Join(steps(t.Pipeline.Steps), ", ")
	case t.Wasm != nil:
		return "module " + filepath.Base(t.Wasm.Module)
	}
	return ""
}

func steps(all []config.Step) (names []string) {
	for i := range all {
		if all[i].Tool != "" {
			names = append(names, all[i].Tool)
		} else {
			names = append(names, "("+strings.Join(steps(all[i].Parallel), " | ")+")")
		}
	}
	return names
}

func describeResource(r *config.Resource) inspectedItem {
	item := inspectedItem{URI: r.URITemplate, Name: r.Name, Description: r.Description, MIMEType: r.MIMEType}
	for name, on := range map[string]bool{"read": r.Read, "write": r.Write, "subscribe": r.Subscribe} {
		if on {
			item.Operations = append(item.Operations, name)
		}
	}
	sortText(item.Operations)
	switch {
	case r.Handler != nil:
		item.From = "function " + r.Handler.Path
	case r.File != "":
		item.From = "file " + r.File
	case r.Root != "":
		item.From = "folder " + r.Root
	case r.HTTP != nil:
		item.From = r.HTTP.Method + " " + r.HTTP.Endpoint
	case r.StatePrefix != "":
		item.From = "keys " + r.StatePrefix + "…"
	}
	return item
}
