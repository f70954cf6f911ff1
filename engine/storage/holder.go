//go:build !wasip1

package storage

import (
	"fmt"
	"os"
	"time"
)

// thisHolder is this process as a Holder, from now on.
func thisHolder() Holder {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown" // the name helps people only
	}
	return Holder{PID: os.Getpid(), Host: host, Since: time.Now().UTC().Truncate(time.Second)}
}

// text is what LockedError says of a holder that is known.
func (h Holder) text() string {
	return fmt.Sprintf("process %d on %s since %s", h.PID, h.Host, h.Since.Format(time.RFC3339))
}
