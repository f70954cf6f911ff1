package redis

import (
	"cmp"
	"context"
	_ "embed" // the scripts
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/ingot-run/ingot/state"
	"github.com/redis/rueidis"
)

//go:embed budget.lua
var budgetSource string

var budgetScript = newScript(budgetSource)

// usage is what this process knows of the bytes that are charged. A script sees its
// own bucket only; so each is told what the others were charged as far as is known:
// from the answers to this process's own writes, and from a look every second.
type usage struct {
	// set is whether there is a namespace with a budget, which is rare.
	set atomic.Bool

	mu      sync.Mutex
	used    map[int]int64           // of each bucket
	budgets map[string]*knownBudget // by prefix
}

type knownBudget struct {
	max  int64
	used map[int]int64 // of each bucket
}

func (u *usage) init() {
	u.used, u.budgets = map[int]int64{}, map[string]*knownBudget{}
}

// note keeps what the bucket is charged after a write.
func (u *usage) note(b *bucket, used int64) {
	u.mu.Lock()
	u.used[b.number] = used
	u.mu.Unlock()
}

// hints appends what the script has to know of budgets: how many there are, and for
// each its prefix, what the other buckets are charged, and the limit of the store.
func (u *usage) hints(args []string, b *bucket, bytesMax int64) []string {
	if bytesMax == 0 && !u.set.Load() {
		return append(args, "0")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	at := len(args)
	count := 0
	args = append(args, "")
	if bytesMax > 0 {
		args = append(args, "", strconv.FormatInt(elsewhere(u.used, b), 10), strconv.FormatInt(bytesMax, 10))
		count++
	}
	for prefix, known := range u.budgets {
		args = append(args, prefix, strconv.FormatInt(elsewhere(known.used, b), 10), "")
		count++
	}
	args[at] = strconv.Itoa(count)
	return args
}

// elsewhere is the sum over the other buckets.
func elsewhere(used map[int]int64, b *bucket) (sum int64) {
	for number, n := range used {
		if number != b.number {
			sum += n
		}
	}
	return sum
}

// SetBudget implements state.Budgeter: it gives a prefix a byte budget, or takes it
// away (0), for all processes. It costs a walk over the keys of the prefix, unless
// that is its budget already. In a cluster a budget holds for all buckets together
// as each process knows them, so that several may exceed it by what they write in a
// second.
func (m *Manager) SetBudget(prefix string, bytesMax int64) error {
	if prefix == "" || len(prefix) > state.KeyBytesMax || bytesMax < 0 || bytesMax > 1<<52 {
		return optionsError("a budget of %d bytes for the prefix %.80q", bytesMax, prefix)
	}
	ctx, cancel := context.WithTimeout(m.ctx, 10*m.o.Timeout)
	defer cancel()
	if m.closed.Load() {
		return state.ErrClosed
	}
	if err := m.readBudgets(ctx); err != nil {
		return err
	}
	if _, now := m.Budget(prefix); now == bytesMax {
		return nil
	}
	if err := each(m.buckets, func(b *bucket) error { return m.setBudget(ctx, b, prefix, bytesMax) }); err != nil {
		return err
	}
	return m.readBudgets(ctx)
}

// setBudget counts what the prefix is charged in a bucket and writes it down, again
// when somebody wrote meanwhile. After some tries it takes what it counted.
func (m *Manager) setBudget(ctx context.Context, b *bucket, prefix string, bytesMax int64) error {
	const tries = 10
	for try := range tries {
		var version string
		err := m.attempt(ctx, b, false, func() (err error) {
			version, err = m.client.Do(ctx, m.client.B().Hget().Key(b.meta).Field("v").Build()).ToString()
			return err
		})
		if err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
		used := int64(0)
		if bytesMax > 0 {
			if used, err = m.charged(ctx, b, prefix); err != nil {
				return err
			}
		}
		if try == tries-1 || bytesMax == 0 {
			version = "any"
		}
		args := []string{prefix, strconv.FormatInt(bytesMax, 10), strconv.FormatInt(used, 10), version}
		reply, err := m.run(ctx, budgetScript, b, []string{b.meta}, args)
		if err != nil || reply[0] == "ok" {
			return err
		}
	}
	return nil
}

// charged counts what the entries under a prefix of a bucket are charged.
func (m *Manager) charged(ctx context.Context, b *bucket, prefix string) (sum int64, err error) {
	after := ""
	for {
		keys, err := m.index(ctx, b, prefix, after, manyMax)
		if err != nil || len(keys) == 0 {
			return sum, err
		}
		after = keys[len(keys)-1]
		found, err := m.entries(ctx, nil, keys, false)
		if err != nil {
			return 0, err
		}
		for i := range found {
			sum += int64(len(found[i].Key) + found[i].Size + entryCharge)
		}
	}
}

// Budget implements state.Budgeter, as this process last heard of it.
func (m *Manager) Budget(prefix string) (used, bytesMax int64) {
	u := &m.usage
	if u.set.Load() && m.readBudgets(m.ctx) != nil {
		return 0, 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	known := u.budgets[prefix]
	if known == nil {
		return 0, 0
	}
	for _, n := range known.used {
		used += n
	}
	return used, known.max
}

// readBudgets reads the charges of all buckets, and the budgets.
func (m *Manager) readBudgets(ctx context.Context) error {
	type reading struct {
		used    int64
		budgets []string
	}
	readings := make([]reading, len(m.buckets))
	err := each(m.buckets, func(b *bucket) error {
		reply, err := m.readBudget(ctx, b)
		if err != nil {
			return err
		}
		r := &readings[b.number]
		r.used, _ = strconv.ParseInt(reply[0], 10, 64)
		r.budgets = reply[1:]
		return nil
	})
	if err != nil {
		return err
	}
	used, budgets := map[int]int64{}, map[string]*knownBudget{}
	for number, r := range readings {
		used[number] = r.used
		for at := 0; at+2 < len(r.budgets); at += 3 {
			known := budgets[r.budgets[at]]
			if known == nil {
				known = &knownBudget{used: map[int]int64{}}
				budgets[r.budgets[at]] = known
			}
			known.max, _ = strconv.ParseInt(r.budgets[at+1], 10, 64)
			known.used[number], _ = strconv.ParseInt(r.budgets[at+2], 10, 64)
		}
	}
	u := &m.usage
	u.mu.Lock()
	u.used, u.budgets = used, budgets
	u.mu.Unlock()
	u.set.Store(len(budgets) > 0)
	return nil
}

// readBudget asks a bucket for its charge and its budgets.
func (m *Manager) readBudget(ctx context.Context, b *bucket) (reply []string, err error) {
	err = m.attempt(ctx, b, false, func() (err error) {
		reply, _, err = m.send(ctx, budgetScript, []string{b.meta}, nil)
		return err
	})
	if err == nil && len(reply) == 0 {
		err = fmt.Errorf("%w: %s: a script answers nothing", state.ErrForeign, m.target.shown)
	}
	return reply, err
}

// Stats implements state.Manager. Watchers are those of this process.
func (m *Manager) Stats(ctx context.Context) (state.Stats, error) {
	out := state.Stats{Backend: Backend, BytesMax: m.o.BytesMax, Watchers: m.hub.count()}
	if m.closed.Load() {
		return state.Stats{}, state.ErrClosed
	}
	var mu sync.Mutex
	err := each(m.buckets, func(b *bucket) error {
		return m.attempt(ctx, b, false, func() error {
			both := m.client.DoMulti(ctx,
				m.client.B().Zcard().Key(b.index).Build(),
				m.client.B().Hmget().Key(b.meta).Field("v", "u").Build())
			keys, err1 := both[0].AsInt64()
			meta, err2 := both[1].AsStrSlice()
			if err := cmp.Or(err1, err2); err != nil {
				return err
			}
			version, _ := strconv.ParseUint(meta[0], 10, 64)
			used, _ := strconv.ParseInt(meta[1], 10, 64)
			mu.Lock()
			defer mu.Unlock()
			out.Keys += keys
			out.Bytes += used
			out.Version = max(out.Version, version)
			return nil
		})
	})
	if err != nil {
		return state.Stats{}, err
	}
	return out, nil
}
