package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// group is a guard that records the requests of a burst in one go.
type group struct {
	noSecrets
	held    []string
	commits []int // how many records each had
	fails   bool
	out     *bytes.Buffer
	early   bool // an answer left before its record
}

func (g *group) Hold(_ context.Context, r *Record) error {
	if r.Name == "unrecordable" {
		return errors.New("no record of this")
	}
	g.held = append(g.held, r.Name)
	return nil
}

func (g *group) Commit() error {
	g.early = g.early || g.out.Len() > 0
	g.commits = append(g.commits, len(g.held))
	g.held = nil
	if g.fails {
		return errors.New("the record is full")
	}
	return nil
}

// burst sends lines in one read, and returns what is answered.
func burst(t *testing.T, g *group, lines ...string) string {
	t.Helper()
	s := NewServer(Options{})
	defer s.Close()
	for _, name := range []string{"open", "unrecordable"} {
		s.AddTool(Tool{Name: name, Inline: true}, func(context.Context, *CallRequest) (*CallResult, error) { return TextResult("done"), nil })
	}
	s.AddTool(Tool{Name: "slow"}, func(context.Context, *CallRequest) (*CallResult, error) { return TextResult("at last"), nil })
	s.SetGuard(g)
	g.out = &bytes.Buffer{}
	if err := s.ServeStdio(t.Context(), strings.NewReader(strings.Join(lines, "\n")+"\n"), g.out); err != nil {
		t.Fatal(err)
	}
	return g.out.String()
}

func callLine(id, tool string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":{},%s}}`, id, tool, modernMeta)
}

// The records of answers that leave together are committed once, before they leave; those
// of calls that run beside are not held.
func TestCommit(t *testing.T) {
	g := &group{}
	got := burst(t, g, callLine("1", "open"), callLine(`"a\"b"`, "open"), callLine("3", "a-secret"), callLine("4", "unrecordable"), callLine("5", "slow"))
	lines := strings.Split(strings.TrimSpace(got), "\n")
	want := []string{"done", "done", "you may not", "no record of this", "at last"}
	if len(lines) != len(want) {
		t.Fatal(got)
	}
	for i, text := range want {
		if !strings.Contains(lines[i], text) {
			t.Errorf("answer %d is %s; want %s", i, lines[i], text)
		}
	}
	if len(g.commits) != 1 || g.commits[0] != 3 || g.early {
		t.Errorf("commits of %d records, an answer left early: %v", g.commits, g.early)
	}
	if len(g.records) != 1 || !strings.Contains(g.records[0], "slow") {
		t.Errorf("recorded at once: %q", g.records)
	}
}

// Where a commit fails, each answer that waited for it is replaced, and no other.
func TestCommitFails(t *testing.T) {
	g := &group{fails: true}
	got := burst(t, g, callLine("1", "open"), "no message", callLine(`"a\"b"`, "open"), `{"jsonrpc":"2.0","id":3}`, callLine("4", "open"))
	lines := strings.Split(strings.TrimSpace(got), "\n")
	want := []string{`"id":1,"error":{"code":-32600,"message":"the record is full"`, "-32700", `"id":"a\"b","error":{"code":-32600,"message":"the record is full"`, "-32600", `"id":4,"error":{"code":-32600,"message":"the record is full"`}
	if len(lines) != len(want) || strings.Contains(got, "done") {
		t.Fatal(got)
	}
	for i, text := range want {
		if !strings.Contains(lines[i], text) {
			t.Errorf("answer %d is %s; want %s", i, lines[i], text)
		}
	}
}

// Answers of more than one write are committed for each.
func TestCommitLongBurst(t *testing.T) {
	g := &group{}
	var lines []string
	for i := range 2000 {
		lines = append(lines, callLine(itoa(i), "open"))
	}
	got := burst(t, g, lines...)
	if n := strings.Count(got, "done"); n != 2000 {
		t.Errorf("%d answers", n)
	}
	sum := 0
	for _, n := range g.commits {
		sum += n
	}
	if sum != 2000 || len(g.commits) < 2 || len(g.commits) > 200 {
		t.Errorf("%d records in %d commits", sum, len(g.commits))
	}
}
