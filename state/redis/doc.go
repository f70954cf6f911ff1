// Package redis keeps state on redis servers (Redis 7 or Valkey: one, one behind
// Sentinels, or a cluster), for those who outgrow one machine: any number of
// processes open the same store. Open makes its Manager, which is a state.Manager as
// the embedded ones are; the same suite runs on all of them.
//
//	m, err := redis.Open(ctx, redis.Options{URL: "redis://user:password@host:6379/0"})
//	if err != nil { … }
//	defer m.Close()
//	version, err := m.Set(ctx, "key", []byte("value"), state.SetOptions{})
//
// Every write is a script that the server runs as one: it checks the conditions,
// takes the next version, and changes the entry, the sorted index of the keys, the
// ends, the bytes charged and the stream of events. The file layout.go draws what
// lies where.
//
// A version is the server's time in microseconds, or one more than the last version
// of the bucket, or than any that this process has seen, whichever is largest. On one
// server versions grow with every write, as those of the embedded backends do. In a
// cluster they grow for each bucket, and along whatever one process reads and writes.
//
// # Caveats
//
//   - A cluster's store has a fixed number of buckets (Options.Buckets), each a share
//     of the slots; a node serves one or more of them. Batch and SetMany need all keys
//     in one, which is sure for keys with a hash tag in common.
//   - Redis acknowledges a write before its replicas, and unless appendfsync is
//     always, before its disk has it. Options.WaitReplicas waits for replicas.
//   - A write whose answer is lost returns state.ErrUncertain: it is not sent again.
//   - With Options.CacheEntries a read may return what another process replaced a
//     moment ago, until the server's word has come; never what this one replaced.
//   - Clear deletes some hundred keys at a time and is not one change.
//   - The server must not throw entries away (maxmemory-policy noeviction).
package redis
