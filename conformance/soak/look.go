package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What a process may have more at the end than when it was warm. What leaks with each
// call or each reload would be thousands.
const (
	goroutinesSlack = 24
	filesSlack      = 16
	residentSlack   = 96 << 10 // KiB
	settleWithin    = 30 * time.Second
	warmCalls       = 100 // of a process, before it counts as warm
)

// sumKey is the key that all clients increment.
const sumKey = "w/sum"

// usage is what a process holds.
type usage struct {
	goroutines, files, residentKiB int
	memory                         string // what the runtime says of its memory, for a fault
}

// rest looks at the process while nobody calls: the first time for later, and from then
// on for what was left behind.
func (s *site) rest() error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.warm == nil && s.served.Load() < warmCalls {
		return nil
	}
	s.tally.event("looked at while at rest")
	now, err := s.usage()
	if err != nil || s.warm == nil {
		s.warm = now
		return err
	}
	grown := func() bool {
		return now.goroutines > s.warm.goroutines+goroutinesSlack || now.files > s.warm.files+filesSlack || now.residentKiB > s.warm.residentKiB+residentSlack
	}
	for late := time.Now().Add(settleWithin); grown() && time.Now().Before(late); time.Sleep(50 * time.Millisecond) {
		if now, err = s.usage(); err != nil {
			return err
		}
	}
	if grown() {
		s.leaks++
		s.tally.fault("left behind: %+v when it was warm, %+v now", *s.warm, *now)
	}
	return nil
}

var (
	goroutinesPattern = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)
	memoryPattern     = regexp.MustCompile(`(?m)^go_memstats_(heap_inuse|heap_idle|heap_released|heap_alloc|next_gc|sys|stack_inuse)_bytes \S+|^go_gc_duration_seconds_count \d+`)
	residentPattern   = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
)

func (s *site) usage() (*usage, error) {
	w, err := http.Get(s.origin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer w.Body.Close()
	text, err := io.ReadAll(io.LimitReader(w.Body, answerBytesMax))
	if err != nil {
		return nil, err
	}
	u := &usage{}
	if u.goroutines, err = number(goroutinesPattern, text); err != nil {
		return nil, err
	}
	u.memory = string(bytes.Join(memoryPattern.FindAll(text, -1), []byte(", ")))
	proc := fmt.Sprintf("/proc/%d", s.cmd.Process.Pid)
	if _, err := os.Stat(proc); errors.Is(err, os.ErrNotExist) {
		return u, nil
	}
	files, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return nil, err
	}
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		return nil, err
	}
	u.files = len(files)
	u.residentKiB, err = number(residentPattern, status)
	return u, err
}

// number is what a pattern finds in a text.
func number(pattern *regexp.Regexp, text []byte) (int, error) {
	m := pattern.FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("there is no %v in %.300q", pattern, text)
	}
	return strconv.Atoi(string(m[1]))
}

// number is what the tool edited says; -1 is nothing.
func (s *site) number(ctx context.Context) int64 {
	a, err := s.asker().tool(ctx, "edited", map[string]any{})
	if err != nil {
		return -1
	}
	n, err := strconv.ParseInt(a.text(), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// asker is a client of whoever looks at a site.
func (s *site) asker() *client { return &client{site: s, http: http.DefaultClient} }

// audit reads all that was written while nobody writes, and compares it with what was
// acknowledged. It waits for a state that is away.
func (s *site) audit() error {
	s.gate.Lock()
	defer s.gate.Unlock()
	s.tally.event("audited")
	for _, key := range append(s.ledger.keys(), sumKey) {
		found, err := s.stored(key)
		if err != nil {
			return err
		}
		ok := false
		if key == sumKey {
			ok = s.ledger.auditSum(found)
		} else {
			ok = s.ledger.audit(key, found)
		}
		if !ok {
			s.tally.fault("under %s stands %d, which is not what was acknowledged", key, found)
		}
	}
	return nil
}

// stored is the number under a key; 0 is nothing.
func (s *site) stored(key string) (int64, error) {
	last := errAway
	for late := time.Now().Add(readyWithin); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		a, err := s.asker().tool(context.Background(), "get", map[string]any{"key": key})
		if err == nil && (a.Error != nil || a.Result.IsError) {
			err = fmt.Errorf("reading %s: %.500s", key, a.raw)
		}
		if err != nil {
			last = err
			continue
		}
		var entry struct {
			Found bool  `json:"found"`
			Value int64 `json:"value"`
		}
		if err := json.Unmarshal([]byte(a.text()), &entry); err != nil {
			return 0, fmt.Errorf("reading %s: %.300q: %w", key, a.text(), err)
		}
		return entry.Value, nil
	}
	return 0, last
}

// leftovers finds processes that work in the folder of a site that has ended.
func (s *site) leftovers() {
	processes, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return
	}
	for _, p := range processes {
		if dir, err := os.Readlink(p); err == nil && strings.HasPrefix(dir+string(filepath.Separator), s.dir+string(filepath.Separator)) {
			s.leaks++
			s.tally.fault("a process is left behind: %s", p)
		}
	}
}
