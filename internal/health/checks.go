package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a look at the checks.
const (
	timeoutDefault = 2 * time.Second
	freshFor       = time.Second // how long an answer is given again
)

// Checks are what has to be well. The zero value has none and is ready. It is safe for
// concurrent use.
type Checks struct {
	// Timeout is how long each check may take; 0: 2 seconds. Set it before use.
	Timeout time.Duration

	draining atomic.Bool

	mu      sync.Mutex
	checks  []*check
	last    Report
	lastAt  time.Time     // zero: there was none, or the checks are others now
	current chan struct{} // closed when the checks that run have ended; nil: none run
}

// check is one of them.
type check struct {
	name string
	call func(context.Context) error
	runs atomic.Bool // a call has not returned, in time or at all
}

// Report is what the checks said.
type Report struct {
	// Ready is that all passed, and the server is not draining.
	Ready    bool     `json:"-"`
	Draining bool     `json:"draining,omitempty"`
	Checks   []Result `json:"checks"`
}

// Result is what one check said.
type Result struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Error is the text of the error; empty where it passed.
	Error string `json:"error,omitempty"`
	// Millis is how long it took.
	Millis float64 `json:"ms"`
}

// Add adds a check, which is to return soon after its context ends. The text of its
// error is for those who may use the server: it holds no secret. A check of the same name
// is replaced.
func (c *Checks) Add(name string, f func(ctx context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	added := &check{name: name, call: f}
	if i := slices.IndexFunc(c.checks, func(old *check) bool { return old.name == name }); i >= 0 {
		c.checks = slices.Clone(c.checks) // a run may read the old one
		c.checks[i] = added
	} else {
		c.checks = append(c.checks, added)
	}
	c.lastAt = time.Time{}
}

// Drain says that the server is about to stop: it is not ready any more.
func (c *Checks) Drain() { c.draining.Store(true) }

// Report runs the checks, or waits for those that run, or says again what they said up to
// a second ago. A context that ends is a report that is not ready.
func (c *Checks) Report(ctx context.Context) Report {
	for {
		c.mu.Lock()
		if !c.lastAt.IsZero() && time.Since(c.lastAt) < freshFor {
			report := c.last
			c.mu.Unlock()
			return c.asOfNow(report)
		}
		running := c.current
		if running == nil {
			running = make(chan struct{})
			c.current = running
			go c.run(slices.Clone(c.checks), running) // ends within the timeout
		}
		c.mu.Unlock()
		select {
		case <-running:
		case <-ctx.Done():
			return Report{Draining: c.draining.Load(), Checks: []Result{}}
		}
	}
}

// asOfNow adds what is known without a check.
func (c *Checks) asOfNow(r Report) Report {
	r.Draining = c.draining.Load()
	r.Ready = r.Ready && !r.Draining
	return r
}

// run runs checks side by side, notes what they said, and closes done.
func (c *Checks) run(checks []*check, done chan struct{}) {
	report := Report{Ready: true, Checks: make([]Result, len(checks))}
	timeout := cmp.Or(c.Timeout, timeoutDefault)
	var all sync.WaitGroup
	for i, one := range checks {
		all.Go(func() { report.Checks[i] = one.run(timeout) })
	}
	all.Wait()
	for _, r := range report.Checks {
		report.Ready = report.Ready && r.OK
	}
	c.mu.Lock()
	c.last, c.lastAt, c.current = report, time.Now(), nil
	c.mu.Unlock()
	close(done)
}

var errStuck = errors.New("it has not answered since it was asked before")

// run calls the check once. One that does not end in time goes on in a goroutine, which
// nobody can end, and is not called again until it has: there is one of it at most.
func (c *check) run(timeout time.Duration) Result {
	began := time.Now()
	err := errStuck
	if c.runs.CompareAndSwap(false, true) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			defer c.runs.Store(false)
			ended <- called(ctx, c.call)
		}()
		select {
		case err = <-ended:
		case <-ctx.Done():
			select {
			case err = <-ended: // both, after the machine stood still
			default:
				err = fmt.Errorf("no answer in %v", timeout)
			}
		}
	}
	r := Result{Name: c.name, OK: err == nil, Millis: float64(time.Since(began).Microseconds()) / 1000}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// called calls a check; a panic is its error.
func called(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("the check panicked") // the value may hold anything
		}
	}()
	return f(ctx)
}
