//go:build !unix

package audit

import "os"

// lock does nothing where files are not locked as on Unix: see that one server writes a
// log.
func lock(string) (unlock func() error, err error) { return func() error { return nil }, nil }

// syncDir does nothing where folders cannot be synced.
func syncDir(*os.File) error { return nil }
