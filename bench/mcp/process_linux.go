package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// processCPU returns the CPU time the process has used so far, over all its
// threads, also those that ended. pid 0 is the caller. It returns 0 when the
// process is gone.
//
// The clock id is built as clock_getcpuclockid(3) of glibc and musl builds it:
// the complement of the pid above three bits, of which 2 asks for the
// scheduler's nanosecond clock.
func processCPU(pid int) time.Duration {
	var at unix.Timespec
	if unix.ClockGettime(int32(^pid<<3|2), &at) != nil {
		return 0
	}
	return time.Duration(at.Nano())
}
