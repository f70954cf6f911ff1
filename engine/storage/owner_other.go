//go:build !linux && !wasip1

package storage

import "os"

// nodeOwner is the process of Node that has the directory: here Node locks the file
// "lock" itself.
func nodeOwner(*os.Root) (h Holder, held bool, err error) { return h, false, nil }

// holderGone says whether the process that a lock file names is sure to be no more.
func holderGone(*os.File) bool { return false }

// holderPlace is what the lock file says beside the holder.
func holderPlace() string { return "" }
