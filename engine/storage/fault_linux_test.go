package storage_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// mounted mounts a file system in memory until the test ends.
func mounted(t *testing.T, options string) (path string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root mounts file systems")
	}
	path = t.TempDir()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, options); err != nil {
		t.Skipf("this machine lets nobody mount: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(path, syscall.MNT_DETACH)) })
	return path
}

func TestDiskFull(t *testing.T) {
	const diskBytes = 1 << 20
	d := openDir(t, mounted(t, fmt.Sprintf("size=%d", diskBytes)))
	f, err := d.Create("a")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	require.ErrorIs(t, f.Preallocate(2*diskBytes), storage.ErrSpace)
	require.NoError(t, f.Truncate(0))

	block := bytes.Repeat([]byte("x"), 64<<10)
	var wrote int64
	for err = nil; err == nil; {
		var n int
		n, err = f.WriteAt(block, wrote)
		wrote += int64(n)
		require.LessOrEqual(t, wrote, int64(diskBytes))
	}
	require.ErrorIs(t, err, storage.ErrSpace)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, filepath.Join(d.String(), "a"), "the error names the file")
	require.ErrorContains(t, err, "free space", "and says how to mend it")
	require.Equal(t, strings.Repeat("x", int(wrote)), contents(t, f), "what was written is there to read")

	require.NoError(t, f.Truncate(wrote/2))
	_, err = f.WriteAt(block, wrote/2)
	require.NoError(t, err, "where space returns, writes succeed again")
	require.NoError(t, f.Sync())
}

func TestPreallocatedIsThere(t *testing.T) {
	d := openDir(t, mounted(t, "size=1m"))
	f, err := d.Create("a")
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Preallocate(512<<10))
	other, err := d.Create("b")
	require.NoError(t, err)
	defer other.Close()
	_, err = other.WriteAt(make([]byte, 1<<20), 0)
	require.ErrorIs(t, err, storage.ErrSpace, "the disk is full")
	_, err = f.WriteAt(make([]byte, 512<<10), 0)
	require.NoError(t, err, "but not for what was preallocated")
	require.NoError(t, f.Sync())
}

func TestNoMoreFiles(t *testing.T) {
	d := openDir(t, mounted(t, "nr_inodes=4"))
	var err error
	for i := range 10 {
		var f storage.File
		if f, err = d.Create(fmt.Sprint(i)); err != nil {
			break
		}
		require.NoError(t, f.Close())
	}
	require.ErrorIs(t, err, storage.ErrSpace)
}

func TestReadOnlyMount(t *testing.T) {
	path := mounted(t, "")
	d := openDir(t, path)
	create(t, d, "a", "one")
	require.NoError(t, syscall.Mount("", path, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	holds(t, d, "a", "one")
	_, err := d.Create("b")
	require.ErrorIs(t, err, storage.ErrReadOnly)
	_, err = d.OpenWrite("a")
	require.ErrorIs(t, err, storage.ErrReadOnly)
	require.ErrorIs(t, d.Rename("a", "b"), storage.ErrReadOnly)
	require.ErrorIs(t, d.Remove("a"), storage.ErrReadOnly)
	_, err = d.Lock()
	require.ErrorIs(t, err, storage.ErrReadOnly)
	require.ErrorContains(t, err, path)
	holds(t, openDir(t, path), "a", "one")
	_, err = storage.OpenDir(filepath.Join(path, "new"))
	require.ErrorIs(t, err, storage.ErrReadOnly)
}

// lockVariable makes this test binary a process that locks the directory in it.
const lockVariable = "INGOT_TEST_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(lockVariable); path != "" {
		os.Exit(lockUntilEnd(path))
	}
	os.Exit(m.Run())
}

// lockUntilEnd locks the directory, says so, and waits for the end of its input.
func lockUntilEnd(path string) int {
	d, err := storage.OpenDir(path)
	if err == nil {
		_, err = d.Lock()
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// The lock names its holder, and ends with the process even when that is killed.
func TestLockOfAnotherProcess(t *testing.T) {
	path := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), lockVariable+"="+path)
	input, err := child.StdinPipe()
	require.NoError(t, err)
	defer input.Close()
	output, err := child.StdoutPipe()
	require.NoError(t, err)
	err = child.Start()
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skip("this program runs in an emulator, which its children do not have")
	}
	require.NoError(t, err)
	said, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked\n", said)

	d := openDir(t, path)
	_, err = d.Lock()
	var locked *storage.LockedError
	require.ErrorAs(t, err, &locked)
	host, hostErr := os.Hostname()
	require.NoError(t, hostErr)
	require.Equal(t, child.Process.Pid, locked.Holder.PID)
	require.Equal(t, host, locked.Holder.Host)
	require.ErrorContains(t, err, fmt.Sprintf("%s is in use by process %d on %s since ", path, child.Process.Pid, host))

	require.NoError(t, child.Process.Kill())
	_ = child.Wait() // it was killed: that is its error
	held, err := d.Lock()
	require.NoError(t, err)
	require.NoError(t, held.Close())
}

// A lock file that tells nothing, or nonsense, still locks.
func TestLockFileWithoutHolder(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path)
	held, err := d.Lock()
	require.NoError(t, err)
	for _, text := range []string{"", "pid x\n", "pid 1\nhost a\nsince yesterday\n", strings.Repeat("z", 10_000)} {
		require.NoError(t, os.WriteFile(filepath.Join(path, "lock"), []byte(text), 0o600))
		_, err = d.Lock()
		require.ErrorIs(t, err, storage.ErrLocked)
		require.ErrorContains(t, err, "another process")
	}
	require.NoError(t, held.Close())
	held, err = d.Lock()
	require.NoError(t, err)
	require.NoError(t, held.Close())
}
