package main

import (
	"github.com/ingot-run/ingot/engine"
)

// This file is the only one that calls the engine.

// ingotStore is the engine with the memory that a batch reads into.
type ingotStore struct {
	*engine.Store
	values  []byte
	entries []engine.Entry
}

func openIngot(sizing) (store, error) {
	s, err := engine.Open(engine.Options{})
	return &ingotStore{Store: s}, err
}

// openIngotOrdered lists once: from then on the store keeps its keys sorted too.
func openIngotOrdered(sizing) (store, error) {
	s, err := engine.Open(engine.Options{})
	if err != nil {
		return nil, err
	}
	_, err = s.List(engine.ListOptions{Limit: 1})
	return &ingotStore{Store: s}, err
}

// Insert takes no clone of the key: the engine copies keys, too.
func (s *ingotStore) Insert(key string, value []byte) { s.Set(key, value) }

func (s *ingotStore) Set(key string, value []byte) {
	_, err := s.Store.Set(key, value, engine.SetOptions{})
	must(err)
}

func (s *ingotStore) Delete(key string) {
	_, _, err := s.Store.Delete(key, engine.DeleteOptions{})
	must(err)
}

func (s *ingotStore) AppendGet(dst []byte, key string) ([]byte, bool) {
	dst, meta, err := s.Store.AppendGet(dst, key)
	must(err)
	return dst, meta.Found()
}

func (s *ingotStore) Clone(key string) ([]byte, bool) {
	entry, err := s.Store.Get(key)
	must(err)
	return entry.Value, entry.Found()
}

func (s *ingotStore) Batch(keys []string, visit func(value []byte)) {
	var err error
	s.values, s.entries, err = s.AppendGetMany(s.values[:0], s.entries[:0], keys)
	must(err)
	visitFound(s.entries, visit)
}

func (s *ingotStore) CloneBatch(keys []string, visit func(value []byte)) {
	entries, err := s.GetMany(keys)
	must(err)
	visitFound(entries, visit)
}

func visitFound(entries []engine.Entry, visit func(value []byte)) {
	for i := range entries {
		if entries[i].Found() {
			visit(entries[i].Value)
		}
	}
}

func (s *ingotStore) Close() { must(s.Store.Close()) }

// must ends the worker: no call of a benchmark may fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
