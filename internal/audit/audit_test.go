package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ingot-run/ingot/internal/access"
	"github.com/ingot-run/ingot/mcp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ann = access.Caller{Name: "token:ann"}

func call(i int) *mcp.Record {
	return &mcp.Record{
		Method: "tools/call", Kind: mcp.KindTool, Name: "state_set", ID: []byte(fmt.Sprint(i)), Session: "1",
		Arguments: []byte(`{"key":"k","value":"hunter2 is the value"}`), Began: time.Unix(1e9, 0), Took: 5 * time.Microsecond,
	}
}

func opened(t testing.TB, path string, o Options) *Log {
	t.Helper()
	l, err := Open(path, o)
	require.NoError(t, err)
	return l
}

// written is a log with n records, closed.
func written(t testing.TB, n int, o Options) (path string, head string) {
	path = filepath.Join(t.TempDir(), "audit.log")
	l := opened(t, path, o)
	for i := range n {
		require.NoError(t, l.Record(ann, call(i)))
	}
	_, head = l.Head()
	require.NoError(t, l.Close())
	return path, head
}

func verified(t testing.TB, path string, o VerifyOptions) *Report {
	t.Helper()
	r, err := Verify(path, o)
	require.NoError(t, err)
	return r
}

func entries(t testing.TB, path string) (all []Entry) {
	t.Helper()
	require.NoError(t, Read(path, func(e *Entry, _ []byte) bool {
		all = append(all, *e)
		return true
	}))
	return all
}

func TestRecords(t *testing.T) {
	path, head := written(t, 3, Options{})
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	r := verified(t, path, VerifyOptions{Expect: head})
	require.Nil(t, r.Broken)
	require.Equal(t, uint64(4), r.Records, "three, behind the one that says it was opened")
	require.Equal(t, head, r.Head)
	all := entries(t, path)
	require.Equal(t, "opened", all[0].Event)
	require.Equal(t, zeros, all[0].Prev)
	e := all[1]
	require.Equal(t, []any{"token:ann", "token", "1", "0", "tools/call", "state_set", "ok", int64(5)}, []any{e.Who, e.Kind, e.Session, e.ID, e.Method, e.Tool, e.Outcome, e.Micros})
	require.Regexp(t, `^"hmac-sha256:[0-9a-f]{64}"$`, string(e.Arguments))
	require.Equal(t, all[2].Arguments, e.Arguments, "the same arguments have the same hash in one log")
	other, _ := written(t, 1, Options{})
	require.NotEqual(t, e.Arguments, entries(t, other)[1].Arguments, "and another one in another")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter2")

	l := opened(t, path, Options{})
	_, err = Open(path, Options{})
	require.ErrorContains(t, err, "another process's")
	require.NoError(t, l.Close())
	require.Error(t, l.Record(ann, call(1)), "it is closed")
	require.Nil(t, verified(t, path, VerifyOptions{Expect: head}).Broken, "the anchor is still in it")
}

func TestArguments(t *testing.T) {
	many := `{"` + strings.Repeat("n", 100) + `":1,"…":2`
	for i := range 100 {
		many += fmt.Sprintf(`,"m%d":null`, i)
	}
	for _, c := range []struct{ mode, arguments, want string }{
		{ArgumentsOmit, `{"a":"secret"}`, ``},
		{ArgumentsRedact, `{"a":"secret","b":[1],"c":null,"d":{"x":"secret"},"e":12}`, `{"a":"text of 8 bytes","b":"list of 3 bytes","c":"null of 4 bytes","d":"object of 14 bytes","e":"number of 2 bytes"}`},
		{ArgumentsRedact, `["secret"]`, `"10 bytes"`},
		{ArgumentsRedact, ``, ``},
	} {
		l := &Log{options: Options{Arguments: c.mode}}
		require.Equal(t, c.want, string(l.arguments(l.newDraft().(*draft), []byte(c.arguments))))
	}
	l := &Log{options: Options{Arguments: ArgumentsRedact}}
	var members map[string]string
	require.NoError(t, json.Unmarshal(l.arguments(l.newDraft().(*draft), []byte(many+"}")), &members))
	require.Len(t, members, redactedMax+1)
}

func TestOutcomesAndNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := opened(t, path, Options{Redact: func(s string) string { return strings.ReplaceAll(s, "s3cret", "[secret]") }})
	for _, r := range []*mcp.Record{
		{Method: "tools/call", Kind: mcp.KindTool, Name: "a", Code: mcp.CodeInvalidRequest},
		{Method: "tools/call", Kind: mcp.KindTool, Name: "a", Failed: true},
		{Method: "tools/call", Kind: mcp.KindTool, Name: "a", Task: true},
		{Method: "resources/read", Kind: mcp.KindResource, Name: "x:///s3cret", Code: mcp.CodeInternal},
		{Method: "prompts/get", Kind: mcp.KindPrompt, Name: strings.Repeat("é", 5000)},
		{Method: "completion/complete", Kind: mcp.KindTemplate, Name: "x:///{a}\n\"\xff"},
		{Method: "tasks/get", Name: "t1"},
		{Method: "tools/list"}, {Method: "ping"},
	} {
		require.NoError(t, l.Record(access.Caller{Name: "oauth:s3cret\x1b[2J", Client: "client:app"}, r))
	}
	require.NoError(t, l.Close())
	require.Nil(t, verified(t, path, VerifyOptions{}).Broken)
	all := entries(t, path)[1:]
	require.Len(t, all, 7, "lists and pings are not kept")
	for i, want := range []string{OutcomeDenied, OutcomeFailed, OutcomeTask, OutcomeError, OutcomeOK, OutcomeOK, OutcomeOK} {
		require.Equal(t, want, all[i].Outcome)
		require.Equal(t, "oauth:[secret]\x1b[2J", all[i].Who)
		require.Equal(t, "client:app", all[i].Client)
	}
	require.Equal(t, "x:///[secret]", all[3].Resource)
	require.LessOrEqual(t, len(all[4].Prompt), nameBytesMax)
	require.Equal(t, "x:///{a}\n\"�", all[5].Template)
	require.Equal(t, "t1", all[6].Task)
}

// Each byte of a log counts.
func TestEveryFlippedByteShows(t *testing.T) {
	path, head := written(t, 3, Options{})
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	starts := []int{0}
	for i, b := range whole {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	for at := range whole {
		line := 0
		for line+1 < len(starts) && starts[line+1] <= at {
			line++
		}
		for _, bit := range []byte{1 << (at % 8)} {
			changed := bytes.Clone(whole)
			changed[at] ^= bit
			require.NoError(t, os.WriteFile(path, changed, 0o600))
			r := verified(t, path, VerifyOptions{})
			require.NotNil(t, r.Broken, "byte %d, bit %x", at, bit)
			require.Equal(t, line+1, r.Broken.Line, "byte %d, bit %x: %s", at, bit, r.Broken.Reason)
			require.Equal(t, uint64(line+1), r.Broken.Seq)
			require.Equal(t, int64(starts[line]), r.Broken.Offset)
		}
	}
	// So does each record and its place, and each byte that is added.
	lines := bytes.SplitAfter(whole, []byte{'\n'})
	lines = lines[:len(lines)-1]
	join := func(order ...int) []byte {
		var out []byte
		for _, i := range order {
			out = append(out, lines[i]...)
		}
		return out
	}
	for name, text := range map[string][]byte{
		"first deleted": join(1, 2, 3), "one deleted": join(0, 2, 3), "swapped": join(0, 2, 1, 3), "doubled": join(0, 1, 1, 2, 3),
		"last half": whole[:len(whole)-10], "without end": whole[:len(whole)-1], "added": append(bytes.Clone(whole), "{}\n"...), "blank": append(bytes.Clone(whole), '\n'),
		"empty line between": append(append(bytes.Clone(lines[0]), '\n'), join(1, 2, 3)...),
	} {
		require.NoError(t, os.WriteFile(path, text, 0o600))
		require.NotNil(t, verified(t, path, VerifyOptions{}).Broken, name)
	}
	// A cut between records shows by an anchor only.
	require.NoError(t, os.WriteFile(path, join(0, 1, 2), 0o600))
	require.Nil(t, verified(t, path, VerifyOptions{}).Broken)
	require.ErrorContains(t, errors.New(verified(t, path, VerifyOptions{Expect: head}).Broken.Reason), "the end was cut off")
}

// A record that was hashed anew, so that it is right by itself, breaks the chain behind it.
func TestForgedRecord(t *testing.T) {
	path, _ := written(t, 3, Options{})
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := bytes.SplitAfter(whole, []byte{'\n'})
	e, err := parse(lines[2])
	require.NoError(t, err)
	e.Who = "token:eve"
	forged, _ := appendEntry(nil, &e)
	require.NoError(t, os.WriteFile(path, bytes.Join([][]byte{lines[0], lines[1], forged, lines[3]}, nil), 0o600))
	r := verified(t, path, VerifyOptions{})
	require.Equal(t, uint64(4), r.Broken.Seq)
	require.Contains(t, r.Broken.Reason, "does not follow the one before")
	_, err = Open(path, Options{})
	require.ErrorContains(t, err, "is damaged at byte")
}

// Whatever a crash leaves of the last group, the log is opened and says what it cut off.
func TestTornTail(t *testing.T) {
	path, _ := written(t, 4, Options{})
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	ends := []int{}
	for i, b := range whole {
		if b == '\n' {
			ends = append(ends, i+1)
		}
	}
	for cut := ends[2]; cut <= ends[3]; cut += 1 + cut%3 {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		l := opened(t, path, Options{})
		require.NoError(t, l.Record(ann, call(9)))
		require.NoError(t, l.Close())
		r := verified(t, path, VerifyOptions{})
		require.Nil(t, r.Broken, "cut at %d", cut)
		clean := cut == ends[2] || cut == ends[3]
		require.Equal(t, clean, len(r.Repaired) == 0, "cut at %d", cut)
	}
	// Zeros, which some file systems leave, and a record whose first page is missing.
	for _, tail := range []string{strings.Repeat("\x00", 5000), strings.Repeat("\x00", 100) + "\n", "\x00\x00\x00,\"prev\":\"\n"} {
		require.NoError(t, os.WriteFile(path, append(bytes.Clone(whole[:ends[2]]), tail...), 0o600))
		require.NoError(t, opened(t, path, Options{}).Close())
		require.Len(t, verified(t, path, VerifyOptions{}).Repaired, 1)
	}
	// A whole record behind it is no tail.
	changed := bytes.Clone(whole)
	changed[ends[2]+3]++
	require.NoError(t, os.WriteFile(path, changed, 0o600))
	_, err = Open(path, Options{})
	require.ErrorContains(t, err, "whole ones follow")
}

func TestRotation(t *testing.T) {
	path, head := written(t, 100, Options{MaxFileBytes: fileBytesMin})
	files, err := Files(path)
	require.NoError(t, err)
	require.Greater(t, len(files), 5)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(fileBytesMin))
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	r := verified(t, path, VerifyOptions{Expect: head})
	require.Nil(t, r.Broken)
	require.Equal(t, uint64(101), r.Records)

	// A crash between two files.
	require.NoError(t, os.Rename(path, fmt.Sprintf("%s.%010d", path, len(files))))
	l := opened(t, path, Options{MaxFileBytes: fileBytesMin})
	require.NoError(t, l.Record(ann, call(1)))
	require.NoError(t, l.Close())
	require.Nil(t, verified(t, path, VerifyOptions{Expect: head}).Broken)
	// And one behind the making of the next.
	require.NoError(t, os.Rename(path, fmt.Sprintf("%s.%010d", path, len(files)+1)))
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, opened(t, path, Options{MaxFileBytes: fileBytesMin}).Close())
	require.Nil(t, verified(t, path, VerifyOptions{Expect: head}).Broken)

	require.NoError(t, os.Remove(files[0]))
	require.Contains(t, verified(t, path, VerifyOptions{}).Broken.Reason, "what was before is gone")
	require.Nil(t, verified(t, path, VerifyOptions{Partial: true}).Broken)
	require.NoError(t, os.Remove(files[3]))
	require.Contains(t, verified(t, path, VerifyOptions{Partial: true}).Broken.Reason, "stands where record")
}

// Many callers at once: each record is there once, and groups share their syncs.
func TestGroups(t *testing.T) {
	for _, sync_ := range []string{SyncAlways, SyncInterval} {
		path := filepath.Join(t.TempDir(), "audit.log")
		var syncs atomic.Int64
		l, err := open(path, Options{Sync: sync_, MaxFileBytes: 100_000}, func(p string) (file, error) {
			f, err := openFile(p)
			return &counted{f, &syncs}, err
		})
		require.NoError(t, err)
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() {
				for i := range 50 {
					if err := l.Record(ann, call(i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		callers.Wait()
		seq, head := l.Head()
		require.Equal(t, uint64(801), seq)
		require.NoError(t, l.Close())
		require.Nil(t, verified(t, path, VerifyOptions{Expect: head}).Broken)
		require.LessOrEqual(t, syncs.Load(), int64(900))
	}
}

type counted struct {
	file
	syncs *atomic.Int64
}

func (c *counted) Sync() error { c.syncs.Add(1); return c.file.Sync() }

// full is a disk that has no room while it is told so; before it says so it takes a part.
type full struct {
	file
	now *atomic.Bool
}

func (f *full) Write(p []byte) (int, error) {
	if f.now.Load() {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, errors.New("no space left on device")
	}
	return f.file.Write(p)
}

func onDisk(t *testing.T, o Options) (l *Log, path string, isFull *atomic.Bool) {
	path, isFull = filepath.Join(t.TempDir(), "audit.log"), &atomic.Bool{}
	l, err := open(path, o, func(p string) (file, error) {
		f, err := openFile(p)
		return &full{f, isFull}, err
	})
	require.NoError(t, err)
	return l, path, isFull
}

func TestFullDiskRefuses(t *testing.T) {
	for _, mode := range []string{SyncAlways, SyncInterval} {
		l, path, isFull := onDisk(t, Options{Sync: mode})
		require.NoError(t, l.Record(ann, call(1)))
		isFull.Store(true)
		require.ErrorIs(t, l.Record(ann, call(2)), errNotRecorded)
		require.ErrorIs(t, l.Ready(), errNotRecorded)
		require.NotContains(t, errNotRecorded.Error(), path)
		isFull.Store(false)
		require.Eventually(t, func() bool { return l.Ready() == nil }, time.Minute, time.Millisecond, "there is room again")
		require.NoError(t, l.Record(ann, call(3)))
		require.NoError(t, l.Close())
		require.Nil(t, verified(t, path, VerifyOptions{}).Broken)
		var ids []string
		for _, e := range entries(t, path)[1:] {
			ids = append(ids, e.ID)
		}
		require.Equal(t, []string{"1", "2", "3"}, ids, "what had no room is in the log too")
	}
}

func TestFullDiskContinues(t *testing.T) {
	l, path, isFull := onDisk(t, Options{OnFailure: FailureContinue})
	require.NoError(t, l.Record(ann, call(1)))
	isFull.Store(true)
	for i := range 5 {
		require.NoError(t, l.Record(ann, call(i)))
		require.NoError(t, l.Ready())
	}
	isFull.Store(false)
	lost := 5
	require.Eventually(t, func() bool {
		lost++
		require.NoError(t, l.Record(ann, call(100)))
		seq, _ := l.Head()
		return seq > 2
	}, time.Minute, time.Millisecond)
	require.NoError(t, l.Close())
	r := verified(t, path, VerifyOptions{})
	require.Nil(t, r.Broken)
	require.Len(t, r.Lost, 1)
	require.Equal(t, fmt.Sprintf("%d records could not be written before this one", lost-1), entries(t, path)[2].Note)
}

// What is held is written by the commit behind it, all in one go, or by a Record beside it.
func TestHold(t *testing.T) {
	l, path, isFull := onDisk(t, Options{})
	require.NoError(t, l.Commit(), "nothing is held")
	for i := range 3 {
		require.NoError(t, l.Hold(ann, call(i)))
	}
	seq, _ := l.Head()
	require.Equal(t, uint64(1), seq, "only that it was opened is written")
	require.NoError(t, l.Commit())
	seq, _ = l.Head()
	require.Equal(t, uint64(4), seq)
	require.NoError(t, l.Hold(ann, call(3)))
	require.NoError(t, l.Record(ann, call(4)))
	require.Len(t, entries(t, path), 6)

	require.NoError(t, l.Hold(ann, call(5)))
	isFull.Store(true)
	require.ErrorIs(t, l.Commit(), errNotRecorded)
	require.ErrorIs(t, l.Ready(), errNotRecorded)
	isFull.Store(false)
	require.NoError(t, l.Hold(ann, call(6)))
	require.NoError(t, l.Close(), "and what was held is written")
	require.Error(t, l.Hold(ann, call(7)))
	var ids []string
	for _, e := range entries(t, path)[1:] {
		ids = append(ids, e.ID)
	}
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6"}, ids)
	require.Nil(t, verified(t, path, VerifyOptions{}).Broken)
}

// What is held for an answer that never leaves is written all the same.
func TestHeldIsWrittenSoon(t *testing.T) {
	for _, mode := range []string{SyncAlways, SyncInterval} {
		l, path, _ := onDisk(t, Options{Sync: mode})
		require.NoError(t, l.Hold(ann, call(1)))
		require.Eventually(t, func() bool { return len(entries(t, path)) == 2 }, time.Minute, 10*time.Millisecond)
		require.NoError(t, l.Close())
	}
}

// A log that goes on without records neither fails a commit nor waits for what it gave up.
func TestHoldWhereTheDiskIsFull(t *testing.T) {
	l, path, isFull := onDisk(t, Options{OnFailure: FailureContinue})
	isFull.Store(true)
	for i := range 3 {
		require.NoError(t, l.Hold(ann, call(i)))
		require.NoError(t, l.Commit())
	}
	isFull.Store(false)
	require.NoError(t, l.Close())
	for _, e := range entries(t, path)[1:] {
		require.NotEmpty(t, e.Event+e.Note, "no request was recorded")
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{Arguments: "all"}, {Sync: "never"}, {OnFailure: "ignore"}, {Methods: []string{"["}}} {
		_, err := Open(filepath.Join(t.TempDir(), "a"), o)
		require.ErrorContains(t, err, "audit:")
	}
	path := filepath.Join(t.TempDir(), "a")
	require.NoError(t, os.WriteFile(path+".key", []byte("no key"), 0o600))
	_, err := Open(path, Options{})
	require.ErrorContains(t, err, "is not the key of an audit log")
	_, err = Verify(path+"-none", VerifyOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := opened(t, path, Options{MaxFileBytes: fileBytesMin})
	ctx, cancel := context.WithCancel(t.Context())
	seen, done := make(chan uint64, 1000), make(chan error, 1)
	go func() {
		done <- Follow(ctx, path, 0, func(e *Entry, _ []byte) bool {
			seen <- e.Seq
			return true
		})
	}()
	for i := range 100 {
		require.NoError(t, l.Record(ann, call(i)))
	}
	for want := uint64(1); want <= 101; want++ {
		select {
		case got := <-seen:
			require.Equal(t, want, got)
		case <-time.After(time.Minute):
			t.Fatal("record", want, "is not seen")
		}
	}
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, l.Close())
}

func BenchmarkRecord(b *testing.B) {
	for _, mode := range []string{SyncInterval, SyncAlways} {
		b.Run(mode, func(b *testing.B) {
			l := opened(b, filepath.Join(b.TempDir(), "audit.log"), Options{Sync: mode})
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(p *testing.PB) {
				r := call(1)
				for p.Next() {
					if err := l.Record(ann, r); err != nil {
						b.Error(err)
					}
				}
			})
			require.NoError(b, l.Close())
		})
	}
}

// BenchmarkHold records calls whose answers leave together, so many at once.
func BenchmarkHold(b *testing.B) {
	for _, burst := range []int{1, 16, 256} {
		b.Run(strconv.Itoa(burst), func(b *testing.B) {
			l := opened(b, filepath.Join(b.TempDir(), "audit.log"), Options{})
			r := call(1)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := l.Hold(ann, r); err != nil {
					b.Fatal(err)
				}
				if i%burst == burst-1 {
					if err := l.Commit(); err != nil {
						b.Fatal(err)
					}
				}
			}
			require.NoError(b, l.Close())
		})
	}
}
