package main

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// store is what every implementation can do. Values are copied in: none of the
// methods may keep the slice it is given.
type store interface {
	// Insert puts a key that is not there. The key's bytes are only valid
	// during the call: whoever keeps the key clones it.
	Insert(key string, value []byte)
	// Set overwrites a key that is there. The key lives as long as the process.
	Set(key string, value []byte)
	Delete(key string)
}

// A store also reads: it is a borrower, or a copier where it lends nothing out.
type (
	// borrower hands out the stored bytes themselves.
	borrower interface {
		Borrow(key string) ([]byte, bool)
	}
	// copier appends the stored bytes to dst.
	copier interface {
		AppendGet(dst []byte, key string) ([]byte, bool)
	}
)

// What only some can do.
type (
	// cloner returns a copy in memory of its own.
	cloner interface {
		Clone(key string) ([]byte, bool)
	}
	// batcher reads many keys in one call and hands each copied value to visit:
	// copied into one buffer that the next call takes again, or into fresh memory.
	batcher interface {
		Batch(keys []string, visit func(value []byte))
		CloneBatch(keys []string, visit func(value []byte))
	}
	// settler waits until what was written can be read.
	settler interface{ Settle() }
	// closer gives back what the garbage collector does not: goroutines, mappings.
	closer interface{ Close() }
)

// sizing is what a store may be told when it is made.
type sizing struct{ keys, valueBytes int }

// entryBytes is what an entry weighs in the stores that want to know: the longest
// key, the value, and 64 bytes for the store's own records.
func (s sizing) entryBytes() int { return 32 + s.valueBytes + 64 }

// implementation is one row of the table.
type implementation struct {
	name  string
	label string // what the table calls it; %s is the module's version
	// module is where that version is looked up; empty for the standard library.
	module string
	// lossy ones may drop entries, so their answers are counted, not compared.
	lossy bool
	// oneThread ones must not be shared between goroutines.
	oneThread bool
	open      func(sizing) (store, error)
}

// flags is the form of lossy and oneThread in the list command's answer.
func (i implementation) flags() string {
	var flags []string
	if i.lossy {
		flags = append(flags, "lossy")
	}
	if i.oneThread {
		flags = append(flags, "onethread")
	}
	return strings.Join(flags, ",")
}

// fullLabel is the label with the version this binary was built with.
func (i implementation) fullLabel() string {
	if i.module == "" {
		return i.label
	}
	return fmt.Sprintf(i.label, moduleVersion(i.module))
}

func moduleVersion(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown version)"
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return strings.TrimPrefix(dep.Version, "v")
		}
	}
	return "(unknown version)"
}

// implementations lists all rows of this binary.
var implementations = []implementation{
	{name: "ingot", label: "**ingot**", open: openIngot},
	{name: "ingot-ordered", label: "ingot, keeping its keys sorted for List", open: openIngotOrdered},
	{name: "map", label: "Go map, one goroutine, no lock", oneThread: true, open: openPlainMap},
	{name: "sharded", label: "Go maps in 256 shards under RWMutex", open: openSharded},
	{name: "syncmap", label: "sync.Map", open: openSyncMap},
	{name: "xsync", label: "xsync %s", module: "github.com/puzpuzpuz/xsync/v4", open: openXsync},
	{name: "pb", label: "pb %s, flat map", module: "github.com/llxisdsh/pb", open: openPB},
	{name: "haxmap", label: "haxmap %s (loses and duplicates entries under concurrent writes)", module: "github.com/alphadose/haxmap", open: openHaxmap},
	{name: "otter", label: "otter %s, no bound", module: "github.com/maypok86/otter/v2", open: openOtter},
	{name: "ristretto", label: "ristretto %s (may drop writes)", module: "github.com/dgraph-io/ristretto/v2", lossy: true, open: openRistretto},
	{name: "freecache", label: "freecache %s", module: "github.com/coocood/freecache", lossy: true, open: openFreecache},
	{name: "fastcache", label: "fastcache %s", module: "github.com/VictoriaMetrics/fastcache", lossy: true, open: openFastcache},
	{name: "loop", label: "the measuring loop with no store", oneThread: true, lossy: true, open: openLoop},
}

func find(name string) (implementation, error) {
	for _, i := range implementations {
		if i.name == name {
			return i, nil
		}
	}
	return implementation{}, fmt.Errorf("no implementation %q: the command list names them", name)
}
