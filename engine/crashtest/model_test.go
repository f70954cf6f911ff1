package crashtest

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// soak runs the tests at their full length; soakFor, where it is not 0, ends each
// after that long. INGOT_SOAK sets them: "1", or a duration ("20m").
var soak, soakFor = readSoak(os.Getenv("INGOT_SOAK"))

func readSoak(text string) (bool, time.Duration) {
	if text == "" || text == "1" {
		return text != "", 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		panic(fmt.Sprintf("INGOT_SOAK is %q: want 1, or how long each test may take, as in 20m", text))
	}
	return true, d
}

// slow says that the tests run where everything takes several times as long: as
// WebAssembly, emulated, or under the race detector.
var slow = runtime.GOARCH == "wasm" || runtime.GOARCH == "arm64"

// count is how often a test runs something: short, or in a soak long.
func count(short, long int) int {
	switch {
	case soak:
		return long
	case slow:
		return max(short/8, 2)
	}
	return short
}

// stride is from how many places a test takes one: short, or in a soak 1.
func stride(short int) int {
	switch {
	case soak:
		return 1
	case slow:
		return 10 * short
	}
	return short
}

// seeds are those of a test's workloads: 1 to so many, or in a soak as many as fit
// into its time. INGOT_TEST_SEED chooses others: "7" is that one alone, "7+" begins
// there.
func seeds(t testing.TB, short, long int) iter.Seq[uint64] {
	first, n := uint64(1), count(short, long)
	if text := os.Getenv("INGOT_TEST_SEED"); text != "" {
		number, more := strings.CutSuffix(text, "+")
		seed, err := strconv.ParseUint(number, 10, 64)
		require.NoError(t, err, "INGOT_TEST_SEED")
		if first = seed; !more {
			n = 1
		}
	}
	return func(yield func(uint64) bool) {
		for i := range within(n) {
			if !yield(first + uint64(i)) {
				return
			}
		}
	}
}

// within counts from 0 to n-1, or in a soak as far as its time goes.
func within(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		start := time.Now()
		for i := range n {
			if soakFor > 0 && time.Since(start) > soakFor || !yield(i) {
				return
			}
		}
	}
}

// entry is what a store should hold under a key.
type entry struct {
	value   string
	version uint64
	ends    int64 // Unix milliseconds; 0 means never
	// ghost says that its time was over when a reader last could see it. It is back
	// when the clock is set back by a restart, unless a later write told the disk the
	// time, and it may be removed for good at any moment.
	ghost bool
}

func (e entry) String() string {
	text := fmt.Sprintf("%d bytes %.20q at version %d", len(e.value), e.value, e.version)
	if e.ends != 0 {
		text += fmt.Sprintf(" until %d", e.ends)
	}
	return text
}

// state is the contents of a store.
type state map[string]entry

// live is what a reader sees at a time, without ghosts.
func (s state) live(now int64) state {
	out := state{}
	for key, e := range s {
		if e.lives(now) && !e.ghost {
			out[key] = e
		}
	}
	return out
}

func (e entry) lives(now int64) bool { return e.ends == 0 || e.ends > now }

// withGhosts is s and what of before is not in it because its time was over.
func (s state) withGhosts(before state, now int64) state {
	for key, e := range before {
		if _, ok := s[key]; !ok && (e.ghost || !e.lives(now)) {
			e.ghost = true
			s[key] = e
		}
	}
	return s
}

// recovered reports whether a store that shows got at a time may have been
// recovered to s, when the keys in evicted, and lost others, may have been evicted.
func (s state) recovered(got state, now int64, evicted []string, lost int64) bool {
	for key, e := range got {
		want, ok := s[key]
		want.ghost = false
		if !ok || want != e {
			return false
		}
	}
	for key := range s.live(now) {
		if _, ok := got[key]; !ok && !slices.Contains(evicted, key) {
			if lost--; lost < 0 {
				return false
			}
		}
	}
	return true
}

// without is s without some keys.
func (s state) without(gone []string) state {
	out := maps.Clone(s)
	for _, key := range gone {
		delete(out, key)
	}
	return out
}

// withoutOld is s without some keys, unless they were written since: an operation's
// own entries have no version yet.
func (s state) withoutOld(gone []string) state {
	return s.without(slices.DeleteFunc(slices.Clone(gone), func(key string) bool { return s[key].version == 0 }))
}

// String lists the entries, for a test that failed.
func (s state) String() string {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&text, "\n\t%.10q: %v", key, s[key])
	}
	return text.String()
}

// contents is all that a store shows.
func contents(s *engine.Store) (state, error) {
	out := state{}
	o := engine.ListOptions{Values: true}
	for {
		page, err := s.List(o)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			out[e.Key] = entry{value: string(e.Value), version: e.Version, ends: e.ExpiresAt}
		}
		if page.Next == "" {
			return out, nil
		}
		o.After = page.Next
	}
}
