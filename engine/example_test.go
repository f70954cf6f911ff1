package engine_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/ingot-run/ingot/engine"
)

func Example() {
	store, err := engine.Open(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	version, err := store.Set("user:7", []byte("Ada"), engine.SetOptions{TTL: time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Set("user:7", []byte("Bob"), engine.SetOptions{IfVersion: version + 1}); errors.Is(err, engine.ErrConflict) {
		fmt.Println("refused:", err)
	}
	entry, err := store.Get("user:7")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s at version %d\n", entry.Value, entry.Version)
	// Output:
	// refused: engine: the precondition on key "user:7" does not hold: it is at version 1
	// Ada at version 1
}

func ExampleStore_Batch() {
	store, err := engine.Open(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	// Move 30 from one account to the other, or nothing.
	transfer := []engine.Op{
		{Kind: engine.OpCheck, Key: "account:open", IfAbsent: true},
		{Kind: engine.OpIncrement, Key: "account:a", Delta: -30},
		{Kind: engine.OpIncrement, Key: "account:b", Delta: 30},
	}
	results, err := store.Batch(transfer)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results[1].Number, results[2].Number)
	// Output: -30 30
}
