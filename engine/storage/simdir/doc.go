// Package simdir is a disk that loses power: a storage.Dir for crash tests. It
// keeps what was synced apart from what was only written, and can tell at any
// moment what a real disk might hold if the power went away just then.
//
// New makes an empty Dir. Crash draws one of the legal states after a power
// failure and returns it as a new Dir; Kill returns what a killed process leaves,
// which is all it wrote, since the system lives on. Before shows every call to a
// test before it takes effect, so that one run of a workload can be cut between
// any two calls; CrashAt cuts it for good. FailAt, SetSpace, SetReadOnly and
// Corrupt are the other ways in which a disk fails. Trace tells what was called.
//
// What is legal after a power failure:
//
//   - A sector (512 bytes, aligned) of a file holds what it held at the last sync
//     of the file, or after any later write to it; each sector decides alone. So
//     writes are lost, kept, torn, and reordered.
//   - The length of a file is the one at the last sync, or after any later call.
//     Where it grew over sectors that were lost they read as zeros, or, after
//     SetStale, as what some file held before: file systems that journal their
//     lengths but not their data do that.
//   - A creation, a rename or a removal that came after the last sync of the
//     directory is there or not, each one alone, but never without an earlier one
//     that concerned the same name. A rename is one step.
//
// A Sync that FailAt lets fail writes some sectors and forgets that the others
// are still to be written, as Linux does: reads go on to show them, a later Sync
// succeeds, and the next power failure takes them.
//
// # Caveats
//
//   - A sector is never torn within. Drives promise that; logs that pack several
//     records into a sector, as most do, rely on it.
//   - A directory sync that fails may be repeated with success.
//   - The space of SetSpace is charged by length, holes included.
//   - Calls run one at a time, and the trace grows with each: this is for tests.
package simdir
