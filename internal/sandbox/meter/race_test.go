//go:build race

package meter

// raceEnabled says that the tests run under the race detector.
const raceEnabled = true
