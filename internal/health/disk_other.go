//go:build !(linux || darwin || freebsd)

package health

// DiskFree is how many bytes can still be written to the disk that a folder is on. The
// system is not asked here: known is false.
func DiskFree(string) (bytes uint64, known bool, err error) { return 0, false, nil }
