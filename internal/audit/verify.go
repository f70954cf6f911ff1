package audit

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Report is what a verification found.
type Report struct {
	Files   []string  `json:"files"`
	Records uint64    `json:"records"`
	First   uint64    `json:"first"` // the seq of the first record
	Last    uint64    `json:"last"`
	Head    string    `json:"head"` // the hash of the last record: the anchor
	Until   time.Time `json:"until"`
	// Repaired are the records that tell of a repair, Lost those that tell of records
	// that could not be written.
	Repaired []uint64 `json:"repaired,omitempty"`
	Lost     []uint64 `json:"lost,omitempty"`
	// Broken is the first record that is not what was written; nil: none.
	Broken *Break `json:"broken,omitempty"`
}

// Break is where a chain breaks.
type Break struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Offset int64  `json:"offset"` // in bytes
	Seq    uint64 `json:"seq"`    // of the record that should stand there; 0: not known
	Reason string `json:"reason"`
}

// VerifyOptions say what is wanted of a log.
type VerifyOptions struct {
	// Expect is an anchor: the hash of a record that has to be in the log, such as the
	// head of an earlier verification. Empty: none.
	Expect string
	// Partial lets the log begin later than with its first record: older files may have
	// been moved away.
	Partial bool
}

// Verify reads all of a log and finds the first record that is not as it was written, was
// moved, or lacks the one before it. The error says that the log cannot be read.
func Verify(name string, o VerifyOptions) (*Report, error) {
	files, err := Files(name)
	if err != nil {
		return nil, err
	}
	v := &verifier{Report: Report{Files: files, Head: zeros}, options: o, anchored: o.Expect == ""}
	for _, file := range files {
		if err := v.file(file); err != nil {
			return nil, err
		}
		if v.Broken != nil {
			return &v.Report, nil
		}
	}
	if !v.anchored {
		v.Broken = &Break{File: files[len(files)-1], Line: v.line, Offset: v.offset, Seq: v.Last + 1,
			Reason: "no record has the hash " + o.Expect + " that was expected: the end was cut off, or all was written anew"}
	}
	return &v.Report, nil
}

type verifier struct {
	Report
	options  VerifyOptions
	anchored bool
	line     int
	offset   int64
}

// file goes on with another file of the chain.
func (v *verifier) file(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	v.line, v.offset = 0, 0
	return errors.Join(lines(f, func(at int64, line []byte, whole bool) bool {
		v.line++
		v.offset = at
		if reason := v.record(line, whole); reason != "" {
			v.Broken = &Break{File: name, Line: v.line, Offset: at, Seq: v.Last + 1, Reason: reason}
			return false
		}
		return true
	}))
}

// record checks one line, and says what is wrong with it.
func (v *verifier) record(line []byte, whole bool) string {
	e, err := parse(line)
	switch {
	case err != nil && !whole:
		return "the last record is not whole: a crash tore it, or the end was cut off; the next start of the server repairs it, and says so in the log"
	case err != nil:
		return err.Error()
	case v.Records == 0 && e.Seq != 1 && !v.options.Partial:
		return fmt.Sprintf("the log begins with record %d: what was before is gone (--partial, if it was moved away)", e.Seq)
	case v.Records > 0 && e.Seq != v.Last+1:
		return fmt.Sprintf("record %d stands where record %d belongs", e.Seq, v.Last+1)
	case e.Prev != v.Head && (v.Records > 0 || e.Seq == 1):
		return "the record does not follow the one before: its prev is another"
	}
	if again, _ := appendEntry(nil, &e); string(again) != string(line) {
		return "the record is written in another way than the log writes records"
	}
	if v.Records == 0 {
		v.First = e.Seq
	}
	v.Records++
	v.Last, v.Head, v.Until = e.Seq, e.Hash, e.Time
	v.anchored = v.anchored || strings.EqualFold(e.Hash, v.options.Expect)
	switch e.Event {
	case "repaired":
		v.Repaired = append(v.Repaired, e.Seq)
	case "lost":
		v.Lost = append(v.Lost, e.Seq)
	}
	return ""
}
