package main

import "github.com/ingot-run/ingot/engine"

// watching is a watcher with its store and the space its events are read into.
type watching struct {
	*engine.Watcher
	store *engine.Store
	one   [1]engine.Event
}

var watchers table[watching]

// watch starts to hear of changes and returns the watcher's handle. Request:
// prefix. A buffer of 0 events means the engine's default.
//
//go:wasmexport ingot_watch
func watch(store, prefixBytes uint32, buffer int32, values uint32) int32 {
	s := stores.at(store)
	if s == nil {
		return fail(errHandle)
	}
	prefix, _, ok := pair(prefixBytes, 0)
	if !ok {
		return fail(errRequest)
	}
	w, err := s.Watch(engine.WatchOptions{Prefix: prefix, Buffer: int(buffer), Values: values == 1})
	if err != nil {
		return fail(err)
	}
	handle := watchers.add(&watching{Watcher: w, store: s})
	if handle < 0 {
		w.Close()
	}
	return handle
}

// poll replies with the waiting events, at most max (0: as many as make a
// sensible reply). Reply: u32 number of events, then per event u32 kind, u32
// events lost, u32 key length, u32 value length, u64 version, u64 expiry, key,
// value.
//
//go:wasmexport ingot_poll
func poll(watcher, max uint32) int32 {
	w := watchers.at(watcher)
	if w == nil {
		return fail(errHandle)
	}
	out, count := appendU32(area[:0], 0), uint32(0)
	for (max == 0 || count < max) && len(out) < replyBytesTarget {
		events := w.Poll(w.one[:0], 1)
		if len(events) == 0 {
			break
		}
		out = appendEvent(out, &events[0])
		count++
	}
	w.one[0] = engine.Event{} // its value must not outlive it
	copy(out, appendU32(nil, count))
	return reply(out, 0)
}

func appendEvent(out []byte, e *engine.Event) []byte {
	out = appendU32(appendU32(out, uint32(e.Kind)), uint32(e.Lost))
	out = appendU32(appendU32(out, uint32(len(e.Key))), uint32(len(e.Value)))
	out = appendU64(appendU64(out, e.Version), uint64(e.ExpiresAt))
	return append(append(out, e.Key...), e.Value...)
}

// unwatch ends a watcher and frees its handle.
//
//go:wasmexport ingot_unwatch
func unwatch(watcher uint32) int32 {
	w := watchers.at(watcher)
	if w == nil {
		return fail(errHandle)
	}
	w.Close()
	watchers.remove(watcher)
	return 0
}
