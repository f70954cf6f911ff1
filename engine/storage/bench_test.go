package storage_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkWriteAndSync appends records to a file and syncs each: to one that grows,
// to one whose room was made ahead, and to one that was filled with zeros ahead.
// The directory is that of TMPDIR; a disk in memory tells nothing.
func BenchmarkWriteAndSync(b *testing.B) {
	const recordBytes, fileBytes = 128, 16 << 20
	for name, zeros := range map[string]int{"growing": -1, "preallocated": 0, "zeroed": fileBytes} {
		b.Run(name, func(b *testing.B) {
			f, err := openDir(b, b.TempDir()).Create("log")
			require.NoError(b, err)
			defer f.Close()
			if zeros == 0 {
				err = f.Preallocate(fileBytes)
				if errors.Is(err, errors.ErrUnsupported) {
					b.Skip("the system makes no room ahead")
				}
				require.NoError(b, err)
			}
			if zeros > 0 {
				_, err = f.WriteAt(make([]byte, zeros), 0)
				require.NoError(b, err)
			}
			require.NoError(b, f.Sync())
			record := bytes.Repeat([]byte("r"), recordBytes)
			offset := int64(0)
			for b.Loop() {
				if _, err := f.WriteAt(record, offset); err != nil {
					b.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
				offset = (offset + recordBytes) % fileBytes
			}
		})
	}
}
