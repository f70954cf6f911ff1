package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// value is what is stored: 64 bytes.
var value = strings.Repeat("v", 64)

// point is what was measured at a size.
type point struct {
	size  int
	bytes float64 // resident, beyond the size before it, for each one more
	cost  cost
	extra float64 // what a measure has beside it
}

// figures are all that was measured.
type figures struct {
	keys, tools, sessions, listeners []point
	embedded                         cost // a mix of calls of one server with its own state
	servers                          []serversPoint
}

// fill stores keys from up to below to.
func fill(l *load, from, to int) error {
	const batch = 500
	type entry struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	for at := from; at < to; at += batch {
		var entries []entry
		for i := at; i < min(at+batch, to); i++ {
			entries = append(entries, entry{key(i), value})
		}
		if err := l.call("state_batch_set", map[string]any{"entries": entries}); err != nil {
			return err
		}
	}
	return nil
}

func key(i int) string { return fmt.Sprintf("scale/%08d", i) }

// keys measures what keys take of memory, and whether a read costs more among many.
func keys(r *runner, f *figures) error {
	p, err := r.serve("")
	if err != nil {
		return err
	}
	defer p.stop()
	l := newLoad(p)
	if err := fill(l, 0, 1000); err != nil { // which warms the server up
		return err
	}
	before, last := p.bytes(), 1000
	for _, size := range r.sizes([]int{10_000, 100_000, 400_000}, []int{2000, 4000}) {
		if err := fill(l, last, size); err != nil {
			return err
		}
		now := p.bytes()
		c, err := l.measured(r.o.Phase, []*process{p}, nil, func(n int64) error {
			return l.call("state_get", map[string]any{"key": key(int(n*7919) % size)})
		})
		if err != nil {
			return err
		}
		f.keys = append(f.keys, point{size: size, bytes: (now - before) / float64(size-last), cost: c})
		before, last = p.bytes(), size
	}
	return nil
}

// tools measures what tools take: memory, the start, a call among them.
func tools(r *runner, f *figures) error {
	before := 0.0
	last := 0
	for _, size := range r.sizes([]int{1, 100, 1000, 4000}, []int{1, 20}) {
		var file strings.Builder
		file.WriteString("forge: {name: scale, version: 1.0.0, transport: http}\ntools:\n")
		for i := range size {
			fmt.Fprintf(&file, "  - {type: native, name: tool%d, handler: {inline: 'n + %d'}, params: {n: {type: integer, required: true, minimum: 0, description: A number}}}\n", i, i)
		}
		p, err := r.serve(file.String())
		if err != nil {
			return err
		}
		start, err := p.seconds()
		if err != nil {
			return err
		}
		now := p.bytes()
		l := newLoad(p)
		c, err := l.measured(r.o.Phase, []*process{p}, nil, func(n int64) error {
			return l.call("tool"+strconv.Itoa(int(n)%size), map[string]any{"n": n})
		})
		p.stop()
		if err != nil {
			return err
		}
		pt := point{size: size, cost: c, extra: start * 1e3}
		if last > 0 {
			pt.bytes = (now - before) / float64(size-last)
		}
		f.tools = append(f.tools, pt)
		before, last = now, size
	}
	return nil
}

// sessions measures what open sessions of the legacy era take.
func sessions(r *runner, f *figures) error {
	p, err := r.serve("")
	if err != nil {
		return err
	}
	defer p.stop()
	l := newLoad(p)
	one := func(int64) error { return l.call("state_exists", map[string]any{"key": "none"}) }
	if _, err := l.phase(r.o.Phase/2, one); err != nil {
		return err
	}
	before, last := p.bytes(), 0
	for _, size := range r.sizes([]int{1000, 4000, 8000}, []int{20, 40}) {
		for ; last < size; last++ {
			if err := l.session(); err != nil {
				return fmt.Errorf("session %d: %w", last+1, err)
			}
		}
		now := p.bytes()
		c, err := l.measured(r.o.Phase, []*process{p}, nil, one)
		if err != nil {
			return err
		}
		f.sessions = append(f.sessions, point{size: size, bytes: max(0, now-before) / float64(size), cost: c})
	}
	return nil
}

// listeners measures what a write costs that so many listen to.
func listeners(r *runner, f *figures) error {
	p, err := r.serve("")
	if err != nil {
		return err
	}
	defer p.stop()
	l := newLoad(p)
	if err := l.call("state_set", map[string]any{"key": "heard", "value": "0"}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	var heard atomic.Int64
	last := 0
	before := p.bytes()
	for _, size := range r.sizes([]int{0, 50, 200}, []int{0, 5}) {
		for ; last < size; last++ {
			if err := l.listen(ctx, "state:///heard", &heard); err != nil {
				return fmt.Errorf("listener %d: %w", last+1, err)
			}
		}
		memory := p.bytes()
		heard.Store(0)
		began := time.Now()
		c, err := l.measured(r.o.Phase, []*process{p}, nil, func(n int64) error {
			return l.call("state_set", map[string]any{"key": "heard", "value": strconv.FormatInt(n, 10)})
		})
		if err != nil {
			return err
		}
		pt := point{size: size, cost: c}
		if size > 0 {
			pt.bytes = (memory - before) / float64(size)
			pt.extra = float64(heard.Load()) / time.Since(began).Seconds()
		}
		f.listeners = append(f.listeners, pt)
	}
	return nil
}

// serversPoint is so many servers on one Redis.
type serversPoint struct {
	servers   int
	cost      cost
	predicted float64 // calls a second, from the run of one server
}

// mix is three reads to a write, over ten thousand keys.
func mix(l *load) func(int64) error {
	return func(n int64) error {
		k := key(int(n*7919) % 10_000)
		if n%4 == 0 {
			return l.call("put", map[string]any{"key": k, "value": value})
		}
		return l.call("get", map[string]any{"key": k})
	}
}

// servers measures one server with a state of its own, and one, two and three on one
// Redis.
func servers(r *runner, f *figures) error {
	const file = `forge: {name: scale, version: 1.0.0, transport: http}
state: %s
tools:
  - {type: native, name: put, handler: {path: "state::set"}, params: {key: {type: string, required: true}, value: {type: string, required: true}}}
  - {type: native, name: get, handler: {path: "state::get"}, params: {key: {type: string, required: true}}}
`
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("several servers need redis-server: %w", err)
	}
	alone, err := r.serve(fmt.Sprintf(file, "{backend: memory}"))
	if err != nil {
		return err
	}
	l := newLoad(alone)
	f.embedded, err = l.measured(r.o.Phase, []*process{alone}, nil, mix(l))
	alone.stop()
	if err != nil {
		return err
	}
	redis, err := r.redis(program)
	if err != nil {
		return err
	}
	defer redis.stop()
	var running []*process
	defer func() {
		for _, p := range running {
			p.stop()
		}
	}()
	for n := 1; n <= 3; n++ {
		p, err := r.serve(fmt.Sprintf(file, fmt.Sprintf("{backend: redis, url: 'redis://127.0.0.1:%d/0'}", redis.port)))
		if err != nil {
			return err
		}
		running = append(running, p)
		l := newLoad(running...)
		c, err := l.measured(r.o.Phase, running, redis, mix(l))
		if err != nil {
			return err
		}
		f.servers = append(f.servers, serversPoint{servers: n, cost: c})
	}
	return nil
}

// predict is the rate that the model says: the cores that the run of one server kept
// busy, over what a call costs in all. now gives only what the caller itself cost, which
// is no part of the model.
func predict(one, now cost) float64 {
	busy := one.perSecond * (one.server + one.redis + one.client)
	return busy / (one.server + one.redis + now.client)
}
