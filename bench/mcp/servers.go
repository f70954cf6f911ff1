package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A server is one row of the report.
type server struct {
	short   string   // stable name for --only and the results
	label   string   // what the report calls it, with its version
	command []string // absolute program and its arguments
	checks  string   // what stands between the wire and the handler: see report
	work    workload
	modern  bool // speaks 2026-07-28
}

// ours is the row every ratio is taken against.
const ours = "ingot"

// A candidate is a server before it is built. A nil build means Node runs it.
type candidate struct {
	server
	goModule string // module to build in, relative to the root
	goTarget string // package to build
	goArgs   []string
	script   string // for Node: file under bench/mcp/peers/ts
	version  string // Go module path or npm package whose version is in the label
}

const peersTS = "bench/mcp/peers/ts"

func candidates() []candidate {
	return []candidate{
		{server: server{short: ours, label: "ingot `mcp`, echo", checks: "typed decode", work: workEcho, modern: true},
			goModule: "bench", goTarget: "./mcp/ingot-echo"},
		{server: server{short: "mcp-stdio", label: "ingot `mcp-stdio`, `state_get` of a stored value", checks: "typed decode", work: workStateGet, modern: true},
			goModule: ".", goTarget: "./cmd/mcp-stdio", goArgs: []string{"--memory"}},
		{server: server{short: "gosdk-typed", label: "go-sdk %s, typed", checks: "schema", work: workEcho, modern: true},
			goModule: "bench", goTarget: "./mcp/peers/gosdk", goArgs: []string{"typed"}, version: "github.com/modelcontextprotocol/go-sdk"},
		{server: server{short: "gosdk-raw", label: "go-sdk %s, raw `AddTool`", checks: "typed decode", work: workEcho, modern: true},
			goModule: "bench", goTarget: "./mcp/peers/gosdk", goArgs: []string{"raw"}, version: "github.com/modelcontextprotocol/go-sdk"},
		{server: server{short: "mcpgo", label: "mcp-go %s", checks: "typed lookup", work: workEcho, modern: true},
			goModule: "bench", goTarget: "./mcp/peers/mcpgo", version: "github.com/mark3labs/mcp-go"},
		{server: server{short: "ts-v1", label: "TypeScript SDK %s", checks: "schema", work: workEcho},
			script: "v1.mjs", version: "@modelcontextprotocol/sdk"},
		{server: server{short: "ts-v2", label: "TypeScript SDK %s", checks: "schema", work: workEcho, modern: true},
			script: "v2.mjs", version: "@modelcontextprotocol/server"},
	}
}

// prepare builds the Go servers into work, installs the npm peers, and returns
// the servers to measure plus one line per server that cannot run here.
func prepare(ctx context.Context, root, work, only string, stdout io.Writer) ([]server, []string, error) {
	picked, err := pick(candidates(), only)
	if err != nil {
		return nil, nil, err
	}
	var ready []server
	var skipped []string
	nodeProblem := ""
	if slices.ContainsFunc(picked, func(c candidate) bool { return c.script != "" }) {
		nodeProblem = installNodePeers(ctx, filepath.Join(root, peersTS), stdout)
	}
	for _, c := range picked {
		if c.script != "" && nodeProblem != "" {
			skipped = append(skipped, c.short+": "+nodeProblem)
			continue
		}
		s, err := c.build(ctx, root, work, stdout)
		if err != nil {
			return nil, nil, err
		}
		ready = append(ready, s)
	}
	return ready, skipped, nil
}

func pick(all []candidate, only string) ([]candidate, error) {
	if only == "" {
		return all, nil
	}
	var picked []candidate
	for _, name := range strings.Split(only, ",") {
		i := slices.IndexFunc(all, func(c candidate) bool { return c.short == name })
		if i < 0 {
			var names []string
			for _, c := range all {
				names = append(names, c.short)
			}
			return nil, fmt.Errorf("--only names no server %q: want some of %s", name, strings.Join(names, ","))
		}
		picked = append(picked, all[i])
	}
	return picked, nil
}

func (c candidate) build(ctx context.Context, root, work string, stdout io.Writer) (server, error) {
	s := c.server
	if c.script != "" {
		node, err := exec.LookPath("node")
		if err != nil {
			return s, err
		}
		dir := filepath.Join(root, peersTS)
		version, err := npmVersion(dir, c.version)
		s.label = fmt.Sprintf(s.label, version)
		s.command = []string{node, filepath.Join(dir, c.script)}
		return s, err
	}
	program := filepath.Join(work, filepath.Base(c.goTarget))
	fmt.Fprintln(stdout, "building", c.goTarget)
	if _, err := goCommand(ctx, filepath.Join(root, c.goModule), "build", "-o", program, c.goTarget); err != nil {
		return s, err
	}
	s.command = append([]string{program}, c.goArgs...)
	if c.version != "" {
		version, err := goCommand(ctx, filepath.Join(root, c.goModule), "list", "-m", "-f", "{{.Version}}", c.version)
		if err != nil {
			return s, err
		}
		s.label = fmt.Sprintf(s.label, strings.TrimPrefix(strings.TrimSpace(version), "v"))
	}
	return s, nil
}

// installNodePeers returns why the Node peers cannot run, or "".
func installNodePeers(ctx context.Context, dir string, stdout io.Writer) string {
	if _, err := exec.LookPath("node"); err != nil {
		return "node is not installed"
	}
	if nodePeersInstalled(dir) {
		return ""
	}
	fmt.Fprintln(stdout, "installing the npm peers in", peersTS)
	cmd := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Sprintf("npm install failed: %v: %s", err, lastLine(string(out)))
	}
	return ""
}

// nodePeersInstalled reports whether node_modules holds the pinned versions.
func nodePeersInstalled(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return false
	}
	var manifest struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if json.Unmarshal(text, &manifest) != nil {
		return false
	}
	for name, want := range manifest.Dependencies {
		if got, err := npmVersion(dir, name); err != nil || got != want {
			return false
		}
	}
	return true
}

func npmVersion(dir, name string) (string, error) {
	path := filepath.Join(dir, "node_modules", filepath.FromSlash(name), "package.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var manifest struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	if manifest.Version == "" {
		return "", errors.New("no version in " + path)
	}
	return manifest.Version, nil
}

// goCommand runs the go tool in dir and returns what it printed.
func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
