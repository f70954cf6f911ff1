//go:build pb

// The driver builds with this tag after a `go get` in a copy of go.mod, so that
// a module proxy that does not serve the module costs a row and not the build.

package main

import (
	"bytes"
	"strings"

	"github.com/llxisdsh/pb"
)

func init() {
	implementations = append(implementations, implementation{
		name: "pb", label: "llxisdsh/pb %s, flat map", module: "github.com/llxisdsh/pb", open: openPB,
	})
}

type pbMap struct{ *pb.FlatMapOf[string, []byte] }

func openPB(sizing) (store, error) { return pbMap{pb.NewFlatMapOf[string, []byte]()}, nil }

func (m pbMap) Insert(key string, value []byte)  { m.Store(strings.Clone(key), bytes.Clone(value)) }
func (m pbMap) Set(key string, value []byte)     { m.Store(key, bytes.Clone(value)) }
func (m pbMap) Delete(key string)                { m.FlatMapOf.Delete(key) }
func (m pbMap) Borrow(key string) ([]byte, bool) { return m.Load(key) }
