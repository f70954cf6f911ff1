// Package backup writes what a store holds into one file, while the store is in use, and
// makes a directory of such files again: [Write] and [Info], [Check], [Restore], and
// [Handler] with [Fetch] for a store that another process has.
//
//	info, err := backup.Write(file, store, backup.Options{Encryption: keys})
//	…
//	info, err = backup.Restore("/var/lib/ingot", []string{"monday.backup", "tuesday.backup"}, backup.RestoreOptions{})
//
// A backup is of one moment, and holds every change that was acknowledged before it began:
// it is the engine's snapshot, whole or of what changed since another backup, in chunks
// with checksums, and sealed where the store is. What is behind the last chunk says that
// it is complete, so that a file whose writing was ended is never taken for a backup.
//
// # Caveats
//
//   - Where the log does not reach back to the earlier backup, as after a compaction, what
//     was to be incremental is whole; Info.Full says so, and the ones before are not needed.
//   - Sizes, times and versions are not hidden in a sealed backup.
//   - Checksums are against accidents. Whoever can write to an unsealed backup can change
//     what is restored from it.
package backup
