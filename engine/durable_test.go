package engine_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/enginetest"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// dirs are the directories that the tests of durability run on.
func dirs(t *testing.T, run func(t *testing.T, dir storage.Dir)) {
	t.Run("memory", func(t *testing.T) { run(t, storage.Memory()) })
	t.Run("files", func(t *testing.T) { run(t, openDir(t, t.TempDir())) })
}

func openDir(t testing.TB, path string) storage.Dir {
	t.Helper()
	dir, err := storage.OpenDir(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	return dir
}

func openStore(t testing.TB, o engine.Options) *engine.Store {
	t.Helper()
	s, err := engine.Open(o)
	require.NoError(t, err)
	return s
}

// contents is everything in a store, as text that two stores can be compared by.
func contents(t testing.TB, s *engine.Store) string {
	t.Helper()
	var b strings.Builder
	for after := ""; ; {
		page, err := s.List(engine.ListOptions{After: after, Limit: 1000, Values: true})
		require.NoError(t, err)
		for _, e := range page.Entries {
			fmt.Fprintf(&b, "%q=%q v%d ends %d\n", e.Key, e.Value, e.Version, e.ExpiresAt)
		}
		if after = page.Next; after == "" {
			return b.String()
		}
	}
}

// mix changes a store by operations of every kind.
func mix(t *testing.T, s *engine.Store, rng *rand.Rand, steps int) {
	t.Helper()
	key := func() string { return fmt.Sprintf("key-%d", rng.IntN(200)) }
	value := func() []byte { return []byte(strings.Repeat("v", rng.IntN(300))) }
	for range steps {
		var err error
		switch rng.IntN(10) {
		case 0, 1, 2:
			_, err = s.Set(key(), value(), engine.SetOptions{})
		case 3:
			_, err = s.Set(key(), value(), engine.SetOptions{TTL: time.Duration(1+rng.IntN(1000)) * time.Hour})
		case 4:
			_, _, err = s.Delete(key(), engine.DeleteOptions{})
		case 5:
			_, _, err = s.Increment(fmt.Sprintf("n-%d", rng.IntN(5)), rng.Int64N(100))
		case 6:
			_, err = s.Expire(key(), time.Duration(rng.IntN(1000))*time.Hour)
		case 7:
			_, err = s.SetMany([]engine.Item{{Key: "a" + key(), Value: value()}, {Key: "b" + key(), Value: value(), TTL: time.Hour}})
		case 8:
			_, err = s.DeleteMany([]string{"a" + key(), "b" + key()})
		case 9:
			if rng.IntN(20) == 0 {
				_, err = s.Clear("key-1")
			}
		}
		require.NoError(t, err)
	}
}

func TestReopen(t *testing.T) {
	for name, o := range map[string]engine.Options{
		"always":     {},
		"interval":   {Sync: engine.SyncInterval},
		"never":      {Sync: engine.SyncNever},
		"small":      {SegmentBytes: 4096},
		"compressed": {CompressBytesMin: 64},
	} {
		t.Run(name, func(t *testing.T) {
			dirs(t, func(t *testing.T, dir storage.Dir) {
				o.Dir = dir
				rng := rand.New(rand.NewPCG(1, 2))
				want, bytes := "", int64(0)
				for range 4 {
					s := openStore(t, o)
					require.Equal(t, want, contents(t, s))
					require.Equal(t, bytes, s.Stats().Bytes)
					mix(t, s, rng, 300)
					want, bytes = contents(t, s), s.Stats().Bytes
					require.NoError(t, s.Close())
				}
			})
		})
	}
}

func TestReopenKeepsVersions(t *testing.T) {
	dir := storage.Memory()
	s := openStore(t, engine.Options{Dir: dir})
	v, err := s.Set("k", nil, engine.SetOptions{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	s = openStore(t, engine.Options{Dir: dir})
	require.True(t, s.LogStats().Recovered.Clean)
	next, err := s.Set("k", nil, engine.SetOptions{IfVersion: v})
	require.NoError(t, err)
	require.Equal(t, v+1, next)
	require.NoError(t, s.Close())
}

func TestManyWriters(t *testing.T) {
	dirs(t, func(t *testing.T, dir storage.Dir) {
		s := openStore(t, engine.Options{Dir: dir, SegmentBytes: 1 << 16})
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := range 200 {
					_, err := s.Set(fmt.Sprintf("%d-%d", w, i%50), []byte(fmt.Sprint(i)), engine.SetOptions{})
					require.NoError(t, err)
				}
			})
		}
		wg.Wait()
		want := contents(t, s)
		require.NoError(t, s.Close())
		s = openStore(t, engine.Options{Dir: dir})
		require.Equal(t, want, contents(t, s))
		require.NoError(t, s.Close())
	})
}

func TestCompact(t *testing.T) {
	for name, o := range map[string]engine.Options{
		"plain":      {SegmentBytes: 8192, BackgroundDisabled: true},
		"background": {SegmentBytes: 8192},
		"never":      {SegmentBytes: 8192, Sync: engine.SyncNever},
		"compressed": {SegmentBytes: 8192, CompressBytesMin: 64},
	} {
		t.Run(name, func(t *testing.T) {
			dirs(t, func(t *testing.T, dir storage.Dir) {
				o.Dir = dir
				rng := rand.New(rand.NewPCG(3, 4))
				want := ""
				for range 4 {
					s := openStore(t, o)
					require.Equal(t, want, contents(t, s))
					mix(t, s, rng, 400)
					require.NoError(t, s.Compact())
					mix(t, s, rng, 100)
					s.Tick(0)
					want = contents(t, s)
					require.Positive(t, s.LogStats().Compactions)
					require.NoError(t, s.Close())
				}
			})
		})
	}
}

// Writers that change the store while it is compacted find all of it again.
func TestCompactUnderWrites(t *testing.T) {
	dirs(t, func(t *testing.T, dir storage.Dir) {
		s := openStore(t, engine.Options{Dir: dir, Sync: engine.SyncNever})
		for i := range 20_000 {
			_, err := s.Set(fmt.Sprintf("k%d", i), []byte("first"), engine.SetOptions{})
			require.NoError(t, err)
		}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		// Under GOOS=js files are answered by the event loop, which runs only while every
		// goroutine waits: writers without an end would hardly ever let it.
		writesMax := math.MaxInt
		if runtime.GOARCH == "wasm" {
			writesMax = 20_000
		}
		for w := range 2 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(w), 9))
				for i := 0; i < writesMax; i++ {
					select {
					case <-stop:
						return
					default:
						runtime.Gosched() // wasm has one thread
					}
					key := fmt.Sprintf("k%d", rng.IntN(40_000)) // new keys too: tables are replaced
					var err error
					switch rng.IntN(4) {
					case 0:
						_, _, err = s.Delete(key, engine.DeleteOptions{})
					case 1:
						_, err = s.Expire(key, time.Hour)
					default:
						_, err = s.SetMany([]engine.Item{{Key: key, Value: []byte(fmt.Sprint(w, i))}, {Key: "x" + key, Value: []byte(fmt.Sprint(w, i))}})
					}
					require.NoError(t, err)
				}
			})
		}
		for range 5 {
			require.NoError(t, s.Compact())
		}
		close(stop)
		wg.Wait()
		want := contents(t, s)
		require.NoError(t, s.Close())
		s = openStore(t, engine.Options{Dir: dir})
		require.Equal(t, want, contents(t, s))
		require.NoError(t, s.Close())
	})
}

func TestRestoreIsDurable(t *testing.T) {
	dirs(t, func(t *testing.T, dir storage.Dir) {
		from := openStore(t, engine.Options{})
		mix(t, from, rand.New(rand.NewPCG(5, 6)), 300)
		var snapshot bytes.Buffer
		require.NoError(t, from.Snapshot(&snapshot))
		s := openStore(t, engine.Options{Dir: dir})
		mix(t, s, rand.New(rand.NewPCG(7, 8)), 300)
		require.NoError(t, s.Restore(&snapshot))
		require.Equal(t, contents(t, from), contents(t, s))
		mix(t, s, rand.New(rand.NewPCG(9, 10)), 100)
		want := contents(t, s)
		require.NoError(t, s.Close())
		s = openStore(t, engine.Options{Dir: dir})
		require.Equal(t, want, contents(t, s))
		require.NoError(t, s.Close())
	})
}

// The whole suite holds for a store in a directory.
func TestSuiteInDirectory(t *testing.T) {
	if runtime.GOARCH == "wasm" {
		t.Skip("it takes minutes there, and tests the code that TestSuite and the tests of the log do")
	}
	enginetest.Run(t, func(o engine.Options) (*engine.Store, error) {
		o.Dir, o.SegmentBytes = storage.Memory(), 1<<16
		return engine.Open(o)
	})
}
