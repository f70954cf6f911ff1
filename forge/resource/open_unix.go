//go:build unix

package resource

import "syscall"

// openNonblock keeps an open from waiting, should a pipe take the place of a file
// between the look and the opening; O_NOCTTY is for terminals.
const openNonblock = syscall.O_NONBLOCK | syscall.O_NOCTTY
