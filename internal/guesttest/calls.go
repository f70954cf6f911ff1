package guesttest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ingot-run/ingot/internal/sandbox"
)

// calls calls the tool with arguments that keep to its schema: it answers as its
// output schema says, or refuses in its own words.
func (t *tester) calls(s *loaded, all [][]byte) {
	answered, refused := 0, map[string]bool{}
	var first error
	for _, args := range all {
		out, err := t.call(s, args)
		var g *sandbox.GuestError
		switch {
		case errors.As(err, &g):
			refused[g.Error()] = true
			first = err
			continue
		case err != nil:
			t.add(Fail, "calls", mendOf(err), "arguments %s: %s", show(args), reason(err))
			return
		}
		if err := t.answerFault(out); err != nil {
			t.add(Fail, "calls", "return what the output schema says, or mend the schema", "arguments %s: the answer breaks the output schema: %v", show(args), err)
			return
		}
		answered++
		if t.sample == nil || len(args) > len(t.sample) && len(args) < 4096 {
			t.sample = args
		}
	}
	switch {
	case len(all) == 0:
		t.add(Warn, "calls", `put "examples" into the schema of each argument`, "no arguments that keep to the schema could be made: it was not called")
	case answered == 0:
		t.add(Warn, "calls", `put "examples" into the schema, or look at why it refuses`, "%d calls, and it refused all of them; the first: %v", len(all), first)
	default:
		t.add(Pass, "calls", "", "%d calls with arguments that keep to the schema: %d answered, %d refused", len(all), answered, len(all)-answered)
	}
}

// reason is an error of a call without the tool's name.
func reason(err error) string {
	var e *sandbox.Error
	if errors.As(err, &e) {
		return e.Kind.Error() + ": " + e.Detail
	}
	return err.Error()
}

// mends are what to do about the kinds of error.
var mends = []struct {
	kind error
	mend string
}{
	{sandbox.ErrTrap, "return an error object for what cannot be answered; a trap throws the instance away"},
	{sandbox.ErrExit, "return an error object instead of ending the program (in Go: no panic and no os.Exit)"},
	{sandbox.ErrDeadline, "bound the work by the size of the arguments, and refuse what would take longer"},
	{sandbox.ErrFuel, "bound the work by the size of the arguments, and refuse what would take longer"},
	{sandbox.ErrMemory, "use less memory, or refuse what needs more: the default limit is 64 MiB"},
	{sandbox.ErrOutput, "return less, in pages or cut: the default limit is 1 MiB"},
	{sandbox.ErrABI, "docs/ABI.md, \"Results\", has what a result is"},
	{sandbox.ErrRefused, "ask before: this guest cannot be told that the host refused"},
}

func mendOf(err error) string {
	for _, m := range mends {
		if errors.Is(err, m.kind) {
			return m.mend
		}
	}
	return ""
}

// wrong calls the tool with arguments that break its schema. A host checks them
// first, but not every host does: the guest must live.
func (t *tester) wrong(s *loaded, all [][]byte) {
	refused := 0
	for _, args := range all {
		_, err := t.call(s, args)
		var g *sandbox.GuestError
		switch {
		case errors.As(err, &g):
			refused++
		case err != nil && !errors.Is(err, sandbox.ErrRefused):
			t.add(Fail, "wrong arguments", mendOf(err), "arguments %s: %s", show(args), reason(err))
			return
		}
	}
	t.add(Pass, "wrong arguments", "", "%d calls with arguments that break the schema: it refused %d and answered the rest", len(all), refused)
}

// large passes the longest arguments that a host takes.
func (t *tester) large(s *loaded) {
	limits := s.Policy().Limits
	size := min(limits.InputBytesMax, limits.StdinBytesMax)
	args := append(bytes.Repeat([]byte(" "), int(size)-2), "{}"...)
	copy(args, `{"padding":"`)
	copy(args[len(`{"padding":"`):], bytes.Repeat([]byte("x"), int(size)-len(`{"padding":""}`)))
	copy(args[len(args)-2:], `"}`)
	_, err := t.call(s, args)
	var g *sandbox.GuestError
	if err != nil && !errors.As(err, &g) && !errors.Is(err, sandbox.ErrRefused) {
		t.add(Fail, "large arguments", mendOf(err), "%d bytes: %s", len(args), reason(err))
		return
	}
	t.add(Pass, "large arguments", "", "%d bytes are taken", len(args))
}

// littleMemory runs the tool where it can hardly grow: it may fail for want of
// memory, but not in another way.
func (t *tester) littleMemory() {
	s, err := t.load(sandbox.Policy{})
	if err != nil {
		t.add(Fail, "little memory", "", "loading it again: %v", err)
		return
	}
	least := s.Info().MemoryBytesMin
	s.close()
	const pages = 64 << 10
	for _, room := range []uint64{0, pages, 16 * pages} {
		s, err := t.load(sandbox.Policy{Limits: sandbox.Limits{MemoryBytesMax: max(least, pages) + room}})
		if errors.Is(err, sandbox.ErrMemory) || errors.Is(err, sandbox.ErrExit) || errors.Is(err, sandbox.ErrTrap) {
			continue // it cannot start in so little
		}
		if err != nil {
			t.add(Fail, "little memory", mendOf(err), "loading it with %d bytes of memory: %v", least+room, err)
			return
		}
		padded := append(bytes.Repeat([]byte(" "), 2*pages), t.sample...)
		_, err = t.call(s, padded)
		s.close()
		if errors.Is(err, sandbox.ErrABI) {
			t.add(Fail, "little memory", "alloc returns 0 when there is no room, and the guest looks at what its own allocations return", "with %d bytes of memory: %s", least+room, reason(err))
			return
		}
	}
	t.add(Pass, "little memory", "", "short of memory, it answers or fails cleanly")
}

// slow is a call that a person notices.
const slow = 250 * time.Millisecond

// time measures a warm call: the least of a few is what the tool takes, the rest is
// the machine.
func (t *tester) time(s *loaded) {
	least := time.Duration(math.MaxInt64)
	for range 10 {
		start := time.Now()
		if _, err := t.call(s, t.sample); err != nil {
			t.add(Fail, "time", mendOf(err), "a call that was answered before: %s", reason(err))
			return
		}
		least = min(least, time.Since(start))
	}
	if least > slow {
		t.add(Warn, "time", "do less in a call, or tell of progress meanwhile", "a call takes %v at least", least.Round(time.Millisecond))
		return
	}
	t.add(Pass, "time", "", "a call takes %v", least.Round(time.Microsecond))
}

// fuel runs one call on fresh instances: it should burn the same.
func (t *tester) fuel() {
	var burnt []uint64
	for range 3 {
		s, err := t.load(sandbox.Policy{})
		if err != nil {
			t.add(Fail, "fuel", "", "loading it again: %v", err)
			return
		}
		before := s.Stats().Fuel
		_, err = t.call(s, t.sample)
		burnt = append(burnt, s.Stats().Fuel-before)
		s.close()
		if err != nil {
			t.add(Fail, "fuel", mendOf(err), "a call that was answered before: %s", reason(err))
			return
		}
	}
	if burnt[0] != burnt[1] || burnt[1] != burnt[2] {
		t.add(Warn, "fuel", "look for what differs from run to run: addresses, hash seeds, time", "the same call burnt %d units", burnt)
		return
	}
	t.add(Pass, "fuel", "", "the same call burns the same: %d units with arguments %s", burnt[0], show(t.sample))
}

// leaks compares the answers of instances that serve one call with those of one
// that serves all of them.
func (t *tester) leaks(valid [][]byte) {
	if strings.HasPrefix(t.report.ABI, "command/") {
		t.add(Skip, "state leaks", "", "a command runs once in an instance")
		return
	}
	calls := valid[:min(len(valid), 12)]
	calls = append(append([][]byte{t.sample}, calls...), t.sample, t.sample)
	fresh, err := t.answers(sandbox.Policy{}, calls)
	if err == nil {
		var shared []string
		shared, err = t.answers(sandbox.Policy{Isolation: sandbox.IsolationShared, Limits: sandbox.Limits{ConcurrencyMax: 1}}, calls)
		for i := range min(len(fresh), len(shared)) {
			if fresh[i] != shared[i] {
				t.add(Warn, "state leaks", "keep nothing in globals from call to call, or serve it with the isolation \"call\" only; random numbers and times make this difference too",
					"call %d, arguments %s: a fresh instance answers %s, one that has served %d calls answers %s", i+1, show(calls[i]), show([]byte(fresh[i])), i, show([]byte(shared[i])))
				return
			}
		}
	}
	if err != nil {
		t.add(Fail, "state leaks", mendOf(err), "%s", reason(err))
		return
	}
	t.add(Pass, "state leaks", "", "%d calls are answered alike by fresh instances and by one that serves them all", len(calls))
}

// answers makes calls one after the other. A failure in the guest's own words is an
// answer here.
func (t *tester) answers(p sandbox.Policy, calls [][]byte) ([]string, error) {
	s, err := t.load(p)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var all []string
	for _, args := range calls {
		out, err := t.call(s, args)
		var g *sandbox.GuestError
		if errors.As(err, &g) {
			all = append(all, "a refusal: "+g.Error())
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("arguments %s: %w", show(args), err)
		}
		all = append(all, string(out.JSON)+string(out.MCP))
	}
	return all, nil
}

// hoards makes many calls of one instance: memory that each leaves behind adds up.
func (t *tester) hoards() {
	if strings.HasPrefix(t.report.ABI, "command/") {
		return
	}
	const calls, padding = 400, 256 << 10
	s, err := t.load(sandbox.Policy{Isolation: sandbox.IsolationShared, Limits: sandbox.Limits{ConcurrencyMax: 1}})
	if err != nil {
		t.add(Fail, "many calls", "", "loading it again: %v", err)
		return
	}
	defer s.close()
	padded := append(bytes.Repeat([]byte(" "), padding), t.sample...)
	for n := range calls {
		if _, err := t.call(s, padded); err != nil {
			var g *sandbox.GuestError
			if errors.As(err, &g) && n == 0 {
				break // it does not like the padding: an answer like any other
			}
			t.add(Fail, "many calls", "free what a call allocated when it ends, or when the next begins", "call %d of one instance, with %d bytes of arguments: %s", n+1, len(padded), reason(err))
			return
		}
	}
	t.add(Pass, "many calls", "", "one instance serves %d calls with %d bytes of arguments each", calls, len(padded))
}
