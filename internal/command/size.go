package command

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes on a command line: 4096, 64KiB, 512MiB, 2GiB.
// It is at least 1.
type ByteSize int64

var byteUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}, {"", 1}}

// UnmarshalText is encoding.TextUnmarshaler's, which flag parsers call. Its
// error says what a size looks like.
func (s *ByteSize) UnmarshalText(text []byte) error {
	for _, unit := range byteUnits {
		digits, ok := strings.CutSuffix(string(text), unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || n == 0 || int64(n) > math.MaxInt64/unit.bytes {
			break
		}
		*s = ByteSize(int64(n) * unit.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size: write a whole number from 1 on with B, KiB, MiB or GiB behind it, such as 512MiB", text)
}
