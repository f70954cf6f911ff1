//go:build !unix

package sandbox

import (
	"fmt"
	"os"
)

// checkPrivate refuses what is not a folder. Who may write to it is not looked
// at: the user's own cache folder is private where modes mean nothing.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", dir)
	}
	return err
}
