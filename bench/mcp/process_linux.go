package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
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

// residentBytes returns the resident memory of the process, 0 if unknown.
func residentBytes(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
