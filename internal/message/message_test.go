package message

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What fmt would write is what is expected of each.
func TestAsFmt(t *testing.T) {
	long := strings.Repeat("ä\x00\xff\"", 60)
	tests := []struct {
		format string
		args   []any
	}{
		{"nothing to put in", nil},
		{"", nil},
		{"%d%%", []any{7}},
		{"100%% of %s and %v", []any{"text", "more"}},
		{"%s: %v", []any{io.EOF, io.ErrUnexpectedEOF}},
		{"nothing went wrong: %v", []any{error(nil)}},
		{"%d %d %d %d %d %d", []any{-1, int64(math.MinInt64), uint64(math.MaxUint64), uint32(7), uint16(8), byte(9)}},
		{"%v %v %v", []any{0, int64(math.MaxInt64), math.MinInt32}},
		{"%x %#x %016x %04x", []any{uint64(math.MaxUint64), uint16(0x30), uint64(0xabc), uint64(0x12345)}},
		{"%x %#x", []any{0, -255}},
		{"%q %q %q", []any{"", "a\nb", long}},
		{"%.80q", []any{long}},
		{"%.80q", []any{"short"}},
		{"dir%s%.3q", []any{"/", "äöüß"}},
	}
	for _, tt := range tests {
		require.Equal(t, fmt.Sprintf(tt.format, tt.args...), Sprintf(tt.format, tt.args...), tt.format)
		require.EqualError(t, Errorf(tt.format, tt.args...), fmt.Sprintf(tt.format, tt.args...))
	}
}

func TestErrorfWraps(t *testing.T) {
	plain := Errorf("at %d of %v", 3, io.EOF)
	require.NotErrorIs(t, plain, io.EOF, "%v does not wrap")
	one := Errorf("100%%: %s at %d: %w", "reading", 3, io.EOF)
	require.ErrorIs(t, one, io.EOF)
	require.EqualError(t, one, fmt.Errorf("100%%: %s at %d: %w", "reading", 3, io.EOF).Error())

	pathological := &textError{"inner"}
	both := Errorf("%w: %v: %w", io.EOF, io.ErrNoProgress, Errorf("outer: %w", pathological))
	require.EqualError(t, both, "EOF: "+io.ErrNoProgress.Error()+": outer: inner")
	require.ErrorIs(t, both, io.EOF)
	require.NotErrorIs(t, both, io.ErrNoProgress)
	var found *textError
	require.ErrorAs(t, both, &found)
	require.Same(t, pathological, found)
	require.NoError(t, errors.Unwrap(plain))
}

type textError struct{ text string }

func (e *textError) Error() string { return e.text }

// What only a mistake in the caller can bring is seen in the text, and is no panic.
// (Sprintf would have vet refuse these.)
func TestMistakesAreSeen(t *testing.T) {
	type named int
	text, _ := sprint("%d and %d", []any{named(1)}, nil)
	require.Equal(t, "%!v and %!", text)
	text, _ = sprint("50%", nil, nil)
	require.Equal(t, "50%", text)
}

func ExampleErrorf() {
	err := Errorf("reading %q at byte %d: %w", "log", 512, io.ErrUnexpectedEOF)
	fmt.Println(err, errors.Is(err, io.ErrUnexpectedEOF))
	// Output: reading "log" at byte 512: unexpected EOF true
}
