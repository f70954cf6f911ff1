package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/forge/fault"
	"github.com/ingot-run/ingot/mcp"
)

// random runs a test for many seeds, each with a clock of its own; INGOT_TEST_SEED
// chooses one.
func random(t *testing.T, do func(t *testing.T, r *rand.Rand)) {
	first, count := uint64(1), uint64(40)
	if text := os.Getenv("INGOT_TEST_SEED"); text != "" {
		var err error
		first, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "INGOT_TEST_SEED")
		count = 1
	}
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprintf("INGOT_TEST_SEED=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { do(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

// inFlight is a call that runs until the test says what comes of it.
type inFlight struct {
	key     string
	entered bool // the tool has it
	over    bool
	givenUp bool
	release chan error
	cancel  context.CancelFunc
	result  *mcp.CallResult
	err     error
	began   time.Time
	turn    int // of the model of a breaker
}

// stage is a handler under test, and the calls of it.
type stage struct {
	t     *testing.T
	h     mcp.Handler
	calls []*inFlight
	// order has what a call writes after a timer has woken it come after what the test
	// read before it slept, which the race detector does not know of the clock.
	order sync.Mutex
}

// pass is a point in the order of a test and its calls.
func (s *stage) pass() {
	s.order.Lock()
	defer s.order.Unlock()
}

// sleep lets time pass, and returns when nothing moves any more.
func (s *stage) sleep(d time.Duration) {
	s.pass()
	time.Sleep(d)
	synctest.Wait()
}

// stageKey is where the handler finds its call.
type stageKey struct{}

func newStage(t *testing.T, chain ...config.Middleware) *stage {
	s := &stage{t: t}
	s.h = wrap(t, func(ctx context.Context, r *mcp.CallRequest) (*mcp.CallResult, error) {
		c := ctx.Value(stageKey{}).(*inFlight)
		s.pass()
		c.entered = true
		select {
		case err := <-c.release:
			return mcp.TextResult("of " + c.key), err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, own(chain...), shared())
	return s
}

// begin begins a call, and returns when nothing moves any more.
func (s *stage) begin(key string) *inFlight {
	c := &inFlight{key: key, release: make(chan error), began: time.Now()}
	ctx, cancel := context.WithCancel(context.WithValue(s.t.Context(), stageKey{}, c))
	c.cancel = cancel
	s.calls = append(s.calls, c)
	go func() {
		result, err := s.h(ctx, &mcp.CallRequest{Name: "t", Arguments: fmt.Appendf(nil, `{"key":%q}`, key)})
		s.pass()
		c.result, c.err, c.over = result, err, true
		cancel()
	}()
	synctest.Wait()
	return c
}

// end ends a call that the tool has.
func (s *stage) end(c *inFlight, err error) {
	c.release <- err
	synctest.Wait()
}

// some is one of the calls for which holds is true, or nil.
func (s *stage) some(r *rand.Rand, holds func(*inFlight) bool) *inFlight {
	var all []*inFlight
	for _, c := range s.calls {
		if holds(c) {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[r.IntN(len(all))]
}

func running(c *inFlight) bool { return c.entered && !c.over }
func waiting(c *inFlight) bool { return !c.entered && !c.over }

// close ends what still runs.
func (s *stage) close() {
	for _, c := range s.calls {
		c.cancel()
	}
	synctest.Wait()
	for _, c := range s.calls {
		require.True(s.t, c.over, "a call that never ends")
	}
}

// breakerModel is a breaker as the second founding document draws it.
type breakerModel struct {
	config.CircuitBreaker
	open, half                       bool
	failures, successes, tried, turn int
	since                            time.Time
}

func (m *breakerModel) become(open, half bool) {
	m.open, m.half, m.failures, m.successes, m.tried, m.since = open, half, 0, 0, 0, time.Now()
	m.turn++
}

func (m *breakerModel) lets() bool {
	if m.open && time.Since(m.since) >= m.OpenTime {
		m.become(false, true)
	}
	if m.open || m.half && m.tried == m.ProbesMax {
		return false
	}
	if m.half {
		m.tried++
	}
	return true
}

func (m *breakerModel) learns(turn int, good, bad bool) {
	if turn != m.turn {
		return // what began in another state says nothing of this one
	}
	if m.half {
		m.tried--
	}
	switch {
	case good && m.half:
		if m.successes++; m.successes == m.Successes {
			m.become(false, false)
		}
	case good:
		m.failures = 0
	case bad:
		if m.failures++; m.half || m.failures == m.FailuresMax {
			m.become(true, false)
		}
	}
}

// TestBreakerModel holds the breaker against its model, in random orders of calls,
// ends and time.
func TestBreakerModel(t *testing.T) {
	random(t, func(t *testing.T, r *rand.Rand) {
		c := config.CircuitBreaker{FailuresMax: 1 + r.IntN(4), OpenTime: time.Minute, Successes: 1 + r.IntN(3), ProbesMax: 1 + r.IntN(3)}
		model, s := &breakerModel{CircuitBreaker: c}, newStage(t, breakerOf(c))
		defer s.close()
		for step := range 400 {
			what := fmt.Sprintf("step %d of %+v", step, model)
			switch x := s.some(r, running); {
			case r.IntN(4) == 0:
				s.sleep(time.Duration(r.IntN(40)) * time.Second)
			case x == nil || len(s.calls) < 8 && r.IntN(2) == 0 || r.IntN(3) == 0:
				want := model.lets()
				begun := s.begin("")
				begun.turn = model.turn
				require.Equal(t, want, begun.entered, what)
				if !want {
					require.ErrorContains(t, begun.err, "left alone", what)
					require.Equal(t, fault.Unavailable, fault.ClassOf(begun.err))
				}
			default:
				switch r.IntN(8) {
				case 0, 1, 2:
					s.end(x, nil)
					model.learns(x.turn, true, false)
				case 3, 4, 5:
					s.end(x, down)
					model.learns(x.turn, false, true)
				case 6:
					s.end(x, fault.New(fault.InvalidInput, "the caller's"))
					model.learns(x.turn, false, false)
				case 7:
					x.cancel()
					synctest.Wait()
					model.learns(x.turn, false, false)
				}
			}
		}
	})
}

// TestRateLimitModel holds the limit against a bucket that is filled drop by drop.
func TestRateLimitModel(t *testing.T) {
	random(t, func(t *testing.T, r *rand.Rand) {
		c := config.RateLimit{Requests: 1 + r.IntN(10), Burst: 1 + r.IntN(20), By: "tool"}
		drop := time.Duration(1+r.IntN(1000)) * time.Millisecond // in which a token comes
		c.Per = drop * time.Duration(c.Requests)
		h := wrap(t, ok, own(limitOf(c)), shared())
		bucket, last := drop*time.Duration(c.Burst), time.Now()
		for step := range 1000 {
			if r.IntN(3) == 0 {
				time.Sleep(time.Duration(r.Int64N(int64(3 * drop))))
			}
			bucket, last = min(bucket+time.Since(last), drop*time.Duration(c.Burst)), time.Now()
			_, err := call(h, `{}`)
			if bucket >= drop {
				require.NoError(t, err, "step %d of %+v, %v in the bucket", step, c, bucket)
				bucket -= drop
				continue
			}
			require.Equal(t, drop-bucket, fault.RetryAfter(err), "step %d of %+v, %v in the bucket", step, c, bucket)
		}
	})
}

// TestBulkheadModel holds the bulkhead against a queue: the first to come is the first
// to get a place, and who is refused finds all places and the whole queue taken.
func TestBulkheadModel(t *testing.T) {
	random(t, func(t *testing.T, r *rand.Rand) {
		c := config.Bulkhead{ConcurrencyMax: 1 + r.IntN(3), QueueMax: r.IntN(4), QueueTime: time.Minute}
		s := newStage(t, config.Middleware{Type: config.MiddlewareBulkhead, Bulkhead: &c})
		defer s.close()
		var queue []*inFlight // who should wait
		places := c.ConcurrencyMax
		check := func(what string) {
			for len(queue) > 0 && places > 0 {
				require.True(t, queue[0].entered, "%s: the first of the queue has no place", what)
				queue, places = queue[1:], places-1
			}
			for _, q := range queue {
				require.True(t, waiting(q), "%s: one of the queue is not in it any more: %v", what, q.err)
			}
		}
		for step := range 300 {
			what := fmt.Sprintf("step %d of %+v", step, c)
			switch {
			case r.IntN(8) == 0:
				s.sleep(time.Duration(r.IntN(30)) * time.Second)
				queue = slices.DeleteFunc(queue, func(q *inFlight) bool {
					late := time.Since(q.began) >= c.QueueTime
					require.True(t, !late || q.over, "%s: a call waited for ever", what)
					return late
				})
			case r.IntN(2) == 0:
				full := places == 0 && len(queue) == c.QueueMax
				begun := s.begin("")
				require.Equal(t, full, begun.over, what)
				if !full {
					queue = append(queue, begun)
				}
			case r.IntN(4) == 0:
				if x := s.some(r, waiting); x != nil {
					x.cancel()
					synctest.Wait()
					require.Equal(t, fault.Canceled, fault.ClassOf(x.err), what)
					queue = slices.DeleteFunc(queue, func(q *inFlight) bool { return q == x })
				}
			default:
				if x := s.some(r, running); x != nil {
					s.end(x, []error{nil, down}[r.IntN(2)])
					places++
				}
			}
			check(what)
		}
	})
}

// TestCacheModel: whatever calls come and go, one of each key runs at a time, all that
// wait for it get its answer, and none is answered with what is older than its time.
func TestCacheModel(t *testing.T) {
	random(t, func(t *testing.T, r *rand.Rand) {
		s := newStage(t, cacheOf(config.Cache{TTL: time.Minute, EntriesMax: 2, BytesMax: 1 << 20}))
		defer s.close()
		kept := map[string]time.Time{} // since when an answer may be known
		for step := range 300 {
			what := fmt.Sprintf("step %d", step)
			switch x := s.some(r, running); {
			case r.IntN(6) == 0:
				s.sleep(time.Duration(r.IntN(40)) * time.Second)
			case x == nil || r.IntN(2) == 0:
				key := string(rune('a' + r.IntN(4)))
				begun := s.begin(key)
				if begun.over {
					require.NoError(t, begun.err, what)
					require.Less(t, time.Since(kept[key]), time.Minute, "%s: an old answer", what)
				}
			default:
				err := []error{nil, nil, down, mcp.ErrInputRequired, context.Canceled}[r.IntN(5)]
				if errors.Is(err, context.Canceled) {
					x.givenUp = true
					x.cancel()
					synctest.Wait()
				} else {
					s.end(x, err)
				}
				if err == nil {
					kept[x.key] = time.Now()
				}
				shared := err == nil || errors.Is(err, down)
				for _, c := range s.calls {
					require.False(t, shared && c.key == x.key && waiting(c), "%s: one still waits for what has come", what)
				}
			}
			byKey := map[string]int{}
			for _, c := range s.calls {
				if running(c) {
					byKey[c.key]++
				}
				require.False(t, !c.givenUp && fault.ClassOf(c.err) == fault.Canceled, "%s: one was ended by the end of another", what)
				require.False(t, c.over && c.err == nil && c.result.Content[0].Text != "of "+c.key, "%s: the answer of another key", what)
			}
			for key, n := range byKey {
				require.Equal(t, 1, n, "%s: calls of %s at once", what, key)
			}
		}
	})
}

// TestRetryModel: how often a tool is called, and when, is what the policy says.
func TestRetryModel(t *testing.T) {
	random(t, func(t *testing.T, r *rand.Rand) {
		c := config.Retry{MaxAttempts: 1 + r.IntN(6), Initial: time.Duration(1+r.IntN(500)) * time.Millisecond, Multiplier: 1 + float64(r.IntN(30))/10, On: []string{"unavailable"}}
		c.Max = c.Initial * time.Duration(1+r.IntN(8))
		for range 20 {
			failures, asks := r.IntN(8), time.Duration(r.Int64N(int64(c.Max+c.Max/2)))
			var at []time.Duration
			begin := time.Now()
			h := wrap(t, func(context.Context, *mcp.CallRequest) (*mcp.CallResult, error) {
				if at = append(at, time.Since(begin)); len(at) > failures {
					return mcp.TextResult("ok"), nil
				}
				err := fault.New(fault.Unavailable, "no")
				err.RetryAfter = asks
				return nil, err
			}, own(retryOf(c)), shared())
			_, err := call(h, `{}`)
			want, pause := []time.Duration{0}, float64(c.Initial)
			for len(want) < min(c.MaxAttempts, failures+1) && asks <= c.Max {
				want = append(want, want[len(want)-1]+min(max(time.Duration(pause), asks), c.Max))
				pause *= c.Multiplier
			}
			require.InDeltaSlice(t, want, at, float64(time.Microsecond), "%+v, %d failures, asked for %v", c, failures, asks)
			require.Equal(t, len(at) > failures, err == nil)
		}
	})
}

// TestDeadlinesNest: of timeouts inside of one another the shortest ends a call, the
// one that ended it says so, and once.
func TestDeadlinesNest(t *testing.T) {
	random(t, func(t *testing.T, r *rand.Rand) {
		var chain []config.Middleware
		shortest := time.Duration(1 << 62)
		for range 1 + r.IntN(5) {
			limit := time.Duration(1+r.IntN(60)) * time.Second
			chain = append(chain, config.Middleware{Type: config.MiddlewareTimeout, Timeout: limit})
			shortest = min(shortest, limit)
		}
		s := shared()
		begin := time.Now()
		h := wrap(t, func(ctx context.Context, _ *mcp.CallRequest) (*mcp.CallResult, error) {
			end, ok := ctx.Deadline()
			require.True(t, ok)
			require.Equal(t, shortest, end.Sub(begin))
			<-ctx.Done()
			return nil, ctx.Err()
		}, own(chain...), s)
		_, err := call(h, `{}`)
		require.EqualError(t, err, fmt.Sprintf("t took longer than %v", shortest))
		require.Equal(t, fault.Timeout, fault.ClassOf(err))
		require.Equal(t, shortest, time.Since(begin))
		expired := int64(0)
		for _, state := range s.State() {
			expired += state.Counts["expired"]
		}
		require.EqualValues(t, 1, expired)
	})
}
