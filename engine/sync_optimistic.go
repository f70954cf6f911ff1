//go:build !race && (amd64 || arm64 || wasm)

package engine

import "sync"

// optimistic says that readers take no lock: they copy a cell and check by its
// head that nobody wrote it meanwhile. The race detector cannot see that such a
// copy is thrown away, so its build, and processors whose ordering was not
// studied, read under the lock.
const optimistic = true

// shardLock is what writers of a shard hold, and readers that lost patience.
type shardLock struct{ sync.Mutex }

func (l *shardLock) RLock()   { l.Lock() }
func (l *shardLock) RUnlock() { l.Unlock() }
