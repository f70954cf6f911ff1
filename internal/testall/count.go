package main

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// goEvent is a line of `go test -json`.
type goEvent struct {
	Action, Package, Test, Output string
}

// countGo counts the tests and subtests in the output of `go test -json`.
func countGo(output string) (c counts) {
	for line := range strings.Lines(output) {
		var e goEvent
		if json.Unmarshal([]byte(line), &e) != nil || e.Test == "" {
			continue
		}
		switch e.Action {
		case "pass":
			c.passed++
		case "fail":
			c.failed++
		case "skip":
			c.skipped++
		}
	}
	return c
}

var nodeCount = regexp.MustCompile(`(?m)^(?:#|ℹ) (pass|fail|skipped) (\d+)$`)

// countNode adds up the closing lines of node's test reporters, tap and spec.
func countNode(output string) (c counts) {
	for _, m := range nodeCount.FindAllStringSubmatch(output, -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			continue // more digits than an int has
		}
		switch m[1] {
		case "pass":
			c.passed += n
		case "fail":
			c.failed += n
		case "skipped":
			c.skipped += n
		}
	}
	return c
}

// readable is failureText, cut to its end.
func readable(output string) string {
	const shownBytes = 20_000
	text := failureText(output)
	if len(text) > shownBytes {
		text = "…\n" + text[len(text)-shownBytes:]
	}
	return text
}

// failureText turns `go test -json` output into the text of what failed; other output it
// leaves as it is.
func failureText(output string) string {
	var failed, plain strings.Builder
	outputs := map[string]*strings.Builder{}
	for line := range strings.Lines(output) {
		var e goEvent
		if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
			plain.WriteString(line)
			continue
		}
		key := e.Package + " " + e.Test
		if outputs[key] == nil {
			outputs[key] = &strings.Builder{}
		}
		outputs[key].WriteString(e.Output)
		if e.Action == "fail" || e.Action == "build-fail" {
			failed.WriteString("--- " + key + "\n" + outputs[key].String())
		}
		if e.Action == "build-output" {
			plain.WriteString(e.Output)
		}
	}
	return plain.String() + failed.String()
}

// tableRows returns the rows of tables in the output of `go test -json`.
func tableRows(output string) string {
	var rows strings.Builder
	for line := range strings.Lines(output) {
		var e goEvent
		if json.Unmarshal([]byte(line), &e) == nil && e.Action == "output" && strings.HasPrefix(e.Output, "| ") {
			rows.WriteString("   " + e.Output)
		}
	}
	return rows.String()
}
