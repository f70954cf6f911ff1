package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ingot-run/ingot/internal/sandbox"
)

// startTools is how many tools are loaded at once.
const startTools = 20

// variant is a module that differs from the others in a custom section alone, so
// that no cache knows it for another.
func variant(module []byte, n int) []byte {
	section := []byte{0, 3, 1, 'v', byte(n)}
	return append(bytes.Clone(module), section...)
}

// measureStart loads 20 variants of a module at once and returns the
// milliseconds: with an empty cache, and with a warm one, as wasm-host does it: then
// they are compiled when they are first called.
func measureStart(ctx context.Context, module []byte, dir string) (cold, warm float64, err error) {
	load := func() (float64, error) {
		host := sandbox.New(sandbox.Options{CacheDir: dir, Lazy: true})
		defer host.Close(ctx)
		begin := time.Now()
		errs := make([]error, startTools)
		var loading sync.WaitGroup
		for n := range startTools {
			loading.Go(func() {
				_, errs[n] = host.Load(ctx, strconv.Itoa(n), variant(module, n), sandbox.Policy{Limits: sandbox.Limits{LoadTimeMax: time.Minute}})
			})
		}
		loading.Wait()
		return float64(time.Since(begin).Microseconds()) / 1000, errors.Join(errs...)
	}
	if cold, err = load(); err != nil {
		return
	}
	warm, err = load()
	return
}

// holdInstances is the child that measureMemory starts: it lets n calls of a
// module run at once, so that there are n instances, waits until they rest, and
// prints its resident memory before and after in KiB.
func holdInstances(ctx context.Context, file, count string, stdout io.Writer) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	module, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	host := sandbox.New(sandbox.Options{})
	defer host.Close(ctx)
	m, err := host.Load(ctx, file, module, sandbox.Policy{Isolation: sandbox.IsolationSession, Limits: sandbox.Limits{
		ConcurrencyMax: n, InstancesIdleMax: n, TimeMax: time.Minute, LoadTimeMax: time.Minute,
	}})
	if err != nil {
		return err
	}
	before := resident()
	for session := range n {
		if _, err := m.Call(ctx, sandbox.CallRequest{Session: strconv.Itoa(session), Arguments: payload}); err != nil {
			return err
		}
	}
	if err := awaitRest(ctx, m, n); err != nil {
		return err
	}
	fmt.Fprintln(stdout, before, resident())
	return nil
}

// restWithin is how long instances may take until they rest; a second or two is usual.
const restWithin = 20 * time.Second

// awaitRest waits until n instances of m idle and rest.
func awaitRest(ctx context.Context, m *sandbox.Module, n int) error {
	ctx, cancel := context.WithTimeout(ctx, restWithin)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		s := m.Stats()
		if s.InstancesResting >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("of %d instances %d idle and %d rest: %w", n, s.InstancesIdle, s.InstancesResting, ctx.Err())
		case <-look.C:
		}
	}
}

// resident is the resident memory of this process in KiB after a collection: of
// pages that processes or mappings share, its share. 0 where that is not known.
func resident() int {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib
		}
	}
	return 0
}

// measureMemory returns the MiB that n instances take.
func measureMemory(ctx context.Context, file string, n int) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "hold", file, strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("holding %d instances of %s: %w", n, file, err)
	}
	var before, after int
	if _, err := fmt.Sscan(string(out), &before, &after); err != nil {
		return 0, err
	}
	return float64(after-before) / 1024, nil
}

// spinners is how many guests loop while others are called.
const spinners = 4

// deadlines are what measureDeadlines finds, in microseconds.
type deadlines struct {
	overshoot50, overshoot99 float64
	quiet99, busy99          float64 // of calls of another tool, one at a time
}

// measureDeadlines calls a tool for a phase, alone and then while four guests loop
// to their deadlines of 50 ms again and again.
func measureDeadlines(ctx context.Context, phase time.Duration) (d deadlines, err error) {
	host := sandbox.New(sandbox.Options{})
	defer host.Close(ctx)
	other, err := host.Load(ctx, "other", echoC, sandbox.Policy{})
	if err != nil {
		return d, err
	}
	const limit = 50 * time.Millisecond
	spinning, err := host.Load(ctx, "spinning", echoC, sandbox.Policy{Limits: sandbox.Limits{
		TimeMax: limit, LoadTimeMax: time.Minute, FuelMax: 1 << 62, ConcurrencyMax: spinners,
	}})
	if err != nil {
		return d, err
	}
	calls := func() ([]float64, error) {
		var all []float64
		for begin := time.Now(); time.Since(begin) < phase; {
			one := time.Now()
			if _, err := other.Call(ctx, sandbox.CallRequest{Arguments: payload}); err != nil {
				return nil, err
			}
			all = append(all, float64(time.Since(one).Nanoseconds())/1000)
			time.Sleep(200 * time.Microsecond) // a caller that comes and goes
		}
		return all, nil
	}
	quiet, err := calls()
	if err != nil {
		return d, err
	}
	stop := make(chan struct{})
	over := make([][]float64, spinners)
	var looping sync.WaitGroup
	for n := range spinners {
		looping.Go(func() {
			for {
				begin := time.Now()
				_, err := spinning.Call(ctx, sandbox.CallRequest{Arguments: []byte(`{"spin":1}`)})
				if !errors.Is(err, sandbox.ErrDeadline) {
					return
				}
				over[n] = append(over[n], float64((time.Since(begin)-limit).Nanoseconds())/1000)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	busy, err := calls()
	close(stop)
	looping.Wait()
	all := slices.Concat(over...)
	if err == nil && len(all) < spinners {
		err = errors.New("the looping guests were not stopped at their deadlines")
	}
	return deadlines{quantile(all, 0.5), quantile(all, 0.99), quantile(quiet, 0.99), quantile(busy, 0.99)}, err
}

// quantile sorts values and picks one.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(float64(len(values))*q), len(values)-1)]
}

// inFlight is how many calls are on their way at once over stdio.
const inFlight = 64

// measureStdio pipelines calls of a server's tool echo for a phase and returns
// the calls of a second.
func measureStdio(ctx context.Context, phase time.Duration, path string, args ...string) (float64, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	rate, err := pipeline(bufio.NewWriterSize(stdin, 64<<10), bufio.NewReaderSize(stdout, 64<<10), phase)
	err = errors.Join(err, stdin.Close())
	if waited := cmd.Wait(); err == nil {
		err = waited
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return rate, nil
}

// pipeline keeps calls in flight on one connection.
func pipeline(w *bufio.Writer, r *bufio.Reader, phase time.Duration) (float64, error) {
	const message = "abcdefghijklmnopqrstuvwxyz012345"
	fmt.Fprintln(w, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`)
	if err := w.Flush(); err != nil {
		return 0, err
	}
	if _, err := r.ReadBytes('\n'); err != nil {
		return 0, err
	}
	fmt.Fprintln(w, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	send := func(id int) {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"message":"%s"}}}`+"\n", id, message)
	}
	sent, answered := 0, 0
	for ; sent < inFlight; sent++ {
		send(sent + 1)
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	begin := time.Now()
	for answered < sent {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if !bytes.Contains(line, []byte(message)) {
			return 0, fmt.Errorf("an answer is %.200q", line)
		}
		answered++
		if time.Since(begin) < phase {
			sent++
			send(sent)
		}
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return 0, err
			}
		}
	}
	return float64(answered) / time.Since(begin).Seconds(), nil
}
