//go:build !purego

package mcp

// skipBlocks is skipWords by SSE2, 64 bytes at a time; it stops in front of the
// last n%64 bytes. It is in skip_amd64.s.
//
//go:noescape
func skipBlocks(text *byte, n int) int

// Most strings are short: words look at the first bytes, and blocks go on where
// there may be many more.
const (
	wordsFirst = 32
	blocksMin  = 64
)

// skipPlain returns the index of the first byte from i on that is a quote, a
// backslash, a control character or not ASCII.
func skipPlain(d []byte, i int) int {
	if len(d)-i < wordsFirst+blocksMin {
		return skipWords(d, i)
	}
	end := i + wordsFirst
	if i = skipWords(d[:end], i); i < end {
		return i
	}
	i += skipBlocks(&d[i], len(d)-i)
	return skipWords(d, i)
}
