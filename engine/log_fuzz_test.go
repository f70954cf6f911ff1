package engine

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

// FuzzLogRecord parses any bytes as records; what it accepts it writes again.
func FuzzLogRecord(f *testing.F) {
	for _, r := range []logRecord{
		{kind: recordSet, key: "k", value: []byte("v"), Meta: Meta{Version: 1}},
		{kind: recordSetEnds, key: "k", Meta: Meta{Version: 300, ExpiresAt: 1 << 40}},
		{kind: recordRemove, key: "key", Meta: Meta{Version: versionMax}},
		{kind: recordEnd, key: "key", Meta: Meta{Version: 7}},
		{kind: recordClear, Meta: Meta{Version: 7}},
		{kind: recordVersion, Meta: Meta{Version: 7}},
	} {
		f.Add(r.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			r, key, rest, reason := parseRecord(b)
			if reason != "" {
				return
			}
			require.Less(t, len(rest), len(b))
			r.key = string(key)
			again, key, rest2, reason := parseRecord(r.append(nil))
			require.Empty(t, reason)
			require.Empty(t, rest2)
			again.key = string(key)
			require.Equal(t, r, again)
			b = rest
		}
	})
}

// fuzzedFile is a segment that holds the payloads of the fuzzer in blocks with right
// checksums, so that what is behind them is reached too.
func fuzzedFile(magic string, format uint16, payload []byte, kind, codec, flags byte) []byte {
	h := fileHeader{magic: magic, format: format, storeID: 1, number: 1}
	b := h.encode()
	c := coder{}
	if magic == logMagic {
		b = c.appendBlock(b, &h, logBlock{kind: blockBegin, synced: fileHeaderBytes}, []byte{0, 0, 0}, int64(len(b)))
	}
	b = c.appendBlock(b, &h, logBlock{kind: kind, codec: codec, flags: flags}, payload, int64(len(b)))
	return b
}

func fuzzedDir(t *testing.T, all map[string][]byte) storage.Dir {
	dir := storage.Memory()
	for name, b := range all {
		f, err := dir.Create(name)
		require.NoError(t, err)
		_, err = f.WriteAt(b, 0)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	return dir
}

// openFuzzed opens a directory: it opens, or says why not, and Verify agrees.
func openFuzzed(t *testing.T, all map[string][]byte) {
	v, verifyErr := Verify(Options{Dir: fuzzedDir(t, all)})
	s, err := Open(Options{Dir: fuzzedDir(t, all), BackgroundDisabled: true})
	if err != nil {
		require.True(t, errors.Is(err, ErrCorrupt) || errors.Is(err, ErrFormatVersion) || errors.Is(err, ErrKey) ||
			bytes.Contains([]byte(err.Error()), []byte("used up")), "%v", err)
		if verifyErr == nil && errors.Is(err, ErrCorrupt) {
			require.NotEmpty(t, v.Damage)
		}
		return
	}
	require.NoError(t, verifyErr)
	require.Empty(t, v.Damage)
	keys := s.Stats().Keys
	require.NoError(t, s.Compact())
	require.NoError(t, s.Close())
	require.LessOrEqual(t, keys, v.Entries) // what has ended is gone
}

// FuzzLogBlocks opens segments and snapshots whose blocks hold any payload.
func FuzzLogBlocks(f *testing.F) {
	f.Add([]byte("\x01\x01\x01\x05kv"), byte(blockRecords), byte(0), byte(0))
	f.Add([]byte{}, byte(blockEnd), byte(0), byte(0))
	f.Add([]byte("\x08\x1c\x01\x01\x01\x05kvab"), byte(blockRecords), byte(codecSnappy), byte(0))
	f.Add([]byte("\x01\x01\x01\x05kv"), byte(blockRecords), byte(0), byte(blockContinues))
	f.Fuzz(func(t *testing.T, payload []byte, kind, codec, flags byte) {
		segment := fuzzedFile(logMagic, logVersion, payload, kind, codec, flags)
		openFuzzed(t, map[string][]byte{logName(1): segment})
		snapshot := fuzzedFile(snapshotMagic, snapshotVersion2, payload, kind, codec, flags)
		openFuzzed(t, map[string][]byte{snapshotName(1): snapshot, logName(1): fuzzedFile(logMagic, logVersion, nil, blockEnd, 0, 0)})
	})
}

// FuzzLogFile opens a directory with a segment of any bytes behind a whole one.
func FuzzLogFile(f *testing.F) {
	whole := fuzzedFile(logMagic, logVersion, []byte("\x01\x01\x01\x05kv"), blockRecords, 0, 0)
	f.Add(whole)
	f.Add(whole[:fileHeaderBytes])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		openFuzzed(t, map[string][]byte{logName(1): b})
		openFuzzed(t, map[string][]byte{logName(1): whole, logName(2): b})
		openFuzzed(t, map[string][]byte{snapshotName(1): b, logName(1): whole})
	})
}

// A length that no file backs must not make a reader reserve memory.
func TestLyingLengthsReserveNothing(t *testing.T) {
	huge := []byte{0xff, 0xff, 0xff, 0x1f} // 64 MiB, as Snappy's length
	segment := fuzzedFile(logMagic, logVersion, huge, blockRecords, codecSnappy, 0)
	b, err := newBlockReader(logName(1), bytes.NewReader(segment), int64(len(segment)), logMagic, logVersion)
	require.NoError(t, err)
	_, _, err = b.next()
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err = b.next()
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, ErrCorrupt)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}
