// Command testall runs every test suite of the repository, in Go, Node,
// Chromium, wasm and under an emulator, says what it is doing, and ends with one
// line that counts all of them:
//
//	go run ./internal/testall [-only NAME,NAME] [-jobs N] [-list]
//
// Two suites run at once: many of them keep one processor busy, or none while
// they wait. A suite's lines stand together, printed when it ends.
//
// # Caveats
//
// A suite whose tool is missing (qemu-aarch64, chromium, …) is skipped with a
// line that says so, and fails when the environment variable CI is set. A suite
// that runs no test fails. One that could not look, as govulncheck without its
// database, is skipped everywhere, with a line that says so: no change of the code
// mends that.
//
// A few tests that fail are run again by themselves: a Go test has to pass three times,
// a suite of Node once. They count as passed then, and the end of the run names them as
// unsteady. A race, a panic, a lost write, a leak, a history that is not linearizable,
// a finding of a fuzzer and what does not build are failures whatever follows.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the suites that args choose and returns the exit code: 0 when every
// test passed, 1 when one failed, 2 when args are wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("testall", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "", "comma-separated `names` of the suites to run; all when empty")
	jobs := flags.Int("jobs", 2, "how many suites run at once")
	list := flags.Bool("list", false, "list the suites and exit")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	chosen, err := choose(suites(), *only)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	if *list {
		for _, s := range chosen {
			fmt.Fprintf(stdout, "%-16s %s\n", s.name, s.what)
		}
		return 0
	}
	if *jobs < 1 {
		fmt.Fprintf(stderr, "testall: -jobs is %d: at least one suite must run\n", *jobs)
		return 2
	}
	total, failed := runAll(ctx, chosen, *jobs, stdout)
	fmt.Fprintln(stdout)
	if len(total.unsteady) > 0 {
		fmt.Fprintf(stdout, "unsteady, to be mended (failed once, passed by themselves): %s\n", strings.Join(total.unsteady, ", "))
	}
	if len(failed) > 0 {
		fmt.Fprintf(stdout, "failed suites: %s\n", strings.Join(failed, ", "))
	}
	fmt.Fprintf(stdout, "%d passed, %d failed, %d skipped\n", total.passed, total.failed, total.skipped)
	if total.failed > 0 {
		return 1
	}
	return 0
}

// runAll runs the suites in their order, so many at once, and returns the sum
// of their counts and the names of those that failed, in order.
func runAll(ctx context.Context, chosen []suite, jobs int, stdout io.Writer) (total counts, failed []string) {
	var mu sync.Mutex // guards stdout and results
	results := make([]counts, len(chosen))
	free := make(chan struct{}, jobs)
	var running sync.WaitGroup
	for i, s := range chosen {
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }() // partner: the send above
			var lines bytes.Buffer
			c := s.run(ctx, &lines)
			mu.Lock()
			defer mu.Unlock()
			results[i] = c
			lines.WriteTo(stdout)
		})
	}
	running.Wait()
	for i, s := range chosen {
		total.add(results[i])
		if results[i].failed > 0 {
			failed = append(failed, s.name)
		}
	}
	return total, failed
}

// choose picks the suites named in only.
func choose(all []suite, only string) ([]suite, error) {
	if only == "" {
		return all, nil
	}
	var chosen []suite
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(s suite) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("testall: no suite %q; -list shows them", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// suite is one command and the way to count what it ran.
type suite struct {
	name, what string
	dir        string   // below the repository; empty is its root
	env        []string // beside the process's own
	path       []string // in front of PATH
	needs      []string // tools that must be on the PATH
	command    []string
	count      func(output string) counts // nil: the command is one check, and its exit code decides
	tables     bool                       // lines of its output that begin with "| " are shown
	unchecked  map[string]string          // what a failure's output has when it could not look, and what is said then: it is skipped
}

// counts are numbers of tests, and the names of those among the passed that failed at
// first.
type counts struct {
	passed, failed, skipped int
	unsteady                []string
}

func (c *counts) add(o counts) {
	c.passed += o.passed
	c.failed += o.failed
	c.skipped += o.skipped
	c.unsteady = append(c.unsteady, o.unsteady...)
}

// run runs the suite, says how it went, and shows the output when it failed.
func (s suite) run(ctx context.Context, stdout io.Writer) counts {
	fmt.Fprintf(stdout, "== %s: %s\n", s.name, s.what)
	for _, tool := range s.needs {
		if _, err := exec.LookPath(tool); err != nil {
			fmt.Fprintf(stdout, "   %s is not installed; `make tools` installs what the tests need\n", tool)
			if os.Getenv("CI") != "" {
				return counts{failed: 1}
			}
			return counts{skipped: 1}
		}
	}
	began := time.Now()
	output, err := s.output(ctx)
	if why := s.couldNotLook(string(output)); err != nil && why != "" {
		fmt.Fprintf(stdout, "   %s\n", why)
		return counts{skipped: 1}
	}
	var c counts
	if s.count != nil {
		c = s.count(string(output))
	} else if err == nil {
		c.passed = 1
	}
	if err != nil && c.failed == 0 {
		c.failed = 1 // it did not build, or broke outside a test
	}
	if err == nil && c.passed == 0 {
		c.failed++ // it ran nothing
	}
	fmt.Fprintf(stdout, "   %d passed, %d failed, %d skipped in %.0f s\n", c.passed, c.failed, c.skipped, time.Since(began).Seconds())
	if s.tables {
		io.WriteString(stdout, tableRows(string(output)))
	}
	if c.failed == 0 {
		return c
	}
	fmt.Fprintf(stdout, "   command: %s (%v)\n%s\n", strings.Join(s.command, " "), err, readable(string(output)))
	if c.unsteady = s.again(ctx, string(output), stdout); len(c.unsteady) > 0 {
		fmt.Fprintf(stdout, "   unsteady, passed by itself: %s\n", strings.Join(c.unsteady, ", "))
		c.passed += c.failed
		c.failed = 0
	}
	return c
}

// output runs the suite's command and returns all that it prints.
func (s suite) output(ctx context.Context) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(append(os.Environ(), "PATH="+withPath(os.Getenv("PATH"), absolute(s.path))), s.env...)
	return cmd.CombinedOutput()
}

// couldNotLook says why the output of a failure is not that of a finding, or nothing.
func (s suite) couldNotLook(output string) string {
	for mark, why := range s.unchecked {
		if strings.Contains(output, mark) {
			return why
		}
	}
	return ""
}

// absolute makes the directories good from everywhere.
func absolute(dirs []string) (out []string) {
	for _, dir := range dirs {
		if full, err := filepath.Abs(dir); err == nil {
			out = append(out, full)
		}
	}
	return out
}
