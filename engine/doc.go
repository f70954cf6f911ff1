// Package engine is a concurrent key-value store: byte-string keys, byte
// values, a version and an optional end for every entry. It compiles to native
// code and to WebAssembly, and behaves the same in both.
//
// Open makes a Store. Get, AppendGet, Exists, Stat, GetMany and List read; Set,
// Delete, Increment, CompareAndSwap, Expire, SetMany, DeleteMany, Clear and
// Batch write; Watch tells of changes; Snapshot and Restore move the contents
// between builds; SetBudget bounds the bytes under a prefix.
//
// With Options.Dir the store is in a directory too: a write-ahead log there holds
// each change before the write returns (Options.Sync says otherwise), and the next
// Open reads it back.
//
// Every write takes the next version of the store. A version can be a
// condition of a later write, which is how callers change an entry without
// losing each other's changes. A Batch runs many operations, conditions
// included, as one: all of it or nothing.
//
// # Caveats
//
//   - Without Options.Dir the contents are in memory only; Snapshot is how they
//     outlive the process. With it they are in memory as well.
//   - In a directory a change is seen by readers before it is durable: its own
//     write has not returned then. When logging it fails, the write returns
//     ErrDegraded or ErrReadOnly and the change stands in memory until the store is
//     opened again, which may find it or not. A batch is found whole or not at all.
//   - What a crash leaves is the store as it was at some moment at or after the last
//     durable write. Versions are never given twice, so they jump after a crash.
//   - A store whose byte budget is used up refuses writes with ErrFull, unless
//     Options.Evict lets it drop entries that are used little.
//   - The engine starts no goroutine and no timer, but for one or two goroutines of a
//     store in a directory (see Options.BackgroundDisabled). An entry whose time is over
//     is never read again, but its bytes are freed by the next write to its key
//     or by Tick, which the owner calls now and then.
//   - Time is what Options.Now returns, held at the latest time seen: when the
//     clock goes backwards, entries live longer by the difference, and what has
//     expired stays expired.
//   - GetMany and List read key by key; they are not one moment of the store.
//     Snapshot is.
//   - Clear walks over all keys, unless the prefix has few of them and somebody has
//     listed. So does the first List, to build a sorted copy
//     of them, and the first after Restore or a Clear of everything; a later page
//     costs a search and a lookup per entry. From the first List on, an insert
//     costs about twice as much (an overwrite costs the same), unless
//     Options.OrderDisabled is set: then every page walks over all keys.
package engine
