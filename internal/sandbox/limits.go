package sandbox

import (
	"cmp"
	"fmt"
	"time"
)

// Limits bound one tool. Zero means the default, which [DefaultLimits] gives.
type Limits struct {
	// ModuleBytesMax is the size of the .wasm file.
	ModuleBytesMax uint64
	// CompileWorkMax bounds what compiling the module may cost, in the units of the
	// package meter: 1e8 is about 2 seconds. A Go tool of 3 MB takes 6e7.
	CompileWorkMax uint64
	// MemoryBytesMax is the linear memory of one instance, in bytes; it is
	// rounded down to whole pages of 64 KiB. All instances of a tool together
	// may hold ConcurrencyMax times as much.
	MemoryBytesMax uint64
	// TableElementsMax is the number of elements (8 bytes each) in all tables
	// of one instance.
	TableElementsMax uint64
	// FuelMax is how many instructions one call may execute, in the units of the
	// package meter, whatever the machine is busy with: the same call burns the
	// same. 0: five thousand million for each second of TimeMax, which is more
	// than a core of today burns in that time.
	FuelMax uint64
	// InputBytesMax is the length of a call's arguments.
	InputBytesMax uint64
	// StdinBytesMax is the length of what a WASI command reads on stdin.
	StdinBytesMax uint64
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
	// CallsQueuedMax is how many calls may wait for their turn; one more is
	// refused at once.
	CallsQueuedMax int
	// InstancesReadyMin is how many instances are made ready ahead of the calls: at
	// loading, and in the place of those that a call left unfit. More than one pays
	// where calls come at once; none is made ahead at the isolation "session".
	InstancesReadyMin int
	// InstancesIdleMax is how many instances are kept for later calls; at the
	// isolation "session" it is how many sessions have one.
	InstancesIdleMax int
	// IdleTimeMax is how long an instance is kept that nobody uses.
	IdleTimeMax time.Duration
	// OpenFilesMax is how many files and folders a call may have open at once.
	OpenFilesMax int
	// HTTPRequestsMax is how many HTTP requests one call may send; redirects that
	// are followed count.
	HTTPRequestsMax uint64
	// HTTPRequestBytesMax is the length of one request's body.
	HTTPRequestBytesMax uint64
	// HTTPResponseBytesMax is the length of one response's body.
	HTTPResponseBytesMax uint64
	// HTTPTimeMax is the wall time of one request, redirects and body included.
	HTTPTimeMax time.Duration
}

// descriptionBytesMax bounds what describe may return: two schemas of the size
// that internal/schema takes, and the text.
const descriptionBytesMax = 256 << 10

// DefaultLimits are the limits of a tool that names none.
func DefaultLimits() Limits {
	return Limits{
		ModuleBytesMax:       32 << 20,
		CompileWorkMax:       1_000_000_000,
		MemoryBytesMax:       64 << 20,
		TableElementsMax:     1 << 20,
		InputBytesMax:        4 << 20,
		OutputBytesMax:       1 << 20,
		LogBytesMax:          64 << 10,
		StdinBytesMax:        4 << 20,
		LogLinesMax:          256,
		TimeMax:              2 * time.Second,
		LoadTimeMax:          10 * time.Second,
		ConcurrencyMax:       4,
		CallsQueuedMax:       1024,
		InstancesReadyMin:    1,
		InstancesIdleMax:     4,
		IdleTimeMax:          5 * time.Minute,
		OpenFilesMax:         32,
		HTTPRequestsMax:      16,
		HTTPRequestBytesMax:  1 << 20,
		HTTPResponseBytesMax: 4 << 20,
		HTTPTimeMax:          10 * time.Second,
		FuelMax:              2 * fuelPerSecond,
	}
}

// fuelPerSecond is the default of FuelMax for each second of TimeMax.
const fuelPerSecond = 5_000_000_000

// complete fills in the defaults and refuses what cannot be enforced.
func (l Limits) complete() (Limits, error) {
	d := DefaultLimits()
	if err := l.completeTimes(d); err != nil {
		return l, err
	}
	if l.FuelMax == 0 {
		l.FuelMax = max(uint64(l.TimeMax.Seconds()*fuelPerSecond), fuelPerSecond)
	}
	for _, f := range []struct {
		name     string
		v        *uint64
		def, max uint64
	}{
		{"ModuleBytesMax", &l.ModuleBytesMax, d.ModuleBytesMax, 1 << 30},
		{"CompileWorkMax", &l.CompileWorkMax, d.CompileWorkMax, 1 << 62},
		{"MemoryBytesMax", &l.MemoryBytesMax, d.MemoryBytesMax, 4 << 30},
		{"TableElementsMax", &l.TableElementsMax, d.TableElementsMax, 1 << 27},
		{"FuelMax", &l.FuelMax, d.FuelMax, 1 << 62},
		{"InputBytesMax", &l.InputBytesMax, d.InputBytesMax, 1 << 30},
		{"StdinBytesMax", &l.StdinBytesMax, d.StdinBytesMax, 1 << 30},
		{"OutputBytesMax", &l.OutputBytesMax, d.OutputBytesMax, 1 << 30},
		{"LogBytesMax", &l.LogBytesMax, d.LogBytesMax, 1 << 30},
		{"LogLinesMax", &l.LogLinesMax, d.LogLinesMax, 1 << 30},
		{"HTTPRequestsMax", &l.HTTPRequestsMax, d.HTTPRequestsMax, 1 << 30},
		{"HTTPRequestBytesMax", &l.HTTPRequestBytesMax, d.HTTPRequestBytesMax, 1 << 30},
		{"HTTPResponseBytesMax", &l.HTTPResponseBytesMax, d.HTTPResponseBytesMax, 1 << 30},
	} {
		*f.v = cmp.Or(*f.v, f.def)
		if *f.v > f.max {
			return l, fmt.Errorf("limit %s is %d, at most %d is possible", f.name, *f.v, f.max)
		}
	}
	if l.MemoryBytesMax < pageBytes {
		return l, fmt.Errorf("limit MemoryBytesMax is %d, which is less than one page of %d", l.MemoryBytesMax, pageBytes)
	}
	l.MemoryBytesMax -= l.MemoryBytesMax % pageBytes
	return l, nil
}

// completeTimes does the same for times and small counts.
func (l *Limits) completeTimes(d Limits) error {
	for _, f := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"TimeMax", &l.TimeMax, d.TimeMax},
		{"LoadTimeMax", &l.LoadTimeMax, d.LoadTimeMax},
		{"IdleTimeMax", &l.IdleTimeMax, d.IdleTimeMax},
		{"HTTPTimeMax", &l.HTTPTimeMax, d.HTTPTimeMax},
	} {
		*f.v = cmp.Or(*f.v, f.def)
		if *f.v < 0 || *f.v > 24*time.Hour {
			return fmt.Errorf("limit %s is %v: it must be positive and at most 24h", f.name, *f.v)
		}
	}
	for _, f := range []struct {
		name     string
		v        *int
		def, max int
	}{
		{"ConcurrencyMax", &l.ConcurrencyMax, d.ConcurrencyMax, 1 << 16},
		{"CallsQueuedMax", &l.CallsQueuedMax, d.CallsQueuedMax, 1 << 20},
		{"InstancesReadyMin", &l.InstancesReadyMin, d.InstancesReadyMin, 1 << 16},
		{"InstancesIdleMax", &l.InstancesIdleMax, d.InstancesIdleMax, 1 << 16},
		{"OpenFilesMax", &l.OpenFilesMax, d.OpenFilesMax, 1 << 12},
	} {
		*f.v = cmp.Or(*f.v, f.def)
		if *f.v < 0 || *f.v > f.max {
			return fmt.Errorf("limit %s is %d: it must be positive and at most %d", f.name, *f.v, f.max)
		}
	}
	return nil
}
