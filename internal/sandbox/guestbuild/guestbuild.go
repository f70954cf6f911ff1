// Package guestbuild compiles the example tools, for tests.
//
// Its functions are [Example], for one of guest/examples, [Probe], [ExtismRust] and
// [ExtismAssemblyScript], for plug-ins of Extism's own PDKs, and [Require], which finds
// out whether a language's tools are there:
//
//	module, err := host.Load(ctx, "count.wasm", guestbuild.Example(t, "rust-count"), sandbox.Policy{})
//
// # Caveats
//
// It runs compilers, once per test process for each example; their own caches make
// further processes quick. Go is always there. A test that needs another language is
// skipped where its tools are missing, unless the environment variable
// INGOT_GUESTS_REQUIRE names it (as in "c,rust,as,pdk"): then it fails. Rust and
// AssemblyScript keep what they download and build in the user's cache directory.
// Only tests import it.
package guestbuild

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// requireVariable lists the languages whose tools must be there.
const requireVariable = "INGOT_GUESTS_REQUIRE"

// Wordcount returns the module of guest/examples/go-wordcount. It fails the test
// when that does not build.
func Wordcount(t testing.TB) []byte {
	t.Helper()
	return Example(t, "go-wordcount")
}

// Example returns the module of an example: its folder in guest/examples, which
// begins with the language. It fails the test when that does not build.
func Example(t testing.TB, name string) []byte {
	t.Helper()
	language, _, _ := strings.Cut(name, "-")
	Require(t, language)
	return once(t, name, func(out string) error {
		dir := filepath.Join(root(), "guest", "examples", name)
		switch language {
		case "go":
			return goReactor(dir, out)
		case "c":
			return run(dir, nil, "make", "-B", "-s", "OUT="+out)
		case "rust":
			return rust(dir, out)
		default:
			return assemblyScript(dir, out)
		}
	})
}

// Probe returns the probe of a language: a tool that uses each function of the SDK;
// see internal/sandbox/testdata/probe.
func Probe(t testing.TB, language string) []byte {
	t.Helper()
	Require(t, language)
	return once(t, "probe-"+language, func(out string) error {
		dir := filepath.Join(root(), "internal", "sandbox", "testdata", "probe", language)
		switch language {
		case "go":
			return goReactor(dir, out)
		case "c":
			return run(dir, nil, "clang", "--target=wasm32", "-ffreestanding", "-mbulk-memory", "-Os", "-nostdlib", "-Wall", "-Wextra", "-Werror",
				"-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--stack-first", "-Wl,-z,stack-size=65536", "-I", "../../../../../guest/c", "-o", out, "probe.c")
		case "rust":
			return rust(dir, out)
		default:
			return run(dir, nil, asc(), "probe.ts", "-Osize", "--runtime", "minimal", "--use", "abort=../../../../../guest/as/assembly/tool/abort", "-o", out)
		}
	})
}

// ExtismRust returns the plug-in that is written with Extism's own PDK for Rust. Its
// language is "pdk": it takes half a minute and dozens of crates to build at first.
func ExtismRust(t testing.TB) []byte {
	t.Helper()
	Require(t, "pdk")
	return once(t, "rustpdk", func(out string) error {
		return rust(filepath.Join(root(), "internal", "sandbox", "testdata", "extism", "rustpdk"), out)
	})
}

// ExtismAssemblyScript returns the plug-in that is written with Extism's own PDK for
// AssemblyScript, which npm installs. Its language is "pdk" as well.
func ExtismAssemblyScript(t testing.TB) []byte {
	t.Helper()
	Require(t, "pdk")
	return once(t, "aspdk", func(out string) error {
		dir := filepath.Join(cache(), "aspdk")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		for _, file := range []string{"package.json", "plugin.ts"} {
			content, err := os.ReadFile(filepath.Join(root(), "internal", "sandbox", "testdata", "extism", "aspdk", file))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
				return err
			}
		}
		if err := run(dir, nil, "npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--prefer-offline"); err != nil {
			return err
		}
		return run(dir, nil, filepath.Join("node_modules", ".bin", "asc"), "plugin.ts", "-Osize", "--use", "abort=plugin/fail", "-o", out)
	})
}

// Require skips the test when the tools of a language (go, c, rust, as, pdk) are
// missing, or fails it when they must be there.
func Require(t testing.TB, language string) {
	t.Helper()
	required := slices.Contains(strings.Split(os.Getenv(requireVariable), ","), language)
	missing := missing(language, required)
	switch {
	case missing == "":
	case required:
		t.Fatalf("%s asks for %s, but %s", requireVariable, language, missing)
	default:
		t.Skipf("%s: guests in %s are not tested (%s=%s would make this a failure)", missing, language, requireVariable, language)
	}
}

// missing says what a language lacks here, or "". When it is required, what can be
// installed for the tests alone is.
func missing(language string, required bool) string {
	absent := func(programs ...string) string {
		for _, p := range programs {
			if _, err := exec.LookPath(p); err != nil {
				return p + " is not installed"
			}
		}
		return ""
	}
	switch language {
	case "go":
		return absent("go")
	case "c":
		return absent("clang", "wasm-ld", "make")
	case "rust":
		return missingRust(absent("cargo", "rustc"))
	case "pdk":
		if !required {
			return "building with Extism's PDK takes long and many crates"
		}
		return missingRust(absent("cargo", "rustc", "node", "npm"))
	case "as":
		if asc() != "" {
			return ""
		}
		if what := absent("node", "npm"); what != "" || !required {
			return strings.TrimPrefix(what+"; asc is not installed (npm install in guest/examples/as-count)", "; ")
		}
		if err := installAssemblyScript(); err != nil {
			return err.Error()
		}
		return ""
	default:
		return "there is no such language"
	}
}

// missingRust looks for the target beside the programs.
func missingRust(programs string) string {
	if programs != "" {
		return programs
	}
	sysroot, err := exec.Command("rustc", "--print", "sysroot").Output()
	if err != nil {
		return "rustc does not say where it is"
	}
	if _, err := os.Stat(filepath.Join(strings.TrimSpace(string(sysroot)), "lib", "rustlib", "wasm32-unknown-unknown")); err != nil {
		return "Rust's target is not installed (rustup target add wasm32-unknown-unknown)"
	}
	return ""
}

// built are the modules of this process.
var (
	mu    sync.Mutex
	built = map[string][]byte{}
)

// once builds a module once per process.
func once(t testing.TB, name string, build func(out string) error) []byte {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if module, ok := built[name]; ok {
		return module
	}
	dir, err := os.MkdirTemp("", "guestbuild")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "tool.wasm")
	if err := build(out); err != nil {
		t.Fatalf("building the guest %s: %v", name, err)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	built[name] = module
	return module
}

// root is the module's folder.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// run runs a program in a folder; the error has what it printed.
func run(dir string, env []string, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if log, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, log)
	}
	return nil
}

func goReactor(dir, out string) error {
	return run(dir, []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS="},
		"go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
}

func rust(dir, out string) error {
	target := filepath.Join(cache(), "target")
	if err := run(dir, []string{"CARGO_TARGET_DIR=" + target}, "cargo", "build", "--release", "--target", "wasm32-unknown-unknown"); err != nil {
		return err
	}
	name := strings.ReplaceAll(filepath.Base(dir), "-", "_")
	if first, rest, ok := strings.Cut(name, "_"); ok { // rust-count makes count_rust
		name = rest + "_" + first
	}
	module, err := os.ReadFile(filepath.Join(target, "wasm32-unknown-unknown", "release", name+".wasm"))
	if err != nil {
		return err
	}
	return os.WriteFile(out, module, 0o600)
}

// assemblyScript runs an example's build script with another output.
func assemblyScript(dir, out string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return err
	}
	var manifest struct{ Scripts struct{ Build string } }
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return err
	}
	args := strings.Fields(manifest.Scripts.Build)
	return run(dir, nil, asc(), append(args[1:len(args)-1], out)...)
}

// AscFolder is the folder of AssemblyScript's compiler, to be put into PATH; "" when
// it is not there.
func AscFolder() string {
	if path := asc(); path != "" {
		return filepath.Dir(path)
	}
	return ""
}

// asc finds AssemblyScript's compiler, or returns "".
func asc() string {
	for _, dir := range []string{cache(), filepath.Join(root(), "guest", "examples", "as-count")} {
		path := filepath.Join(dir, "node_modules", ".bin", "asc")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

func installAssemblyScript() error {
	manifest, err := os.ReadFile(filepath.Join(root(), "guest", "examples", "as-count", "package.json"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(cache(), "package.json"), manifest, 0o600); err != nil {
		return err
	}
	return run(cache(), nil, "npm", "install", "--no-package-lock", "--no-audit", "--no-fund")
}

// cache is a folder that outlives the process.
func cache() string {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	dir := filepath.Join(base, "ingot-guests")
	_ = os.MkdirAll(dir, 0o700) // who writes into it sees the error
	return dir
}
