package main

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// freeBytes is how much a user may write below a directory.
func freeBytes(path string) (free uint64, err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err == nil {
		err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	}
	if err != nil {
		return 0, fmt.Errorf("asking for the free room of %s: %w", path, err)
	}
	return free, nil
}

// openFilesMax is 0: Windows has no such limit.
func openFilesMax() uint64 { return 0 }
