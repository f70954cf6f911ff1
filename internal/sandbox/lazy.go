package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/ingot-run/ingot/hash"
)

// Modules that load when they are first called. Beside the compiled modules, the
// cache keeps what they said of themselves:
//
//	<key>.described   XXH3-64 of the rest in hex, a line feed, described as JSON
//
// The key holds what a description depends on: the module, what the key of its
// compiled code holds, and the whole policy. What a guest may have read from
// outside is not in it, so nothing is kept of one that used state or HTTP while it
// started and described itself, or is granted files.
const (
	describedSuffix = ".described"
	// describedVersion changes with what descriptions are held to.
	describedVersion = "1"
)

// described is what is known of a module before it is loaded.
type described struct {
	Info    Info
	Methods []string
	Tools   []Description
}

// sleeper is the part of a module that is loaded when it is first needed: as a
// module of its own, which then does all the work.
type sleeper struct {
	path    string // of the description
	methods []string
	awake   atomic.Pointer[Module] // nil: not yet

	mu      sync.Mutex
	module  []byte  // the file, until it is loaded
	waking  *waking // nil: nobody loads it
	waiting int     // calls that wait for that
	closed  bool    // no load begins any more
	running sync.WaitGroup
}

// waking is one attempt to load; the fields are good when done is closed.
type waking struct {
	done   chan struct{}
	module *Module
	err    error
}

// describedPath is where the description of a module is kept; "" where it is
// not.
func (c *cache) describedPath(module [sha256.Size]byte, p *Policy) string {
	if c == nil || len(p.Files) > 0 {
		return ""
	}
	// %#v is another for each policy: it sorts the keys of maps, and keeps bytes that
	// are no UTF-8, which JSON would make one and the same character.
	sum := sha256.Sum256(fmt.Appendf(nil, "%s described %s %#v", cacheKey(module, &p.Limits), describedVersion, *p))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:])+describedSuffix)
}

// recall makes m one that is loaded later, if the cache has its description and
// its code.
func (m *Module) recall(module []byte, sum [sha256.Size]byte) bool {
	c := m.host.cache
	path := c.describedPath(sum, &m.policy)
	if path == "" {
		return false
	}
	if _, err := os.Stat(filepath.Join(c.dir, cacheKey(sum, &m.policy.Limits))); err != nil {
		return false
	}
	d, err := readDescribed(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err == nil {
		m.tools = d.Tools
		err = m.nameTools()
	}
	if err != nil || d.Info.SHA256 != m.info.SHA256 {
		c.logger.Warn("a damaged entry of the cache of compiled modules is made again", "entry", path, "error", err)
		_ = os.Remove(path) // it is written over anyway
		m.tools, m.loggers = nil, nil
		return false
	}
	d.Info.File = m.info.File
	m.info = d.Info
	m.asleep = &sleeper{path: path, methods: d.Methods, module: module}
	return true
}

// readDescribed reads a description and checks it as if the guest had just given
// it.
func readDescribed(path string) (*described, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sum, text, _ := bytes.Cut(raw, []byte("\n"))
	if string(sum) != fmt.Sprintf("%016x", hash.Sum64(text)) {
		return nil, errors.New("its content is not what was written")
	}
	d := &described{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, err
	}
	for i := range d.Tools {
		t := &d.Tools[i]
		if t.OutputSchema.Kind() == 'n' {
			t.OutputSchema = nil
		}
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // a hint for prune
	return d, nil
}

// remember keeps the description of a module that was just loaded. A failure is
// logged: the next time will be slow again.
func (m *Module) remember(sum [sha256.Size]byte) {
	path := m.host.cache.describedPath(sum, &m.policy)
	if path == "" || m.cached == nil || m.looked.Load() {
		return
	}
	text, err := json.Marshal(described{m.info, m.Methods(), m.tools})
	if err == nil {
		err = writeFile(path, fmt.Appendf(nil, "%016x\n%s", hash.Sum64(text), text))
	}
	if err != nil {
		m.logger.Warn("what a module says of itself cannot be kept", "entry", path, "error", err)
	}
}

// writeFile writes a file under another name and renames it.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), cacheUnfinished+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // prune tries again
	}
	return err
}

// wake is the module that does the work of m: m itself, unless m is loaded when
// it is first needed. Then the first call begins that and all wait for it, each as
// long as its own context lasts.
func (m *Module) wake(ctx context.Context) (*Module, error) {
	s := m.asleep
	if s == nil {
		return m, nil
	}
	if awake := s.awake.Load(); awake != nil {
		return awake, nil
	}
	w, err := s.begin(m)
	if err != nil {
		return nil, at(m.info.File, "load", err)
	}
	defer s.leave()
	select {
	case <-w.done:
		return w.module, w.err
	case <-ctx.Done():
		return nil, at(m.info.File, "load", &failure{ErrCanceled, "the caller gave up while the module was loading", context.Cause(ctx)})
	}
}

// begin counts a call in and makes sure that the module is being loaded. Its
// partner is leave.
func (s *sleeper) begin(m *Module) (*waking, error) {
	limits := &m.policy.Limits
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errModuleClosed()
	case s.waiting >= limits.ConcurrencyMax+limits.CallsQueuedMax:
		return nil, failf(ErrBusy, "the module is being loaded and %d calls wait for it already; try again later", s.waiting)
	}
	s.waiting++
	if s.waking == nil {
		w := &waking{done: make(chan struct{})}
		s.waking = w
		s.running.Go(func() { s.load(m, w) }) // partner: the Wait in close
	}
	return s.waking, nil
}

// leave counts a call out.
func (s *sleeper) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
}

// load loads the module. After a failure the next call tries again.
func (s *sleeper) load(m *Module, w *waking) {
	defer close(w.done)
	w.module, w.err = m.host.load(m.life, m.info.File, s.module, m.policy)
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.err != nil {
		s.waking = nil
		return
	}
	if !sameTools(w.module.tools, m.tools) || !slices.Equal(w.module.Methods(), s.methods) {
		m.logger.Warn("the module says something else of itself than the last time: it is served as it was until it is loaded again")
		_ = os.Remove(s.path)
	}
	s.awake.Store(w.module)
	s.module = nil
}

// sameTools compares descriptions.
func sameTools(a, b []Description) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// close waits for a load that runs and closes the module that came of it.
func (s *sleeper) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	if awake := s.awake.Load(); awake != nil {
		_ = awake.Close(context.Background()) // which never ends
	}
}
