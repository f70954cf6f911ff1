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
