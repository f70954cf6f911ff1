package main

import (
	"os"
	"syscall"
)

func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// settleDisk writes out what others left to write, so that nobody's sync waits for it.
func settleDisk() { syscall.Sync() }

func preallocate(f *os.File, size int64) error { return syscall.Fallocate(int(f.Fd()), 0, 0, size) }
