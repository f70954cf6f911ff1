// Command redis measures the redis backend of state beside bare rueidis on the same
// server, which it starts: gets and sets of 100 bytes by 32 goroutines and by one,
// and gets that the process's cache answers.
//
//	go -C bench run ./redis           # five rounds, into docs/BENCHMARKS.md
//	go -C bench run ./redis --quick   # one short round, into a temporary file
//
// # Caveats
//
// Server and clients share the machine. A bare SET only stores: it has no version, no
// condition, no index and tells nobody.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ingot-run/ingot/bench/report"
	"github.com/ingot-run/ingot/state"
	"github.com/ingot-run/ingot/state/redis"
	"github.com/redis/rueidis"
)

const (
	sectionName = "bench-redis"
	callers     = 32
	keys        = 1000
)

func main() { report.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := report.Options{Name: sectionName, Rounds: 5, Phase: 500 * time.Millisecond}
	err := o.Parse(o.Flags(), args, stderr)
	if err == nil {
		if o.Quick {
			o.Phase = 50 * time.Millisecond
		}
		err = bench(ctx, o, stdout)
	}
	return report.Exit(sectionName, err, stderr)
}

// measure is one line of the table.
type measure struct {
	label string
	many  bool // by all callers, not by one
	call  func(ctx context.Context, key string) error
	ns    []float64 // a call, one for each round
}

func bench(ctx context.Context, o report.Options, stdout io.Writer) error {
	address, stop, err := startServer()
	if err != nil {
		return err
	}
	defer stop()
	bare, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return err
	}
	defer bare.Close()
	plain, err := redis.Open(ctx, redis.Options{URL: "redis://" + address})
	if err != nil {
		return err
	}
	defer plain.Close()
	cached, err := redis.Open(ctx, redis.Options{URL: "redis://" + address, CacheEntries: 2 * keys})
	if err != nil {
		return err
	}
	defer cached.Close()
	measures := list(bare, plain, cached)
	for _, m := range measures[2:4] { // every key is there
		for i := range keys {
			if err := m.call(ctx, name(i)); err != nil {
				return err
			}
		}
	}
	for round := range o.Rounds {
		fmt.Fprintf(stdout, "round %d of %d\n", round+1, o.Rounds)
		for i := range measures {
			m := measures[(i+round)%len(measures)]
			if err := m.run(ctx, o.Phase); err != nil {
				return fmt.Errorf("%s: %w", m.label, err)
			}
		}
	}
	return o.Publish(report.Section(sectionName, render(o, measures)), stdout)
}

// list is what is measured, those that are compared side by side.
func list(bare rueidis.Client, plain, cached *redis.Manager) []*measure {
	value := []byte(strings.Repeat("v", 100))
	bareGet := func(ctx context.Context, key string) error {
		return bare.Do(ctx, bare.B().Get().Key("bare:"+key).Build()).Error()
	}
	bareSet := func(ctx context.Context, key string) error {
		return bare.Do(ctx, bare.B().Set().Key("bare:"+key).Value(string(value)).Build()).Error()
	}
	get := func(m *redis.Manager) func(ctx context.Context, key string) error {
		return func(ctx context.Context, key string) error {
			_, err := m.Get(ctx, key)
			return err
		}
	}
	set := func(ctx context.Context, key string) error {
		_, err := plain.Set(ctx, key, value, state.SetOptions{})
		return err
	}
	return []*measure{
		{label: "get, bare", many: true, call: bareGet},
		{label: "get", many: true, call: get(plain)},
		{label: "set, bare", many: true, call: bareSet},
		{label: "set", many: true, call: set},
		{label: "get by one, bare", call: bareGet},
		{label: "get by one", call: get(plain)},
		{label: "set by one, bare", call: bareSet},
		{label: "set by one", call: set},
		{label: "get by one, cached", call: get(cached)},
	}
}

func name(i int) string { return fmt.Sprintf("key:%06d", i%keys) }

// run measures for a phase.
func (m *measure) run(ctx context.Context, phase time.Duration) error {
	goroutines := 1
	if m.many {
		goroutines = callers
	}
	names := make([]string, keys)
	for i := range names {
		names[i] = name(i)
		if strings.Contains(m.label, "cached") {
			if err := m.call(ctx, names[i]); err != nil {
				return err
			}
		}
	}
	var calls atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, goroutines)
	begun := time.Now()
	for g := range goroutines {
		wg.Go(func() {
			done := 0
			for ; errs[g] == nil && time.Since(begun) < phase; done += 16 {
				for i := range 16 {
					if err := m.call(ctx, names[(g*31+done+i)%keys]); err != nil {
						errs[g] = err
					}
				}
			}
			calls.Add(int64(done))
		})
	}
	wg.Wait()
	m.ns = append(m.ns, float64(time.Since(begun).Nanoseconds())/float64(max(calls.Load(), 1)))
	return errors.Join(errs...)
}

// startServer starts redis-server on a free port, without a disk.
func startServer() (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address = l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	dir, err := os.MkdirTemp("", "ingot-bench-redis-")
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("%w: make tools installs redis-server", err)
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		os.RemoveAll(dir)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return address, stop, nil
		}
	}
	stop()
	return "", nil, errors.New("redis-server does not listen")
}

// render is the section.
func render(o report.Options, measures []*measure) string {
	ratio := func(what string, bound float64, fast, slow int) report.Target {
		measured, known := report.MedianRatio(measures[slow].ns, measures[fast].ns)
		return report.Target{What: what, Bound: bound, AtLeast: true, Measured: measured, Known: known}
	}
	var b strings.Builder
	b.WriteString("## State on redis\n\n" + o.Origin(report.DescribeMachine()) + `
redis-server and the clients share the machine; values have 100 bytes. A bare SET only
stores. A set of the backend is a script that checks the condition, takes a version,
stores, keeps the index and the bytes charged, and adds an event to the stream: seven
commands of the server instead of one.

`)
	b.WriteString(report.TargetTable("what, of bare rueidis", []report.Target{
		ratio("get, 32 goroutines", 0.85, 1, 0),
		ratio("set, 32 goroutines", 0.85, 3, 2),
		ratio("get, one goroutine", 0.85, 5, 4),
		ratio("set, one goroutine", 0.85, 7, 6),
		ratio("a cached get, of one that is not", 20, 8, 5),
	}))
	b.WriteString("\n| | us a call |\n|---|---|\n")
	for _, m := range measures {
		fmt.Fprintf(&b, "| %s | %s |\n", m.label, report.Number(report.Median(m.ns)/1000))
	}
	return b.String()
}
