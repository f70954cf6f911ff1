package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// world is everything that runs.
type world struct {
	options options
	root    string // of the module
	dir     string
	peer    *peer
	redis   *redisServer // nil: no site on Redis
	sites   []*site
}

// soak runs for as long as o says, and returns what it came to. The error is one of the
// set-up: what goes wrong with the servers stands in the report.
func soak(ctx context.Context, o options, stderr io.Writer) (_ *report, err error) {
	w := &world{options: o}
	if err := w.open(stderr); err != nil {
		return nil, errors.Join(err, w.close())
	}
	defer func() { err = errors.Join(err, w.close()) }()
	for _, s := range w.sites {
		if err := s.start(ctx); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(stderr, "soak: %v, %d sites, %d clients each, seed %d\n", o.duration, len(w.sites), o.clients, o.seed)
	ctx, cancel := context.WithTimeout(ctx, o.duration)
	defer cancel()
	w.run(ctx)
	for _, s := range w.sites {
		s.finish()
	}
	return reported(o.seed, w.sites), nil
}

// open makes the folder, the peer and the sites.
func (w *world) open(stderr io.Writer) (err error) {
	if w.root, err = moduleRoot(); err != nil {
		return err
	}
	if w.options.ingot, err = filepath.Abs(w.options.ingot); err != nil {
		return err
	}
	if _, err := os.Stat(w.options.ingot); err != nil {
		return fmt.Errorf("%w: make build makes it", err)
	}
	if w.dir, err = os.MkdirTemp("", "ingot-soak-"); err != nil {
		return err
	}
	if w.peer, err = newPeer(); err != nil {
		return err
	}
	s, err := newSite(w, "file", "{backend: file, path: data}")
	if err != nil {
		return err
	}
	w.sites = append(w.sites, s)
	program, err := exec.LookPath(w.options.redis)
	if w.options.redis == "" || err != nil {
		fmt.Fprintln(stderr, "soak: there is no redis-server, so no site has its state in Redis")
		return nil
	}
	if w.redis, err = newRedis(program, filepath.Join(w.dir, "redis-data")); err != nil {
		return err
	}
	if s, err = newSite(w, "redis", fmt.Sprintf("{backend: redis, url: %q}", w.redis.url())); err != nil {
		return err
	}
	w.sites = append(w.sites, s)
	return nil
}

// moduleRoot is the folder with go.mod, here or above.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("this is not within the module")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// close ends what may still run, and removes the folder.
func (w *world) close() error {
	var errs []error
	for _, s := range w.sites {
		errs = append(errs, s.end())
	}
	if w.redis != nil {
		errs = append(errs, w.redis.stop())
	}
	if w.peer != nil {
		w.peer.close()
	}
	if w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}

// run lets the clients call and things happen until ctx ends.
func (w *world) run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { w.peer.trouble(ctx, w.random(0, 0)) })
	for i, s := range w.sites {
		for id := range w.options.clients {
			transport := &http.Transport{}
			c := &client{site: s, id: id, random: w.random(i+1, id+1), http: &http.Client{Transport: transport}}
			running.Go(func() {
				defer transport.CloseIdleConnections()
				c.load(ctx)
			})
		}
		running.Go(func() { s.trouble(ctx, w.random(i+1, 0)) })
	}
	running.Wait()
}

// random is the chance of one of those who act.
func (w *world) random(site, who int) *rand.Rand {
	return rand.New(rand.NewPCG(w.options.seed, uint64(site)<<32|uint64(who)))
}

// pause waits for a time between 50 ms and a second; it says false when ctx ended.
func pause(ctx context.Context, random *rand.Rand) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(50*time.Millisecond + time.Duration(random.Int64N(int64(950*time.Millisecond)))):
		return ctx.Err() == nil
	}
}

// trouble does to a site what may happen to it, one thing after the other.
func (s *site) trouble(ctx context.Context, random *rand.Rand) {
	for pause(ctx, random) {
		var err error
		switch n := random.IntN(10); {
		case n < 4:
			err = s.edit(ctx)
		case n < 6:
			err = s.spoil(ctx)
		case n < 7 && s.world.redis != nil && s.name == "redis":
			err = s.killBackend(ctx, random)
		case n < 8:
			err = s.restart(ctx, syscall.SIGKILL, "killed")
		case n < 9:
			err = s.restart(ctx, syscall.SIGTERM, "stopped")
		default:
			err = s.rest()
		}
		if err != nil && ctx.Err() == nil {
			s.tally.fault("%v", err)
			return
		}
	}
}

// edit changes the file, and waits until that is what answers.
func (s *site) edit(ctx context.Context) error {
	n := s.edited.Add(1)
	if err := s.writeFile(s.file(n)); err != nil {
		return err
	}
	s.tally.event("edited")
	return s.reload(ctx, fmt.Sprintf("edit %d", n), func() bool { return s.number(ctx) == n }, func() { s.applied.Store(n) })
}

// spoil changes the file into one that cannot be served, waits until the server says so,
// and mends it.
func (s *site) spoil(ctx context.Context) error {
	s.broken++
	word := fmt.Sprintf("nonsense%d", s.broken)
	if err := s.writeFile(s.file(s.edited.Load()) + word + ": 1\n"); err != nil {
		return err
	}
	s.tally.event("edited badly")
	err := s.reload(ctx, word, func() bool { return s.log.contains(word) }, func() {})
	return errors.Join(err, s.writeFile(s.file(s.edited.Load())))
}

// reload has the server read its file until done.
func (s *site) reload(ctx context.Context, what string, done func() bool, then func()) error {
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	for late := time.Now().Add(readyWithin); !done(); {
		if ctx.Err() != nil {
			return nil
		}
		if time.Now().After(late) {
			return fmt.Errorf("%s did not show: %s", what, s.log)
		}
		time.Sleep(5 * time.Millisecond)
	}
	then()
	return nil
}

// restart ends the process and starts another, which has to know all that the one
// before has acknowledged.
func (s *site) restart(ctx context.Context, with syscall.Signal, event string) error {
	if with == syscall.SIGTERM { // who is killed has no chance to be looked at
		if err := s.rest(); err != nil {
			return err
		}
	}
	if err := s.stop(with); err != nil {
		return err
	}
	s.tally.event(event)
	if err := s.start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return s.audit()
}

// finish looks at a site once more when nobody calls any longer, and ends it.
func (s *site) finish() {
	for _, err := range []error{s.rest(), s.audit(), s.stop(syscall.SIGTERM)} {
		if err != nil {
			s.tally.fault("%v", err)
		}
	}
	s.leftovers()
}
