package simdir_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/ingot-run/ingot/engine/storage/simdir"
)

// A file that was synced survives, but nobody finds it while its directory was
// not.
func Example() {
	disk := simdir.New(1)
	f, err := disk.Create("note")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("durable?"), 0); err != nil {
		log.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		log.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[string]bool{}
	for range 50 {
		seen[string(disk.Crash(rng).Bytes("note"))] = true
	}
	fmt.Println(len(seen), seen[""], seen["durable?"])
	// Output: 2 true true
}
