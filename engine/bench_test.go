package engine_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/ingot-run/ingot/engine"
)

// benchKeys are n keys of 16 to 32 bytes.
func benchKeys(n int) []string {
	rng := rand.New(rand.NewPCG(1, 2))
	keys := make([]string, n)
	for i := range keys {
		b := make([]byte, 16+rng.IntN(17))
		binary.LittleEndian.PutUint64(b, uint64(i)*0x9e3779b97f4a7c15)
		for j := 8; j < len(b); j++ {
			b[j] = 'a' + byte(rng.IntN(26))
		}
		keys[i] = string(b)
	}
	return keys
}

// filled is a store of n keys with values of 64 bytes, and the keys shuffled.
func filled(b *testing.B, n int) (*engine.Store, []string) {
	b.Helper()
	s, err := engine.Open(engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	keys := benchKeys(n)
	value := make([]byte, 64)
	for _, key := range keys {
		if _, err := s.Set(key, value, engine.SetOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	rand.New(rand.NewPCG(3, 4)).Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	runtime.GC()
	return s, keys
}

var sizes = []int{1_000, 1_000_000}

func BenchmarkAppendGet(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, keys := filled(b, n)
			buf := make([]byte, 0, 64)
			i := 0
			for b.Loop() {
				buf, _, _ = s.AppendGet(buf[:0], keys[i])
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, keys := filled(b, n)
			i := 0
			for b.Loop() {
				s.Get(keys[i])
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

func BenchmarkMiss(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, keys := filled(b, n)
			absent := make([]string, len(keys))
			for i, key := range keys {
				absent[i] = key[:len(key)-1] + "!"
			}
			i := 0
			for b.Loop() {
				s.AppendGet(nil, absent[i])
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

func BenchmarkSetOver(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, keys := filled(b, n)
			value := make([]byte, 64)
			i := 0
			for b.Loop() {
				s.Set(keys[i], value, engine.SetOptions{})
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

func BenchmarkInsertDelete(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, keys := filled(b, n)
			value := make([]byte, 64)
			i := 0
			for b.Loop() {
				s.Delete(keys[i], engine.DeleteOptions{})
				s.Set(keys[i], value, engine.SetOptions{})
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

// BenchmarkBatch100 reads 100 keys per operation, one by one and together.
func BenchmarkBatch100(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("loop/%d", n), func(b *testing.B) {
			s, keys := filled(b, n)
			buf := make([]byte, 0, 64)
			i := 0
			for b.Loop() {
				for _, key := range keys[i : i+100] {
					buf, _, _ = s.AppendGet(buf[:0], key)
				}
				if i += 100; i+100 > n {
					i = 0
				}
			}
		})
		b.Run(fmt.Sprintf("many/%d", n), func(b *testing.B) {
			s, keys := filled(b, n)
			var buf []byte
			var entries []engine.Entry
			i := 0
			for b.Loop() {
				buf, entries, _ = s.AppendGetMany(buf[:0], entries[:0], keys[i:i+100])
				if i += 100; i+100 > n {
					i = 0
				}
			}
		})
	}
}

// BenchmarkGetMany100 reads 100 keys per operation into memory of their own.
func BenchmarkGetMany100(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, keys := filled(b, n)
			i := 0
			for b.Loop() {
				s.GetMany(keys[i : i+100])
				if i += 100; i+100 > n {
					i = 0
				}
			}
		})
	}
}

// BenchmarkSetMany100 stores 100 keys per operation, one by one and together.
func BenchmarkSetMany100(b *testing.B) {
	for _, n := range sizes {
		value := make([]byte, 64)
		b.Run(fmt.Sprintf("loop/%d", n), func(b *testing.B) {
			s, keys := filled(b, n)
			i := 0
			for b.Loop() {
				for _, key := range keys[i : i+100] {
					s.Set(key, value, engine.SetOptions{})
				}
				if i += 100; i+100 > n {
					i = 0
				}
			}
		})
		b.Run(fmt.Sprintf("many/%d", n), func(b *testing.B) {
			s, keys := filled(b, n)
			items := make([]engine.Item, 100)
			i := 0
			for b.Loop() {
				for j, key := range keys[i : i+100] {
					items[j] = engine.Item{Key: key, Value: value}
				}
				s.SetMany(items)
				if i += 100; i+100 > n {
					i = 0
				}
			}
		})
	}
}
