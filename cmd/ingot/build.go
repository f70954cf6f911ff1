package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ingot-run/ingot/internal/builder"
	"github.com/ingot-run/ingot/internal/command"
)

// buildCommand is "ingot build".
type buildCommand struct {
	Dir    string `arg:"" default:"." help:"The project's folder. (${default})"`
	Out    string `placeholder:"FILE" help:"What to write; by default the folder's name, of a module with .wasm, in the folder."`
	Source string `env:"INGOT_SOURCE" placeholder:"DIR" help:"Folder with ingot's own source, to build a forge.yaml's program with in place of a released version."`
}

// Help ends "ingot build --help".
func (*buildCommand) Help() string {
	return `A folder with a forge.yaml becomes one static program that serves it: with the Go functions that its packages register by forge.Handle, and the files that it names inside. Modules whose source is in folders of the project are compiled first. With "optimization: release" the program has no symbols. GOOS and GOARCH say which machine it is for.

A folder with the source of a WebAssembly tool becomes a module.

Examples:

  ingot build
  ingot build shop --out bin/shop && bin/shop serve --listen 127.0.0.1:7070
  GOOS=linux GOARCH=arm64 ingot build shop --out shop-arm64
  ingot build my-tool    # a project of "ingot new my-tool --template wasm-go"`
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
	if builder.File(dir) != "" {
		return c.project(ctx, dir, out)
	}
	return c.guest(ctx, dir, out.stdout)
}

// project builds a program of a forge.yaml.
func (c *buildCommand) project(ctx context.Context, dir string, out streams) error {
	built, err := builder.Project(ctx, dir, builder.Options{Out: c.Out, Source: c.Source, Log: out.stderr})
	if err != nil {
		return fmt.Errorf("building %s: %w", c.Dir, err)
	}
	how := "debug"
	if built.Release {
		how = "release"
	}
	_, err = fmt.Fprintf(out.stdout, "%s: %d bytes (%s), carries %s\n", built.Path, built.Bytes, how, counted(built.Files, "file"))
	return err
}

// guest builds a module.
func (c *buildCommand) guest(ctx context.Context, dir string, out io.Writer) error {
	target := c.Out
	if target == "" {
		target = filepath.Join(dir, filepath.Base(dir)+".wasm")
	}
	target, err := filepath.Abs(target)
	if err != nil {
		return fmt.Errorf("finding the module's place: %w", err)
	}
	language, err := builder.Guest(ctx, dir, target)
	if err != nil {
		return fmt.Errorf("building %s: %w", c.Dir, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("looking at what was built: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s: %d bytes, built from %s\n", target, info.Size(), language)
	return err
}
