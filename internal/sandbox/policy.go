package sandbox

import (
	"fmt"
	"time"
)

// Policy is what one tool may have and do. The zero value grants nothing
// beyond computing within the default limits.
type Policy struct {
	// Limits bound what a call may take; zero fields get their default.
	Limits Limits
	// Clock is which time the guest sees.
	Clock Clock
	// RandomSeed makes the guest's random source repeatable: each instance then
	// reads the same bytes. Nil: the operating system's random source.
	RandomSeed []byte
}

// Clock is which time a guest sees.
type Clock int

const (
	// ClockVirtual starts at 1970-01-01T00:00:00Z in each instance, gains a
	// microsecond at each reading, and jumps when the guest sleeps: a sleep
	// takes no real time. The guest learns nothing about the host.
	ClockVirtual Clock = iota
	// ClockReal is the host's time. A sleeping guest waits, and is woken at its
	// deadline.
	ClockReal
)

// String is the name that flags and reports use.
func (c Clock) String() string {
	if c == ClockReal {
		return "real"
	}
	return "virtual"
}

// Limits bound one tool. Zero means the default, which [DefaultLimits] gives.
type Limits struct {
	// ModuleBytesMax is the size of the .wasm file.
	ModuleBytesMax uint64
	// CompileWorkMax bounds what compiling the module may cost, in the units of
	// rewrite.go: 1e8 is about 2 seconds. A Go tool of 3 MB takes 6e7.
	CompileWorkMax uint64
	// MemoryBytesMax is the linear memory of one instance, in bytes; it is
	// rounded down to whole pages of 64 KiB. All instances of a tool together
	// may hold ConcurrencyMax times as much.
	MemoryBytesMax uint64
	// TableElementsMax is the number of elements (8 bytes each) in all tables
	// of one instance.
	TableElementsMax uint64
	// InputBytesMax is the length of a call's arguments.
	InputBytesMax uint64
	// OutputBytesMax is the length of a call's result.
	OutputBytesMax uint64
	// LogBytesMax and LogLinesMax bound what one call may log (the log import,
	// stdout and stderr together). What goes beyond is dropped, and one line
	// says so.
	LogBytesMax uint64
	LogLinesMax uint64
	// TimeMax is the wall time of one call, from the start of its instance.
	TimeMax time.Duration
	// LoadTimeMax is the wall time in which a tool must describe itself.
	LoadTimeMax time.Duration
	// ConcurrencyMax is how many calls of the tool run at once; further ones
	// wait for at most TimeMax.
	ConcurrencyMax int
}

// descriptionBytesMax bounds what describe may return: two schemas of the size
// that internal/schema takes, and the text.
const descriptionBytesMax = 256 << 10

// DefaultLimits are the limits of a tool that names none.
func DefaultLimits() Limits {
	return Limits{
		ModuleBytesMax:   32 << 20,
		CompileWorkMax:   1_000_000_000,
		MemoryBytesMax:   64 << 20,
		TableElementsMax: 1 << 20,
		InputBytesMax:    4 << 20,
		OutputBytesMax:   1 << 20,
		LogBytesMax:      64 << 10,
		LogLinesMax:      256,
		TimeMax:          2 * time.Second,
		LoadTimeMax:      10 * time.Second,
		ConcurrencyMax:   4,
	}
}

// complete fills in the defaults and refuses what cannot be enforced.
func (l Limits) complete() (Limits, error) {
	d := DefaultLimits()
	for _, f := range []struct {
		name     string
		v        *uint64
		def, max uint64
	}{
		{"ModuleBytesMax", &l.ModuleBytesMax, d.ModuleBytesMax, 1 << 30},
		{"CompileWorkMax", &l.CompileWorkMax, d.CompileWorkMax, 1 << 62},
		{"MemoryBytesMax", &l.MemoryBytesMax, d.MemoryBytesMax, 4 << 30},
		{"TableElementsMax", &l.TableElementsMax, d.TableElementsMax, 1 << 27},
		{"InputBytesMax", &l.InputBytesMax, d.InputBytesMax, 1 << 30},
		{"OutputBytesMax", &l.OutputBytesMax, d.OutputBytesMax, 1 << 30},
		{"LogBytesMax", &l.LogBytesMax, d.LogBytesMax, 1 << 30},
		{"LogLinesMax", &l.LogLinesMax, d.LogLinesMax, 1 << 30},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v > f.max {
			return l, fmt.Errorf("limit %s is %d, at most %d is possible", f.name, *f.v, f.max)
		}
	}
	if l.MemoryBytesMax < pageBytes {
		return l, fmt.Errorf("limit MemoryBytesMax is %d, which is less than one page of %d", l.MemoryBytesMax, pageBytes)
	}
	l.MemoryBytesMax -= l.MemoryBytesMax % pageBytes
	if l.TimeMax == 0 {
		l.TimeMax = d.TimeMax
	}
	if l.LoadTimeMax == 0 {
		l.LoadTimeMax = d.LoadTimeMax
	}
	if l.ConcurrencyMax == 0 {
		l.ConcurrencyMax = d.ConcurrencyMax
	}
	if l.TimeMax < 0 || l.LoadTimeMax < 0 || l.ConcurrencyMax < 0 {
		return l, fmt.Errorf("limits TimeMax (%v), LoadTimeMax (%v) and ConcurrencyMax (%d) must be positive", l.TimeMax, l.LoadTimeMax, l.ConcurrencyMax)
	}
	return l, nil
}
