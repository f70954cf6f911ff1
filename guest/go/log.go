package guest

import "fmt"

// Level is how much a log line matters; the numbers are the ABI's.
type Level int32

// The levels of [Log].
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Log writes one line to the host's log. The host bounds what a call may log.
func Log(level Level, format string, args ...any) {
	hostLog(int32(level), fmt.Sprintf(format, args...))
}
