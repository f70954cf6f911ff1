package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/state"
)

// Bounds of a migration.
const (
	endSlack   = 5 * time.Second // by which two stores may end the same entry apart
	linesOf    = 10              // lines that tell of a migration where there is no terminal
	differsMax = 5               // keys that differ which an error names
)

// stateMigrateCommand is "ingot state migrate".
type stateMigrateCommand struct {
	From string `arg:"" help:"Where the state is: a directory, file:DIR, redis://HOST, or env:NAME."`
	To   string `arg:"" help:"Where it is to be, likewise."`
	command.KeyFlag
	Merge  bool `help:"Store into a state that has entries already. Those of the same keys are replaced."`
	DryRun bool `help:"Say what would be done, and write nothing."`
	Batch  int  `default:"500" placeholder:"N" help:"Entries between two checkpoints. (${default})"`
	JSON   bool `name:"json" help:"Answer in JSON."`
}

// Help ends the command's help.
func (*stateMigrateCommand) Help() string {
	return `Copies all entries, with the times that they have left, those that a server keeps for itself included (tasks, handles), and then compares both states: every value, and how many there are. Nobody should write to either one meanwhile. Versions are the new state's own: a client's if_version of before does not hold there.

The target has to be empty. A migration that was killed, at whatever moment, goes on where it was when it is run again: the target knows how far it is. Directories must not be served meanwhile; --key-file is for both.

A URL with a password does not belong on a command line, which everybody on the machine sees: put it into an environment variable, and name that as env:NAME.

Examples:

  ingot state migrate file:./data redis://127.0.0.1:6379
  ingot state migrate ./data env:INGOT_REDIS --dry-run
  ingot state migrate redis+cluster://10.0.0.1,10.0.0.2 file:./copy`
}

// Validate is kong's hook.
func (c *stateMigrateCommand) Validate() error {
	if c.Batch < 1 || c.Batch > pageKeys {
		return fmt.Errorf("--batch is from 1 to %d", pageKeys)
	}
	return nil
}

// migrated is what migrate answers in JSON.
type migrated struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Entries int64  `json:"entries"` // that are there now, in both
	Bytes   int64  `json:"bytes"`   // of their keys and values
	Hash    string `json:"sha256,omitempty"`
	Copied  int64  `json:"copied"`  // by this run
	Resumed bool   `json:"resumed"` // an earlier one had begun
	Expired int64  `json:"expired"` // left out by this run
	DryRun  bool   `json:"dry_run,omitempty"`
}

// Run copies and compares.
func (c *stateMigrateCommand) Run(ctx context.Context, out streams) (err error) {
	from, err := placeOf(c.From)
	if err != nil {
		return err
	}
	to, err := placeOf(c.To)
	if err != nil {
		return err
	}
	if from == to {
		return command.Usage("both are " + from.String() + ": there is nothing to migrate")
	}
	m := &migration{batch: c.Batch, merge: c.Merge, done: migrated{From: from.String(), To: to.String(), DryRun: c.DryRun}, live: command.NewLive(out.stderr)}
	defer m.live.Clear()
	if found, err := from.there(); err != nil || !found {
		return errors.Join(err, fmt.Errorf("there is no state in %s", from))
	}
	log := func(text string) { m.live.Line(text) }
	if m.from, err = from.open(ctx, &c.KeyFlag, log); err != nil {
		return fmt.Errorf("opening %s: %w", from, err)
	}
	defer func() { err = errors.Join(err, m.from.close()) }()
	if found, there := to.there(); there == nil && !found && c.DryRun {
		return c.tell(out, m, m.plan(ctx, false)) // without making it
	}
	if m.to, err = to.open(ctx, &c.KeyFlag, log); err != nil {
		return fmt.Errorf("opening %s: %w", to, err)
	}
	defer func() { err = errors.Join(err, m.to.close()) }()
	if c.DryRun {
		return c.tell(out, m, m.plan(ctx, true))
	}
	return c.tell(out, m, m.run(ctx))
}

// tell says how it ended.
func (c *stateMigrateCommand) tell(out streams, m *migration, err error) error {
	m.live.Clear()
	switch {
	case err != nil:
		return err
	case c.JSON:
		return writeLine(out.stdout, m.done)
	}
	d := &m.done
	var text strings.Builder
	if d.DryRun {
		fmt.Fprintf(&text, "%d entries of %s would be copied to %s", d.Entries, d.From, d.To)
		if d.Resumed {
			fmt.Fprintf(&text, ", of which %d are there", m.mark.Copied)
		}
		text.WriteString(". Nothing was changed.\n")
	} else {
		fmt.Fprintf(&text, "%d entries copied", d.Copied)
		if d.Resumed {
			text.WriteString(", after an earlier run")
		}
		if d.Expired > 0 {
			fmt.Fprintf(&text, ", %d left out, since their time is over", d.Expired)
		}
		fmt.Fprintf(&text, "\n%s and %s are equal: %d entries, %d bytes, sha256 %s\n", d.From, d.To, d.Entries, d.Bytes, d.Hash)
		if m.merge {
			fmt.Fprintf(&text, "What %s held beside them was not compared.\n", d.To)
		}
	}
	_, err = out.stdout.Write([]byte(text.String()))
	return err
}

// mark is how far a migration is, as the target keeps it.
type mark struct {
	ID     string `json:"id"` // of this migration
	From   string `json:"from"`
	Cursor string `json:"cursor"`
	Copied int64  `json:"copied"`
	Whole  bool   `json:"whole"` // all is copied
	Merge  bool   `json:"merge"`
}

// The mark's key, in the part of a state that clients do not reach; its namespace is
// neither copied nor compared.
const (
	migrateSpace = "migrate"
	markKey      = "mark"
)

// migration copies one state to another.
type migration struct {
	from, to *store
	batch    int
	merge    bool
	live     *command.Live
	next     time.Time // when a terminal is told again

	mark  mark
	total int64
	done  migrated
}

// begin reads the mark, or sees that the target is fit to be begun with.
func (m *migration) begin(ctx context.Context) error {
	marks, err := state.System(m.to, migrateSpace)
	if err != nil {
		return err
	}
	e, err := marks.Get(ctx, markKey)
	switch {
	case errors.Is(err, state.ErrNotFound):
		m.mark = mark{From: m.done.From, Merge: m.merge}
		return m.fit(ctx)
	case err != nil:
		return fmt.Errorf("looking how far %s is: %w", m.done.To, err)
	}
	if err := json.Unmarshal(e.Value, &m.mark); err != nil {
		return fmt.Errorf("how far %s is cannot be read: %w", m.done.To, err)
	}
	if m.mark.From != m.done.From {
		return fmt.Errorf("%s holds a part of %s, whose migration was not finished: finish that one, or begin with an empty target", m.done.To, m.mark.From)
	}
	m.merge = m.mark.Merge
	m.done.Resumed = true
	return nil
}

// fit says why a target cannot be begun with.
func (m *migration) fit(ctx context.Context) error {
	if m.merge {
		return nil
	}
	page, err := m.to.List(ctx, state.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	if len(page.Entries) > 0 {
		return fmt.Errorf("%s is not empty: name another one, or add --merge, by which entries of the same keys are replaced", m.done.To)
	}
	return nil
}

// plan fills in what would be done.
func (m *migration) plan(ctx context.Context, target bool) error {
	if target {
		if err := m.begin(ctx); err != nil {
			return err
		}
	}
	var err error
	m.done.Entries, err = count(ctx, m.from)
	return err
}

// count is how many entries a state has, those of migrations apart.
func count(ctx context.Context, m state.Manager) (n int64, err error) {
	err = allPages(ctx, m, "", pageKeys, func(page []state.ListEntry, _ string) error {
		n += int64(len(page))
		return nil
	})
	return n, err
}

// allPages calls f with the keys of a state from a cursor on, a page at a time, and with
// the cursor behind it; those of migrations are left out.
func allPages(ctx context.Context, m state.Manager, cursor string, limit int, f func(page []state.ListEntry, next string) error) error {
	marks, err := state.System(m, migrateSpace)
	if err != nil {
		return err
	}
	for {
		page, err := m.List(ctx, state.ListOptions{Cursor: cursor, Limit: limit})
		if err != nil {
			return err
		}
		kept := page.Entries[:0]
		for _, e := range page.Entries {
			if !strings.HasPrefix(e.Key, marks.Prefix) {
				kept = append(kept, e)
			}
		}
		if err := f(kept, page.Next); err != nil {
			return err
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
}

// run copies what is left to copy, and compares.
func (m *migration) run(ctx context.Context) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	if err := m.claim(ctx); err != nil {
		return err
	}
	stats, err := m.from.Stats(ctx)
	if err != nil {
		return err
	}
	m.total = max(stats.Keys, 1)
	if !m.mark.Whole {
		err := allPages(ctx, m.from, m.mark.Cursor, m.batch, func(page []state.ListEntry, next string) error {
			return m.copy(ctx, page, next)
		})
		if err != nil {
			return fmt.Errorf("%w\n%d entries are in %s: run the same again, and it goes on behind them", err, m.mark.Copied, m.done.To)
		}
	}
	if err := m.compare(ctx); err != nil {
		return err
	}
	marks, err := state.System(m.to, migrateSpace)
	if err == nil {
		_, err = marks.Clear(ctx, "")
	}
	return err
}

// claim stores the mark for the first time, and finds out by it whether both are the
// same state under two names.
func (m *migration) claim(ctx context.Context) error {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], uint64(time.Now().UnixNano()))
	m.mark.ID = hex.EncodeToString(id[:8])
	if err := m.save(ctx); err != nil {
		return err
	}
	marks, err := state.System(m.from, migrateSpace)
	if err != nil {
		return err
	}
	e, err := marks.Get(ctx, markKey)
	var found mark
	if err == nil && json.Unmarshal(e.Value, &found) == nil && found.ID == m.mark.ID {
		_, err := marks.Clear(ctx, "")
		return errors.Join(command.Usage(m.done.From+" and "+m.done.To+" are the same state: there is nothing to migrate"), err)
	}
	if errors.Is(err, state.ErrNotFound) {
		err = nil
	}
	return err
}

// save stores the mark.
func (m *migration) save(ctx context.Context) error {
	marks, err := state.System(m.to, migrateSpace)
	if err != nil {
		return err
	}
	value, err := json.Marshal(m.mark)
	if err != nil {
		return err
	}
	if _, err := marks.Set(ctx, markKey, value, state.SetOptions{}); err != nil {
		return fmt.Errorf("noting how far the migration is: %w", err)
	}
	return nil
}

// copy stores a page of the source, some of it at a time, and then the mark.
func (m *migration) copy(ctx context.Context, page []state.ListEntry, next string) error {
	err := m.read(ctx, page, func(keys []string, entries []state.Entry) error {
		var items []state.Item
		for i, e := range entries {
			var ttl time.Duration
			if e.ExpiresAt != 0 {
				ttl = time.Duration(e.ExpiresAt-m.from.Now()) * time.Millisecond
			}
			if !e.Found() || ttl < 0 || e.ExpiresAt != 0 && ttl == 0 {
				m.done.Expired++
				continue
			}
			items = append(items, state.Item{Key: keys[i], Value: e.Value, TTL: min(ttl, state.TTLMax)})
		}
		if err := m.to.setAll(ctx, items); err != nil {
			return err
		}
		m.done.Copied += int64(len(items))
		m.mark.Copied += int64(len(items))
		return nil
	})
	if err != nil {
		return err
	}
	m.mark.Cursor, m.mark.Whole = next, next == ""
	if err := m.save(ctx); err != nil {
		return err
	}
	m.show("copied", m.mark.Copied)
	return nil
}

// read hands out the entries of a page, as many at a time as fit.
func (m *migration) read(ctx context.Context, page []state.ListEntry, f func(keys []string, entries []state.Entry) error) error {
	for len(page) > 0 {
		var keys []string
		for size := 0; len(keys) < len(page) && (len(keys) == 0 || size+page[len(keys)].Size <= moveBytes); {
			size += page[len(keys)].Size
			keys = append(keys, page[len(keys)].Key)
		}
		entries, err := m.from.GetMany(ctx, keys)
		if err != nil {
			return err
		}
		if err := f(keys, entries); err != nil {
			return err
		}
		page = page[len(keys):]
	}
	return nil
}

// compare reads both states, and fills in what they hold.
func (m *migration) compare(ctx context.Context) error {
	sums := [2]hash.Hash{sha256.New(), sha256.New()}
	var differ []string
	var seen int64
	err := allPages(ctx, m.from, "", m.batch, func(page []state.ListEntry, _ string) error {
		return m.read(ctx, page, func(keys []string, entries []state.Entry) error {
			others, err := m.to.GetMany(ctx, keys)
			if err != nil {
				return err
			}
			for i, e := range entries {
				if m.ending(e) {
					continue
				}
				addTo(sums[0], keys[i], e.Value)
				m.done.Entries++
				m.done.Bytes += int64(len(keys[i]) + len(e.Value))
				if others[i].Found() {
					addTo(sums[1], keys[i], others[i].Value)
				}
				if what := m.difference(e, others[i]); what != "" && len(differ) < differsMax {
					differ = append(differ, fmt.Sprintf("%.80q %s", keys[i], what))
				}
			}
			seen += int64(len(keys))
			m.show("compared", seen)
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("comparing: %w\nAll entries are copied: run the same again to compare", err)
	}
	m.done.Hash = hex.EncodeToString(sums[0].Sum(nil))
	if len(differ) > 0 || m.done.Hash != hex.EncodeToString(sums[1].Sum(nil)) {
		return fmt.Errorf("%s and %s differ: %s. Somebody wrote meanwhile: migrate to an empty target while nobody does", m.done.From, m.done.To, strings.Join(differ, ", "))
	}
	return m.compareCounts(ctx)
}

// ending reports whether an entry is over, or may be before it is compared.
func (m *migration) ending(e state.Entry) bool {
	return !e.Found() || e.ExpiresAt != 0 && e.ExpiresAt-m.from.Now() < endSlack.Milliseconds()
}

// difference says how an entry of the target is not that of the source.
func (m *migration) difference(e, other state.Entry) string {
	left := func(e state.Entry, m state.Manager) time.Duration {
		return time.Duration(e.ExpiresAt-m.Now()) * time.Millisecond
	}
	switch {
	case !other.Found():
		return "is missing"
	case string(e.Value) != string(other.Value):
		return "has another value"
	case (e.ExpiresAt == 0) != (other.ExpiresAt == 0), e.ExpiresAt != 0 && (left(e, m.from)-left(other, m.to)).Abs() > endSlack:
		return "ends at another time"
	}
	return ""
}

// compareCounts sees that the target holds nothing else. Entries that are about to end
// may be there in one and no longer in the other.
func (m *migration) compareCounts(ctx context.Context) error {
	if m.merge {
		return nil
	}
	strangers := int64(0)
	first := ""
	err := allPages(ctx, m.to, "", pageKeys, func(page []state.ListEntry, _ string) error {
		keys := make([]string, len(page))
		for i := range page {
			keys[i] = page[i].Key
		}
		sources, err := m.from.GetMany(ctx, keys)
		if err != nil {
			return err
		}
		for i, e := range sources {
			if !e.Found() && (page[i].ExpiresAt == 0 || page[i].ExpiresAt-m.to.Now() > endSlack.Milliseconds()) {
				if strangers++; first == "" {
					first = keys[i]
				}
			}
		}
		return nil
	})
	if err == nil && strangers > 0 {
		err = fmt.Errorf("%s holds %d entries that %s does not, such as %.80q: somebody wrote meanwhile", m.done.To, strangers, m.done.From, first)
	}
	return err
}

// addTo adds an entry to a sum, such that no two lists of entries give the same.
func addTo(sum hash.Hash, key string, value []byte) {
	var length [8]byte
	for _, part := range [][]byte{[]byte(key), value} {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		sum.Write(length[:])
		sum.Write(part)
	}
}

// show tells how far it is: by a bar on a terminal, else by some lines.
func (m *migration) show(what string, n int64) {
	part := min(n*100/m.total, 100)
	if m.live.Terminal() {
		if now := time.Now(); now.After(m.next) {
			m.next = now.Add(sayEvery)
			const width = 30
			full := int(part * width / 100)
			m.live.Show(fmt.Sprintf("[%s%s] %3d %%  %d of %d entries %s", strings.Repeat("#", full), strings.Repeat(".", width-full), part, n, m.total, what))
		}
		return
	}
	before := max(n-int64(m.batch), 0) * linesOf / m.total
	if now := n * linesOf / m.total; now != before {
		m.live.Show(fmt.Sprintf("%3d %%  %d of %d entries %s", part, n, m.total, what))
	}
}
