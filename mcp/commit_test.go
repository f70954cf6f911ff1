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
	held    int
	commits []int // how many records each had
	kept    int   // records in all
	fails   bool
	waits   bool
	out     bytes.Buffer
	early   bool // an answer left before its record
}

func (g *group) Waits() bool { return g.waits }

// Write takes answers; no more than were recorded may come.
func (g *group) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, err := g.out.Write(p)
	g.early = g.early || bytes.Count(g.out.Bytes(), []byte(`"result"`)) > g.kept+len(g.records)
	return n, err
}

func (g *group) Hold(_ context.Context, r *Record) error {
	if r.Name == "unrecordable" {
		return errors.New("no record of this")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held++
	return nil
}

func (g *group) Commit() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.commits = append(g.commits, g.held)
	g.kept += g.held
	g.held = 0
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
	if err := s.ServeStdio(t.Context(), strings.NewReader(strings.Join(lines, "\n")+"\n"), g); err != nil {
		t.Fatal(err)
	}
	return g.out.String()
}

func callLine(id, tool string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":{},%s}}`, id, tool, modernMeta)
}

// The records of answers that leave together are committed at once, before they leave:
// those of a burst, and of calls that run beside.
func TestCommit(t *testing.T) {
	for _, waits := range []bool{false, true} {
		g := &group{waits: waits}
		got := burst(t, g, callLine("1", "open"), callLine(`"a\"b"`, "open"), callLine("3", "a-secret"), callLine("4", "unrecordable"), callLine("5", "slow"))
		for id, text := range map[string]string{"1": "done", `"a\"b"`: "done", "3": "you may not", "4": "no record of this", "5": "at last"} {
			if waits && id == "4" {
				text = "done" // it is recorded by itself, and can be
			}
			line := answerTo(got, id)
			if !strings.Contains(line, text) {
				t.Errorf("the answer to %s is %s; want %s", id, line, text)
			}
		}
		if g.early {
			t.Error("an answer left before its record")
		}
		switch {
		case waits && (len(g.records) != 5 || g.kept != 0):
			t.Errorf("of 5 records that may take long, %d were waited for: %q", len(g.records), g.records)
		case !waits && (len(g.records) != 0 || g.kept != 4 || len(g.commits) > 2): // the slow call may come first, last, or between
			t.Errorf("commits of %d records, %q at once", g.commits, g.records)
		}
	}
}

// answerTo is the line that answers a request.
func answerTo(answers, id string) string {
	for line := range strings.Lines(answers) {
		if strings.Contains(line, `"id":`+id+",") {
			return line
		}
	}
	return ""
}

// Where a commit fails, each answer that waited for it is replaced, and no other.
func TestCommitFails(t *testing.T) {
	g := &group{fails: true}
	got := burst(t, g, callLine("1", "open"), "no message", callLine(`"a\"b"`, "open"), `{"jsonrpc":"2.0","id":3}`, callLine("4", "open"), callLine("5", "slow"))
	slow := answerTo(got, "5") // which may come first, last, or between
	lines := strings.Split(strings.TrimSpace(strings.Replace(got, slow, "", 1)), "\n")
	full := func(id string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32600,"message":"the record is full"}}`
	}
	want := []string{full("1"), "-32700", full(`"a\"b"`), "-32600", full("4")}
	if slow != full("5")+"\n" || len(lines) != len(want) || strings.Contains(got, "done") {
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

// Calls that run beside each other share commits, and none of their answers is lost,
// taken for another's, or early.
func TestCommitOfManyWorkers(t *testing.T) {
	for _, fails := range []bool{false, true} {
		g := &group{fails: fails}
		var lines []string
		for i := range 500 {
			lines = append(lines, callLine(itoa(i), []string{"slow", "open"}[i%2]))
		}
		got := burst(t, g, lines...)
		for i := range 500 {
			want := []string{"at last", "done"}[i%2]
			if fails {
				want = "the record is full"
			}
			if line := answerTo(got, itoa(i)); !strings.Contains(line, want) {
				t.Errorf("the answer to %d is %q", i, line)
			}
		}
		if g.early || g.kept != 500 || strings.Count(got, "\n") != 500 {
			t.Errorf("early: %v, %d records, %d answers", g.early, g.kept, strings.Count(got, "\n"))
		}
	}
}
