package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ingot-run/ingot/bench/worker"
)

// ours is the name of the row that everything is compared with.
const ours = "ingot"

// oursOrdered is ingot once more, with the sorted keys that List wants.
const oursOrdered = "ingot-ordered"

// boostPackage carries Boost's headers. Debian 12 has 1.81, and
// concurrent_flat_map came with 1.83.
const boostPackage = "libboost-headers==1.88.0"

// row is one implementation.
type row struct {
	name, label      string
	lossy, oneThread bool
	command          worker.Command
}

// notHere says why something cannot be measured on this machine. Every other
// error of a build is a defect.
type notHere struct{ reason string }

func (e notHere) Error() string { return e.reason }

// buildRows builds the workers and asks them for their rows. bench is the
// directory of the module, work one for what is built. A worker none of whose rows
// is in only is not built, unless only is empty.
func buildRows(ctx context.Context, bench, work string, only []string, stdout io.Writer) (rows []row, skipped []string, err error) {
	builds := []struct {
		names []string // of the rows it has; nil is always built
		what  string
		run   func(ctx context.Context, bench, work string) (string, error)
	}{
		{nil, "the Go rows", buildGo},
		{[]string{"dashmap", "dashmap-ahash", "papaya", "scc"}, "dashmap, papaya and scc", buildRust},
		{[]string{"boost"}, "Boost concurrent_flat_map", buildCPP},
	}
	for _, b := range builds {
		wanted := func(name string) bool { return slices.Contains(only, name) }
		if len(only) > 0 && b.names != nil && !slices.ContainsFunc(b.names, wanted) {
			continue
		}
		fmt.Fprintln(stdout, "building", b.what)
		path, err := b.run(ctx, bench, work)
		if missing, ok := errors.AsType[notHere](err); ok {
			skipped = append(skipped, b.what+": "+missing.reason)
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("building %s: %w", b.what, err)
		}
		listed, err := listRows(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, listed...)
	}
	// The loop without a store stands below all stores.
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(last(a), last(b)) })
	return rows, skipped, nil
}

func last(r row) int {
	if r.name == "loop" {
		return 1
	}
	return 0
}

func listRows(ctx context.Context, path string) ([]row, error) {
	out, err := output(ctx, "", nil, path, "list")
	if err != nil {
		return nil, err
	}
	var rows []row
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s list: want name, label and flags in %q", path, line)
		}
		rows = append(rows, row{
			name: fields[0], label: fields[1],
			lossy:     strings.Contains(fields[2], "lossy"),
			oneThread: strings.Contains(fields[2], "onethread"),
			command:   worker.Command{Path: path, Args: []string{"run", fields[0]}},
		})
	}
	return rows, nil
}

func buildGo(ctx context.Context, bench, work string) (string, error) {
	path := filepath.Join(work, "goworker")
	_, err := output(ctx, bench, nil, "go", "build", "-o", path, "./engine/goworker")
	return path, err
}

func buildRust(ctx context.Context, bench, _ string) (string, error) {
	if _, err := exec.LookPath("cargo"); err != nil {
		return "", notHere{"cargo is not installed"}
	}
	target, err := cacheDir("rust")
	if err != nil {
		return "", err
	}
	_, err = output(ctx, filepath.Join(bench, "engine", "rust"), []string{"RUSTFLAGS=-C target-cpu=native"},
		"cargo", "build", "--quiet", "--release", "--target-dir", target)
	return filepath.Join(target, "release", "ingot-bench-engine"), err
}

func buildCPP(ctx context.Context, bench, work string) (string, error) {
	if _, err := exec.LookPath("g++"); err != nil {
		return "", notHere{"g++ is not installed"}
	}
	var flags []string
	if !systemBoost(ctx) {
		include, err := boostHeaders(ctx)
		if err != nil {
			return "", err
		}
		flags = append(flags, "-isystem", include)
	}
	path := filepath.Join(work, "cppworker")
	return path, compileCPP(ctx, filepath.Join(bench, "engine", "cpp", "main.cpp"), path, flags...)
}

func compileCPP(ctx context.Context, source, path string, flags ...string) error {
	args := append([]string{"-std=c++20", "-O3", "-march=native", "-pthread", "-o", path, source}, flags...)
	_, err := output(ctx, "", nil, "g++", args...)
	return err
}

// systemBoost says whether g++ finds a new enough Boost by itself.
func systemBoost(ctx context.Context) bool {
	cmd := exec.CommandContext(ctx, "g++", "-x", "c++", "-fsyntax-only", "-")
	cmd.Stdin = strings.NewReader(`
#if !__has_include(<boost/unordered/concurrent_flat_map.hpp>)
#error "too old"
#endif`)
	return cmd.Run() == nil
}

// boostHeaders returns the directory of Boost's headers, which pip fetches once.
func boostHeaders(ctx context.Context) (string, error) {
	dir, err := cacheDir("boost-" + strings.ReplaceAll(boostPackage, "==", "-"))
	if err != nil {
		return "", err
	}
	include := filepath.Join(dir, "libboost_headers", "include")
	wanted := filepath.Join(include, "boost", "unordered", "concurrent_flat_map.hpp")
	if _, err := os.Stat(wanted); err == nil {
		return include, nil
	}
	_, err = output(ctx, "", nil, "python3", "-m", "pip", "install", "--quiet", "--no-deps",
		"--disable-pip-version-check", "--upgrade", "--target", dir, boostPackage)
	if err != nil {
		return "", notHere{"there is no Boost 1.83 or newer, and pip cannot install " + boostPackage}
	}
	if _, err := os.Stat(wanted); err != nil {
		return "", fmt.Errorf("%s was installed, but: %w", boostPackage, err)
	}
	return include, nil
}

// cacheDir makes and returns a directory that outlives this run.
func cacheDir(name string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "ingot-bench", name)
	return dir, os.MkdirAll(dir, 0o755)
}

// output runs a command to its end. Its error holds what the command said.
func output(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}
