package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

const (
	againMost  = 5 // more failed tests than these are no accident of timing
	againTimes = 3 // how often a Go test that failed has to pass
)

// grave is what a later pass does not excuse: it may be as rare as it likes.
var grave = regexp.MustCompile(`DATA RACE|panic:|fatal error:|unexpected goroutines|(?i:\b(lost|corrupt|leak)|invariant|linearizab)`)

// goFailure is a test function of a package that failed, itself or in a subtest.
type goFailure struct{ pkg, test string }

// again runs what failed once more, without all other tests of the suite, and returns
// the names of what passes then: tests that depend on how busy the machine is. It returns
// none when anything fails again, when the failure is a grave one, and for suites that
// are a check and no tests.
func (s suite) again(ctx context.Context, output string, stdout io.Writer) (unsteady []string) {
	if s.count == nil || grave.MatchString(failureText(output)) {
		return nil
	}
	if !s.isGo() {
		fmt.Fprintf(stdout, "   %s runs once more\n", s.name)
		text, err := s.output(ctx)
		if c := s.count(string(text)); err != nil || c.failed > 0 || c.passed == 0 {
			fmt.Fprintf(stdout, "   and fails again (%v)\n", err)
			return nil
		}
		return []string{s.name}
	}
	failures := goFailures(output)
	if len(failures) == 0 || len(failures) > againMost {
		return nil
	}
	for _, f := range failures {
		fmt.Fprintf(stdout, "   %s of %s runs %d times more\n", f.test, f.pkg, againTimes)
		alone := s
		alone.command = s.alone(f)
		text, err := alone.output(ctx)
		if err != nil || passes(string(text), f) != againTimes {
			fmt.Fprintf(stdout, "   and fails again (%v)\n%s\n", err, readable(string(text)))
			return nil
		}
		unsteady = append(unsteady, s.name+": "+f.test)
	}
	return unsteady
}

// isGo reports whether the suite is one of `go test -json`.
func (s suite) isGo() bool {
	return len(s.command) > 2 && slices.Equal(s.command[:3], []string{"go", "test", "-json"})
}

// alone is the suite's command for one test function; the last of two equal flags counts.
func (s suite) alone(f goFailure) []string {
	command := slices.DeleteFunc(slices.Clone(s.command), func(arg string) bool { return strings.HasPrefix(arg, "./") })
	return append(command, fmt.Sprint("-count=", againTimes), "-run", "^"+regexp.QuoteMeta(f.test)+"$", f.pkg)
}

// goFailures are the test functions that failed, in order; none when a package failed
// outside of them.
func goFailures(output string) (failures []goFailure) {
	var packages []string
	for line := range strings.Lines(output) {
		var e goEvent
		if json.Unmarshal([]byte(line), &e) != nil || e.Action != "fail" && e.Action != "build-fail" {
			continue
		}
		if e.Test == "" {
			packages = append(packages, e.Package)
			continue
		}
		name, _, _ := strings.Cut(e.Test, "/")
		if f := (goFailure{e.Package, name}); !slices.Contains(failures, f) {
			failures = append(failures, f)
		}
	}
	for _, p := range packages {
		if !slices.ContainsFunc(failures, func(f goFailure) bool { return f.pkg == p }) {
			return nil
		}
	}
	return failures
}

// passes counts how often a test function passed.
func passes(output string, f goFailure) (n int) {
	for line := range strings.Lines(output) {
		var e goEvent
		if json.Unmarshal([]byte(line), &e) == nil && e.Action == "pass" && e.Package == f.pkg && e.Test == f.test {
			n++
		}
	}
	return n
}
