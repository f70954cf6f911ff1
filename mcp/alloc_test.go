//go:build !race

package mcp

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The race detector has pools lose things at random, and with them these counts.

func TestDecodeArgumentsAllocatesItsTextsOnly(t *testing.T) {
	args := []byte(`{"key":"some key","value":"some value"}`)
	assert.Equal(t, 2.0, testing.AllocsPerRun(100, func() {
		var in entryArguments
		if err := DecodeArguments(args, &in); err != nil {
			t.Error(err)
		}
	}))
}

// A call of a repeated shape costs one allocation: the text of its argument.
func TestACallAllocatesItsTextOnly(t *testing.T) {
	s := NewServer(Options{})
	s.AddTool(Tool{Name: "echo", Inline: true}, decodes)
	conn := newConn(t.Context(), s, func([]byte) error { return nil }, ConnOptions{})
	defer conn.Close()
	for _, modern := range []bool{false, true} {
		conn.Receive([]byte(legacyInitialize))
		frame := []byte(call(1, "echo", `{"key":"thirty-two bytes of text, or so"}`, modern))
		// Of the two, one is of the handler's own concatenation.
		assert.Equal(t, 2.0, testing.AllocsPerRun(100, func() { conn.Receive(frame) }), "modern %v", modern)
	}
}
