//go:build !linux

package main

import "os"

func datasync(f *os.File) error { return f.Sync() }

// settleDisk does nothing here.
func settleDisk() {}

func preallocate(f *os.File, size int64) error { return f.Truncate(size) }
