package forge

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Op is what happened to an item or a key.
type Op string

// The operations; each is the sign that stands in front of an item.
const (
	Added   Op = "+"
	Removed Op = "-"
	Changed Op = "~"
)

// Diff is what a reload has changed. It holds no value of a variable of the
// environment, and of other values only short ones that cannot be secrets.
type Diff struct {
	// Items are what changed, in the order of the files.
	Items []Item
	// Restart says, a line each, what the files ask for that takes a restart: until
	// then it is as it was when the project was opened.
	Restart []string
}

// Item is a tool, a prompt, a resource, or a block of the file.
type Item struct {
	Op Op
	// Name says what it is: "tool weather", "middleware".
	Name string
	// Keys are those that differ, of an item that changed; at most 50.
	Keys []Key
}

// Key is one key of an item.
type Key struct {
	Op Op
	// Path is how the file has it, with dots: "timeout", "http.retry".
	Path string
	// Before and After are the values; both are empty where they are not to be shown.
	Before, After string
}

// paramsKey holds the parameters of a tool, each of which is told by itself.
const paramsKey = "params"

// keysMax bounds the keys of an item, shownMax the length of a value that is shown.
const (
	keysMax  = 50
	shownMax = 40
)

// Any says whether there is anything to tell.
func (d *Diff) Any() bool { return len(d.Items)+len(d.Restart) > 0 }

// String is a line for each item and for each thing that takes a restart.
func (d *Diff) String() string {
	lines := make([]string, 0, len(d.Items)+len(d.Restart))
	for _, i := range d.Items {
		lines = append(lines, i.String())
	}
	for _, r := range d.Restart {
		lines = append(lines, "! "+r)
	}
	return strings.Join(lines, "\n")
}

// String is "~ tool weather: timeout 5s -> 10s, param city added".
func (i Item) String() string {
	text := string(i.Op) + " " + i.Name
	if len(i.Keys) == 0 {
		return text
	}
	keys := make([]string, len(i.Keys))
	for n, k := range i.Keys {
		keys[n] = k.String()
	}
	return text + ": " + strings.Join(keys, ", ")
}

// String is "timeout 5s -> 10s", "param city added" or "body changed".
func (k Key) String() string {
	path := k.Path
	if name, ok := strings.CutPrefix(path, paramsKey+"."); ok {
		path = "param " + name
	}
	switch {
	case k.Op == Added:
		return path + " added"
	case k.Op == Removed:
		return path + " removed"
	case k.Before == "" && k.After == "":
		return path + " changed"
	}
	return path + " " + k.Before + " -> " + k.After
}

// diffOf tells two outlines apart.
func diffOf(before, now *outline) *Diff {
	d := &Diff{}
	for _, name := range before.names {
		if now.items[name] == nil {
			d.Items = append(d.Items, Item{Op: Removed, Name: plain(name)})
		}
	}
	for _, name := range now.names {
		was := before.items[name]
		if was == nil {
			d.Items = append(d.Items, Item{Op: Added, Name: plain(name)})
			continue
		}
		c := &comparison{}
		c.compare("", was, now.items[name])
		if len(c.keys) > 0 {
			d.Items = append(d.Items, Item{Op: Changed, Name: plain(name), Keys: c.keys})
		}
	}
	return d
}

// note adds a key to an item that changed, which is added where there is none.
func (d *Diff) note(name string, k Key) {
	for i := range d.Items {
		if d.Items[i].Name == name {
			if d.Items[i].Op == Changed && !slices.ContainsFunc(d.Items[i].Keys, func(had Key) bool { return had.Path == k.Path }) {
				d.Items[i].Keys = append(d.Items[i].Keys, k)
			}
			return
		}
	}
	d.Items = append(d.Items, Item{Op: Changed, Name: name, Keys: []Key{k}})
}

// comparison collects the keys of one item that differ.
type comparison struct{ keys []Key }

func (c *comparison) note(op Op, path, before, after string) {
	switch {
	case path == "":
		path = "value" // of a block that is no mapping
	case len(c.keys) == keysMax:
		return
	}
	k := Key{Op: op, Path: plain(path)}
	if op == Changed && showable(path, before) && showable(path, after) {
		k.Before, k.After = before, after
	}
	c.keys = append(c.keys, k)
}

func (c *comparison) compare(path string, a, b *branch) {
	if a.list != nil && b.list != nil {
		x, y := a.byName(), b.byName()
		if x == nil || y == nil {
			c.compareLists(path, a.list, b.list)
			return
		}
		a, b = x, y
	}
	if a.values == nil || b.values == nil {
		if a.values != nil || b.values != nil || a.list != nil || b.list != nil {
			c.note(Changed, path, "", "")
		} else if a.scalar != b.scalar {
			c.note(Changed, path, a.scalar, b.scalar)
		}
		return
	}
	for _, key := range a.keys {
		if was := a.values[key]; b.values[key] == nil {
			c.alone(Removed, join(path, key), was)
		}
	}
	for _, key := range b.keys {
		if was, now := a.values[key], b.values[key]; was == nil {
			c.alone(Added, join(path, key), now)
		} else {
			c.compare(join(path, key), was, now)
		}
	}
}

// alone notes a key that only one side has; of params, each parameter.
func (c *comparison) alone(op Op, path string, b *branch) {
	if b.list != nil && b.byName() != nil {
		b = b.byName()
	}
	if path != paramsKey || len(b.keys) == 0 {
		c.note(op, path, "", "")
		return
	}
	for _, name := range b.keys {
		c.note(op, join(path, name), "", "")
	}
}

// compareLists says that a list changed, not where: its elements have no names.
func (c *comparison) compareLists(path string, a, b []*branch) {
	inner := &comparison{}
	for i := range min(len(a), len(b)) {
		inner.compare("", a[i], b[i])
	}
	if len(a) != len(b) || len(inner.keys) > 0 {
		c.note(Changed, path, "", "")
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// hiding are parts of keys whose values are never shown: they are secrets, or hold some
// where somebody writes one into a file.
var hiding = []string{"auth", "body", "config", "cred", "env", "headers", "input", "key", "pass", "query", "secret", "set", "token", "url", "user"}

// telling are keys, the last of a path, whose values are words of no secret. Of all
// others numbers, durations and booleans are shown.
var telling = []string{"backend", "by", "command", "handler", "host", "isolation", "level", "method", "mime_type", "module", "name", "role", "tool", "transport", "type", "version"}

// types are what a parameter can be when a word alone says it.
var types = []string{"string", "integer", "number", "float", "boolean", "array", "object"}

// showable says whether a value may be shown: it is short, on one line, and cannot be a
// secret.
func showable(path, value string) bool {
	if value == "" || utf8.RuneCountInString(value) > shownMax || plain(value) != value {
		return false
	}
	if strings.HasPrefix(path, paramsKey+".") && slices.Contains(types, value) {
		return true
	}
	lower := strings.ToLower(path)
	if slices.ContainsFunc(hiding, func(part string) bool { return strings.Contains(lower, part) }) {
		return false
	}
	if slices.Contains(telling, lower[strings.LastIndexByte(lower, '.')+1:]) {
		return !strings.ContainsAny(value, "@=?&$")
	}
	_, notNumber := strconv.ParseFloat(strings.TrimRight(value, "kKMGTiB"), 64)
	_, notBoolean := strconv.ParseBool(value)
	_, notDuration := time.ParseDuration(value)
	return notNumber == nil || notBoolean == nil || notDuration == nil
}

// plain is a text of a file on one line of a terminal, shortened.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > 100 {
		return string(runes[:100]) + "…"
	}
	return text
}
