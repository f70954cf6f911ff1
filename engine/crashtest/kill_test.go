//go:build unix

package crashtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// victimVariable makes this test binary a process that writes to a store until it
// is killed: a directory, a seed, and how many times others were killed before, as
// JSON.
const victimVariable = "INGOT_TEST_VICTIM"

// victim is what such a process is to do.
type victim struct {
	Dir  string
	Seed uint64
	Life int
}

func TestMain(m *testing.M) {
	text := os.Getenv(victimVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var v victim
	err := json.Unmarshal([]byte(text), &v)
	if err == nil {
		err = v.run(os.Stdout)
	}
	fmt.Fprintln(os.Stderr, "the victim ends:", err)
	os.Exit(1)
}

// writers are what the victim's goroutines do; whoever has the seed knows it.
func (v *victim) writers() (all []*writer) {
	for i := range 6 {
		all = append(all, newWriter(i, rand.New(rand.NewPCG(v.Seed, uint64(v.Life<<8|i))), 1500))
	}
	return all
}

func (v *victim) options(dir storage.Dir) engine.Options {
	return engine.Options{Dir: dir, SegmentBytes: 256 << 10}
}

// run writes to the store until it is killed, and to out, a line each, what was
// acknowledged: the number of the writer.
func (v *victim) run(out io.Writer) error {
	dir, err := storage.OpenDir(v.Dir)
	if err != nil {
		return err
	}
	s, err := engine.Open(v.options(dir))
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	for _, w := range v.writers() {
		wait.Go(func() {
			for _, op := range w.ops {
				err := op.do(s)
				if err == nil {
					// One write for a line: lines of several writers do not mix.
					_, err = fmt.Fprintf(out, "%d\n", w.id)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		})
	}
	wait.Wait()
	return errors.New("everything is done, and nobody killed it")
}

// kill starts the victim, kills it when so many operations were acknowledged, and
// returns how many were in the end, by writer.
func (v *victim) kill(t *testing.T, after int) []int64 {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), victimVariable+"="+string(text))
	var complaints bytes.Buffer
	child.Stderr = &complaints
	output, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	acked := make([]int64, len(v.writers()))
	lines := 0
	for scanner := bufio.NewScanner(output); scanner.Scan(); {
		i, err := strconv.Atoi(scanner.Text())
		require.NoError(t, err, "%q", scanner.Text())
		acked[i]++
		if lines++; lines == after {
			require.NoError(t, child.Process.Kill())
		}
	}
	_ = child.Wait() // it was killed: that is its error
	require.GreaterOrEqual(t, lines, after, "the victim ended by itself: %s", complaints.String())
	return acked
}

// TestRealKills kills processes that write to a store on a real disk, and compares
// what they were told to be safe with what is there, life after life of one store.
// A reader that shares no code with the engine looks first, where there is Node.
func TestRealKills(t *testing.T) {
	v := &victim{Dir: filepath.Join(t.TempDir(), "data")}
	for v.Seed = range seeds(t, 1, 1) {
	}
	rng := rand.New(rand.NewPCG(v.Seed, 0))
	before := make([]map[string]string, len(v.writers())) // what each writer left
	var sum int64
	var version uint64
	operations, read := 0, 0
	for v.Life = range within(count(20, 500)) {
		acked := v.kill(t, 1+rng.IntN(pick(rng, 5, 100, 800)))
		independent, ok := readByNode(t, v.Dir)
		all := v.reopen(t, &version)
		if ok {
			read++
			require.Equal(t, values(all), independent, "INGOT_TEST_SEED=%d, life %d: the independent reader", v.Seed, v.Life)
		}
		sum = v.check(t, all, acked, before, sum)
		for _, n := range acked {
			operations += int(n)
		}
	}
	t.Logf("%d kills, %d operations acknowledged, %d directories read by the independent reader too", v.Life+1, operations, read)
}

// reopen opens the store, whose lock died with its holder, and returns what it
// holds. Every other time it opens a copy, so that the next victim finds what the
// last one left.
func (v *victim) reopen(t *testing.T, version *uint64) state {
	path := v.Dir
	if v.Life%2 == 1 {
		path = filepath.Join(t.TempDir(), "copy")
		require.NoError(t, os.CopyFS(path, os.DirFS(v.Dir)))
	}
	dir, err := storage.OpenDir(path)
	require.NoError(t, err)
	s, err := engine.Open(v.options(dir))
	require.NoError(t, err, "INGOT_TEST_SEED=%d, life %d", v.Seed, v.Life)
	all, err := contents(s)
	require.NoError(t, err)
	now := s.Stats().Version
	require.Greater(t, now, *version, "versions never go back")
	*version = now
	require.NoError(t, s.Close())
	require.NoError(t, dir.Close())
	return all
}

func values(s state) map[string]string {
	out := map[string]string{}
	for key, e := range s {
		out[key] = e.value
	}
	return out
}

// check compares what is there with what was acknowledged in this life and what
// the one before left, which it brings up to date. It returns the counter.
func (v *victim) check(t *testing.T, all state, acked []int64, before []map[string]string, sum int64) int64 {
	least, most := sum, sum
	for i, w := range v.writers() {
		got := map[string]string{}
		for key, e := range all {
			if strings.HasPrefix(key, strconv.Itoa(i)+"/") {
				got[key] = e.value
			}
		}
		w.startFrom(before[i])
		n := acked[i]
		under := min(n+1, int64(len(w.ops)))
		require.True(t, maps.Equal(got, w.states[n]) || maps.Equal(got, w.states[under]),
			"INGOT_TEST_SEED=%d, life %d: writer %d had %d operations acknowledged, and the store has\n%v\nand should have\n%v\nor\n%v", v.Seed, v.Life, i, n, got, w.states[n], w.states[under])
		before[i] = got
		for k, op := range w.ops[:under] {
			most += op.adds
			if int64(k) < n {
				least += op.adds
			}
		}
	}
	now := sum
	if e, ok := all[counterKey]; ok {
		var err error
		now, err = strconv.ParseInt(e.value, 10, 64)
		require.NoError(t, err)
	}
	require.True(t, least <= now && now <= most, "INGOT_TEST_SEED=%d, life %d: the counter is %d and should be %d to %d", v.Seed, v.Life, now, least, most)
	return now
}

// readByNode reads the directory with conformance/log-reader.mjs, which was written
// from docs/FORMAT.md alone. ok is false without Node.
func readByNode(t *testing.T, dir string) (values map[string]string, ok bool) {
	if _, err := exec.LookPath("node"); err != nil {
		return nil, false
	}
	const script = `
		import { readdirSync, readFileSync } from "node:fs";
		const [module, dir] = process.argv.slice(1);
		const { readStore } = await import(module);
		const files = new Map(readdirSync(dir).map((name) => [name, readFileSync(dir + "/" + name)]));
		const out = {};
		for (const [key, entry] of readStore(files).entries) out[Buffer.from(key).toString()] = Buffer.from(entry.value).toString();
		console.log(JSON.stringify(out));`
	reader, err := filepath.Abs("../../conformance/log-reader.mjs")
	require.NoError(t, err)
	cmd := exec.Command("node", "--input-type=module", "-e", script, "file://"+reader, dir)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &values))
	return values, true
}
