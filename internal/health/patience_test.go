package health_test

import "time"

// patience bounds each wait for a condition, which is looked at every tick.
const (
	patience = time.Minute
	tick     = 20 * time.Millisecond
)
