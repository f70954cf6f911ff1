package storage_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// owner is what js/persist/node-lock.js writes of this process.
func owner(t *testing.T) map[string]string {
	t.Helper()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return strings.TrimSpace(string(text))
	}
	host, err := os.Hostname()
	require.NoError(t, err)
	space, err := os.Readlink("/proc/self/ns/pid")
	require.NoError(t, err)
	stat := read("/proc/self/stat")
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	return map[string]string{
		"state": "held", "pid": fmt.Sprint(os.Getpid()), "host": host, "since": "2026-11-22T07:44:58Z",
		"start": fields[19], "boot": read("/proc/sys/kernel/random/boot_id"), "space": space,
	}
}

func ownerText(o map[string]string) string {
	text := o["state"] + "\n"
	for _, word := range []string{"pid", "host", "since", "start", "boot", "space"} {
		text += word + " " + o[word] + "\n"
	}
	return text
}

// A directory that a process of Node has is locked; one that it had is not.
func TestLockHonoursNode(t *testing.T) {
	for name, test := range map[string]struct {
		change map[string]string
		held   bool
	}{
		"held":                      {held: true},
		"closed":                    {change: map[string]string{"state": "free"}},
		"no such process":           {change: map[string]string{"pid": "4194305"}},
		"the pid has another now":   {change: map[string]string{"start": "1"}},
		"before the machine's boot": {change: map[string]string{"boot": "another"}},
		"another machine":           {change: map[string]string{"boot": "another", "host": "elsewhere"}, held: true},
		"another pid namespace":     {change: map[string]string{"space": "pid:[1]", "pid": "4194305"}, held: true},
		"no number":                 {change: map[string]string{"pid": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := owner(t)
			for word, value := range test.change {
				o[word] = value
			}
			path := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(path, "owner_9"), []byte(ownerText(owner(t))), 0o600), "an older one does not count")
			require.NoError(t, os.WriteFile(filepath.Join(path, "owner_10"), []byte(ownerText(o)), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(path, "owner_draft_11"), []byte(ownerText(owner(t))), 0o600))
			d := openDir(t, path)
			holds(t, d) // owner files are no files of the store
			lock, err := d.Lock()
			if test.held {
				var locked *storage.LockedError
				require.ErrorAs(t, err, &locked)
				require.Equal(t, o["pid"], fmt.Sprint(locked.Holder.PID))
				require.Equal(t, o["host"], locked.Holder.Host)
				require.Equal(t, o["since"], time.Unix(locked.Holder.Since, 0).UTC().Format(time.RFC3339))
				_, err = d.Lock()
				require.ErrorIs(t, err, storage.ErrLocked, "the refusal has given its own lock back")
				require.NoError(t, os.Remove(filepath.Join(path, "owner_10")))
				require.NoError(t, os.Remove(filepath.Join(path, "owner_9")))
				lock, err = d.Lock()
			}
			require.NoError(t, err)
			require.NoError(t, lock.Close())
		})
	}
}

// An owner file that a power failure has cut is nobody's.
func TestLockOverlooksTornOwners(t *testing.T) {
	text := ownerText(owner(t))
	for size := range len(text) {
		path := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(path, "owner_1"), []byte(text[:size]), 0o600))
		d := openDir(t, path)
		lock, err := d.Lock()
		require.NoError(t, err, "%q", text[:size])
		require.NoError(t, lock.Close())
	}
}

// The lock file says where its holder runs, and nothing once it is closed.
func TestLockFileSaysWhere(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path)
	lock, err := d.Lock()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(path, "lock"))
	require.NoError(t, err)
	o := owner(t)
	require.Contains(t, string(text), fmt.Sprintf("boot %s\nspace %s\n", o["boot"], o["space"]))
	_, err = d.Lock()
	var locked *storage.LockedError
	require.True(t, errors.As(err, &locked))
	require.Equal(t, os.Getpid(), locked.Holder.PID, "what follows does not confuse older readers")
	require.NoError(t, lock.Close())
	text, err = os.ReadFile(filepath.Join(path, "lock"))
	require.NoError(t, err)
	require.Empty(t, text)
}

// A lock whose holder was killed is waited for: the child that it was just starting
// still has it, until that is the other program.
func TestLockOfTheDeadIsWaitedFor(t *testing.T) {
	gone := exec.Command("true")
	require.NoError(t, gone.Run())
	o, path := owner(t), t.TempDir()
	held, err := os.Create(filepath.Join(path, "lock"))
	require.NoError(t, err)
	defer held.Close()
	require.NoError(t, syscall.Flock(int(held.Fd()), syscall.LOCK_EX))
	holder := func(pid int, boot string) {
		require.NoError(t, held.Truncate(0))
		_, err := fmt.Fprintf(io.NewOffsetWriter(held, 0), "pid %d\nhost %s\nsince %s\nboot %s\nspace %s\n", pid, o["host"], o["since"], boot, o["space"])
		require.NoError(t, err)
	}
	d := openDir(t, path)
	for name, by := range map[string]func(){
		"one that lives":     func() { holder(os.Getpid(), o["boot"]) },
		"nobody can know":    func() { holder(gone.Process.Pid, "another") },
		"one that is silent": func() { require.NoError(t, held.Truncate(0)) },
	} {
		by()
		_, err := d.Lock()
		require.ErrorIs(t, err, storage.ErrLocked, name)
	}
	holder(gone.Process.Pid, o["boot"])
	locked := make(chan error, 1)
	go func() {
		lock, err := d.Lock()
		if err == nil {
			err = lock.Close()
		}
		locked <- err
	}()
	require.Eventually(t, func() bool { return openAs(t, held.Name()) == 2 }, time.Minute, time.Millisecond, "Lock has the file open")
	require.NoError(t, held.Close())
	require.NoError(t, <-locked)
}

// openAs is how many descriptors of this process are of a file.
func openAs(t *testing.T, path string) (n int) {
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, d := range descriptors {
		if at, err := os.Readlink(d); err == nil && at == path {
			n++
		}
	}
	return n
}
