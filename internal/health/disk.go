package health

import (
	"context"
	"fmt"
)

// diskBytesMin is how much room a disk is to have: a segment of the log and what a
// compaction needs to make more.
const diskBytesMin = 64 << 20

// Disk is a check that the disk below a folder has 64 MiB of room: what is written next
// fits. Where the system does not say, it passes.
func Disk(folder string) func(context.Context) error {
	return func(context.Context) error {
		free, known, err := DiskFree(folder)
		switch {
		case err != nil:
			return fmt.Errorf("asking how much room the disk has: %w", err)
		case known && free < diskBytesMin:
			return fmt.Errorf("the disk has %d bytes of room left, less than %d: make room", free, diskBytesMin)
		}
		return nil
	}
}
