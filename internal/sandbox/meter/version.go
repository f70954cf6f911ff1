package meter

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"sync"
)

// sources are this package's own files. A version counted by hand would be
// forgotten one day, and a cache would then hand out modules of an older meter.
//
//go:embed *.go
var sources embed.FS

// Version names what [Instrument] writes: two builds of the package have the same
// version only if they write the same. It is for keys of caches.
var Version = sync.OnceValue(func() string {
	sum := sha256.New()
	files, err := fs.Glob(sources, "*.go") // in the order of names
	for _, name := range files {
		var content []byte
		if content, err = sources.ReadFile(name); err != nil {
			break
		}
		sum.Write(content)
	}
	if err != nil { // the files are part of the program
		panic(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
})
