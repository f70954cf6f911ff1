//go:build race

package crashtest

func init() { slow = true }
