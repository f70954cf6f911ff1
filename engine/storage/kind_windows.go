package storage

import (
	"errors"
	"syscall"
)

// System error codes of Windows (winerror.h).
const (
	errorWriteProtect = syscall.Errno(19)
	errorDiskFull     = syscall.Errno(112)
	errorHandleFull   = syscall.Errno(39) // ERROR_HANDLE_DISK_FULL
)

// kindOf is the error of this package that says what err does, or nil.
func kindOf(err error) error {
	switch {
	case errors.Is(err, errorDiskFull), errors.Is(err, errorHandleFull):
		return ErrSpace
	case errors.Is(err, errorWriteProtect):
		return ErrReadOnly
	}
	return nil
}
