package engine_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/seal"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

var newGolden = flag.Bool("new-golden", false, "write the golden files in engine/testdata that are missing")

// goldenTime is when the golden directories were written, in Unix milliseconds.
const goldenTime = 1_800_000_000_000

// goldenKey encrypts the sealed one.
var goldenKey = seal.Key{ID: 1, Secret: [seal.KeyBytes]byte(bytes.Repeat([]byte{1}, seal.KeyBytes))}

// goldenOptions are how the golden directories were written. They stay as they
// are for ever: later builds read them.
var goldenOptions = map[string]engine.Options{
	"plain":      {},
	"compressed": {CompressBytesMin: 64},
	"sealed":     {CompressBytesMin: 64, Encryption: seal.AES256GCM(goldenKey)},
}

// writeGolden makes changes of every kind, around a compaction, in several
// segments, and leaves the store open as a crash would.
func writeGolden(t *testing.T, o engine.Options, dir storage.Dir) {
	now := int64(goldenTime)
	o.Dir, o.SegmentBytes, o.BackgroundDisabled, o.Now = dir, 1024, true, func() int64 { return now }
	s := openStore(t, o)
	ok := func(_ any, err error) { require.NoError(t, err) }
	for i := range 10 {
		ok(s.Set(fmt.Sprintf("key-%d", i), []byte(strings.Repeat("value ", 10*i)), engine.SetOptions{}))
	}
	ok(s.Set("ends", []byte("in 2100"), engine.SetOptions{TTL: time.UnixMilli(4_102_444_800_000).Sub(time.UnixMilli(now))}))
	ok(s.Set("ended", []byte("soon"), engine.SetOptions{TTL: time.Second}))
	ok(s.Set("empty", nil, engine.SetOptions{}))
	ok(s.Set("\xff\x00", []byte{0, 0xff, 0x80}, engine.SetOptions{}))
	require.NoError(t, s.Compact())
	now += 2000
	for i := range 5 {
		ok(s.SetMany([]engine.Item{{Key: fmt.Sprintf("batch-%d", i), Value: []byte(strings.Repeat("ab", 40*i))}, {Key: "both", Value: fmt.Append(nil, i)}}))
	}
	_, _, err := s.Increment("counter", -42)
	require.NoError(t, err)
	_, _, err = s.Delete("key-3", engine.DeleteOptions{})
	require.NoError(t, err)
	ok(s.Expire("key-4", time.Hour))
	ok(s.Expire("ends", 0))
	ok(s.Set("x/1", []byte("x"), engine.SetOptions{}))
	ok(s.Clear("x/"))
	ok(s.Set("x/2", []byte("grüße"), engine.SetOptions{}))
	// Not closed: what Close adds is in the other tests.
}

func TestGoldenDirectories(t *testing.T) {
	for name, o := range goldenOptions {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "store-v1", name)
			if _, err := os.Stat(path); err != nil && *newGolden {
				dir := storage.Memory()
				writeGolden(t, o, dir)
				require.NoError(t, os.MkdirAll(path, 0o755))
				for name, b := range readFiles(t, dir) {
					if strings.HasPrefix(name, "log-") { // the room that was made ahead is left out
						used := len(bytes.TrimRight(b, "\x00"))
						b = b[:(used+7)&^7]
					}
					require.NoError(t, os.WriteFile(filepath.Join(path, name), b, 0o644))
				}
			}
			all := files{}
			names, err := os.ReadDir(path)
			require.NoError(t, err)
			for _, e := range names {
				all[e.Name()], err = os.ReadFile(filepath.Join(path, e.Name()))
				require.NoError(t, err)
			}
			require.Greater(t, len(all), 2)
			o.Dir, o.Now = all.dir(t), func() int64 { return goldenTime }
			var dump bytes.Buffer
			require.NoError(t, engine.Dump(o, &dump))
			dumpPath := filepath.Join("testdata", "store-v1", "dump.jsonl")
			if _, err := os.Stat(dumpPath); err != nil && *newGolden {
				require.NoError(t, os.WriteFile(dumpPath, dump.Bytes(), 0o644))
			}
			want, err := os.ReadFile(dumpPath)
			require.NoError(t, err)
			require.Equal(t, string(want), dump.String())

			s := openStore(t, o) // and it can be written to
			_, err = s.Set("new", nil, engine.SetOptions{})
			require.NoError(t, err)
			require.NoError(t, s.Compact())
			require.NoError(t, s.Close())
		})
	}
}

// TestNewerFormat opens directories of a build to come.
func TestNewerFormat(t *testing.T) {
	whole, _ := damageable(t)
	for name, b := range whole {
		newer := bytes.Clone(b)
		newer[8]++
		_, err := engine.Open(engine.Options{Dir: whole.with(name, newer).dir(t)})
		require.ErrorIs(t, err, engine.ErrFormatVersion)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, fmt.Sprintf("version %d", newer[8]))
	}
}

// TestGoldenIncrement restores an increment that an earlier build wrote, of the changes
// since version 10 below.
func TestGoldenIncrement(t *testing.T) {
	const since = 10
	path := filepath.Join("testdata", "increment-v2.bin")
	dir := storage.Memory()
	source := openStore(t, engine.Options{Dir: dir, Now: func() int64 { return goldenTime }})
	for i := range 10 {
		_, err := source.Set(fmt.Sprintf("key-%d", i), []byte(strings.Repeat("value ", 10*i)), engine.SetOptions{})
		require.NoError(t, err)
	}
	var before bytes.Buffer
	require.NoError(t, source.Snapshot(&before))
	_, err := source.SetMany([]engine.Item{{Key: "key-1", Value: []byte("newer")}, {Key: "a\xff", Value: nil}})
	require.NoError(t, err)
	_, _, err = source.Delete("key-3", engine.DeleteOptions{})
	require.NoError(t, err)
	_, err = source.Expire("key-4", time.Hour)
	require.NoError(t, err)
	_, err = source.Set("x/1", []byte("x"), engine.SetOptions{})
	require.NoError(t, err)
	_, err = source.Clear("x/")
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil && *newGolden {
		var stream bytes.Buffer
		_, full, err := source.SnapshotSince(&stream, since)
		require.NoError(t, err)
		require.False(t, full)
		require.NoError(t, os.WriteFile(path, stream.Bytes(), 0o644))
	}
	stream, err := os.ReadFile(path)
	require.NoError(t, err)
	replica := openStore(t, engine.Options{Now: func() int64 { return goldenTime }})
	require.NoError(t, replica.Restore(&before))
	require.NoError(t, replica.RestoreSince(bytes.NewReader(stream)))
	require.Equal(t, contents(t, source), contents(t, replica))
	require.NoError(t, source.Close())
}
