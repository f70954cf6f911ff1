package state

import (
	"context"
	"errors"
	"io"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
)

// Health says whether the state can be written: ErrReadOnly or ErrDegraded with what is
// the matter, ErrClosed, or nil. A store whose disk was full tries again whether there is
// room, since a server that is not ready may get no write that would try; otherwise
// nothing is written.
func (e *Embedded) Health(context.Context) error {
	if _, err := e.store.Exists("health"); err != nil {
		return translated(err)
	}
	err := e.store.LogStats().Degraded
	if errors.Is(err, engine.ErrDegraded) {
		err = e.store.Sync()
	}
	return translated(err)
}

// Folder is the directory that the state is kept in; empty where it is in memory.
func (e *Embedded) Folder() string { return e.store.LogStats().Dir }

// SnapshotSince is the store's: what changed since a version, or all, for a backup.
func (e *Embedded) SnapshotSince(w io.Writer, since uint64) (version uint64, full bool, err error) {
	version, full, err = e.store.SnapshotSince(w, since)
	return version, full, translated(err)
}

// StoreID is the store's own number; 0 where it is in memory.
func (e *Embedded) StoreID() uint64 { return e.store.StoreID() }

// Engine tells of the store below, and of the directory that Open opened for it; nil: none.
func (e *Embedded) Engine() (engine.Stats, engine.LogStats, storage.Dir) {
	return e.store.Stats(), e.store.LogStats(), e.dir
}
