package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/guesttest"
)

// guestCommand is "ingot guest".
type guestCommand struct {
	Test guestTestCommand `cmd:"" help:"Load a WebAssembly tool, call it in every way, and say what is wrong with it."`
}

// guestTestCommand is "ingot guest test".
type guestTestCommand struct {
	Files   []string          `arg:"" name:"tool.wasm" help:"The modules."`
	JSON    bool              `name:"json" help:"Print the reports as one JSON array."`
	Timeout time.Duration     `default:"5s" placeholder:"DURATION" help:"Wall time of one call. (${default})"`
	Memory  command.ByteSize  `default:"64MiB" placeholder:"SIZE" help:"Memory of one instance. (${default})"`
	Config  map[string]string `placeholder:"KEY=VALUE" help:"What an Extism plug-in reads with config_get."`
}

// Validate is kong's hook: its error makes the command line wrong.
func (c *guestTestCommand) Validate() error {
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout is %v: it must be more than 0", c.Timeout)
	}
	return nil
}

// Run prints a report of each module; it fails when a check of one of them does.
func (c *guestTestCommand) Run(ctx context.Context, out streams) error {
	var reports []*guesttest.Report
	failed := 0
	for _, file := range c.Files {
		module, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading the module: %w", err)
		}
		r := guesttest.Run(ctx, file, module, guesttest.Options{TimeMax: c.Timeout, MemoryBytesMax: uint64(c.Memory), Config: c.Config})
		if err := ctx.Err(); err != nil {
			return err
		}
		reports = append(reports, r)
		failed += r.Failed()
		if !c.JSON {
			if err := r.WriteText(out.stdout); err != nil {
				return err
			}
		}
	}
	if c.JSON {
		e := json.NewEncoder(out.stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(reports); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}
