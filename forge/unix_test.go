//go:build unix

package forge

import (
	"syscall"

	"github.com/ingot-run/ingot/state"
)

var stateNow = state.SetOptions{}

func mkfifo(name string) error { return syscall.Mkfifo(name, 0o600) }
