package main

import (
	"bufio"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/zeebo/xxh3"

	"github.com/ingot-run/ingot/hash"
)

// This file is the worker: it answers the lines
//
//	backend                    hash.Backend()
//	one HASHER LENGTH N        ok ns=N sum=N of hashing N inputs
//	batch HASHER LOW HIGH N    ok ns=N sum=N of hashing N batches of 100 keys

// One call per input. Each loop calls its function directly, as a program would.
var oneLoops = map[string]func(list [][]byte, n int) uint64{
	"ours": func(list [][]byte, n int) (sum uint64) {
		for i, at := 0, 0; i < n; i++ {
			sum += hash.Sum64(list[at])
			if at++; at == len(list) {
				at = 0
			}
		}
		return sum
	},
	"zeebo": func(list [][]byte, n int) (sum uint64) {
		for i, at := 0, 0; i < n; i++ {
			sum += xxh3.Hash(list[at])
			if at++; at == len(list) {
				at = 0
			}
		}
		return sum
	},
	"cespare": func(list [][]byte, n int) (sum uint64) {
		for i, at := 0, 0; i < n; i++ {
			sum += xxhash.Sum64(list[at])
			if at++; at == len(list) {
				at = 0
			}
		}
		return sum
	},
	"maphash": func(list [][]byte, n int) (sum uint64) {
		seed := maphash.MakeSeed()
		for i, at := 0, 0; i < n; i++ {
			sum += maphash.Bytes(seed, list[at])
			if at++; at == len(list) {
				at = 0
			}
		}
		return sum
	},
}

// The hashes of a batch, into dst.
var batchLoops = map[string]func(dst []uint64, keys []string){
	"batch": hash.Batch,
	"ours": func(dst []uint64, keys []string) {
		for i, key := range keys {
			dst[i] = hash.String(key)
		}
	},
	"zeebo": func(dst []uint64, keys []string) {
		for i, key := range keys {
			dst[i] = xxh3.HashString(key)
		}
	},
	"cespare": func(dst []uint64, keys []string) {
		for i, key := range keys {
			dst[i] = xxhash.Sum64String(key)
		}
	},
	"maphash": func(dst []uint64, keys []string) {
		for i, key := range keys {
			dst[i] = maphash.String(maphashSeed, key)
		}
	},
}

var maphashSeed = maphash.MakeSeed()

// serve answers lines until quit or the end of the input.
func serve(stdin io.Reader, stdout io.Writer) error {
	lines := bufio.NewScanner(stdin)
	for lines.Scan() {
		if lines.Text() == "quit" {
			return nil
		}
		answer, err := answerLine(lines.Text())
		if err != nil {
			answer = "error " + err.Error()
		}
		if _, err := fmt.Fprintln(stdout, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func answerLine(line string) (string, error) {
	word, rest, _ := strings.Cut(line, " ")
	var hasher string
	var length, n int
	var c class
	switch word {
	case "backend":
		return hash.Backend(), nil
	case "one":
		if _, err := fmt.Sscanf(rest, "%s %d %d", &hasher, &length, &n); err != nil || length < 1 || length > lengthMax {
			return "", fmt.Errorf("one wants HASHER LENGTH N, got %q", rest)
		}
		loop, ok := oneLoops[hasher]
		if !ok {
			return "", fmt.Errorf("no hasher %q", hasher)
		}
		return timed(inputs(length), n, loop), nil
	case "batch":
		if _, err := fmt.Sscanf(rest, "%s %d %d %d", &hasher, &c.low, &c.high, &n); err != nil || c.low < 1 || c.high < c.low || c.high > keyBytesMax {
			return "", fmt.Errorf("batch wants HASHER LOW HIGH N, got %q", rest)
		}
		loop, ok := batchLoops[hasher]
		if !ok {
			return "", fmt.Errorf("no hasher %q", hasher)
		}
		return timed(keys(c), n, overBatches(loop)), nil
	}
	return "", fmt.Errorf("no command %q", word)
}

// overBatches sums the hashes of n batches.
func overBatches(loop func(dst []uint64, keys []string)) func(list [][]string, n int) uint64 {
	return func(list [][]string, n int) (sum uint64) {
		var dst [batchKeys]uint64
		for i := range n {
			loop(dst[:], list[i%len(list)])
			for _, h := range dst {
				sum += h
			}
		}
		return sum
	}
}

// timed runs a loop a little to warm up, then n times.
func timed[T any](list []T, n int, loop func(list []T, n int) uint64) string {
	loop(list, n/16+1)
	started := time.Now()
	sum := loop(list, n)
	return fmt.Sprintf("ok ns=%d sum=%d", time.Since(started), sum)
}
