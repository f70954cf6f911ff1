package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
)

// faultsMax is how many faults are kept as text; all are counted.
const faultsMax = 20

// tally counts what the calls of one site came to. It is safe for concurrent use.
type tally struct {
	mu       sync.Mutex
	outcomes map[string]map[string]int // of a kind of call, by class
	events   map[string]int            // what was done to the site
	faults   []string
	faulty   int
}

func newTally() *tally {
	return &tally{outcomes: map[string]map[string]int{}, events: map[string]int{}}
}

// count counts a call of a kind that ended in a class.
func (t *tally) count(kind, class string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outcomes[kind] == nil {
		t.outcomes[kind] = map[string]int{}
	}
	t.outcomes[kind][class]++
}

// event counts something that was done to the site.
func (t *tally) event(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events[name]++
}

// fault notes what must not be.
func (t *tally) fault(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faulty++
	if len(t.faults) < faultsMax {
		t.faults = append(t.faults, fmt.Sprintf(format, args...))
	}
}

// report is what a run came to.
type report struct {
	sites  []*site
	seed   uint64
	faults []string
}

// reported gathers the faults of all sites.
func reported(seed uint64, sites []*site) *report {
	r := &report{sites: sites, seed: seed}
	for _, s := range sites {
		for _, f := range s.tally.faults {
			r.faults = append(r.faults, s.name+": "+f)
		}
		if more := s.tally.faulty - len(s.tally.faults); more > 0 {
			r.faults = append(r.faults, fmt.Sprintf("%s: and %d more", s.name, more))
		}
		for _, k := range kinds {
			if s.tally.outcomes[k.name][classOK] == 0 {
				r.faults = append(r.faults, fmt.Sprintf("%s: no call of the kind %q went as it should", s.name, k.name))
			}
		}
	}
	return r
}

// print writes the counts as a person reads them.
func (r *report) print(out io.Writer) {
	for _, s := range r.sites {
		fmt.Fprintf(out, "site %s\n", s.name)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		calls := 0
		for _, kind := range slices.Sorted(maps.Keys(s.tally.outcomes)) {
			line := ""
			for _, class := range slices.Sorted(maps.Keys(s.tally.outcomes[kind])) {
				n := s.tally.outcomes[kind][class]
				calls += n
				line += fmt.Sprintf("  %s %d", class, n)
			}
			fmt.Fprintf(w, "  %s\t%s\n", kind, line)
		}
		for _, event := range slices.Sorted(maps.Keys(s.tally.events)) {
			fmt.Fprintf(w, "  %s\t  %d\n", event, s.tally.events[event])
		}
		acknowledged, lost := s.ledger.counts()
		fmt.Fprintf(w, "  calls\t  %d\n  acknowledged writes\t  %d\n  lost acknowledged writes\t  %d\n  leaks\t  %d\n", calls, acknowledged, lost, s.leaks)
		w.Flush()
	}
	for _, f := range r.faults {
		fmt.Fprintln(out, "FAULT:", f)
	}
	fmt.Fprintf(out, "seed %d: %d faults\n", r.seed, len(r.faults))
}
