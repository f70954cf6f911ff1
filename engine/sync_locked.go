//go:build race || !(amd64 || arm64 || wasm)

package engine

import "sync"

// optimistic is explained in sync_optimistic.go.
const optimistic = false

// shardLock is what writers of a shard hold alone and readers together.
type shardLock struct{ sync.RWMutex }
