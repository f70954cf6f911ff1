package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"
)

// The WASI functions themselves are wazero's. What they reach is decided here:
// nothing is configured that is not listed below, and wazero's defaults for the
// rest are empty (no arguments, no environment, no file descriptors beyond
// 0 to 2, stdin at its end).

// moduleConfig is the configuration of one instance. An instance outlives its
// calls: what must be fresh in each call is reached through i.call.
func (p *Policy) moduleConfig(i *instance) wazero.ModuleConfig {
	return i.withMounts(p.withClock(i, p.withEnv(wazero.NewModuleConfig()))).
		WithName("").         // anonymous, so that any number can live side by side
		WithStartFunctions(). // newInstance runs _initialize itself
		WithStdin(guestStdin{i}).
		WithStdout(guestStdout{i}).
		WithStderr(guestStderr{i}).
		WithRandSource(guestRandomBytes{i})
}

// withEnv sets the environment, in the order of names.
func (p *Policy) withEnv(c wazero.ModuleConfig) wazero.ModuleConfig {
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		c = c.WithEnv(name, p.Env[name])
	}
	return c
}

// withClock sets the clocks and the sleep.
func (p *Policy) withClock(i *instance, c wazero.ModuleConfig) wazero.ModuleConfig {
	if p.Clock == ClockReal {
		// One origin for all instances, since they start from one snapshot: the
		// clock must not go back behind what _initialize saw.
		start := i.owner.loaded
		return c.WithSysWalltime().
			WithNanotime(func() int64 { return int64(time.Since(start)) }, sys.ClockResolution(1)).
			WithNanosleep(func(nanos int64) { sleep(i.call.ctx, time.Duration(nanos)) })
	}
	v := &i.clock
	return c.WithWalltime(v.walltime, sys.ClockResolution(time.Microsecond)).
		WithNanotime(v.nanotime, sys.ClockResolution(time.Microsecond)).
		WithNanosleep(v.sleep)
}

// sleep waits for d. At the end of ctx it ends the guest, in the way wazero's
// own check does. (wazero's WithSysNanosleep ignores the context, and a sleeping
// guest would outlive its deadline.)
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		panic(sys.NewExitError(sys.ExitCodeDeadlineExceeded))
	}
}

// virtualClock is the time of [ClockVirtual]. An instance runs on one goroutine
// at a time, so it needs no lock.
type virtualClock struct{ nanos int64 }

// nanotime is a reading: it moves the clock, so that a guest that waits for
// time to pass gets on.
func (v *virtualClock) nanotime() int64 {
	v.nanos += int64(time.Microsecond)
	return v.nanos
}

func (v *virtualClock) walltime() (int64, int32) {
	n := v.nanotime()
	return n / int64(time.Second), int32(n % int64(time.Second))
}

// sleep adds to the clock what the guest wanted to wait; it stays below the
// largest time so that a guest cannot turn it back by overflow.
func (v *virtualClock) sleep(nanos int64) {
	const ceiling = 1 << 62
	if nanos > 0 {
		v.nanos = min(v.nanos+min(nanos, ceiling), ceiling)
	}
}

// guestRandomBytes is what random_get reads. A guest may ask for all its memory at
// once: between pieces the host looks at the deadline.
type guestRandomBytes struct{ instance *instance }

// Read implements io.Reader.
func (r guestRandomBytes) Read(p []byte) (int, error) {
	const piece = 256 << 10
	for n := 0; n < len(p); n += piece {
		r.instance.call.stopIfOver()
		if _, err := r.instance.random.Read(p[n:min(n+piece, len(p))]); err != nil {
			return n, err
		}
	}
	return len(p), nil
}

// guestRandom is a guest's random source. It is copied into a snapshot and back,
// so that each call draws the same numbers from a seed.
type guestRandom struct {
	seeded bool
	source mathrand.ChaCha8
}

// random is the random source of a new instance.
func (p *Policy) random() guestRandom {
	if p.RandomSeed == nil {
		return guestRandom{}
	}
	return guestRandom{true, *mathrand.NewChaCha8(sha256.Sum256(p.RandomSeed))}
}

// Read implements io.Reader.
func (r *guestRandom) Read(p []byte) (int, error) {
	if !r.seeded {
		return rand.Read(p)
	}
	return r.source.Read(p)
}
