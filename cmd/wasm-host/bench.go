package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/ingot-run/ingot/internal/sandbox"
	"github.com/ingot-run/ingot/internal/schema"
)

type benchCommand struct {
	policyFlags
	Path     string        `arg:"" help:"The module."`
	Tool     string        `placeholder:"NAME" help:"The tool, where the module has several."`
	Args     string        `default:"{}" placeholder:"JSON" help:"The arguments of each call. (${default})"`
	For      time.Duration `name:"for" default:"2s" placeholder:"DURATION" help:"How long to call it. (${default})"`
	Parallel int           `default:"1" placeholder:"N" help:"Calls that are made at once. (${default})"`
}

// Help ends "wasm-host bench --help".
func (c *benchCommand) Help() string {
	return `Example:

  wasm-host bench sha256.wasm --args '{"text":"hello"}' --parallel 4 --concurrency 4`
}

// Validate is kong's hook: its error makes the command line wrong.
func (c *benchCommand) Validate() error {
	if c.For <= 0 || c.Parallel <= 0 {
		return fmt.Errorf("--for (%v) and --parallel (%d) must be more than 0", c.For, c.Parallel)
	}
	return c.policyFlags.Validate()
}

// durationsKept bounds what is remembered of calls, by each caller.
const durationsKept = 1 << 20

// run measures the calls of one tool. The first call must succeed.
func (c *benchCommand) run(ctx context.Context, stdout io.Writer) error {
	host := sandbox.New(sandbox.Options{CacheDir: c.cacheDir()})
	defer host.Close(context.WithoutCancel(ctx))
	begun := time.Now()
	module, err := load(ctx, host, c.Path, c.policyFlags)
	if err != nil {
		return err
	}
	loaded := time.Since(begun)
	request := sandbox.CallRequest{Tool: c.Tool, Arguments: []byte(c.Args)}
	if err := c.checkArguments(module); err != nil {
		return err
	}
	begun = time.Now()
	if _, err := module.Call(ctx, request); err != nil {
		return err
	}
	first := time.Since(begun)
	before := module.Stats()
	durations, err := c.measure(ctx, module, request)
	if err != nil {
		return err
	}
	return c.report(stdout, module, before, loaded, first, durations)
}

// checkArguments holds the arguments to the tool's schema, as a server would.
func (c *benchCommand) checkArguments(module *sandbox.Module) error {
	for _, d := range module.Tools() {
		if c.Tool != "" && d.Name != c.Tool {
			continue
		}
		compiled, err := schema.Compile(d.InputSchema)
		if err != nil {
			return fmt.Errorf("tool %s: its inputSchema: %w", d.Name, err)
		}
		if err := compiled.Validate([]byte(c.Args)); err != nil {
			return fmt.Errorf("--args: %w", err)
		}
		return nil
	}
	return nil // the call says that there is no such tool
}

// measure calls the tool until the time is over or a call fails, and once by each caller
// however short the time is.
func (c *benchCommand) measure(ctx context.Context, module *sandbox.Module, request sandbox.CallRequest) ([]time.Duration, error) {
	var mu sync.Mutex // guards all and failed
	var all []time.Duration
	var failed error
	end := time.Now().Add(c.For)
	var callers sync.WaitGroup
	for range c.Parallel {
		callers.Go(func() {
			var mine []time.Duration
			var err error
			for begun := time.Now(); err == nil && (len(mine) == 0 || begun.Before(end) && len(mine) < durationsKept); {
				_, err = module.Call(ctx, request)
				now := time.Now()
				mine = append(mine, now.Sub(begun))
				begun = now
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
			if failed == nil {
				failed = err
			}
		})
	}
	callers.Wait()
	return all, failed
}

// report prints the figures.
func (c *benchCommand) report(stdout io.Writer, module *sandbox.Module, before sandbox.Stats, loaded, first time.Duration, durations []time.Duration) error {
	slices.Sort(durations)
	at := func(part float64) time.Duration { return durations[int(part*float64(len(durations)-1))] }
	var sum time.Duration
	for _, d := range durations {
		sum += d
	}
	after, calls := module.Stats(), float64(len(durations))
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "loaded in\t%v\n", loaded.Round(time.Microsecond))
	fmt.Fprintf(w, "first call\t%v\n", first.Round(time.Microsecond))
	fmt.Fprintf(w, "calls\t%d, %.0f a second\n", len(durations), calls*float64(c.Parallel)/sum.Seconds())
	fmt.Fprintf(w, "duration\tp50 %v, p90 %v, p99 %v, longest %v\n", at(0.5), at(0.9), at(0.99), at(1))
	fmt.Fprintf(w, "fuel a call\t%.0f of %d\n", float64(after.Fuel-before.Fuel)/calls, module.Policy().Limits.FuelMax)
	fmt.Fprintf(w, "instances\t%d reset, %d started, %.0f bytes written back a call\n", after.Reset-before.Reset, after.Started-before.Started, float64(after.BytesReset-before.BytesReset)/calls)
	if reason := module.Info().NotResettable; reason != "" {
		fmt.Fprintf(w, "new instances\t%s\n", reason)
	}
	return w.Flush()
}
