//go:build unix

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// checkPrivate refuses a folder that somebody else can write to, or put another
// in the place of.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("others can enter %s (mode %#o): chmod 700 it after a look at what is in it, or remove it", dir, info.Mode().Perm())
	}
	dir, err = filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for last := ""; dir != last; last, dir = dir, filepath.Dir(dir) {
		if info, err = os.Lstat(dir); err != nil {
			return err
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("the owner of %s is not known", dir)
		}
		if uid := int(owner.Uid); uid != os.Geteuid() && (uid != 0 || last == "") {
			return fmt.Errorf("%s belongs to user %d: give it to user %d, or use another folder", dir, uid, os.Geteuid())
		}
		if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
			return fmt.Errorf("others can write to %s (mode %#o), and so replace what lies in it: chmod go-w it, or use another folder", dir, info.Mode().Perm())
		}
	}
	return nil
}
