package mcp

import (
	"context"
	"time"
)

// An Inline tool holds up its connection. One that turns out to be slow, whatever
// its author thought, is therefore run on workers like any other from then on.
// Reading a clock for each call would cost more than many a call: a round of
// messages is timed as a whole, and only when one was slow are its successors'
// calls timed one by one.
const (
	inlineSlow   = 5 * time.Millisecond
	timedCalls   = 256 // that follow a slow round
	slowWeight   = 4   // of a slow call against a fast one
	slowMax      = 3 * slowWeight
	notInlineNow = "an Inline tool is slow; its calls run on workers from now on"
)

// lookInto has the next inline calls timed when what began then was slow.
func (c *Conn) lookInto(begun time.Time) {
	if time.Since(begun) > inlineSlow {
		c.timed = timedCalls
	}
}

// clock notes how long a call took: more than one slow call in five, and the
// tool is not run inline any more.
func (t *tool) clock(s *Server, begun time.Time) {
	if time.Since(begun) <= inlineSlow {
		if t.slow.Load() > 0 {
			t.slow.Add(-1)
		}
		return
	}
	if t.slow.Add(slowWeight) >= slowMax && t.demoted.CompareAndSwap(false, true) {
		s.options.Logger.WarnContext(context.Background(), notInlineNow, "tool", t.Name)
	}
}
