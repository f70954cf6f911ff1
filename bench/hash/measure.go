package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ingot-run/ingot/bench/worker"
)

// backends are the names that hash.Backend can give, the slowest first.
var backends = []string{"generic", "sse2", "avx2", "avx512", "neon"}

// row is one line of the report.
type row struct {
	label   string
	hasher  string // what the worker is told
	backend string // of ours: the backend, else empty
	xxh3    bool   // its hashes are XXH3's
	batch   bool   // it is a call for many keys: it has no single inputs
	worker  *worker.Worker
}

// startRows starts the workers. On an error the rows that it started come along.
func startRows(ctx context.Context, bench, work string) (rows []row, skipped []string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range backends {
		w, found, err := startBackend(ctx, self, name)
		if err != nil {
			return rows, nil, err
		}
		if found != name {
			w.Kill()
			continue
		}
		rows = append(rows,
			row{label: "ingot, " + name, hasher: "ours", backend: name, xxh3: true, worker: w},
			row{label: "ingot Batch, " + name, hasher: "batch", backend: name, xxh3: true, batch: true, worker: w})
	}
	w, _, err := startBackend(ctx, self, "")
	if err != nil {
		return rows, nil, err
	}
	rows = append(rows,
		row{label: "zeebo/xxh3", hasher: "zeebo", xxh3: true, worker: w},
		row{label: "cespare/xxhash (XXH64)", hasher: "cespare", worker: w},
		row{label: "hash/maphash", hasher: "maphash", worker: w})
	c, version, err := startC(ctx, bench, work)
	if missing, ok := errors.AsType[notHere](err); ok {
		return rows, []string{"the reference XXH3 in C: " + string(missing)}, nil
	}
	if err != nil {
		return rows, nil, err
	}
	rows = append(rows, row{label: "xxHash " + version + " XXH3 in C, inlined, -O3 -march=native", hasher: "c", xxh3: true, worker: c})
	return rows, nil, nil
}

// startBackend starts this command as a worker on a backend and says which one
// it got.
func startBackend(ctx context.Context, self, name string) (*worker.Worker, string, error) {
	w, err := worker.Start(ctx, worker.Command{Path: self, Args: []string{"worker"}, Env: []string{"INGOT_HASH=" + name}})
	if err != nil {
		return nil, "", err
	}
	found, err := w.Ask("backend")
	return w, found, err
}

// notHere says why something cannot be measured on this machine.
type notHere string

func (e notHere) Error() string { return string(e) }

// startC builds and starts the C worker and asks for the version of xxHash.
func startC(ctx context.Context, bench, work string) (*worker.Worker, string, error) {
	if _, err := exec.LookPath("gcc"); err != nil {
		return nil, "", notHere("gcc is not installed")
	}
	probe := exec.CommandContext(ctx, "gcc", "-x", "c", "-fsyntax-only", "-")
	probe.Stdin = strings.NewReader("#include <xxhash.h>\n")
	if probe.Run() != nil {
		return nil, "", notHere("xxhash.h is not installed (Debian's libxxhash-dev has it)")
	}
	path := filepath.Join(work, "cworker")
	source := filepath.Join(bench, "hash", "c", "worker.c")
	if out, err := exec.CommandContext(ctx, "gcc", "-O3", "-march=native", "-o", path, source).CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("compiling %s: %w\n%s", source, err, out)
	}
	w, err := worker.Start(ctx, worker.Command{Path: path})
	if err != nil {
		return nil, "", err
	}
	version, err := w.Ask("backend")
	return w, version, err
}

// work is one thing that all rows are asked to do.
type work struct {
	length int   // of single inputs; 0 is batches
	class  class // of the keys of batches
}

func (w work) String() string {
	if w.length == 0 {
		return fmt.Sprintf("batches of keys of %v", w.class)
	}
	return bytesText(w.length)
}

// everything is all the work, in the order of the report.
func everything() []work {
	var all []work
	for _, length := range lengths {
		all = append(all, work{length: length})
	}
	for _, c := range classes {
		all = append(all, work{class: c})
	}
	return all
}

// count is how many inputs or batches make about ten milliseconds.
func (w work) count(effort float64) int {
	if w.length == 0 {
		return max(int(20_000*effort), 100)
	}
	return max(int(min(3e6, 3e8/float64(w.length))*effort), 10)
}

// cell is one figure of the report.
type cell struct {
	label string
	work  work
}

// results holds nanoseconds per key, one figure a round.
type results map[cell][]float64

// measure runs the rounds. It fails when two implementations of XXH3 differ.
func measure(rows []row, o options, stdout io.Writer) (results, error) {
	found := make(results)
	for round := range o.Rounds {
		for index, w := range everything() {
			sums := make(map[uint64]string)
			for i := range rows {
				r := rows[(i+round+index)%len(rows)] // no row always follows the same one
				if r.batch && w.length > 0 {
					continue
				}
				nanos, sum, err := one(r, w, w.count(o.effort))
				if err != nil {
					return nil, err
				}
				found[cell{r.label, w}] = append(found[cell{r.label, w}], nanos)
				if r.xxh3 {
					sums[sum] = r.label
				}
			}
			if len(sums) > 1 {
				return nil, fmt.Errorf("%v: two implementations of XXH3 give different hashes: %v", w, sums)
			}
		}
		fmt.Fprintf(stdout, "round %d of %d done\n", round+1, o.Rounds)
	}
	return found, nil
}

// one returns the nanoseconds per key and the sum of the hashes.
func one(r row, w work, n int) (nanos float64, sum uint64, err error) {
	line, keys := fmt.Sprintf("one %s %d %d", r.hasher, w.length, n), n
	if w.length == 0 {
		line, keys = fmt.Sprintf("batch %s %d %d %d", r.hasher, w.class.low, w.class.high, n), n*batchKeys
	}
	answer, err := r.worker.Ask(line)
	if err != nil {
		return 0, 0, err
	}
	fields, err := worker.Fields(answer)
	return float64(fields["ns"]) / float64(keys), fields["sum"], err
}
