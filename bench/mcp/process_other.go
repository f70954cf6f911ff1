//go:build !linux

package main

import "time"

// processCPU is known on Linux only; 0 is reported as a dash.
func processCPU(int) time.Duration { return 0 }
