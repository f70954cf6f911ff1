package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// language builds one kind of guest. A further one is an element of languages.
type language struct {
	name string
	// mark is a file that a guest of this kind has, as a pattern.
	mark string
	// build makes the module. A tool that is missing is an error that says what to
	// install.
	build func(ctx context.Context, dir, out string) error
}

// languages are all kinds. The first whose mark is there builds.
var languages = []language{
	{"Rust", "Cargo.toml", buildRust},
	{"Go", "go.mod", buildGo},
	{"AssemblyScript", "tool.ts", buildAssemblyScript},
	{"C", "*.c", buildC},
}

// MissingError says that a compiler is not installed, and how it is.
type MissingError struct{ Program, Install string }

// Error says both.
func (e *MissingError) Error() string { return e.Program + " is not installed: " + e.Install }

// Guest compiles the tool in a folder to the module out, and says which language it is
// written in. The error of a missing compiler is a [*MissingError].
func Guest(ctx context.Context, dir, out string) (string, error) {
	l, marks := findLanguage(dir)
	if l == nil {
		return "", fmt.Errorf("%s has none of %s: make a project with ingot new", dir, strings.Join(marks, ", "))
	}
	return l.name, l.build(ctx, dir, out)
}

// findLanguage returns the language of a folder; nil where there is none, and what it
// looked for.
func findLanguage(dir string) (found *language, marks []string) {
	for i, l := range languages {
		if files, err := matching(dir, l.mark); err == nil && len(files) > 0 {
			return &languages[i], nil
		}
		marks = append(marks, l.mark+" ("+l.name+")")
	}
	return nil, marks
}

// matching are the files of a folder whose names match a pattern, whatever the folder is
// called: filepath.Glob would take a [ in its path for a pattern too.
func matching(dir, pattern string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		matches, err := filepath.Match(pattern, e.Name())
		if err != nil {
			return nil, err
		}
		if matches {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

// need says how to get a program that is not there.
func need(program, install string) error {
	if _, err := exec.LookPath(program); err != nil {
		return &MissingError{program, install}
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
	sources, err := matching(dir, "*.c")
	if err != nil {
		return err
	}
	objects, err := os.MkdirTemp("", "ingot-build-")
	if err != nil {
		return fmt.Errorf("making a folder to build in: %w", err)
	}
	defer os.RemoveAll(objects)
	// In two steps: a clang that links runs the wasm-opt that it finds, which knows nothing
	// of -mbulk-memory once the symbols are gone.
	link := []string{"--no-entry", "--strip-all", "--stack-first", "-z", "stack-size=65536", "-o", out}
	for i, source := range sources {
		object := filepath.Join(objects, strconv.Itoa(i)+".o")
		link = append(link, object)
		if err := tool(ctx, dir, nil, "clang", "--target=wasm32", "-ffreestanding", "-mbulk-memory", "-O2", "-Wall", "-Wextra", "-I", ".", "-c", "-o", object, source); err != nil {
			return err
		}
	}
	return tool(ctx, dir, nil, "wasm-ld", link...)
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
		return &MissingError{"Rust's target", "rustup target add " + rustTarget}
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
	source, err := os.ReadFile(filepath.Join(dir, "tool.ts"))
	if err != nil {
		return fmt.Errorf("reading the tool: %w", err)
	}
	kit := "ingot-guest/assembly"
	if m := kitImport.FindSubmatch(source); m != nil {
		kit = strings.TrimPrefix(string(m[1]), "./")
	}
	return tool(ctx, dir, nil, compiler, "tool.ts", "-Osize", "--runtime", "minimal", "--use", "abort="+kit+"/tool/abort", "-o", out)
}

// kitImport finds where a tool in AssemblyScript has the SDK.
var kitImport = regexp.MustCompile(`from "([^"]+/assembly)"`)
