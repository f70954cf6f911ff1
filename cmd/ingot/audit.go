package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ingot-run/ingot/internal/audit"
	"github.com/ingot-run/ingot/internal/command"
)

// auditCommand is "ingot audit".
type auditCommand struct {
	Verify auditVerifyCommand `cmd:"" help:"Read all of an audit log and say where it is not as it was written. Changes nothing."`
	Tail   auditTailCommand   `cmd:"" help:"Print the last records of an audit log, and those that come."`
	Query  auditQueryCommand  `cmd:"" help:"Print the records of an audit log that are of somebody, a tool, a time or an outcome."`
}

// Help ends "ingot audit --help".
func (*auditCommand) Help() string {
	return `An audit log is a file of JSON lines that are chained by hashes; the block audit: of a forge.yaml and "ingot serve --audit" write one.

Examples:

  ingot audit verify audit.log
  ingot audit query audit.log --who token:ci --outcome denied`
}

// auditFile is the argument of all of them.
type auditFile struct {
	File string `arg:"" type:"path" help:"The log; older files of it, FILE.0000000001 and so on, are read with it."`
	JSON bool   `name:"json" help:"Answer in JSON."`
}

// auditVerifyCommand is "ingot audit verify".
type auditVerifyCommand struct {
	auditFile
	Expect  string `placeholder:"HASH" help:"The hash of a record that has to be in the log, as the head that an earlier verify printed: without one nobody can tell that the end was cut off."`
	Partial bool   `help:"The log may begin later than with its first record: older files were moved away."`
}

// Help ends "ingot audit verify --help".
func (*auditVerifyCommand) Help() string {
	return `It prints the hash of the last record, the head. Kept where who can write the log cannot, it is an anchor: --expect HASH fails when that record is not in the log any more.

Examples:

  ingot audit verify audit.log
  ingot audit verify audit.log --expect $(cat head)`
}

// errBroken is the end of a verify that found something.
var errBroken = errors.New("the audit log is not as it was written")

// Run fails at the first record that is not as it was written.
func (c *auditVerifyCommand) Run(out streams) error {
	r, err := audit.Verify(c.File, audit.VerifyOptions{Expect: c.Expect, Partial: c.Partial})
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(out.stdout).Encode(r)
	} else {
		_, err = io.WriteString(out.stdout, verdict(c.File, r))
	}
	if err == nil && r.Broken != nil {
		err = errBroken
	}
	return err
}

// verdict tells a person.
func verdict(file string, r *audit.Report) string {
	var b strings.Builder
	for _, seq := range r.Repaired {
		fmt.Fprintf(&b, "note: record %d says that a crash had torn the end off\n", seq)
	}
	for _, seq := range r.Lost {
		fmt.Fprintf(&b, "note: record %d says that records before it could not be written\n", seq)
	}
	if r.Broken != nil {
		fmt.Fprintf(&b, "broken: %s, line %d (byte %d), where record %d belongs: %s\n", command.PlainLine(r.Broken.File), r.Broken.Line, r.Broken.Offset, r.Broken.Seq, command.PlainLine(r.Broken.Reason))
		fmt.Fprintf(&b, "whole before it: %s, up to record %d\n", counted(int(r.Records), "record"), r.Last)
		return b.String()
	}
	fmt.Fprintf(&b, "%s: whole; %s in %s, %d to %d, until %s\nhead: %s\n", command.PlainLine(file), counted(int(r.Records), "record"),
		counted(len(r.Files), "file"), r.First, r.Last, r.Until.Format(time.RFC3339), r.Head)
	return b.String()
}

// auditTailCommand is "ingot audit tail".
type auditTailCommand struct {
	auditFile
	Lines  int  `short:"n" default:"10" placeholder:"N" help:"How many records. (${default})"`
	Follow bool `short:"f" help:"Go on with those that come, until it is stopped."`
}

// Help ends "ingot audit tail --help".
func (*auditTailCommand) Help() string {
	return "Examples:\n\n  ingot audit tail audit.log\n  ingot audit tail audit.log --follow --json"
}

// Run prints the last records, and those that come.
func (c *auditTailCommand) Run(ctx context.Context, out streams) error {
	if c.Lines < 0 {
		return command.Usage("--lines is 0 or more")
	}
	var kept []string
	last := uint64(0)
	err := audit.Read(c.File, func(e *audit.Entry, line []byte) bool {
		last = e.Seq
		kept = append(kept, c.shown(e, line))
		if len(kept) > c.Lines {
			kept = slices.Delete(kept, 0, 1)
		}
		return true
	})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out.stdout, strings.Join(kept, "")); err != nil || !c.Follow {
		return err
	}
	return audit.Follow(ctx, c.File, last, func(e *audit.Entry, line []byte) bool {
		_, err := io.WriteString(out.stdout, c.shown(e, line))
		return err == nil
	})
}

// shown is a record as it is printed.
func (c *auditFile) shown(e *audit.Entry, line []byte) string {
	if c.JSON {
		return string(line)
	}
	at := e.Time.Local().Format("2006-01-02 15:04:05.000")
	if e.Event != "" {
		return fmt.Sprintf("%s  %6d  %s %s\n", at, e.Seq, command.PlainLine(e.Event), command.PlainLine(e.Note))
	}
	outcome := e.Outcome
	if e.Code != 0 {
		outcome += fmt.Sprintf(" (%d)", e.Code)
	}
	return fmt.Sprintf("%s  %6d  %-20s  %-22s %-24s %-16s %v\n", at, e.Seq, command.PlainLine(e.Who), command.PlainLine(e.Method),
		command.PlainLine(e.Name()), command.PlainLine(outcome), time.Duration(e.Micros)*time.Microsecond)
}

// auditQueryCommand is "ingot audit query".
type auditQueryCommand struct {
	auditFile
	Who     string `placeholder:"PATTERN" help:"Records of this caller; * stands for any run of characters."`
	Name    string `aliases:"tool" placeholder:"PATTERN" help:"Records about this tool, prompt, resource or task; --tool is the same."`
	Method  string `placeholder:"PATTERN" help:"Records of this method, as tools/call."`
	Outcome string `placeholder:"WORD" help:"Records with this outcome: ok, failed, denied, error or task."`
	Since   string `placeholder:"TIME" help:"From this time on: 2026-01-31, 2026-01-31T12:00:00Z, or a duration ago, as 2h."`
	Until   string `placeholder:"TIME" help:"Up to this time, likewise."`
}

// Help ends "ingot audit query --help".
func (*auditQueryCommand) Help() string {
	return `What is asked for has to hold all at once. The log is read and not verified: see "ingot audit verify".

Examples:

  ingot audit query audit.log --who 'token:*' --tool state_set
  ingot audit query audit.log --outcome denied --since 24h --json`
}

// Run prints the records that are asked for.
func (c *auditQueryCommand) Run(out streams) error {
	f := audit.Filter{Who: c.Who, Name: c.Name, Method: c.Method, Outcome: c.Outcome}
	words := []string{audit.OutcomeOK, audit.OutcomeFailed, audit.OutcomeDenied, audit.OutcomeError, audit.OutcomeTask}
	if c.Outcome != "" && !slices.Contains(words, c.Outcome) {
		return command.Usage("--outcome is one of " + strings.Join(words, ", "))
	}
	var err error
	if f.Since, err = moment("--since", c.Since); err != nil {
		return err
	}
	if f.Until, err = moment("--until", c.Until); err != nil {
		return err
	}
	var failed error
	err = audit.Read(c.File, func(e *audit.Entry, line []byte) bool {
		if f.Match(e) {
			_, failed = io.WriteString(out.stdout, c.shown(e, line))
		}
		return failed == nil
	})
	return errors.Join(err, failed)
}

// moment reads a time, or how long ago it was.
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, command.Usage(fmt.Sprintf("%s %q is no time: write 2026-01-31, 2026-01-31T12:00:00Z, or a duration ago, as 2h", flag, text))
}
