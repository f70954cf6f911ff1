package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	"github.com/ingot-run/ingot/bench/worker"
)

const (
	runTimeout  = time.Minute     // one server's round, beside its timed phases
	exitTimeout = 5 * time.Second // from end of input to exit
)

// A sample is one server's round.
type sample struct {
	coldMillis          float64 // the median of several starts
	idleBytes, endBytes int64   // resident memory; 0: not known here
	endCalls            int     // calls before endBytes was read
	small, large        load
	modern              load // 32 B, pipelined only; zero: not spoken
	driverMicros        float64
}

// A load is what one payload size measured.
type load struct {
	sequentialPerSec     float64
	p50Micros, p99Micros float64
	pipelinedPerSec      float64
	cpuMicros            float64 // of the child, per pipelined call; 0: not known here
}

// measureServer runs one round of s: cold starts, its memory, the legacy era, and,
// where spoken, the modern era, each in processes of their own.
func measureServer(ctx context.Context, s server, o options) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout+20*o.Phase)
	defer cancel()
	var out sample
	if err := coldStarts(ctx, s, &out); err != nil {
		return out, fmt.Errorf("cold start: %w", err)
	}
	if err := withChild(ctx, s, func(c *child) error { return c.memoryRound(s, o, &out) }); err != nil {
		return out, fmt.Errorf("memory: %w", err)
	}
	if err := withChild(ctx, s, func(c *child) error { return c.legacyRound(s, o.Phase, &out) }); err != nil || !s.modern {
		return out, err
	}
	err := withChild(ctx, s, func(c *child) error { return c.modernRound(s, o.Phase, &out) })
	return out, err
}

// Cold starts of one round: at most so many, and no more when they take long.
const (
	coldStartsMax = 10
	coldSpan      = 200 * time.Millisecond
)

// coldStarts starts s several times, each time up to the answer to its first call.
func coldStarts(ctx context.Context, s server, out *sample) error {
	var millis []float64
	for begin := time.Now(); len(millis) == 0 || len(millis) < coldStartsMax && time.Since(begin) < coldSpan; {
		err := withChild(ctx, s, func(c *child) error {
			if err := c.greet(newTraffic(s.work, payloadSmall, false)); err != nil {
				return err
			}
			millis = append(millis, time.Since(c.started).Seconds()*1e3)
			return nil
		})
		if err != nil {
			return err
		}
	}
	slices.Sort(millis)
	out.coldMillis = quantile(millis, 0.5)
	return nil
}

// withChild starts s, lets act talk to it, then closes its input and expects
// it to go. A child that does not exit by itself is killed; that is no failure
// of the measure.
func withChild(ctx context.Context, s server, act func(*child) error) error {
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	c, err := startChild(ctx, s.command)
	if err != nil {
		return err
	}
	actErr := act(c)
	c.stdin.Close()
	exited := make(chan struct{})
	go func() { // ends with the child, which the timer ends at the latest
		c.cmd.Wait()
		close(exited)
	}()
	timer := time.AfterFunc(exitTimeout, kill)
	<-exited
	timer.Stop()
	if actErr != nil {
		return fmt.Errorf("%w (the server's last words: %q)", actErr, c.stderr.String())
	}
	return nil
}

// A child is a running server.
type child struct {
	cmd     *exec.Cmd
	started time.Time
	stdin   io.WriteCloser
	lines   *lineReader
	stderr  *tail
	nextID  int
	request []byte // scratch
}

func startChild(ctx context.Context, command []string) (*child, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, stdin: stdin, lines: newLineReader(stdout), stderr: &tail{}, nextID: firstID}
	cmd.Stderr = c.stderr
	c.started = time.Now()
	return c, cmd.Start()
}

// greet begins a legacy connection and makes the first call.
func (c *child) greet(t *traffic) error {
	if _, err := c.exchange(initializeLine); err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	if _, err := io.WriteString(c.stdin, initializedLine); err != nil {
		return err
	}
	return c.firstCall(t, false)
}

// memoryRound reads resident memory before and after many calls.
func (c *child) memoryRound(s server, o options, out *sample) error {
	t := newTraffic(s.work, payloadSmall, false)
	if err := c.greet(t); err != nil {
		return err
	}
	out.idleBytes = worker.ResidentBytes(c.cmd.Process.Pid)
	before := c.nextID
	if _, err := c.pipelined(t, 8*o.Phase, o.calls); err != nil {
		return err
	}
	out.endBytes, out.endCalls = worker.ResidentBytes(c.cmd.Process.Pid), c.nextID-before
	return nil
}

// legacyRound measures calls of the legacy era.
func (c *child) legacyRound(s server, phase time.Duration, out *sample) error {
	small, large := newTraffic(s.work, payloadSmall, false), newTraffic(s.work, payloadLarge, false)
	if err := c.greet(small); err != nil {
		return err
	}
	// A just-in-time compiler and a heap find their size before the clock runs.
	if _, err := c.pipelined(small, phase, unbounded); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	if err := c.bothLoads(small, phase, &out.small, &out.driverMicros); err != nil {
		return fmt.Errorf("%d B: %w", payloadSmall, err)
	}
	if err := c.firstCall(large, false); err != nil {
		return err
	}
	if err := c.bothLoads(large, phase, &out.large, nil); err != nil {
		return fmt.Errorf("%d B: %w", payloadLarge, err)
	}
	return nil
}

func (c *child) modernRound(s server, phase time.Duration, out *sample) error {
	if _, err := c.exchange(discoverLine); err != nil {
		return fmt.Errorf("server/discover: %w", err)
	}
	t := newTraffic(s.work, payloadSmall, true)
	if err := c.firstCall(t, true); err != nil {
		return err
	}
	if _, err := c.pipelined(t, phase, unbounded); err != nil {
		return fmt.Errorf("modern warm-up: %w", err)
	}
	p, err := c.pipelined(t, phase, unbounded)
	if err != nil {
		return fmt.Errorf("modern: %w", err)
	}
	out.modern.pipelinedPerSec, out.modern.cpuMicros = p.perSec, p.childMicros
	return nil
}

// firstCall makes one checked call, after storing what workStateGet reads.
func (c *child) firstCall(t *traffic, modern bool) error {
	if t.work == workStateGet {
		answer, err := c.exchange(t.storeRequest(2, modern))
		if err != nil {
			return fmt.Errorf("state_set: %w", err)
		}
		if !bytes.Contains(answer, []byte(`"stored":true`)) {
			return fmt.Errorf("state_set answered %q", clip(answer))
		}
	}
	_, err := c.oneCall(t)
	return err
}

// bothLoads runs the sequential, then the pipelined measure.
func (c *child) bothLoads(t *traffic, phase time.Duration, out *load, driverMicros *float64) error {
	if err := c.sequential(t, phase, out); err != nil {
		return fmt.Errorf("sequential: %w", err)
	}
	p, err := c.pipelined(t, phase, unbounded)
	if err != nil {
		return fmt.Errorf("pipelined: %w", err)
	}
	out.pipelinedPerSec, out.cpuMicros = p.perSec, p.childMicros
	if driverMicros != nil {
		*driverMicros = p.driverMicros
	}
	return nil
}

// exchange sends a line and returns the next line, which must be a result.
func (c *child) exchange(line string) ([]byte, error) {
	if _, err := io.WriteString(c.stdin, line); err != nil {
		return nil, err
	}
	answer, err := c.lines.next()
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(answer, []byte(`"result":`)) {
		return nil, fmt.Errorf("answered %q", clip(answer))
	}
	return answer, nil
}

// oneCall makes one call and returns the time from the write to the answer.
func (c *child) oneCall(t *traffic) (time.Duration, error) {
	id := c.nextID
	c.nextID++
	c.request = t.appendRequest(c.request[:0], id)
	begin := time.Now()
	if _, err := c.stdin.Write(c.request); err != nil {
		return 0, err
	}
	line, err := c.lines.next()
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	got, err := t.check(line)
	if err == nil && got != id {
		err = fmt.Errorf("request %d got the answer to %d", id, got)
	}
	return took, err
}

// sequential makes one call after the other until the phase is over.
func (c *child) sequential(t *traffic, phase time.Duration, out *load) error {
	var times []time.Duration
	begin := time.Now()
	for time.Since(begin) < phase {
		took, err := c.oneCall(t)
		if err != nil {
			return err
		}
		times = append(times, took)
	}
	out.sequentialPerSec = float64(len(times)) / time.Since(begin).Seconds()
	slices.Sort(times)
	out.p50Micros = float64(quantile(times, 0.50).Nanoseconds()) / 1e3
	out.p99Micros = float64(quantile(times, 0.99).Nanoseconds()) / 1e3
	return nil
}

type pipelinedResult struct {
	perSec                    float64
	childMicros, driverMicros float64 // CPU per call
}

// unbounded is more calls than a phase has room for.
const unbounded = 1 << 40

// pipelined keeps windowSize calls in flight until the phase is over or calls are
// made, then waits for the last answers. Each answer frees a place for one request.
func (c *child) pipelined(t *traffic, phase time.Duration, calls int) (pipelinedResult, error) {
	places := make(chan int, windowSize) // never blocks: it carries at most windowSize places
	writeFailed := make(chan error, 1)
	base := c.nextID
	go func() { // ends when places is closed
		writeFailed <- c.writeRequests(t, base, places)
	}()

	childBefore, driverBefore := processCPU(c.cmd.Process.Pid), processCPU(0)
	begin := time.Now()
	places <- windowSize
	answered, err := c.readAnswers(t, base, begin.Add(phase), calls, places)
	took := time.Since(begin)
	childUsed, driverUsed := processCPU(c.cmd.Process.Pid)-childBefore, processCPU(0)-driverBefore

	close(places)
	if err != nil {
		c.stdin.Close() // frees a writer that waits on a full pipe
		return pipelinedResult{}, errors.Join(err, <-writeFailed)
	}
	if err := <-writeFailed; err != nil {
		return pipelinedResult{}, err
	}
	c.nextID += answered
	n := float64(answered)
	return pipelinedResult{
		perSec:       n / took.Seconds(),
		childMicros:  childUsed.Seconds() * 1e6 / n,
		driverMicros: driverUsed.Seconds() * 1e6 / n,
	}, nil
}

// writeRequests writes as many requests as places allows, in as few writes as
// it can, with ids from base on.
func (c *child) writeRequests(t *traffic, base int, places <-chan int) error {
	var batch []byte
	for id := base; ; {
		n, open := <-places
		if !open {
			return nil
		}
		for more := true; more; {
			select {
			case m := <-places: // 0 when closed; the next receive sees that
				n += m
				more = m > 0
			default:
				more = false
			}
		}
		batch = batch[:0]
		for range n {
			batch = t.appendRequest(batch, id)
			id++
		}
		if _, err := c.stdin.Write(batch); err != nil {
			return fmt.Errorf("writing requests: %w", err)
		}
	}
}

// readAnswers reads until every request sent is answered, exactly once each,
// and hands out new places until the deadline, or until calls are issued.
func (c *child) readAnswers(t *traffic, base int, deadline time.Time, calls int, places chan<- int) (int, error) {
	issued, answered := windowSize, 0
	seen := make([]bool, windowSize, 1<<16)
	for answered < issued {
		if err := c.lines.fill(); err != nil {
			return answered, err
		}
		got := 0
		for line, ok := c.lines.take(); ok; line, ok = c.lines.take() {
			id, err := t.check(line)
			if err != nil {
				return answered, err
			}
			if i := id - base; i < 0 || i >= issued || seen[i] {
				return answered, fmt.Errorf("an answer to %d, which is not in flight", id)
			}
			seen[id-base] = true
			got++
		}
		answered += got
		if more := min(got, calls-issued); more > 0 && time.Now().Before(deadline) {
			issued += more
			seen = slices.Grow(seen, more)[:issued]
			places <- more
		}
	}
	return answered, nil
}

// quantile of a sorted, non-empty slice.
func quantile[T any](sorted []T, q float64) T {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
