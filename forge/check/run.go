package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ingot-run/ingot/forge"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/mcpclient"
)

// timeoutDefault is how long one test may take.
const timeoutDefault = 30 * time.Second

// Pattern is what files of tests are called, which lie beside the main file.
const Pattern = "*.forge-test.yaml"

// Load reads a file, and the tests in it and beside it, in the order of the files' names.
// What is wrong in one of them is a [*config.Problems].
func Load(path string) (*config.Config, []config.Test, error) {
	c, err := config.Load(path, config.Options{})
	if err != nil {
		return nil, nil, err
	}
	names, err := filepath.Glob(filepath.Join(literal(filepath.Dir(path)), Pattern))
	if err != nil {
		return nil, nil, err
	}
	tests := c.Tests
	for _, name := range names { // in order
		more, err := config.LoadTests(name, c, config.Options{})
		if err != nil {
			return nil, nil, err
		}
		tests = append(tests, more...)
	}
	for i := range tests {
		if tests[i].Name == "" {
			tests[i].Name = tests[i].Tool
		}
	}
	return c, tests, nil
}

// literal is a path as a pattern that matches nothing else.
func literal(path string) string {
	if runtime.GOOS == "windows" {
		return path // where patterns have no escapes
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Options say how tests are run. The zero value works.
type Options struct {
	// Jobs is how many tests run at once; 0 is one for each processor.
	Jobs int
	// Timeout bounds each test that says nothing itself; 0 is 30 seconds.
	Timeout time.Duration
	// Secrets are kept out of what results show.
	Secrets config.Secrets
	// Logger gets what middleware, tools and guests log; nil discards.
	Logger *slog.Logger
	// Done, when not nil, is called with each result, in the order of the tests.
	Done func(Result)
}

// Result is how a test ended.
type Result struct {
	Name     string        `json:"name"`
	Tool     string        `json:"tool"`
	File     string        `json:"file"`
	Line     int           `json:"line"`
	Passed   bool          `json:"passed"`
	Duration time.Duration `json:"-"`
	Millis   float64       `json:"millis"` // Duration in milliseconds
	// Faults are what did not hold, each a text of one or more lines.
	Faults []string `json:"faults,omitempty"`
}

// Run runs tests of the file at path. Its error says why they could not be run at all;
// tests that fail are none.
func Run(ctx context.Context, path string, tests []config.Test, o Options) ([]Result, error) {
	if o.Timeout <= 0 {
		o.Timeout = timeoutDefault
	}
	if o.Jobs <= 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	r := &running{path: path, tests: tests, options: o, results: make([]Result, len(tests)), done: make([]bool, len(tests))}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	units := make(chan []int)
	var workers sync.WaitGroup
	for range min(o.Jobs, max(len(tests), 1)) {
		workers.Go(func() {
			for unit := range units {
				if err := r.unit(ctx, unit); err != nil {
					stop(err)
				}
			}
		})
	}
	for _, unit := range unitsOf(tests) {
		units <- unit
	}
	close(units)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return r.results, nil
}

// unitsOf are the numbers of tests that go together: those that share a state, and each
// other by itself.
func unitsOf(tests []config.Test) (units [][]int) {
	var shared []int
	for i := range tests {
		if tests[i].Shared {
			shared = append(shared, i)
		}
	}
	for i := range tests {
		switch {
		case !tests[i].Shared:
			units = append(units, []int{i})
		case i == shared[0]:
			units = append(units, shared)
		}
	}
	return units
}

// running is one Run.
type running struct {
	path    string
	tests   []config.Test
	options Options

	mu      sync.Mutex
	results []Result
	done    []bool
	told    int // how many results Done has got
}

// unit opens the file and runs tests one after the other.
func (r *running) unit(ctx context.Context, numbers []int) (err error) {
	if ctx.Err() != nil {
		return nil // told already
	}
	project, err := forge.Open(ctx, r.path, forge.Options{Logger: r.options.Logger, StateInMemory: true, Owner: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, project.Close()) }()
	client, err := mcpclient.InProcess(ctx, project.Server(), mcpclient.Options{Name: "ingot test"})
	if err != nil {
		return err
	}
	defer client.Close()
	for _, i := range numbers {
		result := r.test(ctx, client, &r.tests[i])
		if ctx.Err() != nil {
			return nil
		}
		r.finish(i, result)
	}
	return nil
}

// finish notes a result, and tells of all that stand in a row.
func (r *running) finish(i int, result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[i], r.done[i] = result, true
	for ; r.told < len(r.done) && r.done[r.told]; r.told++ {
		if r.options.Done != nil {
			r.options.Done(r.results[r.told])
		}
	}
}

// test makes one call and looks at what it answers.
func (r *running) test(ctx context.Context, client *mcpclient.Client, t *config.Test) Result {
	timeout := r.options.Timeout
	if t.Timeout > 0 {
		timeout = t.Timeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("there was no answer after %v", timeout))
	defer cancel()
	start := time.Now()
	answer, err := client.CallTool(ctx, t.Tool, slices.Clone(t.Input), nil)
	result := Result{Name: t.Name, Tool: t.Tool, File: t.Pos.File, Line: t.Pos.Line, Duration: time.Since(start)}
	result.Millis = float64(result.Duration.Microseconds()) / 1000
	if refused, ok := errors.AsType[*mcpclient.Error](err); ok { // an error of the protocol is an error too
		answer, err = &mcpclient.Result{IsError: true, Content: []mcpclient.Content{{Type: "text", Text: refused.Message}}}, nil
	}
	if err != nil {
		result.Faults = []string{err.Error()}
	} else {
		result.Faults = faults(&t.Expect, answer)
	}
	for i := range result.Faults {
		result.Faults[i] = r.options.Secrets.Redact(result.Faults[i])
	}
	result.Passed = len(result.Faults) == 0
	return result
}
