package seal_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/seal"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/stretchr/testify/require"
)

func key(id uint64) seal.Key {
	return seal.Key{ID: id, Secret: [seal.KeyBytes]byte(bytes.Repeat([]byte{byte(id)}, seal.KeyBytes))}
}

// bytesOf is all the bytes of all files.
func bytesOf(t *testing.T, dir storage.Dir) (all []byte) {
	t.Helper()
	names, err := dir.List()
	require.NoError(t, err)
	for _, name := range names {
		f, err := dir.Open(name)
		require.NoError(t, err)
		size, err := f.Size()
		require.NoError(t, err)
		b := make([]byte, size)
		_, err = f.ReadAt(b, 0)
		require.NoError(t, err)
		all = append(all, b...)
	}
	return all
}

func open(t *testing.T, dir storage.Dir, e engine.Encryption) *engine.Store {
	t.Helper()
	s, err := engine.Open(engine.Options{Dir: dir, Encryption: e, CompressBytesMin: 1000, SegmentBytes: 8192})
	require.NoError(t, err)
	return s
}

func TestSealedAndRotated(t *testing.T) {
	dir := storage.Memory()
	s := open(t, dir, seal.AES256GCM(key(1)))
	const secret = "a value that nobody must read"
	for i := range 200 {
		_, err := s.Set(fmt.Sprintf("private-%d", i), []byte(strings.Repeat(secret, i%60)), engine.SetOptions{})
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	require.NotContains(t, string(bytesOf(t, dir)), secret)
	require.NotContains(t, string(bytesOf(t, dir)), "private")

	_, err := engine.Open(engine.Options{Dir: dir})
	require.ErrorIs(t, err, engine.ErrKey)
	_, err = engine.Open(engine.Options{Dir: dir, Encryption: seal.AES256GCM(key(2))})
	require.ErrorIs(t, err, engine.ErrKey)
	require.ErrorContains(t, err, "key 1")
	wrong := key(1)
	wrong.Secret[0]++
	_, err = engine.Open(engine.Options{Dir: dir, Encryption: seal.AES256GCM(wrong)})
	require.ErrorIs(t, err, engine.ErrCorrupt)

	s = open(t, dir, seal.AES256GCM(key(2), key(1)))
	e, err := s.Get("private-7")
	require.NoError(t, err)
	require.Equal(t, strings.Repeat(secret, 7), string(e.Value))
	require.NoError(t, s.Compact())
	require.NoError(t, s.Close())

	s = open(t, dir, seal.AES256GCM(key(2))) // the old key is not needed any more
	e, err = s.Get("private-59")
	require.NoError(t, err)
	require.Equal(t, strings.Repeat(secret, 59), string(e.Value))
	require.NoError(t, s.Close())
	require.NotContains(t, string(bytesOf(t, dir)), secret)
}

func TestParseKey(t *testing.T) {
	k, err := seal.ParseKey(" 12:" + strings.Repeat("0f", 32) + "\n")
	require.NoError(t, err)
	require.Equal(t, seal.Key{ID: 12, Secret: [32]byte(bytes.Repeat([]byte{15}, 32))}, k)
	for _, text := range []string{"", "x", "0:" + strings.Repeat("0f", 32), strings.Repeat("0f", 32), "1:0f", "1:" + strings.Repeat("zz", 32)} {
		_, err := seal.ParseKey(text)
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "zz")
	}
}

func TestKeysOfOneID(t *testing.T) {
	require.Panics(t, func() { seal.AES256GCM(key(1), key(1)) })
	require.Panics(t, func() { seal.AES256GCM(seal.Key{}) })
}
