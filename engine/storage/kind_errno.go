//go:build !windows && !plan9

package storage

import (
	"errors"
	"syscall"
)

// kindOf is the error of this package that says what err does, or nil.
func kindOf(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ErrSpace
	case errors.Is(err, syscall.EROFS):
		return ErrReadOnly
	}
	return nil
}
