package guesttest

import (
	"fmt"
	"io"
	"strings"
)

// Status is how a check went.
type Status string

// The results of a check.
const (
	Pass Status = "pass"
	// Warn is something that works, and that the author probably wants to know.
	Warn Status = "warn"
	// Fail is something that a host or its clients will stumble over.
	Fail Status = "fail"
	// Skip is a check that could not be made; the detail says why.
	Skip Status = "skip"
)

// Check is one thing that was looked at.
type Check struct {
	// Name says what; checks of one tool name it first when there are several.
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Detail is what was seen.
	Detail string `json:"detail"`
	// Mend says what to do about it; empty when the detail does, or nothing is wrong.
	Mend string `json:"mend,omitzero"`
}

// Report is what was found out about a module.
type Report struct {
	// File is its name, as given.
	File string `json:"file"`
	// SHA256 and Bytes are the module's; ABI is empty when it could not be loaded.
	SHA256 string `json:"sha256,omitzero"`
	Bytes  int    `json:"bytes"`
	ABI    string `json:"abi,omitzero"`
	// Tools are the names of its tools.
	Tools []string `json:"tools"`
	// Checks are in the order in which they were made.
	Checks []Check `json:"checks"`
}

// add notes a check.
func (r *Report) add(status Status, name, mend, format string, args ...any) {
	r.Checks = append(r.Checks, Check{Name: name, Status: status, Detail: fmt.Sprintf(format, args...), Mend: mend})
}

// Count is how many checks went one way.
func (r *Report) Count(s Status) int {
	n := 0
	for _, c := range r.Checks {
		if c.Status == s {
			n++
		}
	}
	return n
}

// Failed is how many checks failed.
func (r *Report) Failed() int { return r.Count(Fail) }

// WriteText writes the report for people: a line for each check, and one below it
// where there is something to mend.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d bytes", r.File, r.Bytes)
	if r.ABI != "" {
		fmt.Fprintf(&b, ", %s, tools: %s", r.ABI, strings.Join(r.Tools, ", "))
	}
	b.WriteString("\n\n")
	width := 0
	for _, c := range r.Checks {
		width = max(width, len(c.Name))
	}
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "  %-4s  %-*s  %s\n", c.Status, width, c.Name, printable(c.Detail))
		if c.Mend != "" {
			fmt.Fprintf(&b, "  %-4s  %-*s  mend: %s\n", "", width, "", printable(c.Mend))
		}
	}
	fmt.Fprintf(&b, "\n%d checks: %d passed, %d failed, %d warnings, %d skipped\n",
		len(r.Checks), r.Count(Pass), r.Failed(), r.Count(Warn), r.Count(Skip))
	_, err := io.WriteString(w, b.String())
	return err
}

// printable leaves out what could steer a terminal: details hold a guest's words.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 {
			return ' '
		}
		return c
	}, s)
}
