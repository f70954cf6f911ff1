package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ingot-run/ingot/bench/engine/workload"
	"github.com/ingot-run/ingot/bench/worker"
)

const zipfExponent = 0.99

// table is one size of store: a table of the report.
type table struct{ keys, valueBytes int }

func (t table) String() string {
	return fmt.Sprintf("%s keys, %s values", count(t.keys), bytesText(t.valueBytes))
}

func count(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%dM", n/1_000_000)
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}

func bytesText(n int) string {
	if n >= 1024 && n%1024 == 0 {
		return fmt.Sprintf("%d KB", n/1024)
	}
	return fmt.Sprintf("%d B", n)
}

// longValuesMax is the most keys that are measured with values of 1 KB and more:
// ten million of them take 10 GB and, while a map grows, twice that.
const longValuesMax = 2_000_000

// tables lists what is measured.
func tables(o options) []table {
	var all []table
	for _, keys := range o.sizes {
		for _, valueBytes := range o.values {
			if valueBytes < 1024 || keys <= longValuesMax {
				all = append(all, table{keys, valueBytes})
			}
		}
	}
	return all
}

// operation is one measurement.
type operation struct {
	key  string // its name in the results
	op   string // what the worker is told
	arg  int    // batch length
	read bool   // it reads keys that are there, and tells how many it found
	sums bool   // what it read is the same for every store that did the same
	// large ones say something about many keys only.
	large bool
}

// operations are in this order so that what is read later shows what the writes
// before it did.
var operations = []operation{
	{key: "get", op: "get", read: true, sums: true},
	{key: "copy", op: "copy", read: true, sums: true},
	{key: "clone", op: "clone", read: true, sums: true},
	{key: "miss", op: "miss"},
	{key: "set", op: "set"},
	// Straight behind set, whose values it writes once more: see seed.
	{key: "inplace", op: "inplace"},
	{key: "insert", op: "insert"},
	{key: "delete", op: "delete"},
	{key: "batch8", op: "batch", arg: 8, read: true, sums: true},
	{key: "batch100", op: "batch", arg: 100, read: true, sums: true},
	{key: "batch1000", op: "batch", arg: 1000, read: true, sums: true},
	{key: "batchclone100", op: "batchclone", arg: 100, read: true, sums: true},
	{key: "mixed", op: "mixed", read: true},
	{key: "mixedzipf", op: "mixedzipf", read: true},
	{key: "grow", op: "grow"},
	{key: "gc", op: "gc", large: true},
}

// largeMin is how many keys the large operations and memory want.
const largeMin = 100_000

// ops is how many times an operation is done, so that a measurement takes a tenth
// of a second or so.
func (o operation) ops(t table, effort float64) int {
	base := 400_000
	if t.keys < 50_000 {
		base = 1_000_000
	}
	switch o.op {
	case "set", "inplace", "insert", "delete", "clone", "batchclone":
		base /= 2
	}
	return max(int(float64(base)*effort), 1000)
}

// cell is one figure of the report.
type cell struct {
	table table
	row   string
	key   string
}

// Keys of figures that are no operation's time: bytes per entry after the load and
// at rest, and how many inserts took longer than 1 ms.
const (
	keyLoaded = "loaded"
	keyRest   = "rest"
	keySlow   = "slow"
)

// results holds a figure per round: nanoseconds per operation (per key in a
// batch), for grow the longest insert.
type results struct {
	figures map[cell][]float64
	hits    map[cell]float64 // the lowest part of the reads that found their key
	sums    map[cell]map[int]uint64
	wrong   map[string][]string // row: what was wrong with its answers
}

func newResults() *results {
	return &results{
		figures: make(map[cell][]float64),
		hits:    make(map[cell]float64),
		sums:    make(map[cell]map[int]uint64),
		wrong:   make(map[string][]string),
	}
}

func (r *results) add(c cell, figure float64) { r.figures[c] = append(r.figures[c], figure) }

// measureTable measures all rows at one size.
func measureTable(ctx context.Context, t table, rows []row, o options, work string, found *results, stdout io.Writer) error {
	zipf, err := writeZipf(work, t.keys)
	if err != nil {
		return err
	}
	m := &measuring{ctx: ctx, table: t, rows: rows, options: o, zipf: zipf, found: found, stdout: stdout}
	if fitsTogether(t, len(rows)) {
		fmt.Fprintf(stdout, "%v: %d rounds, all processes together\n", t, o.Rounds)
		err = m.together()
	} else {
		fmt.Fprintf(stdout, "%v: %d rounds, one process at a time\n", t, o.Rounds)
		err = m.alone()
	}
	if err != nil {
		return fmt.Errorf("%v: %w", t, err)
	}
	found.compareSums(t, rows, o.Rounds)
	return nil
}

// measuring is the state of measureTable.
type measuring struct {
	ctx     context.Context
	table   table
	rows    []row
	options options
	zipf    string
	found   *results
	stdout  io.Writer
}

// together keeps all processes and measures each operation on one after the other.
// The order rotates, so that no row always follows the same neighbour.
func (m *measuring) together() error {
	workers := make([]*worker.Worker, len(m.rows))
	defer func() {
		for _, w := range workers {
			if w != nil {
				w.Kill()
			}
		}
	}()
	for i, r := range m.rows {
		w, err := m.start(r)
		if err != nil {
			return err
		}
		workers[i] = w
	}
	for round := range m.options.Rounds {
		for index, op := range operations {
			for i := range m.rows {
				at := (i + round + index) % len(m.rows)
				if err := m.one(workers[at], m.rows[at], op, round, index); err != nil {
					return err
				}
			}
		}
		fmt.Fprintf(m.stdout, "  round %d done\n", round+1)
	}
	for i, w := range workers {
		workers[i] = nil
		if err := w.Quit(); err != nil {
			return err
		}
	}
	return nil
}

// alone has one process at a time, which does a whole round.
func (m *measuring) alone() error {
	for round := range m.options.Rounds {
		for i := range m.rows {
			if err := m.aloneRow(m.rows[(i+round)%len(m.rows)], round); err != nil {
				return err
			}
		}
		fmt.Fprintf(m.stdout, "  round %d done\n", round+1)
	}
	return nil
}

func (m *measuring) aloneRow(r row, round int) error {
	w, err := m.start(r)
	if err != nil {
		return err
	}
	defer w.Kill()
	for index, op := range operations {
		if err := m.one(w, r, op, round, index); err != nil {
			return err
		}
	}
	return w.Quit()
}

// start starts a row's worker and loads it.
func (m *measuring) start(r row) (*worker.Worker, error) {
	w, err := worker.Start(m.ctx, r.command)
	if err != nil {
		return nil, err
	}
	answer, err := w.Ask(fmt.Sprintf("load %d %d %s", m.table.keys, m.table.valueBytes, m.zipf))
	if err != nil {
		w.Kill()
		return nil, err
	}
	fields, err := worker.Fields(answer)
	if err != nil {
		w.Kill()
		return nil, err
	}
	if m.table.keys >= largeMin && fields["base"] > 0 {
		for _, key := range []string{keyLoaded, keyRest} {
			grown := float64(fields[key]) - float64(fields["base"])
			m.found.add(cell{m.table, r.name, key}, grown/float64(m.table.keys))
		}
	}
	return w, nil
}

// one asks for one measurement and keeps what it found.
func (m *measuring) one(w *worker.Worker, r row, op operation, round, index int) error {
	if op.large && m.table.keys < largeMin {
		return nil
	}
	answer, err := w.Ask(fmt.Sprintf("measure %s %d %d %d", op.op, op.arg, op.ops(m.table, m.options.effort), seed(op, round, index)))
	if err != nil || answer == "no" {
		return err
	}
	fields, err := worker.Fields(answer)
	if err != nil {
		return err
	}
	if fields["ops"] == 0 {
		return fmt.Errorf("worker %q, measuring %s: no operations in %q", r.name, op.key, answer)
	}
	m.found.keep(cell{m.table, r.name, op.key}, op, r, round, fields)
	return nil
}

// seed differs for each measurement. Only inplace takes set's, so that stores that
// do not have it end up with the same values.
func seed(op operation, round, index int) int {
	if op.key == "inplace" {
		index--
	}
	return 1 + round*len(operations) + index
}

func (r *results) keep(c cell, op operation, by row, round int, fields map[string]uint64) {
	ops := float64(fields["ops"])
	switch op.key {
	case "grow":
		r.add(c, float64(fields["worst"]))
		r.add(cell{c.table, c.row, keySlow}, float64(fields["slow"]))
		return
	default:
		r.add(c, float64(fields["ns"])/ops)
	}
	reads := ops
	if strings.HasPrefix(op.key, "mixed") {
		reads = ops * 9 / 10
	}
	part := float64(fields["hits"]) / reads
	if old, ok := r.hits[c]; op.read && (!ok || part < old) {
		r.hits[c] = part
	}
	want := 0.0
	if op.read {
		want = 1
	}
	if part != want && !by.lossy {
		r.wrong[c.row] = append(r.wrong[c.row], fmt.Sprintf("%v, %s: %d of %.0f reads found their key, want %.0f",
			c.table, op.key, fields["hits"], reads, want*reads))
	}
	if op.sums && !by.lossy {
		if r.sums[c] == nil {
			r.sums[c] = make(map[int]uint64)
		}
		r.sums[c][round] = fields["sum"]
	}
}

// compareSums finds the rows that read something else than most rows did.
func (r *results) compareSums(t table, rows []row, rounds int) {
	for _, op := range operations {
		for round := range rounds {
			votes, most := make(map[uint64]int), uint64(0)
			for _, by := range rows {
				if sum, ok := r.sums[cell{t, by.name, op.key}][round]; ok {
					votes[sum]++
					if votes[sum] > votes[most] {
						most = sum
					}
				}
			}
			for _, by := range rows {
				if sum, ok := r.sums[cell{t, by.name, op.key}][round]; ok && sum != most {
					r.wrong[by.name] = append(r.wrong[by.name],
						fmt.Sprintf("%v, %s, round %d: the values read are not those of the other rows", t, op.key, round+1))
				}
			}
		}
	}
}

// writeZipf writes the indexes of the zipf probes for n keys and returns the path.
func writeZipf(work string, n int) (string, error) {
	path := filepath.Join(work, fmt.Sprintf("zipf-%d.bin", n))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	raw := make([]byte, 0, 4*workload.Probes(n))
	for _, index := range workload.Zipf(n, workload.Probes(n), zipfExponent, 1) {
		raw = binary.LittleEndian.AppendUint32(raw, index)
	}
	return path, os.WriteFile(path, raw, 0o644)
}

// fitsTogether says whether the processes of all rows fit into half of the free
// memory: an entry and its key in each, twice because a heap may double before it
// is collected, and the lists of probes. Small tables always do.
func fitsTogether(t table, rows int) bool {
	const probeBytes = 3 * (32 + 16)
	each := 2*t.keys*(t.valueBytes+160) + probeBytes*workload.Probes(t.keys)
	return t.keys <= 10_000 || rows*each < freeMemory()/2
}

// freeMemory reads from Linux how many bytes can be taken; 0 elsewhere.
func freeMemory() int {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var kilobytes int
		if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	return 0
}
