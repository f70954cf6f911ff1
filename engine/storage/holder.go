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
	return Holder{PID: os.Getpid(), Host: host, Since: time.Now().Unix()}
}

// since is when it took the lock, as files and texts have it.
func (h Holder) since() string { return time.Unix(h.Since, 0).UTC().Format(time.RFC3339) }

// text is what LockedError says of a holder that is known.
func (h Holder) text() string {
	return fmt.Sprintf("process %d on %s since %s", h.PID, h.Host, h.since())
}
