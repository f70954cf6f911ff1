package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/ingot-run/ingot/forge/check"
	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
)

// testCommand is "ingot test".
type testCommand struct {
	File    string        `arg:"" optional:"" help:"The file; forge.yaml or pforge.yaml in this folder otherwise. Files named *.forge-test.yaml beside it are read too."`
	Filter  string        `placeholder:"TEXT" help:"Run the tests alone that have this in their name or their tool's."`
	JSON    bool          `name:"json" help:"Print one JSON object."`
	JUnit   string        `name:"junit" placeholder:"FILE" type:"path" help:"Write a report in JUnit's XML too."`
	Jobs    int           `placeholder:"N" help:"Tests at once. (one for each processor)"`
	Timeout time.Duration `default:"30s" placeholder:"DURATION" help:"How long a test may take that says nothing itself. (${default})"`
	Verbose bool          `short:"v" help:"Show what tools and middleware log."`
}

// Help ends "ingot test --help".
func (*testCommand) Help() string {
	return `Calls the tools as tests: in the file says, and as the files of tests beside it do, and compares what they answer. Each test begins with an empty state in memory. The exit code is 1 when a test fails.

Examples:

  ingot test
  ingot test forge.yaml --filter greet
  ingot test --junit report.xml`
}

// Validate is kong's hook.
func (c *testCommand) Validate() error {
	if c.Timeout <= 0 || c.Jobs < 0 {
		return errors.New("--timeout is more than 0, and --jobs is not less")
	}
	return nil
}

// tally is what --json prints.
type tally struct {
	Passed int            `json:"passed"`
	Failed int            `json:"failed"`
	Millis float64        `json:"millis"`
	Tests  []check.Result `json:"tests"`
}

// Run runs the tests and says how they ended.
func (c *testCommand) Run(ctx context.Context, out streams) error {
	file, err := configFile(c.File)
	if err != nil {
		return command.Usage(err.Error())
	}
	read, tests, err := check.Load(file)
	if err != nil {
		return err
	}
	if tests, err = c.chosen(tests); err != nil {
		return err
	}
	colors := command.ColorsFor(out.stdout)
	level := slog.LevelError
	if c.Verbose {
		level = slog.LevelInfo
	}
	o := check.Options{
		Jobs: c.Jobs, Timeout: c.Timeout, Secrets: read.Secrets,
		Logger: slog.New(slog.NewTextHandler(out.stderr, &slog.HandlerOptions{Level: level})),
		Done: func(r check.Result) {
			if !c.JSON {
				writeResult(out.stdout, colors, &r)
			}
		},
	}
	start := time.Now()
	results, err := check.Run(ctx, file, tests, o)
	if err != nil {
		return err
	}
	t := tally{Tests: results, Millis: float64(time.Since(start).Microseconds()) / 1000}
	for i := range results {
		if results[i].Passed {
			t.Passed++
		} else {
			t.Failed++
		}
	}
	return c.report(out, colors, read, &t)
}

// chosen are the tests that the filter leaves; there has to be one.
func (c *testCommand) chosen(tests []config.Test) (left []config.Test, err error) {
	for _, t := range tests {
		if strings.Contains(t.Name, c.Filter) || strings.Contains(t.Tool, c.Filter) {
			left = append(left, t)
		}
	}
	switch {
	case len(tests) == 0:
		return nil, errors.New("there are no tests: write some under tests: in the file, or in a file named " + check.Pattern + " beside it")
	case len(left) == 0:
		return nil, command.Usage(fmt.Sprintf("--filter: none of %s has %q in its name or its tool's", counted(len(tests), "test"), c.Filter))
	}
	return left, nil
}

// writeResult shows how a test ended.
func writeResult(w io.Writer, colors command.Colors, r *check.Result) {
	took := colors.Dim(fmt.Sprintf("(%v)", r.Duration.Round(time.Millisecond)))
	if r.Passed {
		fmt.Fprintf(w, "%s   %s %s\n", colors.Green("ok"), command.PlainLine(r.Name), took)
		return
	}
	fmt.Fprintf(w, "%s %s %s\n     %s:%d: tool %s\n", colors.Red("FAIL"), command.PlainLine(r.Name), took, r.File, r.Line, r.Tool)
	for _, fault := range r.Faults {
		for line := range strings.SplitSeq(command.Plain(fault), "\n") {
			switch {
			case strings.HasPrefix(line, "-"):
				line = colors.Red(line)
			case strings.HasPrefix(line, "+"):
				line = colors.Green(line)
			}
			fmt.Fprintf(w, "     %s\n", line)
		}
	}
}

// report ends a run: the summary or the JSON, the file for JUnit, and the error.
func (c *testCommand) report(out streams, colors command.Colors, read *config.Config, t *tally) error {
	var err error
	if c.JSON {
		err = writeJSON(out.stdout, t)
	} else {
		text := fmt.Sprintf("%s: %d passed, %d failed", counted(len(t.Tests), "test"), t.Passed, t.Failed)
		if t.Failed > 0 {
			text = colors.Red(text)
		}
		_, err = fmt.Fprintf(out.stdout, "%s, in %v\n", text, time.Duration(t.Millis*float64(time.Millisecond)).Round(time.Millisecond))
	}
	if err == nil && c.JUnit != "" {
		err = writeJUnit(c.JUnit, read.Forge.Name, t)
	}
	if err == nil && t.Failed > 0 {
		err = fmt.Errorf("%s failed", counted(t.Failed, "test"))
	}
	return err
}

// The parts of JUnit's XML that its readers agree on.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Seconds  string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Seconds string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes the results into a file.
func writeJUnit(path, name string, t *tally) error {
	suite := junitSuite{Name: name, Tests: len(t.Tests), Failures: t.Failed, Seconds: fmt.Sprintf("%.3f", t.Millis/1000)}
	for i := range t.Tests {
		r := &t.Tests[i]
		c := junitCase{Name: r.Name, Class: r.Tool, File: r.File, Line: r.Line, Seconds: fmt.Sprintf("%.3f", r.Millis/1000)}
		if !r.Passed {
			first, _, _ := strings.Cut(r.Faults[0], "\n")
			c.Failure = &junitFailure{Message: first, Text: strings.Join(r.Faults, "\n")}
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return fmt.Errorf("making the report for JUnit: %w", err)
	}
	if err := os.WriteFile(path, append([]byte(xml.Header), append(text, '\n')...), 0o666); err != nil {
		return fmt.Errorf("writing the report for JUnit: %w", err)
	}
	return nil
}
