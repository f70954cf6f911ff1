package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ingot-run/ingot/engine"
)

// runner runs the commands of one script.
type runner struct {
	open      opener
	loadFile  func(name string) ([]byte, error)
	millis    int64 // the clock, in Unix milliseconds
	stores    map[string]store
	current   string
	watchers  map[string]watcher
	snapshots map[string][]byte
}

// clockStart is what the clock shows when a script begins.
const clockStart = 10_000_000

// newRunner is a runner with the store "main" open.
func newRunner(open opener) (*runner, error) {
	r := &runner{
		open: open, loadFile: loadTestdata, millis: clockStart, stores: map[string]store{},
		watchers: map[string]watcher{}, snapshots: map[string][]byte{},
	}
	return r, r.openStore("main", command{})
}

func (r *runner) now() int64 { return r.millis }

func (r *runner) close() error {
	var errs []error
	for _, s := range r.stores {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

func (r *runner) openStore(name string, c command) error {
	o := engine.Options{Now: r.now}
	if word, ok := c.options["maxBytes"]; ok {
		o.BytesMax = parseInt(word)
	}
	if word, ok := c.options["maxValueBytes"]; ok {
		o.ValueBytesMax = int(parseInt(word))
	}
	o.Evict = c.options["evict"] == "yes"
	s, err := r.open(o)
	if err != nil {
		return err
	}
	r.stores[name], r.current = s, name
	return nil
}

// do runs one command and returns what it prints. A command that the script
// spells wrongly prints that.
func (r *runner) do(c command) (output string) {
	defer func() {
		if p := recover(); p != nil {
			output = fmt.Sprintf("the script is wrong: %v", p)
		}
	}()
	run, ok := commands[c.name]
	if !ok {
		return "the script is wrong: there is no command " + c.name
	}
	output, err := run(r, r.stores[r.current], c)
	if conflict, ok := errors.AsType[*engine.ConflictError](err); ok {
		return fmt.Sprintf("! ERR_CONFLICT version %d index %d", conflict.Version, conflict.Index)
	}
	if err != nil {
		return "! " + errorName(err)
	}
	return output
}

// commands are all there are. README.md describes them.
var commands map[string]func(r *runner, s store, c command) (string, error)

func init() {
	commands = map[string]func(r *runner, s store, c command) (string, error){
		"clock": (*runner).clock, "open": (*runner).cmdOpen, "use": (*runner).use, "close": (*runner).cmdClose,
		"get": (*runner).get, "exists": (*runner).exists, "getMany": (*runner).getMany,
		"set": (*runner).set, "delete": (*runner).delete, "increment": (*runner).increment, "cas": (*runner).cas,
		"expire": (*runner).expire, "setMany": (*runner).setMany, "deleteMany": (*runner).deleteMany,
		"batch": (*runner).batch, "fill": (*runner).fill, "clear": (*runner).clear, "list": (*runner).list,
		"watch": (*runner).watch, "poll": (*runner).poll, "unwatch": (*runner).unwatch,
		"snapshot": (*runner).snapshot, "restore": (*runner).restore, "load": (*runner).load, "bytes": (*runner).bytes,
		"budget": (*runner).budget, "tick": (*runner).tick, "stats": (*runner).stats,
	}
}

func (r *runner) clock(_ store, c command) (string, error) {
	if at, ok := strings.CutPrefix(c.words[0], "="); ok {
		r.millis = parseInt(at)
	} else {
		r.millis += parseDuration(c.words[0]).Milliseconds()
	}
	return fmt.Sprintf("now %d", r.millis), nil
}

func (r *runner) cmdOpen(_ store, c command) (string, error) {
	return "ok", r.openStore(c.words[0], c)
}

func (r *runner) use(_ store, c command) (string, error) {
	if r.stores[c.words[0]] == nil {
		panic("no store " + c.words[0])
	}
	r.current = c.words[0]
	return "ok", nil
}

func (r *runner) cmdClose(s store, _ command) (string, error) { return "ok", s.Close() }

// get reads in three ways, which must agree.
func (r *runner) get(s store, c command) (string, error) {
	key := string(parseBytes(c.words[0]))
	e, err := s.Get(key)
	meta, size, statErr := s.Stat(key)
	many, manyErr := s.GetMany([]string{key})
	if err != nil {
		if errorName(err) != errorName(statErr) || errorName(err) != errorName(manyErr) {
			return fmt.Sprintf("get says %v, stat %v, getMany %v", err, statErr, manyErr), nil
		}
		return "", err
	}
	if meta != e.Meta || size != len(e.Value) || many[0].Meta != e.Meta || !bytes.Equal(many[0].Value, e.Value) {
		return fmt.Sprintf("get says %v, stat %v of %d bytes, getMany %v", e, meta, size, many[0]), nil
	}
	if !e.Found() {
		return "absent", nil
	}
	return showBytes(e.Value) + showMeta(e.Meta), nil
}

func showMeta(m engine.Meta) string {
	if m.ExpiresAt == 0 {
		return fmt.Sprintf(" version %d", m.Version)
	}
	return fmt.Sprintf(" version %d expires %d", m.Version, m.ExpiresAt)
}

func (r *runner) exists(s store, c command) (string, error) {
	found, err := s.Exists(string(parseBytes(c.words[0])))
	return strconv.FormatBool(found), err
}

// keysOf reads the words as keys, all of them `times` times.
func keysOf(c command) (keys []string) {
	times := int64(1)
	if word, ok := c.options["times"]; ok {
		times = parseInt(word)
	}
	for range times {
		for _, w := range c.words {
			keys = append(keys, string(parseBytes(w)))
		}
	}
	return keys
}

func (r *runner) getMany(s store, c command) (string, error) {
	entries, err := s.GetMany(keysOf(c))
	lines := []string{fmt.Sprintf("%d values", len(entries))}
	for _, e := range entries {
		if e.Found() {
			lines = append(lines, showBytes(e.Value))
		} else {
			lines = append(lines, "absent")
		}
	}
	return strings.Join(lines, "\n"), err
}

// opOf reads the words and options of a write as an operation.
func opOf(kind engine.OpKind, c command) engine.Op {
	op := engine.Op{Kind: kind, Key: string(parseBytes(c.words[0])), Delta: 1}
	if word, ok := c.options["ttl"]; ok {
		op.TTL = parseDuration(word)
	}
	if word, ok := c.options["ifVersion"]; ok {
		op.IfVersion = uint64(parseInt(word))
	}
	_, op.KeepTTL = c.options["keepTtl"]
	_, op.IfAbsent = c.options["ifAbsent"]
	return op
}

func (r *runner) set(s store, c command) (string, error) {
	op := opOf(engine.OpSet, c)
	version, err := s.Set(op.Key, parseBytes(c.words[1]), engine.SetOptions{
		TTL: op.TTL, KeepTTL: op.KeepTTL, IfVersion: op.IfVersion, IfAbsent: op.IfAbsent,
	})
	return fmt.Sprintf("version %d", version), err
}

func (r *runner) delete(s store, c command) (string, error) {
	op := opOf(engine.OpDelete, c)
	version, deleted, err := s.Delete(op.Key, engine.DeleteOptions{IfVersion: op.IfVersion})
	if !deleted {
		return "absent", err
	}
	return fmt.Sprintf("version %d", version), err
}

func (r *runner) increment(s store, c command) (string, error) {
	delta := int64(1)
	if len(c.words) > 1 {
		delta = parseInt(c.words[1])
	}
	sum, _, err := s.Increment(string(parseBytes(c.words[0])), delta)
	return fmt.Sprintf("sum %d", sum), err
}

func (r *runner) cas(s store, c command) (string, error) {
	version, swapped, err := s.CompareAndSwap(string(parseBytes(c.words[0])), uint64(parseInt(c.words[1])), parseBytes(c.words[2]))
	if !swapped {
		return fmt.Sprintf("not swapped version %d", version), err
	}
	return fmt.Sprintf("swapped version %d", version), err
}

func (r *runner) expire(s store, c command) (string, error) {
	version, err := s.Expire(string(parseBytes(c.words[0])), parseDuration(c.words[1]))
	if version == 0 {
		return "absent", err
	}
	return fmt.Sprintf("version %d", version), err
}

func (r *runner) setMany(s store, c command) (string, error) {
	var items []engine.Item
	for i := 0; i+1 < len(c.words); i += 2 {
		item := engine.Item{Key: string(parseBytes(c.words[i])), Value: parseBytes(c.words[i+1])}
		if word, ok := c.options["ttl"]; ok {
			item.TTL = parseDuration(word)
		}
		items = append(items, item)
	}
	versions, err := s.SetMany(items)
	line := "versions"
	for _, v := range versions {
		line += fmt.Sprintf(" %d", v)
	}
	return line, err
}

func (r *runner) deleteMany(s store, c command) (string, error) {
	deleted, err := s.DeleteMany(keysOf(c))
	return fmt.Sprintf("deleted %d", deleted), err
}

var opKinds = map[string]engine.OpKind{
	"set": engine.OpSet, "delete": engine.OpDelete, "increment": engine.OpIncrement, "expire": engine.OpExpire, "check": engine.OpCheck,
}

func (r *runner) batch(s store, c command) (string, error) {
	var ops []engine.Op
	for _, line := range c.lines {
		op := opOf(opKinds[line.name], line)
		switch {
		case op.Kind == 0:
			panic("no operation " + line.name)
		case op.Kind == engine.OpSet:
			op.Value = parseBytes(line.words[1])
		case op.Kind == engine.OpIncrement && len(line.words) > 1:
			op.Delta = parseInt(line.words[1])
		case op.Kind == engine.OpExpire:
			op.TTL = parseDuration(line.words[1])
		}
		ops = append(ops, op)
	}
	results, err := s.Batch(ops)
	lines := []string{fmt.Sprintf("%d results", len(results))}
	for i, res := range results {
		line := fmt.Sprintf("version %d existed %t", res.Version, res.Existed)
		if ops[i].Kind == engine.OpIncrement {
			line += fmt.Sprintf(" sum %d", res.Number)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), err
}

// fill stores COUNT keys, PREFIX and six digits, with values of SIZE bytes.
func (r *runner) fill(s store, c command) (string, error) {
	count, value := parseInt(c.words[1]), bytes.Repeat([]byte("x"), int(parseInt(c.words[2])))
	items := make([]engine.Item, count)
	for i := range items {
		items[i] = engine.Item{Key: fmt.Sprintf("%s%06d", parseBytes(c.words[0]), i), Value: value}
	}
	versions, err := s.SetMany(items)
	return fmt.Sprintf("versions %d", len(versions)), err
}

func (r *runner) clear(s store, c command) (string, error) {
	prefix := ""
	if len(c.words) > 0 {
		prefix = string(parseBytes(c.words[0]))
	}
	deleted, err := s.Clear(prefix)
	return fmt.Sprintf("deleted %d", deleted), err
}

func (r *runner) list(s store, c command) (string, error) {
	var o engine.ListOptions
	if word, ok := c.options["prefix"]; ok {
		o.Prefix = string(parseBytes(word))
	}
	if word, ok := c.options["after"]; ok {
		o.After = string(parseBytes(word))
	}
	if word, ok := c.options["limit"]; ok {
		o.Limit = int(parseInt(word))
	}
	_, o.Values = c.options["values"]
	page, err := s.List(o)
	var lines []string
	for _, e := range page.Entries {
		line := fmt.Sprintf("%s size %d%s", showBytes([]byte(e.Key)), e.Size, showMeta(e.Meta))
		if o.Values {
			line += " = " + showBytes(e.Value)
		}
		lines = append(lines, line)
	}
	last := "end"
	if page.Next != "" {
		last = "next " + showBytes([]byte(page.Next))
	}
	return strings.Join(append(lines, last), "\n"), err
}

func (r *runner) watch(s store, c command) (string, error) {
	var o engine.WatchOptions
	if word, ok := c.options["prefix"]; ok {
		o.Prefix = string(parseBytes(word))
	}
	if word, ok := c.options["buffer"]; ok {
		o.Buffer = int(parseInt(word))
	}
	_, o.Values = c.options["values"]
	w, err := s.Watch(o)
	if err == nil {
		r.watchers[c.words[0]] = w
	}
	return "ok", err
}

func (r *runner) poll(_ store, c command) (string, error) {
	most := 0
	if len(c.words) > 1 {
		most = int(parseInt(c.words[1]))
	}
	lines := []string{}
	for _, e := range r.watchers[c.words[0]].Poll(nil, most) {
		lines = append(lines, showEvent(e))
	}
	if len(lines) == 0 {
		return "none", nil
	}
	return strings.Join(lines, "\n"), nil
}

func showEvent(e engine.Event) string {
	switch e.Kind {
	case engine.EventLagged:
		return fmt.Sprintf("lagged %d", e.Lost)
	case engine.EventReset:
		return fmt.Sprintf("reset version %d", e.Version)
	}
	line := fmt.Sprintf("%s %s%s", e.Kind, showBytes([]byte(e.Key)), showMeta(e.Meta))
	if e.Value != nil {
		line += " = " + showBytes(e.Value)
	}
	return line
}

func (r *runner) unwatch(_ store, c command) (string, error) {
	r.watchers[c.words[0]].Close()
	delete(r.watchers, c.words[0])
	return "ok", nil
}

func (r *runner) snapshot(s store, c command) (string, error) {
	var b bytes.Buffer
	err := s.Snapshot(&b)
	if err == nil {
		r.snapshots[c.words[0]] = b.Bytes()
	}
	return "ok", err
}

// loadTestdata is what loads files unless a test says otherwise.
func loadTestdata(name string) ([]byte, error) { return os.ReadFile(filepath.Join("testdata", name)) }

// load takes a file as a snapshot.
func (r *runner) load(_ store, c command) (string, error) {
	b, err := r.loadFile(string(parseBytes(c.words[1])))
	if err != nil {
		panic(err)
	}
	r.snapshots[c.words[0]] = b
	return "ok", nil
}

// bytes takes the bytes of the script as a snapshot.
func (r *runner) bytes(_ store, c command) (string, error) {
	r.snapshots[c.words[0]] = parseBytes(c.words[1])
	return "ok", nil
}

// restore restores a snapshot, damaged first where options say so.
func (r *runner) restore(s store, c command) (string, error) {
	b, ok := r.snapshots[c.words[0]]
	if !ok {
		panic("no snapshot " + c.words[0])
	}
	b = bytes.Clone(b)
	if word, ok := c.options["flip"]; ok {
		at := parseInt(word)
		if at < 0 {
			at += int64(len(b))
		}
		b[at] ^= 1
	}
	if word, ok := c.options["cut"]; ok {
		b = b[:int64(len(b))-parseInt(word)]
	}
	if word, ok := c.options["append"]; ok {
		b = append(b, parseBytes(word)...)
	}
	return "ok", s.Restore(bytes.NewReader(b))
}

func (r *runner) budget(s store, c command) (string, error) {
	return "ok", s.SetBudget(string(parseBytes(c.words[0])), parseInt(c.words[1]))
}

func (r *runner) tick(s store, c command) (string, error) {
	most := 0
	if len(c.words) > 0 {
		most = int(parseInt(c.words[0]))
	}
	return fmt.Sprintf("expired %d", s.Tick(most)), nil
}

func (r *runner) stats(s store, _ command) (string, error) {
	st := s.Stats()
	return fmt.Sprintf("keys %d bytes %d bytesMax %d version %d sets %d deletes %d expired %d conflicts %d watchers %d",
		st.Keys, st.Bytes, st.BytesMax, st.Version, st.Sets, st.Deletes, st.Expired, st.Conflicts, st.Watchers), nil
}
