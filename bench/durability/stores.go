package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"
	"github.com/dgraph-io/badger/v4"
	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/tidwall/buntdb"
	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite"
)

// store is what is measured. Set may be called from many goroutines.
type store interface {
	Set(key, value []byte) error
	Get(key, dst []byte) ([]byte, error)
	Close() error
}

// row is a store by name. open opens it in a directory; durable says that a set is
// on the disk when it returns.
type row struct {
	name string
	open func(dir string, durable bool) (store, error)
}

const ours = "ingot"

var rows = []row{
	{ours, openIngot},
	{"pebble", openPebble},
	{"badger", openBadger},
	{"bbolt", openBbolt},
	{"buntdb", openBunt},
	{"sqlite", openSQLite},
}

var errAbsent = errors.New("a key that was set is absent")

type ingotStore struct {
	*engine.Store
	dir *storage.Directory
}

func openIngot(path string, durable bool) (store, error) {
	dir, err := storage.OpenDir(path)
	if err != nil {
		return nil, err
	}
	o := engine.Options{Dir: dir}
	if !durable {
		o.Sync = engine.SyncNever
	}
	s, err := engine.Open(o)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return &ingotStore{s, dir}, nil
}

// text is a key as ingot takes it. Its callers have strings; making one of the bytes
// that the peers take would be measured too.
func text(key []byte) string { return unsafe.String(&key[0], len(key)) }

func (s *ingotStore) Set(key, value []byte) error {
	_, err := s.Store.Set(text(key), value, engine.SetOptions{})
	return err
}

func (s *ingotStore) Get(key, dst []byte) ([]byte, error) {
	dst, meta, err := s.AppendGet(dst[:0], text(key))
	if err == nil && !meta.Found() {
		err = errAbsent
	}
	return dst, err
}

func (s *ingotStore) Close() error { return errors.Join(s.Store.Close(), s.dir.Close()) }

type pebbleStore struct {
	db   *pebble.DB
	sync *pebble.WriteOptions
}

// quiet is a pebble.Logger that says nothing but what ends the process.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

func openPebble(path string, durable bool) (store, error) {
	db, err := pebble.Open(path, &pebble.Options{Logger: quiet{}})
	if err != nil {
		return nil, err
	}
	return &pebbleStore{db, &pebble.WriteOptions{Sync: durable}}, nil
}

func (s *pebbleStore) Set(key, value []byte) error { return s.db.Set(key, value, s.sync) }

func (s *pebbleStore) Get(key, dst []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if err != nil {
		return nil, err
	}
	dst = append(dst[:0], value...)
	return dst, closer.Close()
}

func (s *pebbleStore) Close() error { return s.db.Close() }

type badgerStore struct{ db *badger.DB }

func openBadger(path string, durable bool) (store, error) {
	db, err := badger.Open(badger.DefaultOptions(path).WithSyncWrites(durable).WithLogger(nil))
	if err != nil {
		return nil, err
	}
	return badgerStore{db}, nil
}

func (s badgerStore) Set(key, value []byte) error {
	return s.db.Update(func(tx *badger.Txn) error {
		return tx.Set(bytes.Clone(key), bytes.Clone(value)) // it keeps them
	})
}

func (s badgerStore) Get(key, dst []byte) (out []byte, err error) {
	err = s.db.View(func(tx *badger.Txn) error {
		item, err := tx.Get(key)
		if err == nil {
			out, err = item.ValueCopy(dst)
		}
		return err
	})
	return out, err
}

func (s badgerStore) Close() error { return s.db.Close() }

type bboltStore struct {
	db      *bbolt.DB
	durable bool
}

var bucket = []byte("b")

func openBbolt(path string, durable bool) (store, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(filepath.Join(path, "db"), 0o600, &bbolt.Options{NoSync: !durable, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	return &bboltStore{db, durable}, err
}

func (s *bboltStore) Set(key, value []byte) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) })
}

// SetShared lets writers that come together share a transaction, which is bbolt's
// way. Alone it would wait for others.
func (s *bboltStore) SetShared(key, value []byte) error {
	return s.db.Batch(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) })
}

func (s *bboltStore) Get(key, dst []byte) (out []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucket).Get(key)
		if v == nil {
			return errAbsent
		}
		out = append(dst[:0], v...)
		return nil
	})
	return out, err
}

// Load stores many keys in few transactions.
func (s *bboltStore) Load(n int, key func(i int) []byte, value []byte) error {
	for i := 0; i < n; {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			for end := min(n, i+10_000); i < end; i++ {
				if err := tx.Bucket(bucket).Put(key(i), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *bboltStore) Close() error { return s.db.Close() }

type buntStore struct{ db *buntdb.DB }

func openBunt(path string, durable bool) (store, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	db, err := buntdb.Open(filepath.Join(path, "db"))
	if err != nil {
		return nil, err
	}
	var c buntdb.Config
	if err := db.ReadConfig(&c); err != nil {
		return nil, err
	}
	c.SyncPolicy = buntdb.Always
	if !durable {
		c.SyncPolicy = buntdb.Never
	}
	return buntStore{db}, db.SetConfig(c)
}

func (s buntStore) Set(key, value []byte) error {
	return s.db.Update(func(tx *buntdb.Tx) error {
		_, _, err := tx.Set(string(key), string(value), nil)
		return err
	})
}

func (s buntStore) Get(key, dst []byte) (out []byte, err error) {
	err = s.db.View(func(tx *buntdb.Tx) error {
		v, err := tx.Get(string(key))
		out = append(dst[:0], v...)
		return err
	})
	return out, err
}

func (s buntStore) Close() error { return s.db.Close() }

type sqliteStore struct {
	db       *sql.DB
	set, get *sql.Stmt
}

func openSQLite(path string, durable bool) (store, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	sync := "full" // in WAL mode: a sync for each commit
	if !durable {
		sync = "off"
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(path, "db")+"?_pragma=journal_mode(wal)&_pragma=synchronous("+sync+")&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // it has one writer; more only wait by polling
	s := &sqliteStore{db: db}
	_, err = db.Exec("create table if not exists kv (k blob primary key, v blob) without rowid")
	if err == nil {
		s.set, err = db.Prepare("insert into kv values (?, ?) on conflict (k) do update set v = excluded.v")
	}
	if err == nil {
		s.get, err = db.Prepare("select v from kv where k = ?")
	}
	return s, err
}

func (s *sqliteStore) Set(key, value []byte) error {
	_, err := s.set.Exec(key, value)
	return err
}

func (s *sqliteStore) Get(key, dst []byte) ([]byte, error) {
	err := s.get.QueryRow(key).Scan(&dst)
	return dst, err
}

// Load stores many keys in one transaction.
func (s *sqliteStore) Load(n int, key func(i int) []byte, value []byte) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	set := tx.Stmt(s.set)
	for i := range n {
		if _, err := set.Exec(key(i), value); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func (s *sqliteStore) Close() error { return errors.Join(s.set.Close(), s.get.Close(), s.db.Close()) }
