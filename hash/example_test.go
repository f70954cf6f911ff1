package hash_test

import (
	"fmt"

	"github.com/ingot-run/ingot/hash"
)

func ExampleSum64() {
	fmt.Printf("%016x\n", hash.Sum64([]byte("ingot")))
	fmt.Printf("%016x\n", hash.Seeded([]byte("ingot"), 42))
	// Output:
	// e3e98cbc0fe98ce9
	// 843baa143d9b1fad
}

func ExampleBatch() {
	keys := []string{"user:1", "user:2", "user:3"}
	dst := make([]uint64, len(keys))
	hash.Batch(dst, keys)
	for i, key := range keys {
		fmt.Println(key, dst[i] == hash.String(key))
	}
	// Output:
	// user:1 true
	// user:2 true
	// user:3 true
}
