//go:build !wasip1

package guest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// What stands in for the host where there is none: in native tests of tools.
// The state is a map that lasts as long as the process, and times to live are
// not looked at; HTTP is unavailable; log and progress go to stderr.

// standIn is that host.
var standIn struct {
	mu      sync.Mutex
	values  map[string]Entry
	version uint64
	reply   []byte
}

// The codes of docs/ABI.md that the stand-in gives.
const (
	codeNotFound = iota + 1
	_
	_
	codeInvalid
	codeConflict
	codeUnavailable
)

func hostLog(level int32, text string) {
	fmt.Fprintf(os.Stderr, "log level %d: %s\n", level, text)
}

func hostProgress(progress, total float64, message string) {
	fmt.Fprintf(os.Stderr, "progress %v of %v: %s\n", progress, total, message)
}

// replied leaves a reply and returns the answer that tells of it.
func replied(code uint32, reply []byte) uint64 {
	standIn.reply = reply
	return uint64(code)<<32 | uint64(uint32(len(reply)))
}

func hostReply(to []byte) { copy(to, standIn.reply) }

func hostStateGet(key string) uint64 {
	standIn.mu.Lock()
	defer standIn.mu.Unlock()
	e, ok := standIn.values[key]
	if !ok {
		return replied(codeNotFound, fmt.Appendf(nil, "there is no key %q", key))
	}
	return replied(0, append(binary.LittleEndian.AppendUint64(nil, e.Version), e.Value...))
}

func hostStateSet(key string, value []byte, _, ifVersion int64) uint64 {
	standIn.mu.Lock()
	defer standIn.mu.Unlock()
	if have := standIn.values[key].Version; ifVersion != inAnyCase && uint64(ifVersion) != have {
		return replied(codeConflict, fmt.Appendf(nil, "key %q is at version %d, not %d", key, have, ifVersion))
	}
	return replied(0, binary.LittleEndian.AppendUint64(nil, standInPut(key, slices.Clone(value))))
}

// standInPut stores a value and returns its version.
func standInPut(key string, value []byte) uint64 {
	if standIn.values == nil {
		standIn.values = map[string]Entry{}
	}
	standIn.version++
	standIn.values[key] = Entry{value, standIn.version}
	return standIn.version
}

func hostStateDelete(key string, ifVersion int64) uint64 {
	standIn.mu.Lock()
	defer standIn.mu.Unlock()
	e, ok := standIn.values[key]
	switch {
	case !ok:
		return replied(codeNotFound, fmt.Appendf(nil, "there is no key %q", key))
	case ifVersion != inAnyCase && uint64(ifVersion) != e.Version:
		return replied(codeConflict, fmt.Appendf(nil, "key %q is at version %d, not %d", key, e.Version, ifVersion))
	}
	delete(standIn.values, key)
	return replied(0, nil)
}

func hostStateIncrement(key string, delta, _ int64) uint64 {
	standIn.mu.Lock()
	defer standIn.mu.Unlock()
	n := int64(0)
	if e, ok := standIn.values[key]; ok {
		var err error
		if n, err = strconv.ParseInt(string(e.Value), 10, 64); err != nil {
			return replied(codeInvalid, fmt.Appendf(nil, "the value of %q is no number", key))
		}
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return replied(codeInvalid, fmt.Appendf(nil, "the sum under %q does not fit 64 bits", key))
	}
	standInPut(key, strconv.AppendInt(nil, n+delta, 10))
	return replied(0, binary.LittleEndian.AppendUint64(nil, uint64(n+delta)))
}

func hostStateList(prefix, after string, limit int32) uint64 {
	standIn.mu.Lock()
	defer standIn.mu.Unlock()
	if limit < 1 {
		return replied(codeInvalid, fmt.Appendf(nil, "the limit is %d, it must be at least 1", limit))
	}
	var reply []byte
	for _, key := range slices.Sorted(maps.Keys(standIn.values)) {
		if limit > 0 && strings.HasPrefix(key, prefix) && key > after {
			reply = append(binary.LittleEndian.AppendUint32(reply, uint32(len(key))), key...)
			limit--
		}
	}
	return replied(0, reply)
}

func hostHTTP(string, []byte) uint64 {
	return replied(codeUnavailable, []byte("there is no host here that could make HTTP requests: this is a native test"))
}
