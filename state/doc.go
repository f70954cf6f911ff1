// Package state is the key-value state of tools and servers behind one interface,
// whatever keeps it: Manager. Open makes one in memory or in a directory; Embed
// makes one of an engine.Store that is open already.
//
// Keys are byte strings, values bytes. Every entry has a version, which grows with
// every write to the store and can be the condition of a later one, and may have
// an end. A Batch is all or nothing. Watch tells of changes.
//
// The types of entries and operations are the engine's own, so that the embedded
// backend copies no more than the engine does. Errors are this package's: a caller
// asks errors.Is(err, state.ErrFull), and a *ConflictError tells what a
// precondition found.
//
// # Caveats
//
//   - The embedded backends do not look at the context of calls that do not wait:
//     those take microseconds.
//   - Several keys are read one by one, not as of one moment; a Batch writes them
//     as one.
//   - An entry whose time is over is never read again. Its bytes are freed by the
//     next write to its key, or by Tick, which whoever opens the embedded backends
//     calls now and then: they start no goroutine for it.
package state
