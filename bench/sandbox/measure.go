package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ingot-run/ingot/bench/report"
)

// results are the figures of all rounds.
type results struct {
	calls map[string][]float64 // nanoseconds a call, by row
	// Milliseconds for 20 tools: C and Go, cold and warm.
	coldC, warmC, coldGo, warmGo []float64
	deadlines                    []deadlines
	stdioWasm, stdioNative       []float64 // calls a second
	heldC, heldGo                int       // instances whose memory was measured
	memoryC, memoryGo            float64   // MiB of those; 0: not known
}

// The instances whose memory is measured, but in a quick run.
const (
	heldC  = 1000
	heldGo = 50
)

func measure(ctx context.Context, p programs, o report.Options, stdout io.Writer) (*results, error) {
	r := &results{calls: map[string][]float64{}}
	all, err := subjects(ctx, p)
	if err != nil {
		return nil, err
	}
	defer closeAll(all)
	for round := range o.Rounds {
		fmt.Fprintf(stdout, "round %d of %d\n", round+1, o.Rounds)
		for i := range all {
			s := all[(i+round)%len(all)]
			nanos, err := timeCalls(s, o.Phase)
			if err != nil {
				return nil, err
			}
			r.calls[s.name] = append(r.calls[s.name], nanos)
		}
		if err := r.system(ctx, p, o, round); err != nil {
			return nil, err
		}
	}
	fmt.Fprintln(stdout, "memory")
	r.heldC, r.heldGo = heldC, heldGo
	if o.Quick {
		r.heldC, r.heldGo = 10, 2
	}
	if r.memoryC, err = measureMemory(ctx, p.cFile, r.heldC); err != nil {
		return nil, err
	}
	r.memoryGo, err = measureMemory(ctx, p.goFile, r.heldGo)
	return r, err
}

// system measures what is not a call, once.
func (r *results) system(ctx context.Context, p programs, o report.Options, round int) error {
	d, err := measureDeadlines(ctx, 2*o.Phase)
	if err != nil {
		return err
	}
	r.deadlines = append(r.deadlines, d)
	native, err := measureStdio(ctx, o.Phase, p.native)
	if err != nil {
		return err
	}
	wasm, err := measureStdio(ctx, o.Phase, p.wasmHost, "serve", "--no-cache", "--log-level", "error", p.cFile)
	if err != nil {
		return err
	}
	r.stdioNative, r.stdioWasm = append(r.stdioNative, native), append(r.stdioWasm, wasm)
	if round >= startRounds {
		return nil
	}
	for _, s := range []struct {
		name       string
		module     []byte
		cold, warm *[]float64
	}{
		{"c", echoC, &r.coldC, &r.warmC},
		{"go", p.goGuest, &r.coldGo, &r.warmGo},
	} {
		if o.Quick && s.name == "go" {
			continue
		}
		dir := filepath.Join(p.work, "cache-"+s.name+strconv.Itoa(round))
		cold, warm, err := measureStart(ctx, s.module, dir)
		if err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		*s.cold, *s.warm = append(*s.cold, cold), append(*s.warm, warm)
	}
	return nil
}

// startRounds is in how many rounds tools are started: compiling 20 modules of Go
// takes half a minute.
const startRounds = 2
