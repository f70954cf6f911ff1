// Package storage is the disk as the engine sees it: a directory of plain files
// that can be locked, and whose contents are durable only after a sync.
//
// Dir and File are the interfaces. OpenDir is a directory of the operating
// system, natively and under WASI alike; Memory is one that lives in memory; the
// package simdir simulates one that loses power.
//
// # Caveats
//
//   - A write is durable after File.Sync, a creation, a rename or a removal after
//     Dir.Sync. Before that a crash may keep all of it, a part of it or nothing,
//     in any order.
//   - A sync that failed says nothing about what is on the disk, and neither does
//     one that succeeds after it: the system may have dropped the pages. The only
//     safe answer is to close the file and read again what is there.
//   - Windows neither removes, nor renames, nor replaces a file that is open:
//     close it first.
//   - WASI preview 1 has no locks. There Lock keeps two stores of one process
//     apart and no more; whoever mounts the directory must mount it once.
//   - Names have 1 to 64 bytes of a-z, 0-9, '.' and '-', and begin with a letter
//     or a digit. Files of other names, and directories, are as good as not
//     there. The name "lock" belongs to Lock.
package storage
