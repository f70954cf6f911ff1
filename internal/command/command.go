// Package command is what ingot's commands share: ByteSize, Parse and Walk for the
// command line, Colors, Live and Plain for a terminal, StoreFlags to open a store,
// Version for what they call themselves, and StartTicking, which gives a store the time
// that the engine does not take itself.
//
//	stop := command.StartTicking(store)
//	defer stop()
//
// # Caveats
//
// Only the packages below cmd/ use it; it knows nothing of MCP.
package command

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/alecthomas/kong"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/hash"
)

// Exit codes of every command.
const (
	ExitOK      = 0
	ExitFailure = 1 // the command ran and failed
	ExitUsage   = 2 // the command line was wrong; nothing ran
)

// Parse reads args into the kong grammar that grammar points to. When the
// command has ended by that (a help was printed, or the line was wrong) done is
// true and code is its exit code. ctx is bound for Run methods; more are further options
// of kong.
func Parse(ctx context.Context, name, description string, grammar any, args []string, stdout, stderr io.Writer, more ...kong.Option) (parsed *kong.Context, code int, done bool) {
	helped := false
	parser, err := kong.New(grammar, append(more,
		kong.Name(name),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }), // kong calls it after it printed a help
		kong.Help(printHelp),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)...)
	if err != nil {
		panic(err) // the grammar's struct tags are wrong
	}
	parsed, err = parser.Parse(args)
	if helped {
		return nil, ExitOK, true
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\nRun %s --help to see what it takes.\n", name, err, name)
		return nil, ExitUsage, true
	}
	return parsed, ExitOK, false
}

// version is set by the linker for a release:
// go build -ldflags "-X github.com/ingot-run/ingot/internal/command.version=v1.2.3".
var version string

// modulePath is ingot's own.
const modulePath = "github.com/ingot-run/ingot"

// Version is the release, else the version that Go noted for ingot's module, else
// "devel" with the commit when Go noted one.
func Version() string {
	if version != "" {
		return version
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	own := &build.Main
	for _, dependency := range build.Deps { // in a program that ingot build made
		if dependency.Path == modulePath {
			own = dependency
		}
	}
	if v := own.Version; v != "" && v != "(devel)" && own.Replace == nil {
		return v
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

// VersionLine is what a command's version prints: its name, Version, and what
// it runs on.
func VersionLine(name string) string {
	return fmt.Sprintf("%s %s (%s, %s/%s, hash %s)", name, Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, hash.Backend())
}

// tickInterval is how often expired entries are removed. Reads never see them
// meanwhile; only their bytes wait.
const tickInterval = time.Second

// StartTicking removes expired entries of store once a second, until stop is
// called; stop waits for the goroutine to end.
func StartTicking(store *engine.Store) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(tickInterval)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				store.Tick(0)
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}
