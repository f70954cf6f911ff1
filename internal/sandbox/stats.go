package sandbox

import (
	"errors"
	"sync/atomic"
	"time"
)

// Stats are what a module has done since it was loaded, and what it holds.
type Stats struct {
	// Calls counts the calls that ended, well or not; Errors those that failed, by
	// class: "guest error" for a failure that the tool itself reports, else the
	// text of the sentinel, as "deadline exceeded".
	Calls  uint64
	Errors map[string]uint64
	// Refusals counts how often guests were refused what is not granted, or more of
	// it than is, by capability: state, files, http.
	Refusals map[string]uint64
	// Fuel is what all calls burnt, starts and descriptions included.
	Fuel uint64
	// Running and Queued are the calls that run and that wait for their turn now.
	Running, Queued int
	// Waits counts the calls that had to wait for their turn, and WaitTime is how
	// long they waited altogether.
	Waits    uint64
	WaitTime time.Duration
	// InstancesIdle and InstancesBusy are the instances that exist.
	InstancesIdle, InstancesBusy int
	// InstancesResting are those of the idle that gave back what they need not hold.
	InstancesResting int
	// Started counts the instances that were started, Reset those put back after
	// a call, Discarded those that a call left unfit for use (a trap, a stop, an
	// exit, an open file, or a module that cannot be reset), and Evicted those
	// that were closed because they idled or made room.
	Started, Reset, Discarded, Evicted uint64
	// BytesReset is how much memory resets wrote back.
	BytesReset uint64
	// Sessions is how many sessions have an instance.
	Sessions int
}

// classGuest is the class of a failure that a tool reports itself.
const classGuest = "guest error"

// classes are the errors that a call may end in, in the order of counters.
var classes = []error{
	ErrInput, ErrBusy, ErrFuel, ErrDeadline, ErrCanceled, ErrMemory, ErrTrap, ErrExit, ErrABI, ErrRefused, ErrOutput, ErrClosed,
}

// counters are the parts of Stats that count up.
type counters struct {
	calls, fuel, waits, waitNanos                  atomic.Uint64
	started, reset, discarded, evicted, bytesReset atomic.Uint64
	guestErrors                                    atomic.Uint64
	errors                                         [16]atomic.Uint64 // by the index in classes; the last for others
}

// count counts a call that ended in err.
func (n *counters) count(err error) {
	n.calls.Add(1)
	if err == nil {
		return
	}
	var g *GuestError
	if errors.As(err, &g) {
		n.guestErrors.Add(1)
		return
	}
	for i, class := range classes {
		if errors.Is(err, class) {
			n.errors[i].Add(1)
			return
		}
	}
	n.errors[len(n.errors)-1].Add(1)
}

// read is the counters as Stats.
func (n *counters) read() Stats {
	s := Stats{
		Calls: n.calls.Load(), Fuel: n.fuel.Load(), Errors: map[string]uint64{},
		Waits: n.waits.Load(), WaitTime: time.Duration(n.waitNanos.Load()),
		Started: n.started.Load(), Reset: n.reset.Load(), Discarded: n.discarded.Load(), Evicted: n.evicted.Load(),
		BytesReset: n.bytesReset.Load(),
	}
	put := func(class string, count uint64) {
		if count > 0 {
			s.Errors[class] = count
		}
	}
	put(classGuest, n.guestErrors.Load())
	for i, class := range classes {
		put(class.Error(), n.errors[i].Load())
	}
	put("other", n.errors[len(n.errors)-1].Load())
	return s
}

// Stats are what the module has done and holds.
func (m *Module) Stats() Stats {
	s := m.stats.read()
	if m.asleep != nil {
		if awake := m.asleep.awake.Load(); awake != nil {
			return awake.Stats().with(s)
		}
	}
	s.Refusals = m.grants.refused()
	m.pool.describe(&s)
	return s
}

// with adds calls that failed before the module was loaded.
func (s Stats) with(before Stats) Stats {
	s.Calls += before.Calls
	for class, n := range before.Errors {
		s.Errors[class] += n
	}
	return s
}

// Stats are those of the modules that are loaded, by the name of their file.
// Where a file is loaded twice (a module is being replaced), the later one's.
func (h *Host) Stats() map[string]Stats {
	h.mu.Lock()
	modules := make([]*Module, 0, len(h.modules))
	for m := range h.modules {
		modules = append(modules, m)
	}
	h.mu.Unlock()
	all := make(map[string]Stats, len(modules))
	newest := map[string]time.Time{}
	for _, m := range modules {
		if file := m.info.File; !m.loaded.Before(newest[file]) {
			newest[file] = m.loaded
			all[file] = m.Stats()
		}
	}
	return all
}
