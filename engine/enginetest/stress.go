package enginetest

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/stretchr/testify/require"
)

// testStress runs goroutines against each other and then counts: nothing may be
// lost, doubled or torn.
func testStress(t *testing.T, open Opener) {
	t.Run("increments add up", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		const workers, steps = 4, 2000
		var wg sync.WaitGroup
		errs := make([]error, workers)
		for w := range workers {
			wg.Go(func() {
				for range steps {
					if _, _, err := s.Increment("n", 1); err != nil {
						errs[w] = err
					}
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		require.Equal(t, strconv.Itoa(workers*steps), value(t, s, "n"))
	})
	t.Run("an absence has one winner", func(t *testing.T) {
		s, _ := opened(t, open, engine.Options{})
		const workers, keys = 4, 1000
		wins := make([]int, workers)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for k := range keys {
					if _, err := s.Set(fmt.Sprint(k), []byte{byte(w)}, engine.SetOptions{IfAbsent: true}); err == nil {
						wins[w]++
					}
				}
			})
		}
		wg.Wait()
		total := 0
		for _, n := range wins {
			total += n
		}
		require.Equal(t, keys, total)
	})
	t.Run("transfers keep the sum", func(t *testing.T) { testTransfers(t, open) })
	t.Run("values are never torn", func(t *testing.T) { testTorn(t, open) })
}

// testTransfers moves money between accounts in batches while snapshots are
// taken: each snapshot must hold the whole sum.
func testTransfers(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	const accounts, workers, steps = 20, 4, 500
	rng := seeded(t)
	moves := make([][2]string, workers*steps)
	for i := range moves {
		from := rng.IntN(accounts)
		moves[i] = [2]string{fmt.Sprint("acc", from), fmt.Sprint("acc", (from+1+rng.IntN(accounts-1))%accounts)}
	}
	for i := range accounts {
		set(t, s, fmt.Sprint("acc", i), "100", engine.SetOptions{})
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for _, m := range moves[w*steps : (w+1)*steps] {
				ops := []engine.Op{{Kind: engine.OpIncrement, Key: m[0], Delta: -1}, {Kind: engine.OpIncrement, Key: m[1], Delta: 1}}
				if _, err := s.Batch(ops); err != nil {
					errs[w] = err
				}
			}
		})
	}
	for range 50 {
		copied, _ := opened(t, open, engine.Options{})
		require.NoError(t, copied.Restore(bytes.NewReader(snapshotOf(t, s))))
		require.Equal(t, accounts*100, sumOf(t, copied))
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, accounts*100, sumOf(t, s))
}

func sumOf(t testing.TB, s *engine.Store) (sum int) {
	t.Helper()
	for _, e := range contents(t, s) {
		n, err := strconv.Atoi(string(e.Value))
		require.NoError(t, err)
		sum += n
	}
	return sum
}

// testTorn overwrites keys with values of one repeated byte and of a length
// that goes with it, while readers look for a mixture.
func testTorn(t *testing.T, open Opener) {
	s, _ := opened(t, open, engine.Options{})
	const keys, writers, readers, steps = 4, 2, 2, 3000
	for k := range keys {
		set(t, s, fmt.Sprint(k), "\x00", engine.SetOptions{})
	}
	torn := make([]string, readers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range steps {
				b := byte(w*steps + i)
				s.Set(fmt.Sprint(i%keys), bytes.Repeat([]byte{b}, int(b)+1), engine.SetOptions{})
			}
		})
	}
	for r := range readers {
		wg.Go(func() {
			var buf []byte
			for i := range steps {
				buf, _, _ = s.AppendGet(buf[:0], fmt.Sprint(i%keys))
				if len(buf) != int(buf[0])+1 || bytes.Count(buf, buf[:1]) != len(buf) {
					torn[r] = fmt.Sprintf("%x", buf)
					return
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, make([]string, readers), torn)
}
