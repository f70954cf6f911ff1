package engine

// Get returns the entry of key, its value copied for the caller. An absent key
// is not an error: it gives an Entry with Version 0. It returns ErrKeySize or
// ErrClosed. It costs one lookup and one allocation of the value's size.
func (s *Store) Get(key string) (Entry, error) {
	e, err := s.lookup(key)
	if err != nil || !e.Found() {
		return Entry{}, err
	}
	return Entry{Value: append(make([]byte, 0, len(e.value)), e.value...), Meta: e.Meta}, nil
}

// AppendGet appends the value of key to dst, as append does, and returns the
// longer slice. It allocates only when dst is too short. An absent key appends
// nothing and gives Meta with Version 0. Errors are those of Get.
func (s *Store) AppendGet(dst []byte, key string) ([]byte, Meta, error) {
	e, err := s.lookup(key)
	if err != nil {
		return dst, Meta{}, err
	}
	return append(dst, e.value...), e.Meta, nil
}

// Stat returns the Meta of key and the length of its value in bytes, without
// copying it. Errors are those of Get.
func (s *Store) Stat(key string) (Meta, int, error) {
	e, err := s.lookup(key)
	return e.Meta, len(e.value), err
}

// Exists reports whether key is present and has not expired. Errors are those
// of Get.
func (s *Store) Exists(key string) (bool, error) {
	e, err := s.lookup(key)
	return e.Found(), err
}

// GetMany returns one Entry per key, in the order of keys; absent ones have
// Version 0. Each key is read on its own: the result is not one moment of the
// whole store. A bad key refuses the whole call. A key may be named twice.
func (s *Store) GetMany(keys []string) ([]Entry, error) {
	if len(keys) > BatchOpsMax {
		return nil, ErrBatchSize
	}
	entries := make([]Entry, len(keys))
	for i, key := range keys {
		e, err := s.Get(key)
		if err != nil {
			return nil, err
		}
		entries[i] = e
	}
	return entries, nil
}

// lookup finds the live entry of key, or the zero entry.
func (s *Store) lookup(key string) (entry, error) {
	if err := s.checkKey(key); err != nil {
		return entry{}, err
	}
	sh := &s.shards[s.shardIndex(key)]
	sh.mu.RLock()
	e, ok := sh.m[key]
	sh.mu.RUnlock()
	if !ok || s.expired(e) {
		return entry{}, nil
	}
	return e, nil
}
