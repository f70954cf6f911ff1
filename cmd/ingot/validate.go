package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
)

// validateCommand is "ingot validate".
type validateCommand struct {
	File   string `arg:"" optional:"" help:"The file; forge.yaml or pforge.yaml in this folder otherwise."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
	Schema bool   `help:"Print the JSON Schema for editors instead of checking a file."`
}

// Help is kong's hook.
func (*validateCommand) Help() string {
	return "Each problem is a line FILE:LINE:COLUMN: MESSAGE, and the exit code 1. Nothing is run and no module loaded.\n\nExamples:\n\n  ingot validate forge.yaml\n  ingot validate --schema > forge.schema.json"
}

// report is what --json prints.
type report struct {
	Valid     bool           `json:"valid"`
	Name      string         `json:"name,omitempty"`
	Version   string         `json:"version,omitempty"`
	Files     []string       `json:"files,omitempty"`
	Tools     map[string]int `json:"tools,omitempty"` // how many of each kind
	Resources int            `json:"resources,omitempty"`
	Prompts   int            `json:"prompts,omitempty"`
	Tests     int            `json:"tests,omitempty"`
	Problems  []problem      `json:"problems,omitempty"`
	LeftOut   int            `json:"left_out,omitempty"` // how many more there are
}

// problem is one of them.
type problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// Run reads the file and says what is wrong with it, or what is in it.
func (c *validateCommand) Run(out streams) error {
	if c.Schema {
		_, err := out.stdout.Write(config.EditorSchema())
		return err
	}
	file, err := configFile(c.File)
	if err != nil {
		return err
	}
	read, err := config.Load(file, config.Options{})
	problems, wrong := errors.AsType[*config.Problems](err)
	switch {
	case err != nil && !wrong:
		return err
	case c.JSON:
		err = json.NewEncoder(out.stdout).Encode(newReport(read, problems))
	case wrong:
		_, err = fmt.Fprintln(out.stdout, problems)
	default:
		err = summarize(out.stdout, file, read)
	}
	if err == nil && wrong {
		err = fmt.Errorf("%s has %s", file, counted(len(problems.List)+problems.LeftOut, "problem"))
	}
	return err
}

// configFile is the named file, or the one that this folder has.
func configFile(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	for _, name := range []string{"forge.yaml", "pforge.yaml"} {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	return "", errors.New("there is no forge.yaml and no pforge.yaml in this folder: name a file, or begin a project with \"ingot new\"")
}

func newReport(c *config.Config, p *config.Problems) report {
	if p != nil {
		r := report{LeftOut: p.LeftOut}
		for _, x := range p.List {
			r.Problems = append(r.Problems, problem{x.File, x.Line, x.Column, x.Message})
		}
		return r
	}
	return report{
		Valid: true, Name: c.Forge.Name, Version: c.Forge.Version, Files: c.Files, Tools: kinds(c),
		Resources: len(c.Resources), Prompts: len(c.Prompts), Tests: len(c.Tests),
	}
}

// kinds counts the tools of each kind, without those that are parts of others.
func kinds(c *config.Config) map[string]int {
	n := map[string]int{}
	for i := range c.Tools {
		if !c.Tools[i].Hidden {
			n[string(c.Tools[i].Kind)]++
		}
	}
	return n
}

// summarize prints a line such as "forge.yaml: demo 1.0.0: 3 tools (2 cli, 1 http), 1 prompt".
func summarize(w io.Writer, file string, c *config.Config) error {
	var parts, each []string
	tools := 0
	byKind := kinds(c)
	for _, k := range []config.Kind{config.KindNative, config.KindCLI, config.KindHTTP, config.KindPipeline, config.KindWasm} {
		if n := byKind[string(k)]; n > 0 {
			tools += n
			each = append(each, fmt.Sprintf("%d %s", n, k))
		}
	}
	parts = append(parts, counted(tools, "tool"))
	if len(each) > 0 {
		parts[0] += " (" + strings.Join(each, ", ") + ")"
	}
	for _, p := range []struct {
		n    int
		what string
	}{{len(c.Resources), "resource"}, {len(c.Prompts), "prompt"}, {len(c.Tests), "test"}, {len(c.Middleware), "middleware"}} {
		if p.n > 0 {
			parts = append(parts, counted(p.n, p.what))
		}
	}
	if n := len(c.Files); n > 1 {
		parts = append(parts, fmt.Sprintf("in %d files", n))
	}
	_, err := fmt.Fprintf(w, "%s: %s %s: %s\n", file, c.Forge.Name, c.Forge.Version, strings.Join(slices.Clip(parts), ", "))
	return err
}

// counted is command.Counted, which knows no middleware.
func counted(n int, what string) string {
	if what == "middleware" {
		return fmt.Sprintf("%d %s", n, what)
	}
	return command.Counted(n, what)
}
