//go:build linux

package sandbox

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// grounds is a folder with what a guest may see in it and what it may not.
type grounds struct{ base, read, work, outside string }

func newGrounds(t *testing.T) grounds {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	g := grounds{base, filepath.Join(base, "read"), filepath.Join(base, "work"), filepath.Join(base, "outside")}
	g.lay(t)
	return g
}

// lay lays the same traps in both granted folders, as at first.
func (g grounds) lay(t *testing.T) {
	t.Helper()
	for _, dir := range []string{g.read, g.work, g.outside} {
		entries, _ := os.ReadDir(dir) // none at first
		for _, e := range entries {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	write := func(parts ...string) {
		name := filepath.Join(parts[:len(parts)-1]...)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(parts[len(parts)-1]), 0o600))
	}
	write(g.outside, "secret.txt", "TOPSECRET")
	write(g.outside, "dir", "file.txt", "TOPSECRET")
	for _, root := range []string{g.read, g.work} {
		write(root, "ok.txt", "fine")
		write(root, "sub", "inner.txt", "inner")
		require.NoError(t, os.Mkdir(filepath.Join(root, "empty"), 0o700))
		for name, target := range map[string]string{
			"link_abs":        filepath.Join(g.outside, "secret.txt"),
			"link_rel":        "../outside/secret.txt",
			"link_dir":        "../outside",
			"link_dir_abs":    g.outside,
			"link_root":       "/",
			"link_up":         "..",
			"link_self":       "link_self",
			"link_ok":         "ok.txt",
			"link_chain":      "link_chain2",
			"link_chain2":     "link_rel",
			"link_abs_inside": filepath.Join(root, "ok.txt"),
			"link_out_and_in": "../" + filepath.Base(root) + "/ok.txt",
			"link_proc":       "/proc/self/root/etc/passwd",
			"link_proc_cwd":   "/proc/self/cwd",
			"dangling":        "nowhere",
			"dangling_out":    "../outside/new.txt",
			"sub/link_inner":  "../ok.txt",
			"link_here":       ".",
		} {
			require.NoError(t, os.Symlink(target, filepath.Join(root, name)))
		}
		require.NoError(t, syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600))
		socket, err := net.Listen("unix", filepath.Join(root, "socket"))
		require.NoError(t, err)
		socket.(*net.UnixListener).SetUnlinkOnClose(false) // its name is enough
		require.NoError(t, socket.Close())
		// Where the test may: the device of /dev/null.
		_ = syscall.Mknod(filepath.Join(root, "device"), syscall.S_IFCHR|0o600, 1<<8|3)
	}
}

// policy grants both folders.
func (g grounds) policy() Policy {
	return Policy{Files: []FileGrant{{Guest: "/data", Root: g.read}, {Guest: "/work", Root: g.work, Write: true}}}
}

// tree is everything below a folder, with contents: what must not change.
func tree(t *testing.T, root string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s %s %d", path, info.Mode(), info.ModTime().UnixNano())
		if d.Type().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, " %q", content)
		}
		out.WriteByte('\n')
		return nil
	}))
	return out.String()
}

// trick is a script and how its last line must end: with an errno, which may have
// a number or text behind it.
type trick struct {
	name  string
	lines []string
	want  string
}

// tricksOn are those that both kinds of folder must stand.
func tricksOn(fd int, root string) []trick {
	outside := filepath.Join(filepath.Dir(root), "outside")
	one := func(name, line, want string) trick { return trick{name, []string{line}, want} }
	tricks := []trick{
		one("dot dot", reads(fd, "../outside/secret.txt"), wasiPerm),
		one("dot dot in the middle", reads(fd, "sub/../../outside/secret.txt"), wasiPerm),
		one("many dot dots", reads(fd, strings.Repeat("../", 30)+"etc/passwd"), wasiPerm),
		one("dot slash dot dot", reads(fd, "./.././outside/secret.txt"), wasiPerm),
		one("dot dot alone", reads(fd, ".."), wasiPerm),
		one("dot dot behind slashes", reads(fd, "sub//..//..//outside/secret.txt"), wasiPerm),
		one("absolute", reads(fd, "/etc/passwd"), wasiPerm),
		one("absolute, own", reads(fd, root+"/ok.txt"), wasiPerm),
		one("absolute, outside", reads(fd, outside+"/secret.txt"), wasiPerm),
		one("two slashes", reads(fd, "//etc/passwd"), wasiPerm),
		one("nothing", reads(fd, ""), wasiInval),
		one("backslashes", reads(fd, `..\outside\secret.txt`), wasiNoent),
		one("a zero byte", reads(fd, "ok.txt\x00.png"), wasiInval),
		one("a link, absolute", reads(fd, "link_abs"), wasiPerm),
		one("a link, relative", reads(fd, "link_rel"), wasiPerm),
		one("a link to a folder", reads(fd, "link_dir/secret.txt"), wasiPerm),
		one("a link to a folder, absolute", reads(fd, "link_dir_abs/secret.txt"), wasiPerm),
		one("a link to a folder, as one", opens(fd, "link_dir", directory, readRight), wasiPerm),
		one("a link to a folder, with a slash", reads(fd, "link_dir/"), wasiPerm),
		one("a link to a folder, and back", reads(fd, "link_dir/../"+filepath.Base(root)+"/ok.txt"), wasiNoent), // read/ok.txt inside
		one("a link to the root", reads(fd, "link_root/etc/passwd"), wasiPerm),
		one("a link up", reads(fd, "link_up/outside/secret.txt"), wasiPerm),
		one("dot dot behind a link, which goes by the letters", reads(fd, "sub/link_inner/../../outside/secret.txt"), wasiNoent),
		one("a chain of links", reads(fd, "link_chain"), wasiPerm),
		one("an absolute link that leads inside", reads(fd, "link_abs_inside"), wasiPerm),
		one("a link that leaves and comes back", reads(fd, "link_out_and_in"), wasiPerm),
		one("a link to itself", reads(fd, "link_self"), wasiLoop),
		one("a dangling link", reads(fd, "dangling"), wasiNoent),
		one("a dangling link out", reads(fd, "dangling_out"), wasiPerm),
		one("a link through /proc", reads(fd, "link_proc"), wasiPerm),
		one("a link to a folder of /proc", reads(fd, "link_proc_cwd/x"), wasiPerm),
		one("a link that is not to be followed", line("open", fd, 0, "link_ok", 0, readRight, 0), wasiLoop),
		one("a file as a folder", reads(fd, "ok.txt/x"), wasiNotdir),
		one("a file with a slash", reads(fd, "ok.txt/"), wasiNotdir),
		one("a pipe, to read", reads(fd, "fifo"), wasiPerm),
		one("a socket", reads(fd, "socket"), wasiPerm),
		one("a long name", reads(fd, strings.Repeat("n", 300)), wasiNametoolong),
		one("a long path", reads(fd, strings.Repeat("sub/", 2000)+"x"), wasiNametoolong),
		one("a path of a million bytes", reads(fd, strings.Repeat("a/", 500_000)), wasiNametoolong),
		one("a deep path", reads(fd, strings.Repeat("a/", 2000)), wasiNoent),
		one("stat of dot dot", line("stat", fd, "../outside/secret.txt"), wasiPerm),
		one("stat through a link", line("stat", fd, "link_rel"), wasiPerm),
		one("stat in a linked folder", line("stat", fd, "link_dir/secret.txt"), wasiPerm),
		one("lstat in a linked folder", line("lstat", fd, "link_dir/secret.txt"), wasiPerm),
		one("lstat behind a link's slash", line("lstat", fd, "link_dir/"), wasiNotdir),
		one("where a link leads, absolute", line("readlink", fd, "link_abs"), wasiPerm),
		one("where a link leads, relative", line("readlink", fd, "link_rel"), wasiPerm),
		one("where a link to the root leads", line("readlink", fd, "link_root"), wasiPerm),
		one("where a link leads, through links that look deeper", line("readlink", fd, "link_here/link_here/link_rel"), wasiPerm),
		one("what a file is a link to", line("readlink", fd, "ok.txt"), wasiInval),
		one("a descriptor that is not open", reads(99, "ok.txt"), wasiBadf),
		one("below a standard stream", reads(1, "ok.txt"), wasiNotdir),
		one("a negative descriptor", reads(-1, "ok.txt"), wasiBadf),
		{"dot dot from an opened folder", []string{opens(fd, "sub", directory, readRight), reads(5, "../../outside/secret.txt")}, wasiPerm},
		{"dot dot to what is above", []string{opens(fd, "sub", directory, readRight), reads(5, "../ok.txt")}, wasiPerm},
		{"a link from an opened folder", []string{opens(fd, ".", directory, readRight), reads(5, "link_rel")}, wasiPerm},
		{"below a file", []string{reads(fd, "ok.txt"), reads(5, "x")}, wasiNotdir},
		{"a folder read as a file", []string{opens(fd, "sub", directory, readRight), line("read", 5, -1, 10)}, wasiIsdir},
		{"a file read as a folder", []string{reads(fd, "ok.txt"), line("list", 5)}, wasiBadf},
		{"a mount that was closed", []string{line("close", fd), reads(fd, "ok.txt")}, wasiBadf},
		{"a mount moved away", []string{line("renumber", fd, 9)}, wasiNotsup},
		{"a file moved onto a mount", []string{reads(fd, "ok.txt"), line("renumber", 5, fd)}, wasiNotsup},
		{"reading before the beginning", []string{reads(fd, "ok.txt"), line("seek", 5, -1, 0)}, wasiInval},
		{"from one mount to the other", []string{line("rename", fd, "ok.txt", readRoot+workRoot-fd, "stolen")}, wasiNosys},
		{"a second name in the other mount", []string{line("link", fd, "ok.txt", readRoot+workRoot-fd, "stolen")}, wasiNosys},
	}
	if _, err := os.Stat(filepath.Join(root, "device")); err == nil {
		tricks = append(tricks, one("a device", reads(fd, "device"), wasiPerm))
	}
	return tricks
}

// readTricks try to change what may only be read.
var readTricks = []trick{
	{"make a file", []string{makes(readRoot, "new")}, wasiRofs},
	{"make a file with the right to read only", []string{opens(readRoot, "new", create, readRight)}, wasiRofs},
	{"open to write", []string{opens(readRoot, "ok.txt", 0, readRight|writeRight)}, wasiRofs},
	{"open to write only", []string{opens(readRoot, "ok.txt", 0, writeRight)}, wasiRofs},
	{"empty a file", []string{opens(readRoot, "ok.txt", truncate, readRight)}, wasiRofs},
	{"append", []string{line("open", readRoot, 1, "ok.txt", 0, writeRight, appending)}, wasiRofs},
	{"write to what was opened to read", []string{reads(readRoot, "ok.txt"), line("write", 5, -1, "x")}, wasiBadf},
	{"write at an offset", []string{reads(readRoot, "ok.txt"), line("write", 5, 0, "x")}, wasiBadf},
	{"shorten what was opened to read", []string{reads(readRoot, "ok.txt"), line("truncate", 5, 0)}, wasiBadf},
	{"lengthen what was opened to read", []string{reads(readRoot, "ok.txt"), line("allocate", 5, 0, 100)}, wasiBadf},
	{"switch to appending and write", []string{reads(readRoot, "ok.txt"), line("flags", 5, appending), line("write", 5, -1, "x")}, wasiBadf},
	{"make a folder", []string{line("mkdir", readRoot, "new")}, wasiRofs},
	{"remove a folder", []string{line("rmdir", readRoot, "empty")}, wasiRofs},
	{"remove a file", []string{line("unlink", readRoot, "ok.txt")}, wasiRofs},
	{"rename", []string{line("rename", readRoot, "ok.txt", readRoot, "new")}, wasiRofs},
	{"a second name", []string{line("link", readRoot, "ok.txt", readRoot, "new")}, wasiRofs},
	{"make a link", []string{line("symlink", readRoot, "ok.txt", "new")}, wasiRofs},
	{"change times", []string{line("times", readRoot, "ok.txt", 1)}, wasiRofs},
	{"change times of an open file", []string{reads(readRoot, "ok.txt"), line("ftimes", 5)}, wasiRofs},
	{"write into a pipe", []string{opens(readRoot, "fifo", 0, writeRight)}, wasiRofs},
}

// workTricks try to get out of a folder that may be changed.
var workTricks = []trick{
	{"make a file outside", []string{makes(workRoot, "../outside/new.txt")}, wasiPerm},
	{"make a file in a linked folder", []string{makes(workRoot, "link_dir/new.txt")}, wasiPerm},
	{"make a file through a dangling link", []string{makes(workRoot, "dangling_out")}, wasiPerm},
	{"write through a link", []string{opens(workRoot, "link_rel", 0, writeRight)}, wasiPerm},
	{"empty a file through a link", []string{opens(workRoot, "link_abs", truncate, writeRight)}, wasiPerm},
	{"make, only if new, through a link", []string{opens(workRoot, "dangling_out", create|exclusive, writeRight)}, wasiPerm},
	{"write into a pipe", []string{opens(workRoot, "fifo", 0, writeRight)}, wasiPerm},
	{"write and read a pipe", []string{opens(workRoot, "fifo", 0, readRight|writeRight)}, wasiPerm},
	{"make over a pipe", []string{makes(workRoot, "fifo")}, wasiPerm},
	{"write into a socket", []string{opens(workRoot, "socket", 0, writeRight)}, wasiPerm},
	{"write into a folder", []string{opens(workRoot, "sub", 0, writeRight)}, wasiIsdir},
	{"make a folder outside", []string{line("mkdir", workRoot, "../outside/new")}, wasiPerm},
	{"make a folder in a linked one", []string{line("mkdir", workRoot, "link_dir/new")}, wasiPerm},
	{"make a folder of a dangling link", []string{line("mkdir", workRoot, "dangling_out")}, wasiExist},
	{"remove a file outside", []string{line("unlink", workRoot, "../outside/secret.txt")}, wasiPerm},
	{"remove a file in a linked folder", []string{line("unlink", workRoot, "link_dir/secret.txt")}, wasiPerm},
	{"remove a folder in a linked one", []string{line("rmdir", workRoot, "link_dir/dir")}, wasiPerm},
	{"remove a link as a folder", []string{line("rmdir", workRoot, "link_dir")}, wasiNotdir},
	{"remove a link with a slash", []string{line("unlink", workRoot, "link_dir/")}, wasiNotdir},
	{"remove the mount", []string{line("rmdir", workRoot, ".")}, wasiInval},
	{"remove a folder as a file", []string{line("unlink", workRoot, "sub")}, wasiIsdir},
	{"remove a file as a folder", []string{line("rmdir", workRoot, "ok.txt")}, wasiNotdir},
	{"remove a folder that is not empty", []string{line("rmdir", workRoot, "sub")}, wasiNotempty},
	{"move out", []string{line("rename", workRoot, "ok.txt", workRoot, "../outside/ok.txt")}, wasiPerm},
	{"move out through a link", []string{line("rename", workRoot, "ok.txt", workRoot, "link_dir/ok.txt")}, wasiPerm},
	{"move in", []string{line("rename", workRoot, "../outside/secret.txt", workRoot, "mine")}, wasiPerm},
	{"move in through a link", []string{line("rename", workRoot, "link_dir/secret.txt", workRoot, "mine")}, wasiPerm},
	{"a second name for what is outside", []string{line("link", workRoot, "link_dir/secret.txt", workRoot, "mine")}, wasiPerm},
	{"a second name outside", []string{line("link", workRoot, "ok.txt", workRoot, "../outside/ok.txt")}, wasiPerm},
	{"a second name in a linked folder", []string{line("link", workRoot, "ok.txt", workRoot, "link_dir/ok.txt")}, wasiPerm},
	{"a second name of a link, and read", []string{line("link", workRoot, "link_rel", workRoot, "twin"), reads(workRoot, "twin")}, wasiPerm},
	{"a link moved deeper, and read", []string{line("rename", workRoot, "link_rel", workRoot, "sub/moved"), reads(workRoot, "sub/moved")}, wasiNoent},
	{"a link moved deeper, and where it led", []string{line("rename", workRoot, "link_rel", workRoot, "sub/moved"), line("readlink", workRoot, "sub/moved")}, wasiPerm},
	{"make a link, absolute", []string{line("symlink", workRoot, "/etc/passwd", "mine")}, wasiPerm},
	{"make a link, relative", []string{line("symlink", workRoot, "../outside/secret.txt", "mine")}, wasiPerm},
	{"make a link with dot dot within", []string{line("symlink", workRoot, "sub/../ok.txt", "mine")}, wasiPerm},
	{"make a link that leaves when moved up", []string{line("symlink", workRoot, "../ok.txt", "sub/mine")}, wasiPerm},
	{"make a link to dot dot", []string{line("symlink", workRoot, "..", "mine")}, wasiPerm},
	{"make a link outside", []string{line("symlink", workRoot, "ok.txt", "../outside/mine")}, wasiPerm},
	{"make a link in a linked folder", []string{line("symlink", workRoot, "ok.txt", "link_dir/mine")}, wasiPerm},
	{"make a link to nothing", []string{line("symlink", workRoot, "", "mine")}, wasiInval},
	{"make a link with a long target", []string{line("symlink", workRoot, strings.Repeat("x", 5000), "mine")}, wasiNametoolong},
	{"make a link to a link out, and read", []string{line("symlink", workRoot, "link_rel", "mine"), reads(workRoot, "mine")}, wasiPerm},
	{"times of what is outside", []string{line("times", workRoot, "../outside/secret.txt", 1)}, wasiPerm},
	{"times in a linked folder", []string{line("times", workRoot, "link_dir/secret.txt", 1)}, wasiPerm},
	{"times of a link, not followed", []string{line("times", workRoot, "link_rel", 0)}, wasiPerm},
	{"a folder renamed under its descriptor", []string{
		line("mkdir", workRoot, "a"), opens(workRoot, "a", directory, readRight), line("rename", workRoot, "a", workRoot, "b"), reads(5, "../ok.txt"),
	}, wasiPerm},
	{"a folder with a link in its place", []string{
		opens(workRoot, "empty", directory, readRight), line("rmdir", workRoot, "empty"), line("rename", workRoot, "link_dir", workRoot, "empty"), reads(5, "secret.txt"),
	}, wasiPerm},
	{"more than the largest file", []string{makes(workRoot, "mine"), line("truncate", 5, int64(1)<<62)}, wasiIO},
	{"a negative length", []string{makes(workRoot, "mine"), line("truncate", 5, -1)}, wasiInval},
	{"a hole as large as the disk", []string{makes(workRoot, "mine"), line("write", 5, int64(1)<<40, "x")}, wasiIO},
	{"a hole by seeking", []string{makes(workRoot, "mine"), line("seek", 5, int64(1)<<40, 0), line("write", 5, -1, "x")}, wasiIO},
	{"a hole by allocating", []string{makes(workRoot, "mine"), line("allocate", 5, 0, int64(1)<<40)}, wasiIO},
	{"an offset below 0", []string{makes(workRoot, "mine"), line("seek", 5, -5, 2)}, wasiInval},
}

// Each trick is tried by a guest of its own call on fresh ground, and fails as the
// table says; what is outside stays as it was, and its content is in no answer.
func TestEscapes(t *testing.T) {
	g := newGrounds(t)
	s := loadScript(t, g.policy())
	before := tree(t, g.outside)
	readBefore := tree(t, g.read)
	try := func(t *testing.T, k trick) {
		out := s.run(t, k.lines...)
		got, _, _ := strings.Cut(out[len(out)-1], " ")
		require.Equal(t, k.want, got, "%q ended in %q", k.lines, out)
		require.NotContains(t, strings.Join(out, "\n"), "TOPSECRET")
		require.Equal(t, before, tree(t, g.outside))
	}
	for _, c := range []struct {
		name   string
		tricks []trick
	}{{"read", tricksOn(readRoot, g.read)}, {"read only", readTricks}, {"work", tricksOn(workRoot, g.work)}} {
		t.Run(c.name, func(t *testing.T) {
			for _, k := range c.tricks {
				t.Run(k.name, func(t *testing.T) { try(t, k) })
			}
			require.Equal(t, readBefore, tree(t, g.read))
		})
	}
	t.Run("out of work", func(t *testing.T) {
		for _, k := range workTricks {
			t.Run(k.name, func(t *testing.T) {
				g.lay(t)
				before = tree(t, g.outside)
				try(t, k)
			})
		}
	})
	require.Contains(t, s.log.logged(), "capability=files", "what was refused is logged")
	require.Greater(t, s.Stats().Refusals["files"], uint64(50))
	t.Logf("%d tricks", 2*len(tricksOn(readRoot, g.read))+len(readTricks)+len(workTricks))
}

// While the guest looks, somebody swaps a folder for a link to the outside and
// back. The guest sees the folder, or is refused; it never sees or changes what the
// link leads to.
func TestEscapeRaces(t *testing.T) {
	g := newGrounds(t)
	inside, aside := filepath.Join(g.work, "swap"), filepath.Join(g.work, "aside")
	require.NoError(t, os.MkdirAll(inside, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(inside, "secret.txt"), []byte("harmless"), 0o600))
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- swap(stop, inside, aside, "../outside")
	}()
	p := g.policy()
	p.Files[1].BytesMax = 1 << 30
	s := loadScript(t, p)
	before := tree(t, g.outside)
	round := []string{
		reads(workRoot, "swap/secret.txt"), line("read", 5, -1, 100), line("close", 5),
		makes(workRoot, "swap/created.txt"), line("write", 5, -1, "x"), line("close", 5),
		line("mkdir", workRoot, "swap/made"), line("rmdir", workRoot, "swap/made"),
		line("rename", workRoot, "swap/created.txt", workRoot, "swap/renamed.txt"), line("unlink", workRoot, "swap/renamed.txt"),
		line("link", workRoot, "swap/secret.txt", workRoot, "twin"), line("unlink", workRoot, "twin"),
		line("symlink", workRoot, "ok.txt", "swap/link"), line("unlink", workRoot, "swap/link"),
	}
	var script []string
	for range 20 {
		script = append(script, round...)
	}
	seen := map[string]int{}
	for seen[wasiOK] < 5 || seen[wasiPerm] < 20 {
		out := s.run(t, script...)
		for i, report := range out {
			errno, text, _ := strings.Cut(report, " ")
			require.NotContains(t, report, "TOPSECRET")
			switch i % len(round) {
			case 0:
				seen[errno]++
			case 1:
				require.Contains(t, []string{"", "harmless"}, text)
			}
		}
	}
	close(stop)
	require.NoError(t, <-done)
	require.Equal(t, before, tree(t, g.outside))
	t.Logf("opened %d times, refused %d times", seen[wasiOK], seen[wasiPerm])
}

// Long scripts of any operations on any of the names that lie there, inside and
// out, with what the scripts before have left. The seed is printed by a failure.
func TestEscapesAtRandom(t *testing.T) {
	g := newGrounds(t)
	s := loadScript(t, g.policy())
	before, readBefore := tree(t, g.outside), tree(t, g.read)
	const seed = 6
	random := rand.New(rand.NewPCG(seed, seed))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	path := func() string {
		if random.IntN(2) == 0 {
			return pick("ok.txt", "sub", "sub/inner.txt", "new", "a", "b", "a/b", "empty", "link_ok", "link_dir", ".")
		}
		parts := make([]string, 1+random.IntN(4))
		for i := range parts {
			parts[i] = pick("ok.txt", "sub", "inner.txt", "..", ".", "", "empty", "new", "a", "b", "link_dir", "link_rel", "link_up", "link_ok", "link_root",
				"dangling_out", "fifo", "device", "work", "read", "outside", "secret.txt", "dir", "etc")
		}
		return pick("", "", "", "/", "../") + strings.Join(parts, "/") + pick("", "", "/")
	}
	operation := func() string {
		fd := pick("3", "4", "4", "4", "5", "6")
		switch op := pick("open", "open", "open", "read", "write", "list", "stat", "mkdir", "rmdir", "unlink", "rename", "link", "symlink", "readlink", "times", "truncate", "close"); op {
		case "open":
			return line(op, fd, random.IntN(2), path(), random.IntN(16), pick("2", "64", "66"), random.IntN(2))
		case "read":
			return line(op, fd, pick("-1", "0", "7"), 50)
		case "write":
			return line(op, fd, pick("-1", "0", "7"), "written by the guest")
		case "rename", "link":
			return line(op, fd, path(), pick("3", "4", "4", "5"), path())
		case "symlink":
			return line(op, fd, path(), path())
		case "list":
			return line(op, fd)
		case "close":
			return line(op, 5+random.IntN(5)) // not the folders: nothing would work any more
		case "truncate":
			return line(op, fd, random.IntN(100))
		case "times":
			return line(op, fd, path(), random.IntN(2))
		default:
			return line(op, fd, path())
		}
	}
	succeeded := 0
	for round := range 150 {
		script := make([]string, 100)
		for i := range script {
			script[i] = operation()
		}
		out := s.run(t, script...)
		for i, report := range out {
			require.NotContains(t, report, "TOPSECRET", "seed %d, round %d: %q", seed, round, script[:i+1])
			if report == wasiOK || strings.HasPrefix(report, "0 ") {
				succeeded++
			}
		}
		require.Equal(t, before, tree(t, g.outside), "seed %d, round %d", seed, round)
		require.Equal(t, readBefore, tree(t, g.read), "seed %d, round %d", seed, round)
		if round%10 == 9 {
			g.lay(t)
			before, readBefore = tree(t, g.outside), tree(t, g.read)
		}
	}
	require.Greater(t, succeeded, 1000, "next to nothing works")
	t.Logf("%d of %d operations succeeded", succeeded, 150*100)
}

// swap puts a link in the place of a folder and the folder back, until it is told
// to stop.
func swap(stop chan struct{}, folder, aside, target string) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		for _, act := range []func() error{
			func() error { return os.Rename(folder, aside) },
			func() error { return os.Symlink(target, folder) },
			func() error { return os.Remove(folder) },
			func() error { return os.Rename(aside, folder) },
		} {
			if err := act(); err != nil {
				return err
			}
		}
	}
}

// What a granted folder is for works.
func TestFilesWork(t *testing.T) {
	g := newGrounds(t)
	s := loadScript(t, g.policy())
	require.Equal(t, []string{"0 /data", "0 /work", wasiBadf}, s.run(t, line("prestat", 3), line("prestat", 4), line("prestat", 5)))
	for _, fd := range []int{readRoot, workRoot} {
		require.Equal(t, []string{"0 5", "0 fi", "0 ne", "0", "0 2", "0 ne", "0 in", "0 4", "0"},
			s.run(t, reads(fd, "ok.txt"), line("read", 5, -1, 2), line("read", 5, -1, 100), line("read", 5, -1, 100),
				line("seek", 5, 2, 0), line("read", 5, -1, 100), line("read", 5, 1, 2), line("fstat", 5), line("close", 5)))
		require.Equal(t, "0 fine", s.last(t, reads(fd, "link_ok"), line("read", 5, -1, 100)), "a link that stays inside")
		require.Equal(t, "0 fine", s.last(t, reads(fd, "sub/link_inner"), line("read", 5, -1, 100)))
		require.Equal(t, "0 ok.txt", s.last(t, line("readlink", fd, "link_ok")))
		require.Equal(t, "0 inner", s.last(t, opens(fd, "sub", directory, readRight), reads(5, "inner.txt"), line("read", 6, -1, 100)))
		require.Equal(t, []string{"0 4000004", "0 3"}, []string{s.last(t, line("stat", fd, "ok.txt")), s.last(t, line("stat", fd, "sub"))[:3]}, "type and size")
		names := strings.Split(strings.TrimPrefix(s.last(t, opens(fd, "sub", directory, readRight), line("list", 5)), "0 "), ",")
		require.ElementsMatch(t, []string{"inner.txt", "link_inner"}, names)
	}
	require.Equal(t, "0 ../ok.txt", s.last(t, line("readlink", readRoot, "sub/link_inner")))
	require.Equal(t, wasiPerm, s.last(t, line("readlink", workRoot, "sub/link_inner")), "it may have been moved there")
	require.Equal(t, []string{"0", "0 5", "0 5", "0 1", "0 4", "0 1", "0 ello?", "0", "0 ello", "0", "0"},
		s.run(t, line("mkdir", workRoot, "new"), makes(workRoot, "new/a.txt"), line("write", 5, -1, "hellO"), line("write", 5, 5, "?"), line("seek", 5, 4, 0),
			line("write", 5, -1, "o"), line("read", 5, 1, 9), line("truncate", 5, 5), line("read", 5, 1, 9), line("sync", 5), line("close", 5)))
	content := func(name string) string {
		b, err := os.ReadFile(filepath.Join(g.work, name))
		require.NoError(t, err)
		return string(b)
	}
	require.Equal(t, "hello", content("new/a.txt"))
	s.run(t, line("open", workRoot, 1, "new/a.txt", 0, writeRight, appending), line("write", 5, -1, " world"), line("close", 5))
	require.Equal(t, "hello world", content("new/a.txt"))
	require.Equal(t, []string{"0", "0", "0", "0"}, s.run(t, line("rename", workRoot, "new/a.txt", workRoot, "new/b.txt"), line("link", workRoot, "new/b.txt", workRoot, "new/c.txt"),
		line("symlink", workRoot, "b.txt", "new/d.txt"), line("times", workRoot, "new/b.txt", 1)))
	require.Equal(t, "hello world", content("new/c.txt"))
	require.Equal(t, "hello world", content("new/d.txt"))
	info, err := os.Stat(filepath.Join(g.work, "new/b.txt"))
	require.NoError(t, err)
	require.Equal(t, int64(2), info.ModTime().Unix())
	require.Equal(t, []string{"0", "0", "0", "0"}, s.run(t, line("unlink", workRoot, "new/b.txt"), line("unlink", workRoot, "new/c.txt"), line("unlink", workRoot, "new/d.txt"), line("rmdir", workRoot, "new")))
	_, err = os.Stat(filepath.Join(g.work, "new"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, wasiExist, s.last(t, opens(workRoot, "ok.txt", create|exclusive, writeRight)))
	require.Equal(t, "0", s.last(t, opens(workRoot, "link_rel2", create, writeRight), line("unlink", workRoot, "link_rel")), "a link itself can be removed")
	require.Equal(t, "TOPSECRET", mustRead(t, filepath.Join(g.outside, "secret.txt")))
}

// Folders that contradict each other, or are not there.
func TestFileGrantsAreChecked(t *testing.T) {
	g := newGrounds(t)
	module, err := os.ReadFile(scriptPath)
	require.NoError(t, err)
	for says, files := range map[string][]FileGrant{
		"cannot be opened":            {{Guest: "/a", Root: filepath.Join(g.base, "none")}},
		"not a directory":             {{Guest: "/a", Root: filepath.Join(g.work, "ok.txt")}},
		"what is only to be read":     {{Guest: "/a", Root: filepath.Join(g.work, "sub")}, {Guest: "/b", Root: g.work, Write: true}},
		"lies in":                     {{Guest: "/a", Root: g.work}, {Guest: "/b", Root: g.work, Write: true}},
		"absolute path":               {{Guest: "a", Root: g.work}},
		"in its shortest form":        {{Guest: "/a/../b", Root: g.work}},
		"names no folder":             {{Guest: "/a"}},
		"two file grants are for the": {{Guest: "/a", Root: g.work}, {Guest: "/a", Root: g.read}},
	} {
		host := New(Options{})
		_, err := host.Load(t.Context(), "script.wasm", module, Policy{Files: files})
		require.ErrorIs(t, err, ErrPolicy)
		require.ErrorContains(t, err, says)
		require.NoError(t, host.Close(t.Context()))
	}
}
