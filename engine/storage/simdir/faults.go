package simdir

import (
	"errors"
	"fmt"
	"slices"
)

// ErrCrashed is what every call returns from the one that CrashAt chose.
var ErrCrashed = errors.New("the power is off")

// faults are the failures that a test asked for.
type faults struct {
	crashIn  int // calls until the power goes; 0 means that it stays
	crashed  bool
	due      []*fault
	readOnly bool
	stale    bool
	space    int64 // bytes on the disk; -1 means no bound
}

// fault is a call that is to fail.
type fault struct {
	in  int // calls of its kind until it is due
	op  Op
	err error
}

// next counts a call and is the failure due to it, or nil.
func (f *faults) next(op Op) error {
	if f.crashIn > 0 {
		if f.crashIn--; f.crashIn == 0 {
			f.crashed = true
		}
	}
	if f.crashed {
		return ErrCrashed
	}
	var err error
	f.due = slices.DeleteFunc(f.due, func(due *fault) bool {
		if due.op != op {
			return false
		}
		due.in--
		if due.in > 0 {
			return false
		}
		err = due.err
		return true
	})
	return err
}

// CrashAt turns the power off at the n-th call from now, 1 being the next one:
// that call and all after it do nothing and return ErrCrashed.
func (d *Dir) CrashAt(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.crashIn = n
}

// FailAt has the n-th call of a kind from now, 1 being the next one, fail with
// err. A read or a write that fails does a part of its work first; a Sync that
// fails loses data in the way that the package's comment tells.
func (d *Dir) FailAt(n int, op Op, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.due = append(d.faults.due, &fault{in: n, op: op, err: err})
}

// Heal takes back the failures of FailAt that are still due.
func (d *Dir) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.due = nil
}

// SetSpace bounds the bytes of all files: what exceeds them fails with
// storage.ErrSpace, a write when it has written what fits. A negative number
// takes the bound away.
func (d *Dir) SetSpace(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.space = bytes
}

// SetReadOnly has everything that writes fail with storage.ErrReadOnly.
func (d *Dir) SetReadOnly(readOnly bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.readOnly = readOnly
}

// SetStale has Crash fill sectors that a file grew over, and whose write was
// lost, with what some file held once, at times.
func (d *Dir) SetStale(stale bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.stale = stale
}

// Used is the bytes of all files, those removed but still open included.
func (d *Dir) Used() (bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.usedLocked()
}

// Free is the bytes that SetSpace leaves; negative where it sets no bound.
func (d *Dir) Free() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.faults.space < 0 {
		return -1
	}
	return max(d.freeLocked(), 0)
}

func (d *Dir) usedLocked() (bytes int64) {
	for _, node := range d.inodes {
		if node.opens > 0 || d.namedLocked(node) {
			bytes += int64(len(node.data))
		}
	}
	return bytes
}

func (d *Dir) freeLocked() int64 { return d.faults.space - d.usedLocked() }

// spaceLocked is how long a file may become.
func (d *Dir) spaceLocked(node *inode) int64 {
	if d.faults.space < 0 {
		return 1 << 62
	}
	return int64(len(node.data)) + max(d.freeLocked(), 0)
}

func (d *Dir) namedLocked(node *inode) bool {
	for _, named := range d.names {
		if named == node {
			return true
		}
	}
	return false
}

// Bytes is what a file holds, nil when there is none.
func (d *Dir) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if node := d.names[name]; node != nil {
		return slices.Clone(node.data)
	}
	return nil
}

// Put makes a file with these contents, or replaces what one holds, and makes
// it durable, behind the back of whoever uses the disk.
func (d *Dir) Put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	node := d.names[name]
	if node == nil {
		node = &inode{}
		d.inodes = append(d.inodes, node)
		d.names[name], d.durable[name] = node, node
	}
	node.data, node.durable, node.pending = slices.Clone(data), slices.Clone(data), nil
}

// Corrupt flips the bits of mask in the byte of a file at offset, on the disk
// and in the system's memory. It panics when there is no such byte.
func (d *Dir) Corrupt(name string, offset int64, mask byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	node := d.names[name]
	if node == nil || offset < 0 || offset >= int64(len(node.data)) {
		panic(fmt.Sprintf("simdir: %q has no byte %d to corrupt", name, offset))
	}
	node.data[offset] ^= mask
	if offset < int64(len(node.durable)) {
		node.durable[offset] ^= mask
	}
}
