package main

import (
	"strings"

	"github.com/ingot-run/ingot/engine"
)

// This file is the only one that calls the engine.

// engineKeepsKeys says that the engine holds on to the key string of a Set, so
// that a key in borrowed memory must be cloned first, as for the Go maps.
const engineKeepsKeys = true

type ingotStore struct{ *engine.Store }

func openIngot(sizing) (store, error) {
	s, err := engine.Open(engine.Options{})
	return ingotStore{s}, err
}

func (s ingotStore) Insert(key string, value []byte) {
	if engineKeepsKeys {
		key = strings.Clone(key)
	}
	s.Set(key, value)
}

func (s ingotStore) Set(key string, value []byte) {
	_, err := s.Store.Set(key, value, engine.SetOptions{})
	must(err)
}

func (s ingotStore) Delete(key string) {
	_, _, err := s.Store.Delete(key, engine.DeleteOptions{})
	must(err)
}

func (s ingotStore) AppendGet(dst []byte, key string) ([]byte, bool) {
	dst, meta, err := s.Store.AppendGet(dst, key)
	must(err)
	return dst, meta.Found()
}

func (s ingotStore) Clone(key string) ([]byte, bool) {
	entry, err := s.Store.Get(key)
	must(err)
	return entry.Value, entry.Found()
}

func (s ingotStore) Batch(keys []string, visit func(value []byte)) {
	entries, err := s.Store.GetMany(keys)
	must(err)
	for i := range entries {
		if entries[i].Found() {
			visit(entries[i].Value)
		}
	}
}

func (s ingotStore) Close() { must(s.Store.Close()) }

// must ends the worker: no call of a benchmark may fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
