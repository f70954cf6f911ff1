package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Explain says in words what the policy lets a guest do, and what not: phrases
// that complete "it may" and "it may not". Nothing that is granted is left out. The
// values of variables, which may be secret, are.
func (p Policy) Explain() (may, mayNot []string) {
	if full, err := p.complete(); err == nil { // with the defaults
		p = full
	}
	e := explanation{policy: &p}
	e.limits()
	e.clocks()
	e.memory()
	e.state()
	e.files()
	e.http()
	e.variables()
	e.not("see arguments of the command line, standard input of the host, other environment variables, or other tools")
	e.not("open sockets, start programs, or reach devices")
	return e.may, e.mayNot
}

// explanation gathers phrases.
type explanation struct {
	policy      *Policy
	may, mayNot []string
}

func (e *explanation) can(format string, args ...any) {
	e.may = append(e.may, fmt.Sprintf(format, args...))
}

func (e *explanation) not(format string, args ...any) {
	e.mayNot = append(e.mayNot, fmt.Sprintf(format, args...))
}

func (e *explanation) limits() {
	l := &e.policy.Limits
	e.can("compute for %v and burn %d units of fuel, then it is stopped; %d calls at once, %d more may wait", l.TimeMax, l.FuelMax, l.ConcurrencyMax, l.CallsQueuedMax)
	e.can("hold %s of memory and %d table elements", byteText(l.MemoryBytesMax), l.TableElementsMax)
	e.can("read %s of arguments (a command: %s on stdin) and return %s", byteText(l.InputBytesMax), byteText(l.StdinBytesMax), byteText(l.OutputBytesMax))
	e.can("log %d lines, %s", l.LogLinesMax, byteText(l.LogBytesMax))
}

func (e *explanation) clocks() {
	if e.policy.Clock == ClockReal {
		e.can("see a real clock")
	} else {
		e.can("see a virtual clock: 1970 at the start of each call, a sleep takes no time")
	}
	if e.policy.RandomSeed == nil {
		e.can("read random bytes from the operating system")
	} else {
		e.can("read random bytes that are the same in each call (seeded)")
	}
}

// memory is about what is kept between calls.
func (e *explanation) memory() {
	l := &e.policy.Limits
	switch e.policy.Isolation {
	case IsolationSession:
		e.can("keep memory from one call of a session to the next, for %v (%d sessions)", l.IdleTimeMax, l.InstancesIdleMax)
		e.not("see the memory of other sessions")
	case IsolationShared:
		e.can("keep memory from any call to any other")
	default:
		e.not("keep anything in memory from one call to the next")
	}
}

func (e *explanation) state() {
	if len(e.policy.State) == 0 {
		e.not("read or write state")
		return
	}
	for _, g := range e.policy.State {
		keys, act := fmt.Sprintf("keys that begin with %q", g.Prefix), "read"
		if g.Prefix == "" {
			keys = "all keys"
		}
		if g.Write {
			act = "read and write"
		}
		e.can("%s state under %s: %d operations, %s", act, keys, g.OpsMax, byteText(g.BytesMax))
	}
	e.not("reach state under other keys")
}

func (e *explanation) files() {
	if len(e.policy.Files) == 0 {
		e.not("open files or folders")
		return
	}
	for _, g := range e.policy.Files {
		if g.Write {
			e.can("read and change what is in %s, which it sees at %s: %s", g.Root, g.Guest, byteText(g.BytesMax))
		} else {
			e.can("read what is in %s, which it sees at %s", g.Root, g.Guest)
		}
	}
	e.can("have %d files open", e.policy.Limits.OpenFilesMax)
	e.not("reach other files or folders, by links neither")
}

func (e *explanation) http() {
	if len(e.policy.HTTP) == 0 {
		e.not("reach any network")
		return
	}
	for _, g := range e.policy.HTTP {
		methods, host, more := strings.Join(g.Methods, ", "), g.Host, ""
		if len(g.Methods) == 0 {
			methods = "GET, HEAD"
		}
		if host == "*" {
			host = "any host"
		}
		if g.Private {
			more = ", also on this machine and in private networks"
		}
		if len(g.Headers) > 0 {
			more += ", with the headers " + strings.Join(g.Headers, ", ")
		}
		e.can("send %s requests to %s%s", methods, host, more)
	}
	l := &e.policy.Limits
	e.can("send %d requests of %s, with answers of %s, each within %v", l.HTTPRequestsMax, byteText(l.HTTPRequestBytesMax), byteText(l.HTTPResponseBytesMax), l.HTTPTimeMax)
	e.not("reach other hosts")
}

func (e *explanation) variables() {
	if names := slices.Sorted(maps.Keys(e.policy.Env)); len(names) > 0 {
		e.can("see the environment variables %s", strings.Join(names, ", "))
	} else {
		e.not("see environment variables")
	}
	if names := slices.Sorted(maps.Keys(e.policy.Config)); len(names) > 0 {
		e.can("read the configuration values %s", strings.Join(names, ", "))
	}
}

// byteText writes a size with the largest unit that divides it.
func byteText(n uint64) string {
	for _, u := range []struct {
		size uint64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
