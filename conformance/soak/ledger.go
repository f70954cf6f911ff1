package main

import "sync"

// writer is what one client has written to its own key: numbers, each one above the
// one before.
type writer struct{ tried, acknowledged int64 }

// ledger holds what a site has acknowledged. It is safe for concurrent use.
type ledger struct {
	mu      sync.Mutex
	writers map[string]*writer // by key
	sum     writer             // of increments by one of a key that all share
	acks    int64
	lost    int64
}

func newLedger() *ledger { return &ledger{writers: map[string]*writer{}} }

// try returns the next number for a key, before it is written.
func (l *ledger) try(key string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.writers[key]
	if w == nil {
		w = &writer{}
		l.writers[key] = w
	}
	w.tried++
	return w.tried
}

// acknowledge says that the number was written.
func (l *ledger) acknowledge(key string, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acks++
	l.writers[key].acknowledged = max(l.writers[key].acknowledged, n)
}

// tryIncrement says that an increment is on its way.
func (l *ledger) tryIncrement() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum.tried++
}

// incremented says that an increment was acknowledged.
func (l *ledger) incremented() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acks++
	l.sum.acknowledged++
}

// audit compares what is stored under a key, 0 where there is nothing, with what was
// written while nobody writes. It says whether that may be: nothing acknowledged is
// gone, and nothing is there that nobody wrote.
func (l *ledger) audit(key string, found int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.judge(l.writers[key], found)
}

// auditSum does what audit does for the key that all increment.
func (l *ledger) auditSum(found int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.judge(&l.sum, found)
}

// judge takes what was found for written from now on: a write that was not
// acknowledged and stands would be lost as well if it went later.
func (l *ledger) judge(w *writer, found int64) bool {
	if found < w.acknowledged {
		l.lost += w.acknowledged - found
		return false
	}
	if found > w.tried {
		return false
	}
	w.acknowledged = found
	return true
}

// keys are the keys that were written to.
func (l *ledger) keys() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := make([]string, 0, len(l.writers))
	for key := range l.writers {
		keys = append(keys, key)
	}
	return keys
}

func (l *ledger) counts() (acknowledged, lost int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acks, l.lost
}
