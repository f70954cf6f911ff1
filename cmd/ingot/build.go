package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ingot-run/ingot/internal/command"
)

// buildCommand is "ingot build".
type buildCommand struct {
	Dir string `arg:"" default:"." help:"The project's folder. (${default})"`
	Out string `placeholder:"FILE" help:"The module to write; by default the folder's name with .wasm, in it."`
}

// projectBuilder builds one kind of project. A further one is an element of
// projectBuilders.
type projectBuilder struct {
	language string
	// mark is a file that a project of this kind has, as a pattern.
	mark string
	// build makes the module. A tool that is missing is an error that says what to
	// install.
	build func(ctx context.Context, dir, out string) error
}

// projectBuilders are all kinds. The first whose mark is there builds.
var projectBuilders = []projectBuilder{
	{"Rust", "Cargo.toml", buildRust},
	{"Go", "go.mod", buildGo},
	{"AssemblyScript", "tool.ts", buildAssemblyScript},
	{"C", "*.c", buildC},
}

// Run builds the project and says what it has made.
func (c *buildCommand) Run(ctx context.Context, out streams) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return fmt.Errorf("finding the folder: %w", err)
	}
	if info, err := os.Stat(dir); err != nil {
		return fmt.Errorf("looking at the project: %w", err)
	} else if !info.IsDir() {
		return command.Usage(fmt.Sprintf("%s is no folder: name the project's", c.Dir))
	}
	target := c.Out
	if target == "" {
		target = filepath.Join(dir, filepath.Base(dir)+".wasm")
	}
	if target, err = filepath.Abs(target); err != nil {
		return fmt.Errorf("finding the module's place: %w", err)
	}
	b, err := findBuilder(dir)
	if err != nil {
		return err
	}
	if err := b.build(ctx, dir, target); err != nil {
		return fmt.Errorf("building %s: %w", c.Dir, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("looking at what was built: %w", err)
	}
	_, err = fmt.Fprintf(out.stdout, "%s: %d bytes, built from %s\n", target, info.Size(), b.language)
	return err
}

func findBuilder(dir string) (projectBuilder, error) {
	var marks []string
	for _, b := range projectBuilders {
		if found, err := filepath.Glob(filepath.Join(dir, b.mark)); err == nil && len(found) > 0 {
			return b, nil
		}
		marks = append(marks, b.mark+" ("+b.language+")")
	}
	return projectBuilder{}, fmt.Errorf("%s has none of %s: make a project with ingot new", dir, strings.Join(marks, ", "))
}

// need says how to get a program that is not there.
func need(program, install string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%s is not installed: %s", program, install)
	}
	return nil
}

// tool runs a compiler in the project; its output is part of the error.
func tool(ctx context.Context, dir string, env []string, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if log, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, log)
	}
	return nil
}

func buildGo(ctx context.Context, dir, out string) error {
	if err := need("go", "install Go 1.24 or newer (Debian: apt-get install golang-go, or from go.dev)"); err != nil {
		return err
	}
	return tool(ctx, dir, []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"},
		"go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
}

func buildC(ctx context.Context, dir, out string) error {
	if err := need("clang", "install clang 14 or newer (Debian: apt-get install clang lld)"); err != nil {
		return err
	}
	if err := need("wasm-ld", "install lld (Debian: apt-get install lld)"); err != nil {
		return err
	}
	sources, err := filepath.Glob(filepath.Join(dir, "*.c"))
	if err != nil {
		return err
	}
	args := []string{"--target=wasm32", "-ffreestanding", "-mbulk-memory", "-O2", "-nostdlib", "-Wall", "-Wextra",
		"-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--stack-first", "-Wl,-z,stack-size=65536", "-I", ".", "-o", out}
	return tool(ctx, dir, nil, "clang", append(args, sources...)...)
}

const rustTarget = "wasm32-unknown-unknown"

func buildRust(ctx context.Context, dir, out string) error {
	for _, program := range []string{"cargo", "rustc"} {
		if err := need(program, "install Rust 1.82 or newer with rustup"); err != nil {
			return err
		}
	}
	sysroot, err := exec.CommandContext(ctx, "rustc", "--print", "sysroot").Output()
	if err != nil {
		return fmt.Errorf("asking rustc where it is: %w", err)
	}
	if _, err := os.Stat(filepath.Join(strings.TrimSpace(string(sysroot)), "lib", "rustlib", rustTarget)); err != nil {
		return fmt.Errorf("Rust's target is not installed: rustup target add %s", rustTarget)
	}
	cmd := exec.CommandContext(ctx, "cargo", "build", "--release", "--target", rustTarget, "--message-format=json-render-diagnostics")
	var log bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &log
	messages, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("cargo build: %w\n%s", err, log.Bytes())
	}
	built := rustModule(messages)
	if built == "" {
		return errors.New(`the crate makes no module: it needs crate-type = ["cdylib"] in its [lib]`)
	}
	module, err := os.ReadFile(built)
	if err != nil {
		return fmt.Errorf("reading what cargo built: %w", err)
	}
	return os.WriteFile(out, module, 0o644)
}

// rustModule finds the module among cargo's messages, one JSON object a line; the
// project's own is the last.
func rustModule(messages []byte) (module string) {
	for line := range bytes.Lines(messages) {
		var m struct {
			Filenames []string `json:"filenames"`
		}
		_ = json.Unmarshal(line, &m) // what is no message names no file
		for _, name := range m.Filenames {
			if strings.HasSuffix(name, ".wasm") {
				module = name
			}
		}
	}
	return module
}

func buildAssemblyScript(ctx context.Context, dir, out string) error {
	compiler := filepath.Join(dir, "node_modules", ".bin", "asc")
	if _, err := os.Stat(compiler); err != nil {
		compiler = "asc"
		if err := need("asc", "run npm install in the project (it needs Node 20 or newer)"); err != nil {
			return err
		}
	}
	return tool(ctx, dir, nil, compiler, "tool.ts", "-Osize", "--runtime", "minimal",
		"--use", "abort=ingot-guest/assembly/tool/abort", "-o", out)
}
