package state_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ingot-run/ingot/state"
)

func ExampleOpen() {
	ctx := context.Background()
	m, err := state.Open(state.Options{}) // in memory; with a Path it is in a directory
	if err != nil {
		panic(err)
	}
	defer m.Close()

	version, err := m.Set(ctx, "greeting", []byte("hello"), state.SetOptions{TTL: time.Hour})
	if err != nil {
		panic(err)
	}
	_, err = m.Set(ctx, "greeting", []byte("hi"), state.SetOptions{IfVersion: version + 1})
	fmt.Println(errors.Is(err, state.ErrConflict))

	e, err := m.Get(ctx, "greeting")
	fmt.Println(string(e.Value), err)
	// Output:
	// true
	// hello <nil>
}

func ExampleScope() {
	ctx := context.Background()
	store, err := state.Open(state.Options{})
	if err != nil {
		panic(err)
	}
	defer store.Close()

	m, err := state.Scope(store, state.Namespace{Prefix: "tool/weather/", BytesMax: 1 << 20})
	if err != nil {
		panic(err)
	}
	if _, err := m.Set(ctx, "last", []byte("rain"), state.SetOptions{}); err != nil {
		panic(err)
	}
	page, err := store.List(ctx, state.ListOptions{})
	if err != nil {
		panic(err)
	}
	fmt.Println(page.Entries[0].Key)
	_, err = m.Set(ctx, "large", make([]byte, 2<<20), state.SetOptions{})
	fmt.Println(errors.Is(err, state.ErrFull))
	// Output:
	// tool/weather/last
	// true
}

func ExampleManager_watch() {
	ctx := context.Background()
	m, err := state.Open(state.Options{})
	if err != nil {
		panic(err)
	}
	defer m.Close()

	w, err := m.Watch(ctx, state.WatchOptions{Prefix: "job/", Values: true})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	if _, err := m.Set(ctx, "job/7", []byte("done"), state.SetOptions{}); err != nil {
		panic(err)
	}
	e, err := w.Next(ctx)
	fmt.Println(e.Kind, e.Key, string(e.Value), err)
	// Output:
	// set job/7 done <nil>
}
