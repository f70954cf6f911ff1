// Command release makes what a release hands out, in a folder:
//
//	go run ./internal/release -version v1.2.3 [-out dist] [-targets linux/amd64,windows/arm64]
//
// For each target it is an archive (tar.gz, for Windows zip) with the commands, README.md,
// LICENSE, the licences of all that is linked in (THIRD_PARTY_NOTICES.txt) and what that
// is (sbom.cdx.json, CycloneDX 1.5); and SHA256SUMS of the archives. The same sources and
// version give the same bytes, whoever builds them, where and when: times are those of
// SOURCE_DATE_EPOCH, or the beginning of 1980 without it, and nothing of the machine is in
// them. `make release` builds the engine.wasm that the page has in it first.
//
// # Caveats
//
// The compiler is part of the sources: another release of Go makes other bytes. go.mod
// says which one is meant, and sbom.cdx.json which one it was. A licence that is not on the
// list of licences.go ends it.
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// targets are what is built when nothing else is said.
var targets = []string{
	"darwin/amd64", "darwin/arm64", "freebsd/amd64", "freebsd/arm64", "linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64",
}

// programs are the commands in an archive.
var programs = []string{"ingot", "mcp-stdio", "wasm-host"}

const module = "github.com/ingot-run/ingot"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// release is what is made.
type release struct {
	root, out, version string
	time               time.Time // of everything in an archive
	log                io.Writer
}

var versionForm = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// run makes a release and returns the exit code: 0, 1 when it failed, 2 when args are
// wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(stderr)
	r := release{log: stdout}
	flags.StringVar(&r.version, "version", "", "the `version`, as v1.2.3")
	flags.StringVar(&r.root, "root", ".", "the `folder` of the sources")
	flags.StringVar(&r.out, "out", "dist", "the `folder` that is made")
	only := flags.String("targets", strings.Join(targets, ","), "comma-separated systems and processors")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	chosen := strings.Split(*only, ",")
	for _, t := range chosen {
		if !slices.Contains(targets, t) {
			fmt.Fprintf(stderr, "release: no target %q; there are %s\n", t, strings.Join(targets, ", "))
			return 2
		}
	}
	if !versionForm.MatchString(r.version) {
		fmt.Fprintf(stderr, "release: -version %q is not like v1.2.3\n", r.version)
		return 2
	}
	err := r.make(ctx, chosen)
	if err != nil {
		fmt.Fprintf(stderr, "release: %v\n", err)
		return 1
	}
	return 0
}

// sourceTime is SOURCE_DATE_EPOCH, or the first moment that a zip can hold.
func sourceTime() (time.Time, error) {
	first := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return first, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || time.Unix(seconds, 0).Before(first) {
		return first, fmt.Errorf("SOURCE_DATE_EPOCH %q is not a number of seconds since 1970, or before 1980", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// make makes the archives and their checksums.
func (r *release) make(ctx context.Context, chosen []string) (err error) {
	if r.time, err = sourceTime(); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	for _, target := range chosen {
		name, err := r.archive(ctx, target)
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		data, err := os.ReadFile(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), name)
		fmt.Fprintf(r.log, "== %s, %d bytes\n", name, len(data))
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// archive builds the programs for a target and packs them.
func (r *release) archive(ctx context.Context, target string) (name string, err error) {
	goos, goarch, _ := strings.Cut(target, "/")
	built, err := os.MkdirTemp("", "ingot-release-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(built)
	env := append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off")
	packages := make([]string, len(programs))
	for i, p := range programs {
		packages[i] = "./cmd/" + p
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X " + module + "/internal/command.version=" + r.version, "-o", built + string(filepath.Separator)}
	if _, err := goRun(ctx, r.root, env, append(args, packages...)...); err != nil {
		return "", err
	}
	linked, err := modules(ctx, r.root, env, packages)
	if err != nil {
		return "", err
	}
	folder := fmt.Sprintf("ingot-%s-%s-%s", r.version, goos, goarch)
	files, err := r.contents(built, target, linked)
	if err != nil {
		return "", err
	}
	if goos == "windows" {
		name = folder + ".zip"
		return name, writeFile(filepath.Join(r.out, name), func(w io.Writer) error { return writeZip(w, folder, files, r.time) })
	}
	name = folder + ".tar.gz"
	return name, writeFile(filepath.Join(r.out, name), func(w io.Writer) error { return writeTar(w, folder, files, r.time) })
}

// contents are the files of an archive, in order.
func (r *release) contents(built, target string, linked []linkedModule) (files []packed, err error) {
	suffix := ""
	if strings.HasPrefix(target, "windows/") {
		suffix = ".exe"
	}
	for _, name := range []string{"LICENSE", "README.md"} {
		data, err := os.ReadFile(filepath.Join(r.root, name))
		if err != nil {
			return nil, err
		}
		files = append(files, packed{name, data, false})
	}
	bill, err := sbom(r.version, target, r.time, linked)
	if err != nil {
		return nil, err
	}
	files = append(files, packed{"THIRD_PARTY_NOTICES.txt", notices(linked), false}, packed{"sbom.cdx.json", bill, false})
	for _, p := range programs {
		data, err := os.ReadFile(filepath.Join(built, p+suffix))
		if err != nil {
			return nil, err
		}
		files = append(files, packed{p + suffix, data, true})
	}
	slices.SortFunc(files, func(a, b packed) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// goRun runs the go command and returns its stdout.
func goRun(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, env
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, problems.String())
	}
	return out, nil
}
