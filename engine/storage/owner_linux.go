package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// Node cannot flock. The npm package ingot-state says in an owner file that it has
// a directory, and looks for a flock once the file is there; a native process has its
// flock first and looks for owner files then. The files are numbered, and the one of
// the highest number counts. js/persist/node-lock.js draws the protocol; the contents:
//
//	held
//	pid 4711
//	host build-3
//	since 2026-11-22T07:44:58Z
//	start 3967726
//	boot 3c9387f7-d483-4653-9fd7-cdeaf1402010
//	space pid:[4026531836]
//
// "free" in the place of "held" says that the store was closed. start is when the
// process began, in the system's ticks, and space is its pid namespace.
const ownerPrefix = "owner_"

// ownerNames are the words of an owner file, in order.
var ownerNames = [...]string{"pid", "host", "since", "start", "boot", "space"}

// nodeOwner is the process of Node that has the directory, if one may have it: one
// that is known to be gone has nothing.
func nodeOwner(root *os.Root) (Holder, bool, error) {
	name, err := lastOwner(root)
	if name == "" || err != nil {
		return Holder{}, false, err
	}
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Holder{}, true, nil // another takes over at this moment
	}
	if err != nil {
		return Holder{}, false, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, holderBytesMax))
	if err != nil {
		return Holder{}, false, err
	}
	state, rest, _ := strings.Cut(string(text), "\n")
	fields, ok := ownerFields(rest)
	if !ok || state != "held" {
		return Holder{}, false, nil // cut by a power failure, or closed
	}
	h := Holder{Host: fields[1]}
	h.PID, _ = strconv.Atoi(fields[0])
	since, _ := time.Parse(time.RFC3339, fields[2])
	h.Since = since.Unix()
	return h, ownerLives(h, fields[3], fields[4], fields[5]), nil
}

// lastOwner is the owner file of the highest number, or empty.
func lastOwner(root *os.Root) (string, error) {
	self, err := root.Open(".")
	if err != nil {
		return "", err
	}
	defer self.Close()
	names, err := self.Readdirnames(-1)
	last := uint64(0)
	for _, name := range names {
		if digits, ok := strings.CutPrefix(name, ownerPrefix); ok {
			if n, err := strconv.ParseUint(digits, 10, 53); err == nil {
				last = max(last, n)
			}
		}
	}
	if err != nil || last == 0 {
		return "", err
	}
	return ownerPrefix + strconv.FormatUint(last, 10), nil
}

// ownerFields are the values of the words of an owner file.
func ownerFields(text string) (fields [len(ownerNames)]string, ok bool) {
	for i, name := range ownerNames {
		line, rest, found := strings.Cut(text, "\n")
		value, named := strings.CutPrefix(line, name+" ")
		if !found || !named {
			return fields, false
		}
		fields[i], text = value, rest
	}
	return fields, true
}

// ownerLives is true unless it is sure that the owner is gone.
func ownerLives(h Holder, start, boot, space string) bool {
	me := thisPlace()
	switch {
	case boot != me.boot:
		return h.Host != thisHolder().Host // the machine was started again, or it is another one
	case space != me.space:
		return true // nobody can look into another pid namespace
	}
	return processStart(h.PID) == start
}

// place is where a process runs.
type place struct{ boot, space string }

func thisPlace() place {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // empty in a sandbox without /proc: then no owner is known to be gone
	space, _ := os.Readlink("/proc/self/ns/pid")
	return place{boot: strings.TrimSpace(string(boot)), space: space}
}

// processStart is when a process began, in ticks, or empty when there is none. The
// second field, a name in brackets, may hold anything; a zombie holds nothing.
func processStart(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const state, start = 0, 19
	if len(fields) <= start || fields[state] == "Z" || fields[state] == "X" {
		return ""
	}
	return fields[start]
}

// holderGone says whether the process that a lock file names is sure to be no more.
func holderGone(f *os.File) bool {
	h, me := readHolder(f), holderPlace()
	text, err := io.ReadAll(io.NewSectionReader(f, 0, holderBytesMax))
	return err == nil && h.PID > 0 && me != "" && strings.HasSuffix(string(text), "\n"+me) && processStart(h.PID) == ""
}

// holderPlace is what the lock file says beside the holder, for a process of Node in
// another pid namespace, which does not see the flock in /proc/locks.
func holderPlace() string {
	me := thisPlace()
	if me.boot == "" || me.space == "" {
		return ""
	}
	return fmt.Sprintf("boot %s\nspace %s\n", me.boot, me.space)
}
